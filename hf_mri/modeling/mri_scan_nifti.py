"""NIfTI in and out: 3-D and 4-D (cine), compressed or not."""

from __future__ import annotations

import gzip
import io
import math
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from .mri_scan_claims import ANY_SIZE, Limits, check_claim
from .mri_scan_errors import DECODE_ERRORS, MissingLibraryError, ScanError, reason_of
from .mri_scan_geometry import Geometry, is_rigid, plan_geometry, slice_distance
from .mri_scan_quiet import quiet_decoders

MM_OF_UNIT = {1: 1000.0, 2: 1.0, 3: 0.001}  # NIfTI's codes of meter, millimeter and micron

# The fields of a header that say where voxels lie; both versions have them.
PLACE_FIELDS = [
    *("pixdim", "xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d"),
    *("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z"),
]


class Volume(NamedTuple):
    """What a format with geometry yields."""

    slices: np.ndarray
    spacing: tuple[float, float, float | None] | None
    geometry: Geometry
    phases: int
    warnings: list[str]
    files: tuple[Path, ...] = ()
    modality: str = ""
    body_part: str = ""


class _Place(NamedTuple):
    """What a header says of its voxels: their layout, and where they lie."""

    shape: tuple[int, int, int]
    phases: int
    geometry: Geometry
    spacing: tuple[float, float, float] | None
    warnings: list[str]


def read_nifti_file(path: Path, orientation: str, limits: Limits = ANY_SIZE) -> Volume:
    """Read a NIfTI as slices (S, H, W, C); of a cine, time point after time point.

    Raises:
        ScanError: damaged, more than a scan or than the caller has room for, or NaN.
        ImportError: nibabel is missing.
    """
    nibabel = load_nibabel(path)
    try:
        with path.open("rb") as raw, quiet_decoders(), np.errstate(all="ignore"):  # what matters is checked
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if packed else raw as stream:
                block, header = _read_header(nibabel, stream, path)
                place = _plan(path, block, header, orientation)
                _check_size(path, header, place, limits)
                return _lay_out(path, header, _read_voxels(stream, len(block), header, path), place)
    except ScanError:
        raise
    except (*DECODE_ERRORS, nibabel.spatialimages.HeaderDataError) as error:
        reason = f"cannot be decoded as NIfTI ({reason_of(error)})"
        raise ScanError(path, reason, "is the file whole?") from error


def write_nifti_file(path: Path, mask: np.ndarray, geometry: Geometry, spacing: tuple | None) -> None:
    """Write a mask (S, H, W) or, of a cine, (S, H, W, T) in the source's own voxel order, with its affine and header.

    Without a source affine, columns point left and rows posterior, at the known spacing.
    """
    nibabel = load_nibabel(path)
    source = geometry.to_source(mask).astype(np.uint8)  # keeps the memory's order, which is mostly the file's
    affine = geometry.affine
    if affine is None:
        row, column, through = spacing or (1.0, 1.0, 1.0)
        affine = np.diag([-column, -row, through or 1.0, 1.0])
    image = nibabel.Nifti1Image(source, affine)
    if geometry.header is not None:
        header = _header_of(nibabel, geometry.header)
        for name in PLACE_FIELDS:
            image.header[name] = header[name]
    else:
        image.header.set_xyzt_units("mm")
        if is_rigid(affine):  # a qform holds no shear; programs that prefer it would lay the mask elsewhere
            image.set_qform(affine, code=1)
    path.write_bytes(gzip.compress(image.to_bytes(), compresslevel=1, mtime=0))


def load_nibabel(path: Path) -> ModuleType:
    """Import nibabel when a NIfTI comes, and not before: it takes a third of a second."""
    try:
        import nibabel
    except ImportError as error:
        raise MissingLibraryError(path, "NIfTI", "nibabel") from error
    return nibabel


def _header_of(nibabel: ModuleType, block: bytes) -> Any:
    kind = nibabel.Nifti1Header if len(block) == 348 else nibabel.Nifti2Header
    # The byte order shows in the first number, the header's own length.
    endianness = "<" if int.from_bytes(block[:4], "little") == len(block) else ">"
    return kind(block, endianness, check=False)


