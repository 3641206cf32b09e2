"""Which scans to read, what to call them, and which are done already."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from itertools import count
from os.path import abspath
from pathlib import Path

from hf_mri.modeling.mri_scan_files import ENDINGS

RECORD = ".predict.json"

Source = Path | dict[str, Path]


@dataclass(frozen=True)
class Job:
    """A scan and where its reading goes.

    Attributes:
        source: A file, a folder, or one file a channel.
        folder: Gets the outputs; its name is the scan's.
        scan: Hash of what the source is, so that a changed file is read anew.
    """

    source: Source
    folder: Path
    scan: str


def find_scans(patterns: Iterable[str], list_file: Path | None = None) -> list[Path]:
    """Expand globs and a file with one path (or glob) a line, in order, each scan once."""
    lines = list(patterns)
    if list_file is not None:
        text = list_file.read_text(encoding="utf-8")
        lines += [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found: dict[Path, None] = {}
    for line in lines:
        matches = sorted(glob(line, recursive=True)) if has_magic(line) and not Path(line).exists() else [line]
        if not matches:
            raise ValueError(f"{line}: matches no file or folder")
        found.update(dict.fromkeys(map(Path, matches)))
    if not found:
        raise ValueError("no scan given: name files or folders, or a --list with one a line")
    return list(found)


def check_some_exist(sources: Sequence[Source]) -> None:
    """Refuse a run in which no scan is where it was said to be; of many, one that is missing is reported later."""
    paths = [path for source in sources for path in (source.values() if isinstance(source, dict) else [source])]
    if not any(path.exists() for path in paths):
        raise ValueError(f"{paths[0]}: no such file or folder; check the path")


def parse_channels(pairs: Sequence[str]) -> dict[str, Path]:
    """Read `name=file` pairs, in the order of the model's channels."""
    channels = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not (name and equals and path):
            raise ValueError(f"--channels {pair!r}: write name=file for each channel, as flair=scan_flair.nii.gz")
        if name in channels:
            raise ValueError(f"--channels: {name!r} is given twice")
        channels[name] = Path(path)
    return channels


def plan_jobs(sources: Sequence[Source], output: Path, name: str | None = None) -> list[Job]:
    """Give each scan a folder of its own: two scans of one name never share it, in this run or an earlier one.

    Args:
        name: In the place of the scans' own names, which may tell who was scanned.
    """
    if name is not None and (name != Path(name).name or name in ("", ".", "..")):
        raise ValueError(f"--name {name!r}: must be a name without folders")
    taken: dict[Path, str] = {}
    jobs = []
    for source in sources:
        if _place(source) in taken.values():
            continue  # named twice
        scan, own = identify(source), name or scan_name(source)
        for candidate in _names(source, own, alone=name is None):
            folder = output / candidate
            if (taken.get(folder) or _owner(folder)) in (None, _place(source)):
                break
        taken[folder] = _place(source)
        jobs.append(Job(source, folder, scan))
    return jobs


def _names(source: Source, own: str, alone: bool) -> Iterator[str]:
    """What a scan may be called, in turn: p52/images is `p52-images` where `images` is another's."""
    yield own
    parent = Path(abspath(source)).parent.name if isinstance(source, Path) else ""
    if alone and parent:
        own = f"{parent}-{own}"
        yield own
    for number in count(2):
        yield f"{own}-{number}"


def scan_name(source: Source) -> str:
    """The file's or folder's name without its ending; of several channels what their names begin with."""
    if isinstance(source, dict):
        names = [scan_name(path) for path in source.values()]
        same = next((end for end, letters in enumerate(zip(*names, strict=False)) if len(set(letters)) > 1), None)
        return names[0][:same].rstrip("_-. ") or names[0]
    name = Path(abspath(source)).name  # a link's own name, not its target's
    for ending in ENDINGS:
        if name.lower().endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)]
    return name or "scan"


def identify(source: Source) -> str:
    """Hash the places, sizes and times of the files that a scan consists of."""
    paths = source.values() if isinstance(source, dict) else [source]
    facts = []
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        facts += [(abspath(file), *_size_and_time(file)) for file in files]
    return _hash(facts)


def identify_model(model: str, revision: str | None) -> str:
    """Hash what makes a model's answers: the files of a folder, or a repository's name and commit."""
    folder = Path(model)
    if not folder.is_dir():
        return _hash((model, revision))
    files = [*folder.glob("*.safetensors"), *folder.glob("*.json"), *folder.glob("graphs/*/*")]
    return _hash(sorted((file.name, *_size_and_time(file)) for file in files))


def read_record(folder: Path) -> dict | None:
    """What an earlier run wrote of a scan's folder; None where no run finished one there."""
    try:
        return json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None


def write_record(folder: Path, job: Job, settings: dict[str, str], kinds: Iterable[str]) -> None:
    """Note what a scan's folder holds; no path is written, only hashes."""
    record = {"place": _place(job.source), "scan": job.scan, "settings": settings, "outputs": sorted(kinds)}
    (folder / RECORD).write_text(json.dumps(record), encoding="utf-8")


def _owner(folder: Path) -> str | None:
    """Hash of the place of the scan that a folder belongs to; None where the folder is free."""
    if not folder.exists():
        return None
    record = read_record(folder)
    return record["place"] if record else "not written by predict"


def _place(source: Source) -> str:
    paths = source.values() if isinstance(source, dict) else [source]
    return _hash([abspath(path) for path in paths])


def _size_and_time(file: Path) -> tuple[int, int]:
    if not file.is_file():
        return (0, 0)
    facts = file.stat()
    return facts.st_size, facts.st_mtime_ns


def _hash(facts: object) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
