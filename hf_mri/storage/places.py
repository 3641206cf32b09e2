"""What lies at a place: a path of this machine, or an address such as `s3://…` that fsspec knows."""

from glob import glob, has_magic
from os.path import abspath
from pathlib import Path

from hf_mri.modeling.mri_addresses import is_address, is_web_address, name_of_address, reaching

Place = Path | str  # a path, or an address


def as_place(text: str | Path) -> Place:
    """An address as it is, anything else as a path."""
    return text if is_address(text) else Path(text)  # type: ignore[return-value]


def name_of_place(place: Place) -> str:
    """The file's or folder's own name; a link's own, not its target's."""
    return name_of_address(str(place)) if is_address(place) else Path(abspath(place)).name


def parent_name(place: Place) -> str:
    """The name of the folder that holds it."""
    return (
        name_of_place(str(place).rstrip("/").rpartition("/")[0])
        if is_address(place)
        else Path(abspath(place)).parent.name
    )


def locate(place: Place) -> str:
    """The same text for the same place, wherever the command was called."""
    return str(place).rstrip("/") if is_address(place) else abspath(place)


def join(place: Place, name: str) -> Place:
    """What is called so in a folder."""
    return f"{str(place).rstrip('/')}/{name}" if is_address(place) else Path(place) / name


def exists(place: Place) -> bool:
    """Whether something is there."""
    if not is_address(place):
        return Path(place).exists()
    with reaching(str(place)) as (store, path):
        return bool(store.exists(path))


def expand(pattern: str) -> list[Place]:
    """What a path, an address or a pattern of either names, in order; a place without wildcards is taken as it is."""
    if not has_magic(pattern) or is_web_address(pattern) or (not is_address(pattern) and Path(pattern).exists()):
        return [as_place(pattern)]
    if not is_address(pattern):
        return [Path(path) for path in sorted(glob(pattern, recursive=True))]
    with reaching(pattern) as (store, path):
        return [store.unstrip_protocol(found) for found in sorted(store.glob(path))]


def list_files(place: Place) -> list[tuple[str, int, str]]:
    """Name, size and time of a file, or of every file below a folder: what changes when a scan does."""
    if not is_address(place):
        path = Path(place)
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        return [(abspath(file), *_size_and_time(file)) for file in files]
    with reaching(str(place)) as (store, path):
        found = store.find(path, detail=True)
        return [(name, found[name].get("size") or 0, _stamp(found[name])) for name in sorted(found)]


def _size_and_time(file: Path) -> tuple[int, str]:
    if not file.is_file():
        return (0, "")
    facts = file.stat()
    return facts.st_size, str(facts.st_mtime_ns)


def _stamp(facts: dict) -> str:
    """What a store says of a file's content or time; each has words of its own."""
    known = ("ETag", "etag", "md5Hash", "blob_id", "LastModified", "mtime", "last_modified", "created")
    return next((str(facts[name]) for name in known if facts.get(name)), "")
