"""Which scans to read, what to call them, and which are done already."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from hf_mri.modeling.mri_scan_files import without_ending
from hf_mri.storage.outputs import Output
from hf_mri.storage.places import Place, as_place, exists, expand, list_files, locate, name_of_place, parent_name

Source = Place | dict[str, Place]


@dataclass(frozen=True)
class Job:
    """A scan and what its outputs call it.

    Attributes:
        source: A file, a folder, or one file a channel.
        name: Of the folder that gets the outputs.
        place: Hash of where the source is; no path is written beside readings.
    """

    source: Source
    name: str
    place: str

    @cached_property
    def scan(self) -> str:
        """Hash of what the source is, so that a changed file is read anew."""
        return identify(self.source)


def find_scans(patterns: Iterable[str], list_file: Path | None = None) -> list[Place]:
    """Expand globs and a file with one path, address or glob a line, in order, each scan once."""
    lines = list(patterns)
    if list_file is not None:
        text = list_file.read_text(encoding="utf-8")
        lines += [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found: dict[Place, None] = {}
    for line in lines:
        matches = expand(line)
        if not matches:
            raise ValueError(f"{line}: matches no file or folder")
        found.update(dict.fromkeys(matches))
    if not found:
        raise ValueError("no scan given: name files or folders, or a --list with one a line")
    return list(found)


def check_some_exist(sources: Sequence[Source]) -> None:
    """Refuse a run in which no scan is where it was said to be; of many, one that is missing is reported later."""
    places = [place for source in sources for place in _places(source)]
    if not any(exists(place) for place in places):
        raise ValueError(f"{places[0]}: no such file or folder; check the path")


def parse_channels(pairs: Sequence[str]) -> dict[str, Place]:
    """Read `name=file` pairs, in the order of the model's channels."""
    channels = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not (name and equals and path):
            raise ValueError(f"--channels {pair!r}: write name=file for each channel, as flair=scan_flair.nii.gz")
        if name in channels:
            raise ValueError(f"--channels: {name!r} is given twice")
        channels[name] = as_place(path)
    return channels


def plan_jobs(
    sources: Sequence[Source], output: Output, name: str | None = None, fixed: Callable[[Source], str] | None = None
) -> list[Job]:
    """Give each scan a name of its own: two scans of one name never share a folder, in this run or an earlier one.

    Every process of a run plans the same.

    Args:
        name: In the place of the scans' own names, which may tell who was scanned.
        fixed: A scan's only possible name, where a format rules it; two scans of one name are then refused.
    """
    if name is not None and (name != Path(name).name or name in ("", ".", "..")):
        raise ValueError(f"--name {name!r}: must be a name without folders")
    taken: set[str] = set()
    planned: set[str] = set()
    jobs = []
    for source in sources:
        place = place_of(source)
        if place in planned:
            continue  # named twice
        names = [fixed(source)] if fixed else _names(source, name or scan_name(source), alone=name is None)
        for candidate in names:
            if candidate not in taken and _owner(output, candidate) in (None, place):
                break
        else:
            raise ValueError(
                f"{output.place(candidate)}: is another scan's; read one scan of each name, into a new folder"
            )
        planned.add(place)
        taken.add(candidate)
        jobs.append(Job(source, candidate, place))
    return jobs


def _names(source: Source, own: str, alone: bool) -> Iterator[str]:
    """What a scan may be called, in turn: p52/images is `p52-images` where `images` is another's."""
    yield own
    parent = "" if isinstance(source, dict) else parent_name(source)
    if alone and parent:
        own = f"{parent}-{own}"
        yield own
    for number in count(2):
        yield f"{own}-{number}"


def scan_name(source: Source) -> str:
    """The file's or folder's name without its ending; of several channels what their names begin with."""
    if isinstance(source, dict):
        names = [scan_name(path) for path in source.values()]
        words = [re.split(r"([_\-. ]+)", name) for name in names]  # p7 of p7_t1 and p7_t2
        return "".join(_common_start(words) or _common_start(names)).rstrip("_-. ") or names[0]
    return without_ending(name_of_place(source))


def _common_start(parts: Sequence[Sequence[str]]) -> list[str]:
    """Words, or letters, that all begin with."""
    return [each[0] for each in takewhile(lambda each: len(set(each)) == 1, zip(*parts, strict=False))]


def place_of(source: Source) -> str:
    """Hash where a scan is."""
    return _hash([locate(place) for place in _places(source)])


def identify(source: Source) -> str:
    """Hash the places, sizes and times of the files that a scan consists of."""
    return _hash([facts for place in _places(source) for facts in list_files(place)])


def identify_model(model: str, revision: str | None) -> str:
    """Hash what makes a model's answers: the files of a folder, or a repository's name and commit."""
    folder = Path(model)
    if not folder.is_dir():
        return _hash((model, revision))
    files = [*folder.glob("*.safetensors"), *folder.glob("*.json"), *folder.glob("graphs/*/*")]
    return _hash(sorted((file.name, *facts[1:]) for file in files for facts in list_files(file)))


def describe_work(job: Job, settings: dict[str, str], kinds: Iterable[str], row: dict[str, Any]) -> dict[str, Any]:
    """What is noted of a scan's folder: what was read how, what was written, and its row of the summary."""
    return {"place": job.place, "scan": job.scan, "settings": settings, "outputs": sorted(kinds), "summary": row}


def _owner(output: Output, name: str) -> str | None:
    """Hash of the place of the scan that a folder belongs to; None where the name is free."""
    if not output.is_taken(name):
        return None
    found = output.record(name)
    return found["place"] if found else "not written by predict"


def _places(source: Source) -> list[Place]:
    return list(source.values()) if isinstance(source, dict) else [source]


def _hash(facts: object) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
