"""DICOM in: one file, or the series of a folder, as slices sorted by position."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from .mri_scan_claims import ANY_SIZE, Limits
from .mri_scan_dicom_frames import Frame, frames_of
from .mri_scan_dicom_heads import choose_series, read_head
from .mri_scan_dicom_order import sort_frames
from .mri_scan_dicom_pixels import decode_pixels
from .mri_scan_errors import ScanError
from .mri_scan_geometry import Geometry, is_rigid, plan_geometry, slice_distance
from .mri_scan_nifti import Volume
from .mri_scan_quiet import quiet_decoders


def read_dicom_files(
    paths: list[Path], orientation: str, series: str | None, shown: Path, limits: Limits = ANY_SIZE
) -> Volume:
    """Read the largest series, or the one named, as slices (S, H, W, C).

    Args:
        shown: what messages name: the folder or archive that the user gave.

    Raises:
        ScanError: damaged, slices missing or uneven, several orientations or echoes in a series, no such series, more
            than the caller has room for, or no decoder.
    """
    with quiet_decoders():
        heads = {path: read_head(path) for path in paths}
        images = {path: head for path, head in heads.items() if head is not None}
        if not images:
            raise ScanError(shown, "holds DICOM without images", "name the folder of the images")
        chosen, notes = choose_series(images, series, shown)
        if len(images) < len(heads):
            notes.append(f"{len(heads) - len(images)} DICOM files without an image were left out")
        frames = [frame for path in chosen for frame in frames_of(path, images[path], notes)]
        ordered, phases, more = sort_frames(frames, shown)
        limits.check(shown, len(ordered), *ordered[0].size)
        volume = _lay_out(ordered, _read_pixels(ordered), phases, orientation, [*notes, *more], shown)
        head = images[chosen[0]]
        said = [str(head.get(tag) or "").strip() for tag in ("Modality", "BodyPartExamined")]
        return volume._replace(modality=said[0], body_part=said[1])


def _read_pixels(frames: list[Frame]) -> np.ndarray:
    """(N, H, W, C): rescaled where the header says so, bright where tissue is bright."""
    cache: dict[Path, np.ndarray] = {}
    left = Counter(frame.path for frame in frames)
    pages = []
    for frame in frames:
        if frame.path not in cache:
            cache[frame.path] = decode_pixels(frame.path)
        page = cache[frame.path][frame.index]
        left[frame.path] -= 1
        if not left[frame.path]:
            del cache[frame.path]
        if (frame.slope, frame.intercept) != (1.0, 0.0):
            page = (page * frame.slope + frame.intercept).astype(np.float32)
        pages.append(page)
    if len({page.dtype for page in pages}) > 1:
        pages = [page.astype(np.float32) for page in pages]
    return np.stack(pages)


def _lay_out(
    frames: list[Frame], pixels: np.ndarray, phases: int, orientation: str, notes: list[str], shown: Path
) -> Volume:
    count = len(frames) // phases
    height, width = pixels.shape[1:3]
    files = [frame.path for frame in frames]
    affine = _affine_of(frames[0], frames[count - 1], count)
    spacing = _spacing_of(frames[0], affine, count)
    if spacing is None:
        notes.append("the header has no usable spacing; areas and volumes are in pixels")
    shape = (width, height, count)
    if affine is None or spacing is None:  # both or neither are known
        return Volume(pixels, spacing, Geometry(shape), phases, notes, tuple(files))
    if not is_rigid(affine):
        notes.append("the volume is sheared; the distance of slices is measured at right angles to them")
    row, column, through = spacing
    try:
        # Slices of a series lie as they were taken: its own axis counts as the coarsest.
        geometry, more = plan_geometry(shape, (1.0, 1.0, 2.0), affine, orientation)
    except ValueError as error:
        raise ScanError(shown, str(error), "its DICOM header is damaged") from error
    source = np.moveaxis(pixels.reshape(phases, count, height, width, -1), (1, 2, 3), (3, 2, 1))  # (T, I, J, K, C)
    turned = np.stack([geometry.to_slices(phase) for phase in source])
    order = range(count)[::-1] if geometry.flips[0] else range(count)
    files = [files[phase * count + place] for phase in range(phases) for place in order]
    if geometry.axes[1] == 0:  # rows and columns changed places
        row, column = column, row
    slices = np.ascontiguousarray(turned.reshape(-1, *turned.shape[2:]))
    return Volume(slices, (row, column, through), geometry, phases, notes + more, tuple(files))


def _spacing_of(frame: Frame, affine: np.ndarray | None, count: int) -> tuple | None:
    if frame.spacing is None or (frame.spacing <= 0).any():
        return None
    through = frame.thickness
    if affine is not None and count > 1:
        through = slice_distance(affine, axis=2)
    return float(frame.spacing[0]), float(frame.spacing[1]), through


def _affine_of(first: Frame, last: Frame, count: int) -> np.ndarray | None:
    """(column, row, slice) indices to millimeters; DICOM counts to the left and posterior, NIfTI the other way."""
    if first.position is None or first.orientation is None or first.spacing is None or (first.spacing <= 0).any():
        return None
    along_columns, along_rows = first.orientation[:3], first.orientation[3:]
    if count > 1:
        if last.position is None:
            return None
        step = (last.position - first.position) / (count - 1)
    else:
        step = np.cross(along_columns, along_rows) * (first.thickness or 1.0)
    affine = np.eye(4)
    affine[:3, 0] = along_columns * first.spacing[1]
    affine[:3, 1] = along_rows * first.spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = first.position
    affine[:2] *= -1
    return affine
