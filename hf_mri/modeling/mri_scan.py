"""Files, folders and arrays to one `Scan`: slices with spacing, and the geometry to go back."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .mri_addresses import fetched, is_address, shown_address
from .mri_scan_archive import unpack_zip
from .mri_scan_arrays import check_spacing, read_array
from .mri_scan_claims import ANY_SIZE, Limits
from .mri_scan_dicom import read_dicom_files
from .mri_scan_dicom_heads import is_dicom
from .mri_scan_errors import ScanError
from .mri_scan_files import (
    HEAD_BYTES,
    RASTER_ENDINGS,
    check_kind,
    innermost,
    is_clutter,
    kind_of,
    name_of,
    number_order,
    spacing_in_name,
)
from .mri_scan_geometry import Geometry
from .mri_scan_nifti import Volume, read_nifti_file
from .mri_scan_raster import decode_raster, pillow_array

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
        modality: what a DICOM header says, such as "MR"; empty where nothing is said.
        body_part: what a DICOM header says that was examined.
    """

    slices: np.ndarray
    spacing: tuple[float, float, float | None] | None
    geometry: Geometry
    source: str = "array"
    files: tuple[Path, ...] = ()
    phases: int = 1
    warnings: list[str] = field(default_factory=list)
    modality: str = ""
    body_part: str = ""

    @property
    def slices_per_phase(self) -> int:
        """Slices in one time point."""
        return len(self.slices) // self.phases


@dataclass(frozen=True)
class _Wish:
    """How the caller wants a scan to be read: `read_scan`'s options, on their way through the formats."""

    num_channels: int | None = None
    orientation: str = "LPS"
    series: str | None = None
    limits: Limits = ANY_SIZE


def read_scan(
    source: Any,
    num_channels: int | None = None,
    spacing: Sequence[float] | None = None,
    orientation: str = "LPS",
    series: str | None = None,
    most_slices: int | None = None,
    most_pixels: int | None = None,
) -> Scan:
    """Read one scan from whatever holds it.

    Args:
        source: a file (PNG, JPEG, TIFF, NIfTI, DICOM, zip), a folder, either at an address that fsspec knows (`s3://…`,
            `hf://…`), a list of files or slices in the caller's order, a mapping of channel names to any of these, an
            array (H, W), (H, W, C), (S, H, W) or (S, H, W, C), or a PIL image.
        num_channels: channels of the model, which settle what a 3-D array means.
        spacing: millimeters between rows, columns and (optionally) slices, where the files do not say.
        orientation: how volumes with a known position are turned: "LPS" (columns to the left, rows to posterior,
            slices to superior), or "as stored".
        series: of several DICOM series, the one to read: its number, description or UID.
        most_slices: refuse a scan of more slices. Files are refused by their headers, before they are decoded.
        most_pixels: refuse a scan of more values, over all slices and channels.

    Raises:
        ScanError: nothing was read; one line with the file, the reason and the fix.
    """
    limits = Limits(most_slices, most_pixels)
    try:
        scan = _read_any(source, _Wish(num_channels, orientation, series, limits))
    except OSError as error:  # no permission, a broken disk, …
        raise ScanError(error.filename or "scan", f"cannot be read ({error.strerror or error})") from error
    limits.check(scan.source, *scan.slices.shape)
    if scan.slices.dtype.kind == "f" and not np.isfinite(scan.slices).all():
        raise ScanError(scan.source, "has NaN or infinite values", "replace them first (numpy.nan_to_num)")
    if spacing is not None:
        scan = replace(scan, spacing=check_spacing(spacing))
    return scan


def _read_any(source: Any, wish: _Wish) -> Scan:
    if isinstance(source, Scan):
        return source
    if isinstance(source, Mapping):
        return _read_channels(source, wish)
    if is_address(source):
        return _read_address(source, wish)
    if isinstance(source, str | Path):
        return _read_path(Path(source), wish)
    if isinstance(source, Image.Image):
        return _scan_of(pillow_array(source)[None], "image")
    if isinstance(source, list | tuple):
        return _read_list(source, wish)
    if isinstance(source, Sequence):  # a data set's column, read as it is asked for: unrelated slices
        kind = type(source).__name__
        raise ScanError("scan", f"a {kind} is several scans, not one", "read its entries one by one, or as a list")
    return _scan_of(read_array(source, wish.num_channels), "array")


