"""DICOM headers: which files are images, and which of them make the series that is read."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

from .mri_scan_claims import check_claim
from .mri_scan_errors import DECODE_ERRORS, MissingLibraryError, ScanError

# Only these elements are ever parsed: names, ids and dates of patients stay in the file.
PLACE_TAGS = [
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "GridFrameOffsetVector",
]
SERIES_TAGS = [
    *("SOPClassUID", "SOPInstanceUID", "Modality", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription"),
    *("InstanceNumber", "ImageType", "BodyPartExamined"),
]
TIME_TAGS = ["TemporalPositionIdentifier", "TriggerTime", "AcquisitionNumber", "FrameTime", "FrameTimeVector"]
ECHO_TAGS = ["EchoTime"]
PIXEL_TAGS = [
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope", "RescaleIntercept"),
    *("ModalityLUTSequence", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
]
DEFLATED = "1.2.840.10008.1.2.1.99"
MOST_FRAMES = 20_000  # of one file


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


def read_head(path: Path) -> Any:
    """A file's elements without its pixels; None for what by its kind is no image (reports, presentation states).

    Raises:
        ScanError: damaged, without the image that it should have, or claiming more than the file can hold.
    """
    pydicom = load_pydicom(path)
    tags = SERIES_TAGS + PLACE_TAGS + TIME_TAGS + ECHO_TAGS + PIXEL_TAGS
    try:
        head = pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=tags)
        list(head)  # parses every element now, where damage is caught
        rows, columns = int(head.get("Rows") or 0), int(head.get("Columns") or 0)
        samples, depth = int(head.get("SamplesPerPixel") or 1), max(1, int(head.get("BitsAllocated") or 16) // 8)
        frames = int(head.get("NumberOfFrames") or 1)
        meta = getattr(head, "file_meta", None) or {}
        syntax, kind = meta.get("TransferSyntaxUID"), head.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID")
        packed = syntax is not None and not syntax.is_private and syntax.is_compressed
    except dicom_errors() as error:
        reason = f"cannot be decoded as DICOM ({type(error).__name__})"
        raise ScanError(path, reason, "is the file whole?") from error
    if not rows or not columns:
        name = str(getattr(kind, "name", ""))
        if name.endswith("Storage") and "Image" not in name:
            return None
        raise ScanError(path, "ends before its image, or has none", "get the file again or leave it out")
    if syntax == DEFLATED:
        raise ScanError(path, "is deflated as a whole", "convert it first (dcmconv +te IN OUT)")
    check_claim(path, frames, rows, columns, samples, depth)
    least = frames if packed else frames * rows * columns * samples * depth
    if frames > MOST_FRAMES or (frames > 1 and least > path.stat().st_size):
        reason = f"its header claims {frames:,} frames, more than the file holds or a scan has"
        raise ScanError(path, reason, "check that the file is whole")
    return head


def choose_series(heads: dict[Path, Any], series: str | None, shown: Path) -> tuple[list[Path], list[str]]:
    """The files of the largest series, or of the one named, and notes for the user.

    Raises:
        ScanError: no series, or several, have that name; or the chosen one is tiled.
    """
    groups: dict[str, list[Path]] = defaultdict(list)
    for path, head in heads.items():
        groups[str(head.get("SeriesInstanceUID", ""))].append(path)
    sizes = {uid: sum(int(heads[path].get("NumberOfFrames") or 1) for path in paths) for uid, paths in groups.items()}
    notes = []
    if series is not None:
        named = [uid for uid, paths in groups.items() if series in _names_of(heads[paths[0]])]
        if len(named) != 1:
            known = ", ".join(sorted(str(heads[paths[0]].get("SeriesNumber", "?")) for paths in groups.values()))
            reason = f"{len(named)} series are named {series!r}"
            raise ScanError(shown, reason, f"the series here have the numbers {known}")
        chosen = groups[named[0]]
    else:
        largest = max(groups, key=lambda uid: sizes[uid])
        chosen = groups[largest]
        if len(groups) > 1:
            number = heads[chosen[0]].get("SeriesNumber", "?")
            notes.append(f"{len(groups)} series; read the largest, number {number}, of {sizes[largest]} images")
    for path in chosen:
        if "MOSAIC" in (heads[path].get("ImageType") or ()):
            reason = "is a mosaic: one picture of many slices side by side"
            raise ScanError(path, reason, "convert it to NIfTI first (dcm2niix)")
    return chosen, notes


def load_pydicom(path: Path) -> ModuleType:
    """Import pydicom when a DICOM comes, and not before: it takes a third of a second."""
    try:
        import pydicom
    except ImportError as error:
        raise MissingLibraryError(path, "DICOM", "pydicom") from error
    return pydicom


def dicom_errors() -> tuple[type[BaseException], ...]:
    """What pydicom raises on damaged files besides what every decoder does."""
    errors = load_pydicom(Path("scan")).errors
    return (*DECODE_ERRORS, errors.BytesLengthException, errors.InvalidDicomError)


def _names_of(head: Any) -> set[str]:
    return {str(head.get(tag)) for tag in ("SeriesInstanceUID", "SeriesNumber", "SeriesDescription") if head.get(tag)}
