"""NIfTI in and out: 3-D and 4-D (cine), compressed or not."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from .mri_scan_geometry import Geometry, ScanError, plan_geometry
from .mri_scan_raster import DECODE_ERRORS, check_claim, reason_of

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


def read_nifti_file(path: Path, orientation: str) -> Volume:
    """Read a NIfTI as slices (S, H, W, C); of a cine, time point after time point.

    Raises:
        ScanError: damaged, more than a scan, or NaN.
        ImportError: nibabel is missing.
    """
    nibabel = load_nibabel(path)
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if packed else raw as stream:
                headers, array = _read_stream(nibabel, stream, path)
        with np.errstate(all="ignore"):  # of damaged numbers in a header; what matters is checked
            return _lay_out(path, headers, array, orientation)
    except ScanError:
        raise
    except DECODE_ERRORS as error:
        raise ScanError(f"{path}: cannot be decoded as NIfTI ({reason_of(error)}); is the file whole?") from error


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
    path.write_bytes(gzip.compress(image.to_bytes(), compresslevel=1, mtime=0))


def load_nibabel(path: Path) -> ModuleType:
    """Import nibabel when a NIfTI comes, and not before: it takes a third of a second."""
    try:
        import nibabel
    except ImportError as error:
        raise ImportError(f"{path}: NIfTI needs nibabel: pip install nibabel") from error
    return nibabel


def _header_of(nibabel: ModuleType, block: bytes) -> Any:
    kind = nibabel.Nifti1Header if len(block) == 348 else nibabel.Nifti2Header
    # The byte order shows in the first number, the header's own length.
    endianness = "<" if int.from_bytes(block[:4], "little") == len(block) else ">"
    return kind(block, endianness, check=False)


def _read_stream(nibabel: ModuleType, stream: io.BufferedIOBase, path: Path) -> tuple[tuple[bytes, Any], np.ndarray]:
    """The header's block and the voxels: never more bytes than the header claims, and these only if plausible."""
    block = stream.read(348)
    if block[4:7] == b"n+2" or block[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c"):
        block += stream.read(540 - 348)
    if len(block) not in (348, 540):
        raise ScanError(f"{path}: ends within its NIfTI header; get the file again")
    magic = bytes(block[344:348]) if len(block) == 348 else bytes(block[4:8])
    if magic not in (b"n+1\0", b"n+2\0"):
        pair = magic in (b"ni1\0", b"ni2\0")
        fix = "a .hdr and .img pair; convert it to one .nii file" if pair else "not a NIfTI file"
        raise ScanError(f"{path}: is {fix}")
    header = _header_of(nibabel, block)
    count = int(header["dim"][0])
    if not 2 <= count <= 7:
        raise ScanError(f"{path}: its header claims {count} dimensions; the file is damaged")
    shape = tuple(int(length) for length in header["dim"][1 : count + 1])
    dtype = header.get_data_dtype()
    if dtype.names is None and dtype.kind not in "uif":
        raise ScanError(f"{path}: holds {dtype} values; save the volume as whole numbers or floats")
    check_claim(str(path), *shape, dtype.itemsize)
    offset = int(header["vox_offset"]) if np.isfinite(header["vox_offset"]) else -1
    if not len(block) <= offset <= 2**24:
        raise ScanError(f"{path}: its header claims that the voxels start at byte {offset}; the file is damaged")
    stream.read(offset - len(block))
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    data = stream.read(size)
    if len(data) < size:
        raise ScanError(f"{path}: ends after {len(data)} of {size} bytes of voxels; get the file again")
    if isinstance(stream, gzip.GzipFile):
        _check_tail(stream)
    return (block, header), np.frombuffer(data, dtype).reshape(shape, order="F")


def _check_tail(stream: gzip.GzipFile) -> None:
    """Read a little on: at the end of the stream gzip compares its checksum, which finds a damaged file."""
    for _ in range(64):
        if not stream.read(2**16):
            return


def _lay_out(path: Path, headers: tuple, array: np.ndarray, orientation: str) -> Volume:
    block, header = headers
    warnings = []
    if array.dtype.names is not None:  # RGB24 and RGBA32
        array = np.stack([array[name] for name in array.dtype.names[:3]], axis=-1)
    else:
        array = _rescale(header, array)[..., None]
    while array.ndim > 4 and array.shape[-2] == 1:
        array = array[..., 0, :]
    while array.ndim < 4:
        array = array[..., None, :]
    if array.ndim > 5:
        raise ScanError(f"{path}: has {array.ndim - 1} dimensions; give a volume or volumes over time")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ScanError(f"{path}: has NaN or infinite values; replace them first")
    zooms = [abs(float(zoom)) for zoom in header["pixdim"][1:4]]
    affine = np.asarray(header.get_best_affine(), float)
    known = all(np.isfinite(zoom) and 0 < zoom < 1000 for zoom in zooms)
    if not known:
        warnings.append("the header has no usable spacing; areas and volumes are in pixels")
    elif not np.allclose(np.linalg.norm(affine[:3, :3], axis=0), zooms, rtol=0.01):
        warnings.append("the header's affine and spacing disagree; measured with the spacing (pixdim)")
    try:
        geometry, more = plan_geometry(
            array.shape[:3], tuple(zooms) if known else (1, 1, 1), affine, orientation, block
        )
    except ValueError as error:
        raise ScanError(f"{path}: {error}; repair the header") from error
    phases = array.shape[3] if array.ndim == 5 else 1
    if array.ndim == 5:
        turned = np.moveaxis(geometry.to_slices(array), 3, 0)
        slices = turned.reshape(-1, *turned.shape[2:])
    else:
        slices = geometry.to_slices(array)
    through, row, column = (zooms[axis] for axis in geometry.axes)
    spacing = (row, column, through) if known else None
    return Volume(np.ascontiguousarray(slices), spacing, geometry, phases, warnings + more)


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
