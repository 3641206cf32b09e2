"""Files, folders and arrays to one `Scan`: slices with spacing, and the geometry to go back."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .archive_mri import unpack_zip
from .dicom_mri import is_dicom, read_dicom_files
from .geometry_mri import Geometry, ScanError
from .nifti_mri import read_nifti_file
from .raster_mri import decode_raster, pillow_array

RASTER_ENDINGS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}
OTHER_ENDINGS = {".dcm": "DICOM", ".nii": "NIfTI", ".nii.gz": "NIfTI", ".zip": "zip"}
MOST_ZIP_BYTES = 4 * 2**30


@dataclass
class Scan:
    """Slices as they were stored, turned to one orientation, with what is needed to go back.

    Attributes:
        slices: (S, H, W, C) in the source's dtype; of a cine, time point after time point.
        spacing: millimeters between rows, columns and slices; the last may be None; None where nothing is known.
        geometry: the way back to the source's axes.
        source: a name without folders.
        files: the file of each slice, or the one file that holds all; empty for arrays.
        phases: time points.
    """

    slices: np.ndarray
    spacing: tuple[float, float, float | None] | None
    geometry: Geometry
    source: str = "array"
    files: tuple[Path, ...] = ()
    phases: int = 1
    warnings: list[str] = field(default_factory=list)

    @property
    def slices_per_phase(self) -> int:
        """Slices in one time point."""
        return len(self.slices) // self.phases


def read_scan(
    source: Any,
    num_channels: int | None = None,
    spacing: Sequence[float] | None = None,
    orientation: str = "LPS",
    series: str | None = None,
) -> Scan:
    """Read one scan from whatever holds it.

    Args:
        source: a file (PNG, JPEG, TIFF, NIfTI, DICOM, zip), a folder, a list of files or slices in the caller's order,
            a mapping of channel names to any of these, an array (H, W), (H, W, C), (S, H, W) or (S, H, W, C), or a
            PIL image.
        num_channels: channels of the model, which settle what a 3-D array means.
        spacing: millimeters between rows, columns and (optionally) slices, where the files do not say.
        orientation: how volumes with a known position are turned: "LPS" (columns to the left, rows to posterior,
            slices to superior), or "as stored".
        series: of several DICOM series, the one to read: its number, description or UID.

    Raises:
        ScanError: nothing was read; one line with the file, the reason and the fix.
    """
    if isinstance(source, Scan):
        scan = source
    elif isinstance(source, Mapping):
        scan = _read_channels(source, num_channels, orientation, series)
    elif isinstance(source, str | Path):
        scan = _read_path(Path(source), orientation, series)
    elif isinstance(source, Image.Image):
        scan = _scan_of(pillow_array(source)[None], "image")
    elif isinstance(source, Sequence):
        scan = _read_list(source, num_channels, orientation, series)
    else:
        scan = _read_array(source, num_channels)
    if spacing is not None:
        scan = replace(scan, spacing=_check_spacing(spacing))
    return scan


def name_of(path: Path) -> str:
    """A scan's name: its file's or folder's, without folders and endings."""
    name = path.resolve().name if path.name in ("", ".", "..") else path.name
    return name.removesuffix(".gz").rpartition(".")[0] or name if not path.is_dir() else name


def number_order(path: Path) -> list[tuple[int, int | str]]:
    """A sort key that puts slice 9 before slice 10."""
    parts = re.split(r"(\d+)", path.name)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]


def _read_path(path: Path, orientation: str, series: str | None) -> Scan:
    if path.is_dir():
        return _read_folder(path, name_of(path), orientation, series)
    if not path.is_file():
        raise ScanError(f"{path}: no such file or folder; check the path")
    kind = _kind_of(path)
    if kind == "zip":
        return _read_zip(path, orientation, series)
    if kind == "NIfTI":
        volume = read_nifti_file(path, orientation)
        return Scan(
            volume.slices, volume.spacing, volume.geometry, name_of(path), (path,), volume.phases, volume.warnings
        )
    if kind == "DICOM":
        return _read_dicom([path], name_of(path), orientation, series)
    return replace(_scan_of(decode_raster(path.read_bytes(), str(path)), name_of(path)), files=(path,))


def _kind_of(path: Path) -> str:
    """What a file holds, by its first bytes; refused where its ending says something else."""
    with path.open("rb") as file:
        head = file.read(352)
    if not head:
        raise ScanError(f"{path}: the file is empty; get it again")
    claimed = next(
        (kind for ending, kind in (RASTER_ENDINGS | OTHER_ENDINGS).items() if path.name.lower().endswith(ending)), None
    )
    kind = _sniff(head)
    if kind is None and claimed == "DICOM" and is_dicom(path):
        kind = "DICOM"
    if kind is None:
        what = f"a {claimed} file" if claimed else "PNG, JPEG, TIFF, NIfTI, DICOM or zip"
        raise ScanError(f"{path}: is not {what}; check that the file is whole and has the right ending")
    if claimed not in (None, kind):
        raise ScanError(f"{path}: is named as {claimed} but holds {kind}; rename it")
    return kind


