"""From what a visitor drops to a scan, and the errors in words without this machine's paths."""

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

MOST_SLICES = 1500
MOST_PIXELS = 400_000_000  # of one scan, over all slices


def read_upload(reader, paths: list[str], spacing: tuple[float | None, ...] = (), series: str = ""):
    """Return the scan in the files that a visitor dropped: one file, or the slices of one scan.

    Args:
        reader: the model's; it knows how its training slices lie.
        paths: where the server keeps the uploads.
        spacing: millimeters between rows, columns and slices; empty or None where the visitor gave none.
        series: of several DICOM series, the one to read.
    """
    if not paths:
        raise ValueError("no file; drop a PNG, JPEG, TIFF, NIfTI, DICOM or a zip of DICOMs")
    known = [value or None for value in spacing]
    options = {"spacing": known if any(known) else None, "series": series or None}
    if len(paths) == 1:
        scan = reader.read_scan(paths[0], **options)
    else:
        # One folder: the slices come in number order and masks beside them are left out, as everywhere else.
        with tempfile.TemporaryDirectory(prefix="scan-") as folder:
            for number, path in enumerate(map(Path, paths)):
                target = Path(folder) / path.name
                _link(path, target if not target.exists() else target.with_stem(f"{target.stem}-{number}"))
            scan = reader.read_scan(folder, **options)
        scan = replace(scan, source=Path(paths[0]).name.partition(".")[0])
    count, height, width = scan.slices.shape[:3]
    if count > MOST_SLICES or scan.slices.size > MOST_PIXELS:
        raise ValueError(
            f"{count} slices of {width}x{height} pixels are more than this page reads; use `hf-mri predict` instead"
        )
    return scan


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:  # another disk
        shutil.copyfile(path, target)


def hide_folders(message: str, paths: list[str]) -> str:
    """Return an error's message with file names only: where the server keeps uploads is nobody's business."""
    folders = {str(Path(path).parent) for path in paths} | {tempfile.gettempdir()}
    for folder in sorted(folders, key=len, reverse=True):
        message = message.replace(folder + os.sep, "")
    return message
