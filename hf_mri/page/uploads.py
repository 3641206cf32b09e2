"""From what a visitor drops to a scan, and the errors in words without this machine's paths."""

import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from hf_mri.languages.words import ENGLISH, Words
from hf_mri.modeling.mri_scan import MOST_ZIP_BYTES
from hf_mri.modeling.mri_scan_archive import unpack_zip
from hf_mri.page.choices import Choice, tell_apart
from hf_mri.page.thumbnails import draw_thumbnail
from hf_mri.tasks.registry import find_task

LIMITS = {"most_slices": 1500, "most_pixels": 400_000_000}  # of one scan; larger ones are for `hf-mri predict`
MOST_CHOICES = 40
CHANGED = "These files are not the ones that were read. Drop the scan again."
DECODING = threading.Semaphore(2)  # scans at once: each may take the memory of the largest
CLUTTER = ("__MACOSX", "Thumbs.db", "DICOMDIR", "desktop.ini")


def list_scans(reader, paths: list[str], words: Words = ENGLISH) -> list[tuple[str, bytes | None]]:
    """Return the scans among the files that a visitor dropped, as a title and, where there are several, a picture."""
    with _laid_out(paths, words) as (choices, _):
        return [(choice.say(words), _picture(reader, choice) if len(choices) > 1 else None) for choice in choices]


def _picture(reader, choice: Choice) -> bytes | None:
    try:
        slices = reader.read_scan(choice.files[len(choice.files) // 2], **LIMITS).slices
    except (ValueError, OSError, ImportError):  # said when this one is chosen
        return None
    channel = find_task(reader.config.id2label.values()).shown_channel(slices.shape[-1])
    return draw_thumbnail(slices[len(slices) // 2, ..., channel])


def read_upload(reader, paths: list[str], spacing: tuple[float | None, ...] = (), number: int | None = None):
    """Return the scan in the files that a visitor dropped: one file, or the slices of one scan.

    Args:
        reader: the model's; it knows how its training slices lie.
        paths: where the server keeps the uploads.
        spacing: millimeters between rows, columns and slices; empty or None where the visitor gave none.
        number: of several scans, the one to read, counted from 0.

    Raises:
        ValueError: what is wrong, in a sentence; so also where there are several scans and none is named.
    """
    known = [value or None for value in spacing]
    with _laid_out(paths) as (choices, folder):
        if number is None and len(choices) > 1:
            listed = "; ".join(f"{at} is {choice.say()}" for at, choice in enumerate(choices, 1))
            raise ValueError(f"These files are {len(choices)} scans: choose one ({listed}).")
        if not 0 <= (number or 0) < len(choices):
            raise ValueError(f"There is no scan {number + 1}: these files hold {len(choices)}.")
        choice = choices[number or 0]
        scan = reader.read_scan(_gather(choice, folder), spacing=known if any(known) else None, **LIMITS)
    if len(choice.files) > 1:
        scan = replace(scan, source=Path(paths[0]).name.partition(".")[0] if len(choices) == 1 else choice.title)
    return scan


@contextmanager
def open_again(reader, paths: list[str], number: int | None, reading) -> Iterator:
    """Give a reading whose scan's files are in reach for a moment: their headers are not kept with its pixels.

    Raises:
        ValueError: these are not the files that were read.
    """
    with _laid_out(paths) as (choices, folder):
        if not 0 <= (number or 0) < len(choices):
            raise ValueError(CHANGED)
        scan = reader.read_scan(_gather(choices[number or 0], folder), **LIMITS)
        if not np.array_equal(scan.slices, reading.scan.slices):
            raise ValueError(CHANGED)
        yield replace(reading, scan=scan)


@contextmanager
def _laid_out(paths: list[str], words: Words = ENGLISH) -> Iterator[tuple[list[Choice], str]]:
    """Lay the uploads into a folder, archives unpacked, and tell their scans apart; errors lose the folder's name."""
    if not paths:
        raise ValueError("There is no file: drop a PNG, JPEG, TIFF, NIfTI, DICOM or a zip of them.")
    with DECODING, tempfile.TemporaryDirectory(prefix="scan-") as folder:
        try:
            Path(folder, "files").mkdir()
            files = [file for number, path in enumerate(paths) for file in _lay_out(Path(path), Path(folder), number)]
            choices = tell_apart(files, words)
            if len(choices) > MOST_CHOICES:
                raise ValueError(f"These files are {len(choices)} scans; drop at most {MOST_CHOICES} at a time.")
            yield choices, folder
        except (ValueError, OSError, ImportError) as error:
            raise ValueError(hide_folder(str(error), folder)) from None


def _lay_out(path: Path, folder: Path, number: int) -> list[Path]:
    """Link one upload beside the others, one of the same name into a folder of its own; unpack an archive."""
    target, aside = folder / "files" / path.name, folder / str(number)
    if target.exists():
        aside.mkdir()
        target = aside / path.name
    _link(path, target)
    if target.suffix.lower() != ".zip":
        return [target]
    aside.mkdir(exist_ok=True)
    unpack_zip(target, aside, MOST_ZIP_BYTES)
    inside = [file for file in sorted(aside.rglob("*")) if file.is_file() and file != target]
    return [file for file in inside if not _is_clutter(file)] or [target]


def _is_clutter(path: Path) -> bool:
    return path.name.startswith(".") or any(part in CLUTTER for part in path.parts)


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:  # another disk
        shutil.copyfile(path, target)


def _gather(choice: Choice, folder: str) -> Path:
    """Return what is to be read: the one file, or a folder with the scan's files and nothing else."""
    if len(choice.files) == 1:
        return choice.files[0]
    together = Path(folder, "upload")
    together.mkdir()
    for number, path in enumerate(choice.files):
        target = together / path.name
        path.rename(target if not target.exists() else target.with_stem(f"{target.stem}-{number}"))
    return together


def hide_folder(message: str, folder: str) -> str:
    """Return an error's message with file names only: where the server keeps uploads is nobody's business."""
    for place in (rf"{folder}/(?:upload|files|\d+)", folder):
        message = re.sub(rf"{place}/(?=\S)", "", message)
        message = re.sub(place, "the upload", message)
    return message.rstrip(".") + "."