def _sniff(head: bytes) -> str | None:
    if head.startswith(b"\x89PNG"):
        return "PNG"
    if head.startswith(b"\xff\xd8"):
        return "JPEG"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if head[128:132] == b"DICM":
        return "DICOM"
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return "zip"
    if head.startswith(b"\x1f\x8b") or head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] in (b"n+2\0", b"ni2\0"):
        return "NIfTI"
    return None


def _read_zip(path: Path, orientation: str, series: str | None) -> Scan:
    with tempfile.TemporaryDirectory() as folder:
        try:
            unpack_zip(path, folder, MOST_ZIP_BYTES)
        except ScanError:
            raise
        except ValueError as error:
            raise ScanError(str(error)) from error
        scan = _read_folder(_innermost(Path(folder)), name_of(path), orientation, series, shown=path)
    return replace(scan, files=(path,))


def _innermost(folder: Path) -> Path:
    """Past folders that hold nothing but one folder, as archives often have them."""
    while True:
        inside = [entry for entry in folder.iterdir() if not _is_clutter(entry)]
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        folder = inside[0]


def _is_clutter(path: Path) -> bool:
    return path.name.startswith(".") or path.name in ("__MACOSX", "Thumbs.db", "DICOMDIR", "desktop.ini")


def _read_folder(folder: Path, name: str, orientation: str, series: str | None, shown: Path | None = None) -> Scan:
    """A folder of one kind: slices in number order, DICOMs (also in folders below), or one NIfTI."""
    shown = shown or folder
    files = sorted((p for p in folder.rglob("*") if p.is_file() and not _is_clutter(p)), key=number_order)
    dicoms = [p for p in files if p.suffix.lower() not in RASTER_ENDINGS and is_dicom(p)]
    if dicoms:
        return _read_dicom(dicoms, name, orientation, series, shown)
    files = [p for p in files if p.parent == folder]
    niftis = [p for p in files if p.name.lower().endswith((".nii", ".nii.gz"))]
    rasters = [p for p in files if p.suffix.lower() in RASTER_ENDINGS]
    if (niftis and rasters) or len(niftis) > 1:
        raise ScanError(f"{shown}: holds {len(niftis)} NIfTI and {len(rasters)} image files; name the one to read")
    if niftis:
        return _read_path(niftis[0], orientation, series)
    if not rasters:
        raise ScanError(f"{shown}: holds no slices (PNG, JPEG, TIFF, NIfTI or DICOM); check the folder")
    stems = {p.stem for p in rasters}
    masks = [p for p in rasters if p.stem.endswith("_mask") and p.stem.removesuffix("_mask") in stems]
    scan = _read_rasters([p for p in rasters if p not in masks], name)
    if masks:
        scan.warnings.append(f"{len(masks)} mask files (X_mask beside X) were left out")
    return scan


def _read_rasters(paths: list[Path], name: str) -> Scan:
    """One slice a file, all of one size."""
    pages = []
    for path in paths:
        _kind_of(path)
        pages.append(decode_raster(path.read_bytes(), str(path)))
    first = pages[0]
    for path, page in zip(paths, pages, strict=True):
        if page.shape[1:] != first.shape[1:]:
            raise ScanError(
                f"{path}: is {_size(page)}, {paths[0].name} is {_size(first)}; slices of one scan must have one size"
            )
    files = tuple(path for path, page in zip(paths, pages, strict=True) for _ in page)
    return replace(_scan_of(np.concatenate(pages), name), files=files)


def _size(page: np.ndarray) -> str:
    return f"{page.shape[2]}x{page.shape[1]} with {page.shape[3]} channel(s)"


def _read_dicom(paths: list[Path], name: str, orientation: str, series: str | None, shown: Path | None = None) -> Scan:
    volume = read_dicom_files(paths, orientation, series, shown or paths[0])
    return Scan(volume.slices, volume.spacing, volume.geometry, name, volume.files, volume.phases, volume.warnings)