def _read_header(nibabel: ModuleType, stream: io.BufferedIOBase, path: Path) -> tuple[bytes, Any]:
    """The header as bytes and as nibabel knows it, once it claims what can be read."""
    block = stream.read(348)
    if block[4:7] == b"n+2" or block[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c"):
        block += stream.read(540 - 348)
    if len(block) not in (348, 540):
        raise ScanError(path, "ends within its NIfTI header", "get the file again")
    magic = bytes(block[344:348]) if len(block) == 348 else bytes(block[4:8])
    if magic in (b"ni1\0", b"ni2\0"):
        raise ScanError(path, "is a .hdr and .img pair", "convert it to one .nii file")
    if magic not in (b"n+1\0", b"n+2\0"):
        raise ScanError(path, "is not a NIfTI file")
    header = _header_of(nibabel, block)
    count = int(header["dim"][0])
    if not 2 <= count <= 7:
        raise ScanError(path, f"its header claims {count} dimensions", "the file is damaged")
    dtype = header.get_data_dtype()
    if dtype.names is None and dtype.kind not in "uif":
        raise ScanError(path, f"holds {dtype} values", "save the volume as whole numbers or floats")
    check_claim(path, *header["dim"][1 : count + 1].tolist(), dtype.itemsize)
    return block, header


def _plan(path: Path, block: bytes, header: Any, orientation: str) -> _Place:
    """How the voxels become slices, and the spacing, in millimeters whatever the header's unit."""
    shape = header["dim"][1 : int(header["dim"][0]) + 1].tolist()
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if len(shape) > 4:
        raise ScanError(path, f"has {len(shape)} dimensions", "give a volume or volumes over time")
    columns, rows, planes, phases = (*shape, 1, 1)[:4]
    unit = MM_OF_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)
    zooms = [abs(float(zoom)) * unit for zoom in header["pixdim"][1:4]]
    affine = np.asarray(header.get_best_affine(), float)
    affine[:3] *= unit
    known = all(np.isfinite(zoom) and 0 < zoom < 1000 for zoom in zooms)
    agree = known and np.allclose(np.linalg.norm(affine[:3, :3], axis=0), zooms, rtol=0.01)
    warnings = []
    if not known:
        warnings.append("the header has no usable spacing; areas and volumes are in pixels")
    elif not agree:
        warnings.append("the header's affine and spacing disagree; measured with the spacing (pixdim)")
    try:
        steps = (zooms[0], zooms[1], zooms[2]) if known else (1.0, 1.0, 1.0)
        geometry, more = plan_geometry((columns, rows, planes), steps, affine, orientation, block)
    except ValueError as error:
        raise ScanError(path, str(error), "repair the header") from error
    if agree and not is_rigid(affine):
        zooms[geometry.axes[0]] = slice_distance(affine, geometry.axes[0])
        more.append("the volume is sheared; the distance of slices is measured at right angles to them")
    through, row, column = (zooms[axis] for axis in geometry.axes)
    spacing = (row, column, through) if known else None
    return _Place((columns, rows, planes), phases, geometry, spacing, warnings + more)


def _check_size(path: Path, header: Any, place: _Place, limits: Limits) -> None:
    """Refuse by the header, before a voxel is unpacked, what the caller has no room for."""
    planes, rows, columns = (place.shape[axis] for axis in place.geometry.axes)
    names = header.get_data_dtype().names
    limits.check(path, planes * place.phases, rows, columns, len(names[:3]) if names else 1)


def _read_voxels(stream: io.BufferedIOBase, start: int, header: Any, path: Path) -> np.ndarray:
    """The voxels as they are stored: never more bytes than the header claims."""
    offset = int(header["vox_offset"]) if np.isfinite(header["vox_offset"]) else -1
    if not start <= offset <= 2**24:
        raise ScanError(path, f"its header claims that the voxels start at byte {offset}", "the file is damaged")
    stream.read(offset - start)
    dtype, count = header.get_data_dtype(), int(header["dim"][0])
    shape = header["dim"][1 : count + 1].tolist()
    size = math.prod(shape) * dtype.itemsize
    data = stream.read(size)
    if len(data) < size:
        raise ScanError(path, f"ends after {len(data)} of {size} bytes of voxels", "get the file again")
    if isinstance(stream, gzip.GzipFile):
        _check_tail(stream)
    return np.frombuffer(data, dtype).reshape(shape, order="F")


def _check_tail(stream: gzip.GzipFile) -> None:
    """Read a little on: at the end of the stream gzip compares its checksum, which finds a damaged file."""
    for _ in range(64):
        if not stream.read(2**16):
            return


def _lay_out(path: Path, header: Any, array: np.ndarray, place: _Place) -> Volume:
    if array.dtype.names is not None:  # RGB24 and RGBA32
        array = np.stack([array[name] for name in array.dtype.names[:3]], axis=-1)
    else:
        array = _rescale(header, array)[..., None]
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ScanError(path, "has NaN or infinite values", "replace them first")
    turned = place.geometry.to_slices(array.reshape(*place.shape, place.phases, array.shape[-1]))  # (S, H, W, T, C)
    turned = np.moveaxis(turned, 3, 0)
    slices = np.ascontiguousarray(turned.reshape(-1, *turned.shape[2:]))
    return Volume(slices, place.spacing, place.geometry, place.phases, place.warnings)


def _rescale(header, array: np.ndarray) -> np.ndarray:
    """Apply the header's slope and intercept where they say something; else keep the stored dtype."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if not np.isfinite(slope) or slope == 0:
        slope, intercept = 1.0, 0.0
    intercept = intercept if np.isfinite(intercept) else 0.0
    if (slope, intercept) != (1.0, 0.0):
        return (array * np.float64(slope) + intercept).astype(np.float32)
    if array.dtype.kind == "f" and array.dtype.itemsize != 4:
        return array.astype(np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)
