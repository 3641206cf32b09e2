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

from .mri_scan_archive import unpack_zip
from .mri_scan_dicom import is_dicom, read_dicom_files
from .mri_scan_geometry import Geometry, ScanError
from .mri_scan_nifti import read_nifti_file
from .mri_scan_raster import DECODE_ERRORS, decode_raster, pillow_array, reason_of

RASTER_ENDINGS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}
ENDINGS = RASTER_ENDINGS | {".dcm": "DICOM", ".nii": "NIfTI", ".nii.gz": "NIfTI", ".zip": "zip"}
MOST_ZIP_BYTES = 2**31


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
    try:
        scan = _read_any(source, num_channels, orientation, series)
    except OSError as error:  # no permission, a broken disk, …
        raise ScanError(f"{error.filename or 'scan'}: cannot be read ({error.strerror or error})") from error
    if scan.slices.dtype.kind == "f" and not np.isfinite(scan.slices).all():
        raise ScanError(f"{scan.source}: has NaN or infinite values; replace them first (numpy.nan_to_num)")
    if spacing is not None:
        scan = replace(scan, spacing=_check_spacing(spacing))
    return scan


def _read_any(source: Any, num_channels: int | None, orientation: str, series: str | None) -> Scan:
    if isinstance(source, Scan):
        return source
    if isinstance(source, Mapping):
        return _read_channels(source, num_channels, orientation, series)
    if isinstance(source, str | Path):
        return _read_path(Path(source), orientation, series)
    if isinstance(source, Image.Image):
        return _scan_of(pillow_array(source)[None], "image")
    if isinstance(source, Sequence):
        return _read_list(source, num_channels, orientation, series)
    return _read_array(source, num_channels)


def name_of(path: Path) -> str:
    """A scan's name: its file's or folder's, without folders and endings."""
    name = path.resolve().name if path.name in ("", ".", "..") else path.name
    ending = next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)] or name


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
    return replace(_read_rasters([path], name_of(path)), files=(path,))


def _kind_of(path: Path) -> str:
    """What a file holds, by its first bytes."""
    with path.open("rb") as file:
        return _check_kind(path, file.read(352))


def _check_kind(path: Path, head: bytes) -> str:
    """What a file's first bytes say that it holds; refused where its ending says something else."""
    if not head:
        raise ScanError(f"{path}: the file is empty; get it again")
    claimed = next((kind for ending, kind in ENDINGS.items() if path.name.lower().endswith(ending)), None)
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
            scan = _read_folder(Path(folder), name_of(path), orientation, series, shown=path)
        except ScanError as error:
            raise ScanError(str(error).replace(f"{folder}/", f"{path}: ")) from error
        except DECODE_ERRORS as error:
            raise ScanError(f"{path}: {reason_of(error).removeprefix(f'{path}: ')}") from error
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
    shown, folder = shown or folder, _innermost(folder)
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
        below = [p for p in sorted(folder.iterdir()) if p.is_dir() and not _is_clutter(p)]
        fix = f"its folders are scans of their own, name one, such as {below[0].name}" if below else "check the folder"
        raise ScanError(f"{shown}: holds no slices (PNG, JPEG, TIFF, NIfTI or DICOM); {fix}")
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
        data = path.read_bytes()
        _check_kind(path, data[:352])
        pages.append(decode_raster(data, str(path)))
    first = pages[0]
    for path, page in zip(paths, pages, strict=True):
        if page.shape[1:] != first.shape[1:]:
            raise ScanError(
                f"{path}: is {_size(page)}, {paths[0].name} is {_size(first)}; slices of one scan must have one size"
            )
    files = tuple(path for path, page in zip(paths, pages, strict=True) for _ in page)
    spacings = {_spacing_in_name(path, page.shape[1:3]) for path, page in zip(paths, pages, strict=True)}
    spacing = spacings.pop() if len(spacings) == 1 else None
    return replace(_scan_of(np.concatenate(pages), name), files=files, spacing=spacing)


def _spacing_in_name(path: Path, size: tuple[int, int]) -> tuple[float, float, None] | None:
    """Pixel spacing where a name carries it with the size, as `slice_0065_266_266_1.50_1.50.png` does."""
    match = re.search(r"_(\d+)_(\d+)_(\d+\.\d+)_(\d+\.\d+)$", path.stem)
    if match is None or sorted(map(int, match.groups()[:2])) != sorted(size):
        return None
    height, width = float(match[3]), float(match[4])
    return (height, width, None) if height > 0 and width > 0 else None


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
            return _in_order(_read_dicom(paths, name_of(paths[0]), orientation, series), paths)
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


def _in_order(scan: Scan, paths: list[Path]) -> Scan:
    """DICOM slices in the caller's order, without a way back to their positions where these have another order."""
    if list(scan.files) == paths:
        return scan
    if len(scan.files) != len(paths) or set(scan.files) != set(paths):
        raise ScanError(f"{paths[0]}: the list holds several series or files of several images; give the folder")
    slices = scan.slices[[scan.files.index(path) for path in paths]]
    warning = "the slices are in the order given, not in that of their positions"
    count, height, width = slices.shape[:3]
    return replace(
        scan,
        slices=slices,
        files=tuple(paths),
        geometry=Geometry((width, height, count)),
        phases=1,
        warnings=[*scan.warnings, warning],
    )


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
            if not _is_gray(scan.slices):
                raise ScanError(
                    f"{scan.source}: channel {name!r} has colors itself; give a gray file for each channel"
                )
            scans[name] = scan = replace(scan, slices=scan.slices[..., :1])
        if scan.slices.shape[:3] != first.slices.shape[:3]:
            raise ScanError(
                f"{scan.source}: channel {name!r} has slices of shape {scan.slices.shape[:3]}, {first_name!r} of "
                f"{first.slices.shape[:3]}; resample them to one grid"
            )
    slices = np.concatenate([scan.slices for scan in scans.values()], axis=-1)
    warnings = list(dict.fromkeys(w for scan in scans.values() for w in scan.warnings))
    warnings += [
        f"channel {name!r} lies elsewhere than {first_name!r}; register the files to each other first"
        for name, scan in scans.items()
        if not _lie_alike(first.geometry, scan.geometry)
    ]
    return replace(scans[first_name], slices=slices, warnings=warnings)


def _lie_alike(one: Geometry, other: Geometry) -> bool:
    """Whether the slices of two scans lie at the same place, as far as their files say; a hundredth of a mm apart."""
    affines = one.slice_affine(), other.slice_affine()
    return any(affine is None for affine in affines) or np.allclose(*affines, rtol=0, atol=1e-2)


def _is_gray(slices: np.ndarray) -> bool:
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
                "gray slices, or (1, H, W, C) for one slice"
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
    row, column, through = (*spacing, None)[:3] if len(spacing) in (2, 3) else (None, None, None)
    known = [row, column] if through is None else [row, column, through]
    if not all(value is not None and np.isfinite(value) and 0 < value < 1000 for value in known):
        raise ScanError(
            f"spacing {tuple(spacing)}: must be two or three positive numbers, mm between rows, columns and slices"
        )
    return float(row), float(column), None if through is None else float(through)
