"""Places that are no path of this machine: `s3://…`, `hf://…`, `memory://…`, whatever fsspec knows.

`fetched` and `delivered` hand local paths through, so that callers need not ask.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from .mri_scan_errors import ScanError, in_one_line


def is_address(place: Any) -> bool:
    """Whether a place is an address and no path."""
    return isinstance(place, str) and "://" in place


def is_web_address(place: Any) -> bool:
    """Whether an address is one of the web's, where `?` begins a question and is no wildcard."""
    return is_address(place) and place.lower().startswith(("http://", "https://"))


def name_of_address(address: str) -> str:
    """The last part of an address: the file's or folder's name, without the web's questions, which may hold keys."""
    path = unquote(urlsplit(address).path) if is_web_address(address) else address
    return path.rstrip("/").rsplit("/", 1)[-1]


def shown_address(address: str) -> str:
    """An address as it may be told: without the web's questions, which may hold keys."""
    return address.partition("?")[0] if is_web_address(address) else address


@contextmanager
def reaching(address: str) -> Iterator[tuple[Any, str]]:
    """The file system of an address and the path in it; whatever goes wrong there becomes one line.

    Raises:
        ScanError: nothing there, no way there, or no permission.
    """
    from fsspec.core import url_to_fs  # only who has addresses waits for it

    shown = shown_address(address)
    try:
        yield url_to_fs(address)
    except ScanError:
        raise
    except FileNotFoundError as error:
        raise ScanError(shown, "no such file or folder", "check the address") from error
    except ImportError as error:  # fsspec says which package the protocol needs
        raise ScanError(shown, str(error)) from error
    except ValueError as error:
        raise ScanError(shown, f"is no address that can be read ({error})", "check its protocol") from error
    except Exception as error:  # every store has errors of its own; the web's tell the whole address, with its keys
        words = "" if is_web_address(address) else str(error)
        raise ScanError(shown, f"cannot be reached ({in_one_line(words or type(error).__name__)})") from error


@contextmanager
def fetched(place: str | Path) -> Iterator[Path]:
    """What lies at an address as a local file or folder of the same name, for as long as it is looked at."""
    if not is_address(place):
        yield Path(place)
        return
    with tempfile.TemporaryDirectory(prefix="hf_mri_fetch_") as folder:
        local = _local_copy(folder, str(place))
        fetch(str(place), local)
        yield local


def _local_copy(folder: str, address: str) -> Path:
    """Where a copy lies: under the address's own name, where that is the name of a file."""
    name = name_of_address(address)
    return Path(folder) / ("copy" if name in ("", ".", "..") else name)


def fetch(address: str, local: Path) -> None:
    """Copy a file, or a folder with everything below it."""
    with reaching(address) as (store, path):
        if not store.isdir(path):
            store.get_file(path, str(local))
            return
        files = store.find(path)
        places = [local / file[len(path.rstrip("/")) + 1 :] for file in files]
        for parent in {local, *(place.parent for place in places)}:
            if not parent.resolve().is_relative_to(local.resolve()):
                raise ScanError(address, "holds a name that leads out of its folder")
            parent.mkdir(parents=True, exist_ok=True)
        store.get(files, [str(place) for place in places])


@contextmanager
def delivered(place: str | Path, last: str = "", replace: bool = False) -> Iterator[Path]:
    """A local folder whose files go to the address when all are written; after an error nothing changes there.

    Args:
        place: An address; a local path is handed through.
        last: The file that goes last and so tells that the others are there.
        replace: Afterwards remove everything else that lies there.
    """
    if not is_address(place):
        yield Path(place)
        return
    with tempfile.TemporaryDirectory(prefix="hf_mri_deliver_") as folder:
        local = _local_copy(folder, str(place))
        yield local
        sent = deliver(local, str(place), last)
        with reaching(str(place)) as (store, path):
            if replace and (others := set(store.find(path)) - sent):
                store.rm(sorted(others))


def deliver(local: Path, address: str, last: str = "") -> set[str]:
    """Copy the files of a folder to an address, the `last` one last; return where they are in the store."""
    files = sorted(
        (file for file in local.rglob("*") if file.is_file()), key=lambda file: (file == local / last, file)
    )
    sent = []
    with reaching(address) as (store, path):
        for file in files:
            sent.append(f"{path.rstrip('/')}/{file.relative_to(local).as_posix()}")
            store.makedirs(sent[-1].rsplit("/", 1)[0], exist_ok=True)
            store.put_file(str(file), sent[-1])
    return set(sent)
