"""Where readings go: a folder of this machine, or an address; a folder a scan, whole or not there."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hf_mri.modeling.mri_addresses import deliver, is_address, reaching
from hf_mri.modeling.mri_files import folder_aside, remove_left, replace_file
from hf_mri.storage.places import Place

RECORD = ".predict.json"  # of what a scan's folder holds


class LocalOutput:
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        remove_left(folder)

    def place(self, name: str) -> Path:
        """Where a scan's outputs are."""
        return self.folder / name

    def is_taken(self, name: str) -> bool:
        """Whether something has this name."""
        return self.place(name).exists()

    def record(self, name: str) -> dict[str, Any] | None:
        """What an earlier run wrote of a scan's folder; None where no run finished one there."""
        return _parse(self.read(f"{name}/{RECORD}"))

    @contextmanager
    def fill(self, name: str, begun: dict[str, Any]) -> Iterator[Path]:
        """An empty folder that takes the scan's place when everything in it is written."""
        with folder_aside(self.place(name), sweep="/" in name) as aside:  # what lies deeper was not swept yet
            yield aside

    def read(self, name: str) -> bytes | None:
        """The content of a file below the folder; None where there is none."""
        try:
            return self.place(name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, content: bytes) -> Place:
        """Write a file below the folder in one piece."""
        self.place(name).parent.mkdir(parents=True, exist_ok=True)
        return replace_file(self.place(name), lambda aside: aside.write_bytes(content))

    def list(self, name: str) -> set[str]:
        """Names of the files in a folder below this one."""
        return {path.name for path in self.place(name).glob("[!.]*")}

    def remove(self, name: str) -> None:
        """Remove a folder below this one."""
        shutil.rmtree(self.place(name), ignore_errors=True)


class RemoteOutput:
    """A folder at an address. Stores have no renaming of folders: a record that comes last makes a scan's whole."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        with reaching(self.address) as (store, path):
            self.store, self.path = store, path.rstrip("/")
            records = store.glob(f"{self.path}/*/{RECORD}")
            contents = store.cat(records) if records else {}
            found = store.ls(self.path, detail=False) if store.exists(self.path) else []
        contents = contents if isinstance(contents, dict) else {records[0]: contents}
        self.records = {path.rsplit("/", 2)[1]: _parse(content) for path, content in contents.items()}
        self.names = {entry.rstrip("/").rsplit("/", 1)[-1] for entry in found}

    def place(self, name: str) -> str:
        """Where a scan's outputs are."""
        return f"{self.address}/{name}"

    def is_taken(self, name: str) -> bool:
        """Whether something had this name when the run began: one listing tells it of all scans."""
        return name in self.names

    def record(self, name: str) -> dict[str, Any] | None:
        """What an earlier run wrote of a scan's folder; None where no run began one there."""
        return self.records.get(name)

    @contextmanager
    def fill(self, name: str, begun: dict[str, Any]) -> Iterator[Path]:
        """A folder of this machine that goes to the address; `begun` stands there until all of it has arrived."""
        with TemporaryDirectory(prefix="hf_mri_") as aside:
            yield Path(aside)
            self.remove(name)
            self.write(f"{name}/{RECORD}", json.dumps(begun).encode())
            deliver(Path(aside), self.place(name), last=RECORD)

    def read(self, name: str) -> bytes | None:
        """The content of a file below the address; None where there is none."""
        with reaching(self.place(name)) as (store, path):
            store.invalidate_cache()
            return store.cat_file(path) if store.exists(path) else None

    def write(self, name: str, content: bytes) -> Place:
        """Write a file below the address in one piece."""
        with reaching(self.place(name)) as (store, path):
            store.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            store.pipe_file(path, content)
        return self.place(name)

    def list(self, name: str) -> set[str]:
        """Names of the files in a folder below the address."""
        with reaching(self.place(name)) as (store, path):
            store.invalidate_cache()
            return {file.rsplit("/", 1)[-1] for file in store.ls(path, detail=False)} if store.exists(path) else set()

    def remove(self, name: str) -> None:
        """Remove a folder below the address."""
        with reaching(self.place(name)) as (store, path):
            if store.exists(path):
                store.rm(path, recursive=True)


Output = LocalOutput | RemoteOutput


def open_output(place: Place) -> Output:
    """The output at a path or an address; nothing is made there yet."""
    return RemoteOutput(str(place)) if is_address(place) else LocalOutput(Path(place))


def _parse(content: bytes | None) -> dict[str, Any] | None:
    try:
        return None if content is None else json.loads(content)
    except ValueError:  # broken, or no text
        return None
