"""DICOM in: one file, or the series of a folder, sorted by position."""

from __future__ import annotations

import logging
import warnings
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .mri_scan_geometry import Geometry, ScanError, plan_geometry
from .mri_scan_nifti import Volume
from .mri_scan_raster import DECODE_ERRORS, check_claim

# Only these elements are ever parsed: names, ids and dates of patients stay in the file.
PLACE_TAGS = [
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
]
SERIES_TAGS = ["SOPClassUID", "Modality", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "InstanceNumber"]
TIME_TAGS = ["TemporalPositionIdentifier", "TriggerTime", "AcquisitionNumber"]
PIXEL_TAGS = [
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope", "RescaleIntercept"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
]
DEFLATED = "1.2.840.10008.1.2.1.99"
MOST_GAP = 1.5  # of the usual distance between slices
# pydicom's warnings quote the values of elements: they must not reach a log.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module=r"pydicom\..*")


def is_dicom(path: Path) -> bool:
    """Whether a file starts as DICOM does, or, named .dcm, at least parses as such."""
    with path.open("rb") as file:
        if file.read(132)[128:] == b"DICM":
            return True
    if path.suffix.lower() != ".dcm":
        return False
    pydicom = load_pydicom(path)
    try:
        return "Rows" in pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=["Rows"])
    except dicom_errors():
        return False


def read_dicom_files(paths: list[Path], orientation: str, series: str | None, shown: Path) -> Volume:
    """Read the largest series, or the one named, as slices (S, H, W, C).

    Args:
        shown: what messages name: the folder or archive that the user gave.

    Raises:
        ScanError: damaged, slices missing, several orientations in a series, no such series, or no decoder.
    """
    heads = {path: _read_head(path) for path in paths}
    images = {path: head for path, head in heads.items() if head is not None}
    if not images:
        raise ScanError(f"{shown}: holds DICOM without images; name the folder of the images")
    chosen, notes = _choose_series(images, series, shown)
    if len(images) < len(heads):
        notes.append(f"{len(heads) - len(images)} DICOM files without an image were left out")
    frames = [frame for path in chosen for frame in _frames_of(path, heads[path])]
    modality = str(heads[chosen[0]].get("Modality", "") or "")
    if modality not in ("MR", ""):
        notes.append(f"the DICOM modality is {modality}, not MR")
    ordered, phases = _sort_frames(frames, shown)
    pixels = _read_pixels(ordered)
    return _lay_out(ordered, pixels, phases, orientation, notes, shown)