def _read_address(address: str, wish: _Wish) -> Scan:
    with fetched(address) as local:
        try:
            return replace(_read_path(local, wish), files=())
        except ScanError as error:  # the place aside says nothing to the user
            inside = str(error.path).removeprefix(str(local))
            aside = inside != str(error.path)
            raise error.named(f"{shown_address(address).rstrip('/')}{inside}" if aside else error.path) from error


def _read_path(path: Path, wish: _Wish) -> Scan:
    if path.is_dir():
        return _read_folder(path, name_of(path), wish)
    if not path.is_file():
        raise ScanError(path, "no such file or folder", "check the path")
    kind = kind_of(path)
    if kind == "zip":
        return _read_zip(path, wish)
    if kind == "NIfTI":
        volume = read_nifti_file(path, wish.orientation, wish.limits)
        return _scan_of_volume(volume._replace(files=(path,)), name_of(path))
    if kind == "DICOM":
        return _read_dicom([path], name_of(path), wish)
    return replace(_read_rasters([path], name_of(path), wish), files=(path,))


def _read_zip(path: Path, wish: _Wish) -> Scan:
    with tempfile.TemporaryDirectory() as folder:
        unpack_zip(path, folder, MOST_ZIP_BYTES)
        try:
            scan = _read_folder(Path(folder), name_of(path), wish, shown=path)
        except ScanError as error:  # the place aside says nothing to the user
            inside = Path(error.path)
            name = f"{path}: {inside.relative_to(folder)}" if inside.is_relative_to(folder) else error.path
            raise error.named(name) from error
    return replace(scan, files=(path,))


def _read_folder(folder: Path, name: str, wish: _Wish, shown: Path | None = None) -> Scan:
    """A folder of one kind: slices in number order, DICOMs (also in folders below), or one NIfTI."""
    shown, folder = shown or folder, innermost(folder)
    files = sorted((p for p in folder.rglob("*") if p.is_file() and not is_clutter(p)), key=number_order)
    dicoms = [p for p in files if p.suffix.lower() not in RASTER_ENDINGS and is_dicom(p)]
    if dicoms:
        return _read_dicom(dicoms, name, wish, shown)
    files = [p for p in files if p.parent == folder]
    niftis = [p for p in files if p.name.lower().endswith((".nii", ".nii.gz"))]
    rasters = [p for p in files if p.suffix.lower() in RASTER_ENDINGS]
    if (niftis and rasters) or len(niftis) > 1:
        reason = f"holds {len(niftis)} NIfTI and {len(rasters)} image files"
        raise ScanError(shown, reason, "name the one to read")
    if niftis:
        return _read_path(niftis[0], wish)
    if not rasters:
        below = any(p.is_dir() and not is_clutter(p) for p in folder.iterdir())
        # Names of folders stay out of it: who gives one need not know what else lies there.
        fix = "its folders are scans of their own, name one" if below else "check the folder"
        raise ScanError(shown, "holds no slices (PNG, JPEG, TIFF, NIfTI or DICOM)", fix)
    stems = {p.stem for p in rasters}
    masks = [p for p in rasters if p.stem.endswith("_mask") and p.stem.removesuffix("_mask") in stems]
    scan = _read_rasters([p for p in rasters if p not in masks], name, wish)
    if masks:
        scan.warnings.append(f"{len(masks)} mask files (X_mask beside X) were left out")
    return scan


def _read_rasters(paths: list[Path], name: str, wish: _Wish) -> Scan:
    """One slice a file, all of one size."""
    pages: list[np.ndarray] = []
    for path in paths:
        data = path.read_bytes()
        check_kind(path, data[:HEAD_BYTES])
        pages.append(decode_raster(data, str(path), wish.limits))
        if pages[-1].shape[1:] != pages[0].shape[1:]:
            reason = f"is {_size(pages[-1])}, {paths[0].name} is {_size(pages[0])}"
            raise ScanError(path, reason, "slices of one scan must have one size")
        wish.limits.check(name, sum(map(len, pages)), *pages[0].shape[1:])
    files = tuple(path for path, page in zip(paths, pages, strict=True) for _ in page)
    spacings = {spacing_in_name(path, page.shape[1:3]) for path, page in zip(paths, pages, strict=True)}
    spacing = spacings.pop() if len(spacings) == 1 else None
    return replace(_scan_of(np.concatenate(pages), name), files=files, spacing=spacing)


def _size(page: np.ndarray) -> str:
    return f"{page.shape[2]}x{page.shape[1]} with {page.shape[3]} channel(s)"