def _read_list(source: Sequence[Any], num_channels: int | None, orientation: str, series: str | None) -> Scan:
    """One scan's slices in the caller's order: files, PIL images or arrays."""
    if not source:
        raise ScanError("scan: the list is empty; give at least one slice")
    if all(isinstance(entry, str | Path) for entry in source):
        paths = [Path(entry) for entry in source]
        for path in paths:
            if not path.is_file():
                raise ScanError(f"{path}: no such file; a list of paths is one scan, a file a slice")
        if all(is_dicom(path) for path in paths):
            return _read_dicom(paths, name_of(paths[0]), orientation, series)
        if any(_kind_of(path) in ("NIfTI", "zip", "DICOM") for path in paths):
            raise ScanError(
                f"{paths[0]}: a list of paths is one scan, a PNG, JPEG or TIFF a slice; give volumes one by one"
            )
        return _read_rasters(paths, name_of(paths[0]))
    scans = [read_scan(entry, num_channels, orientation=orientation) for entry in source]
    if len({scan.slices.shape[1:] for scan in scans}) > 1:
        raise ScanError(
            f"scan: slices of shapes {sorted({s.slices.shape[1:3] for s in scans})}; they must have one size"
        )
    return _scan_of(np.concatenate([scan.slices for scan in scans]), "array")


def _read_channels(source: Mapping[str, Any], num_channels: int | None, orientation: str, series: str | None) -> Scan:
    """Several files as the channels of one scan, in the mapping's order; or the slices of {"slices": […]}."""
    if set(source) == {"slices"}:
        slices = source["slices"]
        return read_scan(
            list(slices) if isinstance(slices, tuple) else slices, num_channels, None, orientation, series
        )
    if not source:
        raise ScanError("channels: the mapping is empty; give {name: file, …}")
    scans = {name: read_scan(entry, 1, None, orientation, series) for name, entry in source.items()}
    first_name, first = next(iter(scans.items()))
    for name, scan in scans.items():
        if scan.slices.shape[-1] != 1:
            if not _is_grey(scan.slices):
                raise ScanError(
                    f"{scan.source}: channel {name!r} has colors itself; give a grey file for each channel"
                )
            scans[name] = scan = replace(scan, slices=scan.slices[..., :1])
        if scan.slices.shape[:3] != first.slices.shape[:3]:
            raise ScanError(
                f"{scan.source}: channel {name!r} has slices of shape {scan.slices.shape[:3]}, {first_name!r} of "
                f"{first.slices.shape[:3]}; resample them to one grid"
            )
    slices = np.concatenate([scan.slices for scan in scans.values()], axis=-1)
    warnings = list(dict.fromkeys(w for scan in scans.values() for w in scan.warnings))
    return replace(scans[first_name], slices=slices, warnings=warnings)


def _is_grey(slices: np.ndarray) -> bool:
    return bool((slices == slices[..., :1]).all())


def _read_array(source: Any, num_channels: int | None) -> Scan:
    """(H, W), (H, W, C), (S, H, W) or (S, H, W, C); C is the model's channels or one."""
    try:
        array = np.asarray(source)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ScanError(f"scan: cannot read a {type(source).__name__} as an array ({error})") from error
    if array.dtype.kind not in "buif" or array.size == 0:
        raise ScanError(
            f"scan: an array of dtype {array.dtype} and shape {array.shape}; give numbers, at least one pixel"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ScanError("scan: the array has NaN or infinite values; replace them first")
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    return _scan_of(_lay_out(array, num_channels), "array")


def _lay_out(array: np.ndarray, num_channels: int | None) -> np.ndarray:
    """An array as (S, H, W, C), or an error where it could mean two things."""
    channels = {num_channels} if num_channels else {1, 3}
    if array.ndim == 2:
        return array[None, :, :, None]
    if array.ndim == 3:
        last, first = array.shape[-1] in channels | {1}, array.shape[0] in channels - {1}
        if (last and first) or (first and array.shape[0] > 1) or (not last and array.shape[-1] in (2, 3, 4)):
            raise ScanError(
                f"scan: an array of shape {array.shape} could be slices or channels; give (S, H, W, C) with C = 1 for "
                "grey slices, or (1, H, W, C) for one slice"
            )
        return array[None] if last else array[..., None]
    if array.ndim == 4:
        if num_channels and array.shape[-1] not in (1, num_channels):
            raise ScanError(f"scan: an array of shape {array.shape} must be (S, H, W, C) with C = {num_channels} or 1")
        return array
    raise ScanError(f"scan: an array of shape {array.shape} must be (H, W), (H, W, C), (S, H, W) or (S, H, W, C)")


def _scan_of(slices: np.ndarray, name: str) -> Scan:
    count, height, width = slices.shape[:3]
    return Scan(slices, None, Geometry((width, height, count)), name)


def _check_spacing(spacing: Sequence[float]) -> tuple[float, float, float | None]:
    values = [float(value) for value in spacing if value is not None]
    if len(values) not in (2, 3) or not all(np.isfinite(value) and 0 < value < 1000 for value in values):
        raise ScanError(
            f"spacing {tuple(spacing)}: must be two or three positive numbers, mm between rows, columns and slices"
        )
    return values[0], values[1], values[2] if len(values) == 3 else None