def _read_head(path: Path) -> Any:
    """A file's elements without its pixels; None for what by its kind is no image (reports, presentation states)."""
    pydicom = load_pydicom(path)
    try:
        head = pydicom.dcmread(
            path,
            force=True,
            stop_before_pixels=True,
            specific_tags=SERIES_TAGS + PLACE_TAGS + TIME_TAGS + PIXEL_TAGS,
        )
        list(head)  # parses every element now, where damage is caught
        rows, columns = int(head.get("Rows") or 0), int(head.get("Columns") or 0)
        samples, bits = int(head.get("SamplesPerPixel") or 1), int(head.get("BitsAllocated") or 16)
        frames = int(head.get("NumberOfFrames") or 1)
        syntax = getattr(getattr(head, "file_meta", None), "TransferSyntaxUID", None)
    except dicom_errors() as error:
        raise ScanError(f"{path}: cannot be decoded as DICOM ({type(error).__name__}); is the file whole?") from error
    if not rows or not columns:
        kind = str(getattr(head.get("SOPClassUID"), "name", ""))
        if kind.endswith("Storage") and "Image" not in kind:
            return None
        raise ScanError(f"{path}: ends before its image, or has none; get the file again or leave it out")
    if syntax == DEFLATED:
        raise ScanError(f"{path}: is deflated as a whole; convert it first (dcmconv +te IN OUT)")
    check_claim(str(path), frames, rows, columns, samples, max(1, bits // 8))
    return head


def load_pydicom(path: Path) -> ModuleType:
    """Import pydicom when a DICOM comes, and not before: it takes a third of a second."""
    try:
        import pydicom
    except ImportError as error:
        raise ImportError(f"{path}: DICOM needs pydicom: pip install pydicom") from error
    return pydicom


def dicom_errors() -> tuple[type[BaseException], ...]:
    """What pydicom raises on damaged files besides what every decoder does."""
    errors = load_pydicom(Path("scan")).errors
    return (*DECODE_ERRORS, errors.BytesLengthException, errors.InvalidDicomError)


def _choose_series(heads: dict[Path, Any], series: str | None, shown: Path) -> tuple[list[Path], list[str]]:
    groups: dict[str, list[Path]] = defaultdict(list)
    for path, head in heads.items():
        groups[str(head.get("SeriesInstanceUID", ""))].append(path)
    sizes = {uid: sum(int(heads[path].get("NumberOfFrames") or 1) for path in paths) for uid, paths in groups.items()}
    if series is not None:
        named = [uid for uid, paths in groups.items() if series in _names_of(heads[paths[0]])]
        if len(named) != 1:
            known = ", ".join(sorted(str(heads[paths[0]].get("SeriesNumber", "?")) for paths in groups.values()))
            raise ScanError(
                f"{shown}: {len(named)} series are named {series!r}; the series here have the numbers {known}"
            )
        return groups[named[0]], []
    largest = max(groups, key=lambda uid: sizes[uid])
    if len(groups) == 1:
        return groups[largest], []
    number = heads[groups[largest][0]].get("SeriesNumber", "?")
    return groups[largest], [f"{len(groups)} series; read the largest, number {number}, of {sizes[largest]} images"]


def _names_of(head: Any) -> set[str]:
    return {str(head.get(tag)) for tag in ("SeriesInstanceUID", "SeriesNumber", "SeriesDescription") if head.get(tag)}


def _frames_of(path: Path, head: Any) -> list[dict[str, Any]]:
    """Each image of a file with its place; enhanced DICOMs hold many, with places of their own."""
    try:
        count = int(head.get("NumberOfFrames") or 1)
        shared = (head.get("SharedFunctionalGroupsSequence") or [None])[0]
        own = head.get("PerFrameFunctionalGroupsSequence") or [None] * count
        frames = []
        for index in range(count):
            groups = [own[index] if index < len(own) else None, shared]
            orientation = _find(head, groups, "PlaneOrientationSequence", "ImageOrientationPatient")
            frames.append(
                {
                    "path": path,
                    "index": index,
                    "position": _numbers(_find(head, groups, "PlanePositionSequence", "ImagePositionPatient"), 3),
                    "orientation": _numbers(orientation, 6),
                    "spacing": _numbers(_find(head, groups, "PixelMeasuresSequence", "PixelSpacing"), 2),
                    "thickness": _numbers([_slice_distance(head, groups)], 1),
                    "slope": _number(_find(head, groups, "PixelValueTransformationSequence", "RescaleSlope"), 1.0),
                    "intercept": _number(
                        _find(head, groups, "PixelValueTransformationSequence", "RescaleIntercept"), 0.0
                    ),
                    "number": _number(head.get("InstanceNumber"), 0.0),
                    "time": tuple(_number(head.get(tag), 0.0) for tag in TIME_TAGS),
                    "size": (int(head.Rows), int(head.Columns), int(head.get("SamplesPerPixel") or 1)),
                }
            )
        return frames
    except dicom_errors() as error:
        raise ScanError(f"{path}: its DICOM header is damaged ({type(error).__name__}); get the file again") from error


def _find(head: Any, groups: list, sequence: str, tag: str) -> Any:
    """An element of the frame's own groups, the shared groups, or the file itself."""
    for group in groups:
        if group is not None and group.get(sequence):
            value = group.get(sequence)[0].get(tag)
            if value is not None:
                return value
    return head.get(tag)


def _slice_distance(head: Any, groups: list) -> Any:
    between = _find(head, groups, "PixelMeasuresSequence", "SpacingBetweenSlices")
    return between if between else _find(head, groups, "PixelMeasuresSequence", "SliceThickness")


def _numbers(values: Any, count: int) -> np.ndarray | None:
    if values is None or len(values) != count or any(value in (None, "") for value in values):
        return None
    array = np.array([float(value) for value in values])
    return array if np.isfinite(array).all() and (np.abs(array) < 1e6).all() else None


def _number(value: Any, default: float) -> float:
    number = float(value) if value not in (None, "") else default
    return number if np.isfinite(number) else default


def _sort_frames(frames: list[dict[str, Any]], shown: Path) -> tuple[list[dict[str, Any]], int]:
    """Frames by position, time point after time point; gaps and mixtures are refused."""
    if len({frame["size"] for frame in frames}) > 1:
        raise ScanError(
            f"{shown}: the images of the series differ in size; name one series, or give the files as a list"
        )
    if len(frames) == 1:
        return frames, 1
    if any(frame["position"] is None or frame["orientation"] is None for frame in frames):
        return sorted(frames, key=lambda frame: (frame["number"], str(frame["path"]), frame["index"])), 1
    directions = np.stack([frame["orientation"] for frame in frames])
    if np.abs(directions - directions[0]).max() > 1e-2:
        raise ScanError(
            f"{shown}: the images of the series lie in several orientations (a localizer?); name another series"
        )
    normal = np.cross(directions[0, :3], directions[0, 3:])
    for frame in frames:
        frame["place"] = float(frame["position"] @ normal)
    places = _distinct(sorted(frame["place"] for frame in frames))
    stacks: list[list[dict[str, Any]]] = [[] for _ in places]
    for frame in frames:
        stacks[int(np.argmin(np.abs(places - frame["place"])))].append(frame)
    counts = {len(stack) for stack in stacks}
    if len(counts) > 1:
        raise ScanError(
            f"{shown}: {len(places)} positions have between {min(counts)} and {max(counts)} images each; images are "
            "missing or two scans are mixed; copy the whole series"
        )
    _check_gaps(places, shown)
    for stack in stacks:
        stack.sort(key=lambda frame: (frame["time"], frame["number"], frame["index"]))
    phases = counts.pop()
    return [stack[phase] for phase in range(phases) for stack in stacks], phases


def _distinct(places: list[float]) -> np.ndarray:
    """Positions along the normal, taken as one where they differ by less than 0.01 mm."""
    kept = [places[0]]
    kept += [place for before, place in pairwise(places) if place - before > 1e-2]
    return np.array(kept)


def _check_gaps(places: np.ndarray, shown: Path) -> None:
    gaps = np.diff(places)
    if len(gaps) > 1 and gaps.max() > MOST_GAP * np.median(gaps):
        worst = int(gaps.argmax())
        missing = max(1, round(gaps[worst] / np.median(gaps)) - 1)
        raise ScanError(
            f"{shown}: about {missing} slice(s) are missing after slice {worst + 1} (a gap of {gaps[worst]:.1f} mm "
            f"where {np.median(gaps):.1f} mm is usual); copy the whole series"
        )


def _read_pixels(frames: list[dict[str, Any]]) -> np.ndarray:
    """(N, H, W, C): rescaled where the header says so, bright where tissue is bright."""
    cache: dict[Path, np.ndarray] = {}
    left = Counter(frame["path"] for frame in frames)
    pages = []
    for frame in frames:
        path = frame["path"]
        if path not in cache:
            cache[path] = _decode(path)
        page = cache[path][frame["index"]]
        left[path] -= 1
        if not left[path]:
            del cache[path]
        if (frame["slope"], frame["intercept"]) != (1.0, 0.0):
            page = (page * frame["slope"] + frame["intercept"]).astype(np.float32)
        pages.append(page)
    if len({page.dtype for page in pages}) > 1:
        pages = [page.astype(np.float32) for page in pages]
    return np.stack(pages)


def _decode(path: Path) -> np.ndarray:
    """All frames of a file as (N, H, W, C)."""
    pydicom = load_pydicom(path)
    try:
        data = pydicom.dcmread(path, force=True, specific_tags=[*PIXEL_TAGS, "PixelData", "FloatPixelData"])
        if not hasattr(data, "file_meta") or "TransferSyntaxUID" not in data.file_meta:
            data.file_meta = getattr(data, "file_meta", None) or pydicom.dataset.FileMetaDataset()
            data.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        syntax = data.file_meta.TransferSyntaxUID
        pixels = np.asarray(data.pixel_array)
        samples, frames = int(data.get("SamplesPerPixel") or 1), int(data.get("NumberOfFrames") or 1)
        pixels = pixels.reshape(frames, int(data.Rows), int(data.Columns), samples)
        if data.get("PhotometricInterpretation") == "MONOCHROME1":
            top = (1 << int(data.BitsStored)) - 1 if not int(data.PixelRepresentation) else -1
            limits = np.iinfo(pixels.dtype)
            pixels = np.clip(top - pixels.astype(np.int64), limits.min, limits.max).astype(pixels.dtype)
        return pixels
    except (RuntimeError, NotImplementedError) as error:
        raise ScanError(
            f"{path}: the pixels are compressed as {syntax.name} and cannot be decoded here; if the file is whole, "
            "run pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"
        ) from error
    except dicom_errors() as error:
        raise ScanError(
            f"{path}: its pixels cannot be decoded ({type(error).__name__}); is the file whole?"
        ) from error


def _lay_out(
    frames: list[dict[str, Any]], pixels: np.ndarray, phases: int, orientation: str, notes: list[str], shown: Path
) -> Volume:
    count = len(frames) // phases
    height, width = pixels.shape[1:3]
    files = [frame["path"] for frame in frames]
    first = frames[0]
    affine = _affine_of(first, frames[count - 1], count)
    spacing = _spacing_of(first, affine, count)
    if spacing is None:
        notes.append("the header has no usable spacing; areas and volumes are in pixels")
    shape = (width, height, count)
    if affine is None:
        return Volume(pixels, spacing, Geometry(shape), phases, notes, tuple(files))
    row, column, through = spacing
    try:
        # Slices of a series lie as they were taken: its own axis counts as the coarsest.
        geometry, more = plan_geometry(shape, (1.0, 1.0, 2.0), affine, orientation)
    except ValueError as error:
        raise ScanError(f"{shown}: {error}; its DICOM header is damaged") from error
    source = np.moveaxis(pixels.reshape(phases, count, height, width, -1), (1, 2, 3), (3, 2, 1))  # (T, I, J, K, C)
    turned = np.stack([geometry.to_slices(phase) for phase in source])
    order = range(count)[::-1] if geometry.flips[0] else range(count)
    files = [files[phase * count + place] for phase in range(phases) for place in order]
    if geometry.axes[1] == 0:  # rows and columns changed places
        row, column = column, row
    slices = np.ascontiguousarray(turned.reshape(-1, *turned.shape[2:]))
    return Volume(slices, (row, column, through), geometry, phases, notes + more, tuple(files))


def _spacing_of(frame: dict[str, Any], affine: np.ndarray | None, count: int) -> tuple | None:
    if frame["spacing"] is None or (frame["spacing"] <= 0).any():
        return None
    through = float(frame["thickness"][0]) if frame["thickness"] is not None and frame["thickness"][0] > 0 else None
    if affine is not None and count > 1:
        through = float(np.linalg.norm(affine[:3, 2]))
    return float(frame["spacing"][0]), float(frame["spacing"][1]), through


def _affine_of(first: dict[str, Any], last: dict[str, Any], count: int) -> np.ndarray | None:
    """(column, row, slice) indices to millimeters; DICOM counts to the left and posterior, NIfTI the other way."""
    if any(first[name] is None for name in ("position", "orientation", "spacing")) or (first["spacing"] <= 0).any():
        return None
    along_columns, along_rows = first["orientation"][:3], first["orientation"][3:]
    if count > 1:
        if last["position"] is None:
            return None
        step = (last["position"] - first["position"]) / (count - 1)
    else:
        thickness = first["thickness"][0] if first["thickness"] is not None else 1.0
        step = np.cross(along_columns, along_rows) * (thickness if thickness > 0 else 1.0)
    affine = np.eye(4)
    affine[:3, 0] = along_columns * first["spacing"][1]
    affine[:3, 1] = along_rows * first["spacing"][0]
    affine[:3, 2] = step
    affine[:3, 3] = first["position"]
    affine[:2] *= -1
    return affine