def _read_dicom(paths: list[Path], name: str, wish: _Wish, shown: Path | None = None) -> Scan:
    volume = read_dicom_files(paths, wish.orientation, wish.series, shown or paths[0], wish.limits)
    return _scan_of_volume(volume, name)


def _read_list(source: Sequence[Any], wish: _Wish) -> Scan:
    """One scan's slices in the caller's order: files, PIL images or arrays."""
    if not source:
        raise ScanError("scan", "the list is empty", "give at least one slice")
    if all(isinstance(entry, str | Path) for entry in source):
        return _read_paths([Path(entry) for entry in source], wish)
    scans = [_read_any(entry, replace(wish, series=None)) for entry in source]
    if len({scan.slices.shape[1:] for scan in scans}) > 1:
        shapes = sorted({scan.slices.shape[1:3] for scan in scans})
        raise ScanError("scan", f"slices of shapes {shapes}", "they must have one size")
    return _scan_of(np.concatenate([scan.slices for scan in scans]), "array")


def _read_paths(paths: list[Path], wish: _Wish) -> Scan:
    for path in paths:
        if not path.is_file():
            raise ScanError(path, "no such file", "a list of paths is one scan, a file a slice")
    if all(is_dicom(path) for path in paths):
        return _in_order(_read_dicom(paths, name_of(paths[0]), wish), paths)
    if any(kind_of(path) in ("NIfTI", "zip", "DICOM") for path in paths):
        reason = "a list of paths is one scan, a PNG, JPEG or TIFF a slice"
        raise ScanError(paths[0], reason, "give volumes one by one")
    return _read_rasters(paths, name_of(paths[0]), wish)


def _in_order(scan: Scan, paths: list[Path]) -> Scan:
    """DICOM slices in the caller's order, without a way back to their positions where these have another order."""
    if list(scan.files) == paths:
        return scan
    if len(scan.files) != len(paths) or set(scan.files) != set(paths):
        reason = "the list holds several series, files of several images, or a file twice"
        raise ScanError(paths[0], reason, "give the folder")
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


def _read_channels(source: Mapping[str, Any], wish: _Wish) -> Scan:
    """Several files as the channels of one scan, in the mapping's order; or the slices of {"slices": […]}."""
    if set(source) == {"slices"}:
        return _read_any(source["slices"], wish)
    if not source:
        raise ScanError("channels", "the mapping is empty", "give {name: file, …}")
    scans = {name: _read_channel(name, entry, wish) for name, entry in source.items()}
    first_name, first = next(iter(scans.items()))
    for name, scan in scans.items():
        if scan.slices.shape[:3] != first.slices.shape[:3]:
            reason = (
                f"channel {name!r} has slices of shape {scan.slices.shape[:3]}, {first_name!r} of "
                f"{first.slices.shape[:3]}"
            )
            raise ScanError(scan.source, reason, "resample them to one grid")
    warnings = list(dict.fromkeys(w for scan in scans.values() for w in scan.warnings))
    warnings += [
        f"channel {name!r} lies elsewhere than {first_name!r}; register the files to each other first"
        for name, scan in scans.items()
        if not _lie_alike(first.geometry, scan.geometry)
    ]
    slices = np.concatenate([scan.slices for scan in scans.values()], axis=-1)
    return replace(first, slices=slices, warnings=warnings)


def _read_channel(name: str, source: Any, wish: _Wish) -> Scan:
    """One channel's slices; a gray file that is stored in colors counts as gray."""
    scan = _read_any(source, replace(wish, num_channels=1))
    gray = scan.slices[..., :1]
    if scan.slices.shape[-1] > 1 and (scan.slices != gray).any():
        raise ScanError(scan.source, f"channel {name!r} has colors itself", "give a gray file for each channel")
    return replace(scan, slices=gray)


def _lie_alike(one: Geometry, other: Geometry) -> bool:
    """Whether the slices of two scans lie at the same place, as far as their files say; a hundredth of a mm apart."""
    first, second = one.slice_affine(), other.slice_affine()
    return first is None or second is None or np.allclose(first, second, rtol=0, atol=1e-2)


def _scan_of(slices: np.ndarray, name: str) -> Scan:
    count, height, width = slices.shape[:3]
    return Scan(slices, None, Geometry((width, height, count)), name)


def _scan_of_volume(volume: Volume, name: str) -> Scan:
    return Scan(source=name, **volume._asdict())
