"""What a file is: by its first bytes and its name."""

from __future__ import annotations

import re
from pathlib import Path

from .mri_scan_dicom_heads import is_dicom
from .mri_scan_errors import ScanError

RASTER_ENDINGS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}
ENDINGS = RASTER_ENDINGS | {".dcm": "DICOM", ".nii": "NIfTI", ".nii.gz": "NIfTI", ".zip": "zip"}
HEAD_BYTES = 352  # enough to tell every kind
CLUTTER = ("__MACOSX", "THUMBS.DB", "DICOMDIR", "DESKTOP.INI")


def kind_of(path: Path) -> str:
    """What a file holds, by its first bytes.

    Raises:
        ScanError: nothing that is read here, or its ending says something else.
    """
    with path.open("rb") as file:
        return check_kind(path, file.read(HEAD_BYTES))


def check_kind(path: Path, head: bytes) -> str:
    """What a file's first bytes say that it holds; refused where its ending says something else."""
    if not head:
        raise ScanError(path, "the file is empty", "get it again")
    claimed = next((kind for ending, kind in ENDINGS.items() if path.name.lower().endswith(ending)), None)
    kind = _sniff(head)
    if kind is None and claimed == "DICOM" and is_dicom(path):
        kind = "DICOM"
    if kind is None:
        what = f"a {claimed} file" if claimed else "PNG, JPEG, TIFF, NIfTI, DICOM or zip"
        raise ScanError(path, f"is not {what}", "check that the file is whole and has the right ending")
    if claimed not in (None, kind):
        raise ScanError(path, f"is named as {claimed} but holds {kind}", "rename it")
    return kind


def _sniff(head: bytes) -> str | None:
    if head[128:132] == b"DICM":  # first: what stands before it may be anything, also the start of a TIFF
        return "DICOM"
    if head.startswith(b"\x89PNG"):
        return "PNG"
    if head.startswith(b"\xff\xd8"):
        return "JPEG"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return "zip"
    if head.startswith(b"\x1f\x8b") or head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] in (b"n+2\0", b"ni2\0"):
        return "NIfTI"
    return None


def name_of(path: Path) -> str:
    """A scan's name: its file's or folder's, without folders and endings."""
    return without_ending(path.resolve().name if path.name in ("", ".", "..") else path.name)


def without_ending(name: str) -> str:
    """A file's name without its ending, always one that a file or folder may have: `...png` is no way to `..`."""
    ending = next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")
    name = name[: len(name) - len(ending)] or name
    return "scan" if name in ("", ".", "..") else name


def number_order(path: Path) -> list[tuple[int, int | str]]:
    """A sort key that puts slice 9 before slice 10."""
    parts = re.split(r"(\d+)", path.name)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]


def spacing_in_name(path: Path, size: tuple[int, int]) -> tuple[float, float, None] | None:
    """Pixel spacing where a name carries it with the size, as `slice_0065_266_266_1.50_1.50.png` does."""
    match = re.search(r"_(\d+)_(\d+)_(\d+\.\d+)_(\d+\.\d+)$", path.stem)
    if match is None or sorted(map(int, match.groups()[:2])) != sorted(size):
        return None
    height, width = float(match[3]), float(match[4])
    return (height, width, None) if height > 0 and width > 0 else None


def is_clutter(path: Path) -> bool:
    """Whether a file or folder is what systems and archives leave behind."""
    return path.name.startswith(".") or path.name.upper() in CLUTTER


def innermost(folder: Path) -> Path:
    """Past folders that hold nothing but one folder, as archives often have them."""
    while True:
        inside = [entry for entry in folder.iterdir() if not is_clutter(entry)]
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        folder = inside[0]
