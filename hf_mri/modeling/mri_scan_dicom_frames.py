"""The images of one DICOM file, each with its place, its time and its scale."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .mri_scan_dicom_heads import dicom_errors
from .mri_scan_errors import ScanError


@dataclass(eq=False)
class Frame:
    """One image.

    Attributes:
        index: which of the file's images it is.
        position: (3,) millimeters of its first pixel.
        orientation: (6,) directions of its rows and columns.
        spacing: (2,) millimeters between rows and columns.
        thickness: millimeters from slice to slice, as the header says it.
        number: the file's number in its series.
        time: what orders images of one position, the most telling first; zeros where the header says nothing.
        echo: milliseconds.
        size: rows, columns and values a pixel.
        uid: the file's own.
    """

    path: Path
    index: int
    position: Any  # None where the header says nothing, as in the next two
    orientation: Any
    spacing: Any
    thickness: float | None
    slope: float
    intercept: float
    number: float
    time: tuple[float, ...]
    echo: float
    size: tuple[int, int, int]
    uid: str


def frames_of(path: Path, head: Any, notes: list[str]) -> list[Frame]:
    """Each image of a file; enhanced DICOMs hold many, with places of their own.

    Args:
        notes: gets what the user should know of the file's scale.

    Raises:
        ScanError: the header is damaged, or its images share one position without a word on time.
    """
    try:
        count = int(head.get("NumberOfFrames") or 1)
        shared = (head.get("SharedFunctionalGroupsSequence") or [None])[0]
        own = head.get("PerFrameFunctionalGroupsSequence") or []
        groups = [[own[index] if index < len(own) else None, shared] for index in range(count)]
        frames = [_frame_of(path, head, index, groups[index]) for index in range(count)]
        _spread(frames, head.get("GridFrameOffsetVector"))
        if head.get("FrameTime") or head.get("FrameTimeVector"):
            _count_time(frames)
    except dicom_errors() as error:
        reason = f"its DICOM header is damaged ({type(error).__name__})"
        raise ScanError(path, reason, "get the file again") from error
    _check_positions(path, frames)
    if head.get("ModalityLUTSequence"):
        _note(notes, "a table of values (Modality LUT) was not applied")
    if any(frame.slope == 0 for frame in frames):
        _note(notes, "a slope of 0 was ignored")
    for frame in frames:
        frame.slope = frame.slope or 1.0
    return frames


def _frame_of(path: Path, head: Any, index: int, groups: list) -> Frame:
    def find(sequence: str, tag: str, fallback: str | None = None) -> Any:
        return _find(head, groups, sequence, tag, fallback or tag)

    distance = find("PixelMeasuresSequence", "SpacingBetweenSlices") or find("PixelMeasuresSequence", "SliceThickness")
    thickness = _number(distance, 0.0)
    times = (
        find("FrameContentSequence", "TemporalPositionIndex", "TemporalPositionIdentifier"),
        find("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime", "TriggerTime"),
        head.get("AcquisitionNumber"),
    )
    colors = 3 if head.get("PhotometricInterpretation") == "PALETTE COLOR" else int(head.get("SamplesPerPixel") or 1)
    return Frame(
        path=path,
        index=index,
        position=_numbers(find("PlanePositionSequence", "ImagePositionPatient"), 3),
        orientation=_numbers(find("PlaneOrientationSequence", "ImageOrientationPatient"), 6),
        spacing=_numbers(find("PixelMeasuresSequence", "PixelSpacing"), 2),
        thickness=thickness if 0 < thickness < 1e6 else None,
        slope=_number(find("PixelValueTransformationSequence", "RescaleSlope"), 1.0),
        intercept=_number(find("PixelValueTransformationSequence", "RescaleIntercept"), 0.0),
        number=_number(head.get("InstanceNumber"), 0.0),
        time=tuple(_number(time, 0.0) for time in times),
        echo=_number(find("MREchoSequence", "EffectiveEchoTime", "EchoTime"), 0.0),
        size=(int(head.Rows), int(head.Columns), colors),
        uid=str(head.get("SOPInstanceUID") or ""),
    )


def _spread(frames: list[Frame], offsets: Any) -> None:
    """Give the planes of a grid, as of a dose, their places: the header has the first one's, and distances from it."""
    if offsets is None or len(offsets) != len(frames) or frames[0].position is None or frames[0].orientation is None:
        return
    normal = np.cross(frames[0].orientation[:3], frames[0].orientation[3:])
    for frame, offset in zip(frames, offsets, strict=True):
        frame.position = frame.position + (float(offset) - float(offsets[0])) * normal


def _count_time(frames: list[Frame]) -> None:
    """In a film, where nothing else tells the times of its images, their order does."""
    if len({frame.time for frame in frames}) == 1:
        for frame in frames:
            frame.time = (float(frame.index), *frame.time[1:])


def _check_positions(path: Path, frames: list[Frame]) -> None:
    places = {(tuple(frame.position), frame.time, frame.echo) for frame in frames if frame.position is not None}
    if 0 < len(places) < len(frames):
        reason = "several of its images share one position, and the header does not say at what times they were taken"
        raise ScanError(path, reason, "convert it to one file an image, or to NIfTI")


def _find(head: Any, groups: list, sequence: str, tag: str, fallback: str) -> Any:
    """An element of the frame's own groups, the shared groups, or, there often named otherwise, the file itself."""
    for group in groups:
        if group is not None and group.get(sequence):
            value = group.get(sequence)[0].get(tag)
            if value is not None:
                return value
    return head.get(fallback)


def _numbers(values: Any, count: int) -> np.ndarray | None:
    if values is None or len(values) != count or any(value in (None, "") for value in values):
        return None
    array = np.array([float(value) for value in values])
    return array if np.isfinite(array).all() and (np.abs(array) < 1e6).all() else None


def _number(value: Any, default: float) -> float:
    number = float(value) if value not in (None, "") else default
    return number if np.isfinite(number) else default


def _note(notes: list[str], text: str) -> None:
    if text not in notes:
        notes.append(text)
