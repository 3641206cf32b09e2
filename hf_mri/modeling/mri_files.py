"""Files and folders that are there whole or not at all: written aside, then renamed."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

ENDING = ".aside"
JUST_MADE = 1.0  # seconds; a folder of another process may not be locked yet


def replace_file(path: Path, write: Callable[[Path], Any], mode: int = 0o644) -> Path:
    """Let `write` fill a file aside, of the same ending, then give it its name."""
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    os.close(handle)
    try:
        write(Path(aside))
        os.chmod(aside, mode)
        os.replace(aside, path)
    finally:
        Path(aside).unlink(missing_ok=True)
    return path


def write_text(path: Path, text: str, mode: int = 0o644) -> Path:
    """Write a text file in one piece, its line ends as they are given, on Windows too."""
    return replace_file(path, lambda aside: aside.write_text(text, encoding="utf-8", newline=""), mode)


@contextmanager
def folder_aside(place: Path, sweep: bool = True) -> Iterator[Path]:
    """An empty folder that takes a place when everything in it is written; after an error nothing stays of it.

    The folder above it is there for scratch files, and goes with them.

    Args:
        place: where the folder goes.
        sweep: remove first what killed runs left for the same place; whoever fills many places sweeps once.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    if sweep:
        remove_left(place.parent, place.name)
    with tempfile.TemporaryDirectory(prefix=f".{place.name}.", suffix=ENDING, dir=place.parent) as aside, _held(aside):
        folder = Path(aside) / "new"
        folder.mkdir()
        yield folder
        replace_folder(folder, place)


def replace_folder(folder: Path, place: Path) -> None:
    """Rename a finished folder to its place; what stands there steps aside first, and goes only afterwards."""
    old = folder.with_name(f"{folder.name}.old")
    if place.exists():
        os.replace(place, old)
    try:
        os.replace(folder, place)
    except OSError:
        if old.exists():
            os.replace(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _held(folder: str | Path) -> Iterator[None]:
    """Lock a folder: the system frees the lock of whoever dies, however it dies."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def remove_left(folder: Path, name: str = "") -> None:
    """Remove what killed runs left aside for a place in a folder, or for any; what is being written stays."""
    for left in folder.glob(f".{glob.escape(name) or '*'}.*{ENDING}") if fcntl else ():
        try:
            if name or time.time() - left.stat().st_mtime > JUST_MADE:
                with _held(left):
                    shutil.rmtree(left, ignore_errors=True)
        except OSError:  # somebody writes there, or has just finished, or another process has removed it
            continue
