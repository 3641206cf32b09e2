"""The images of a DICOM series in order: by position, time point after time point; what has no order is refused."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from .mri_scan_dicom_frames import Frame
from .mri_scan_errors import ScanError

MISSING = 1.5  # of the usual distance between slices: here one is missing
UNEVEN = 1.1  # largest to smallest distance between slices
ROUNDING = 0.05  # mm by which headers round positions
ONE_PLACE = 1e-2  # mm


def sort_frames(frames: list[Frame], shown: Path) -> tuple[list[Frame], int, list[str]]:
    """Frames by position, time point after time point.

    Returns:
        The frames, how many time points they are, and notes for the user.

    Raises:
        ScanError: images of several sizes, orientations or echoes, missing ones, or uneven distances between them.
    """
    frames, notes = _drop_copies(frames)
    if len({frame.size for frame in frames}) > 1:
        reason = "the images of the series differ in size"
        raise ScanError(shown, reason, "name one series, or give the files as a list")
    if len(frames) == 1:
        return frames, 1, notes
    if any(frame.position is None or frame.orientation is None for frame in frames):
        return sorted(frames, key=lambda frame: (frame.number, str(frame.path), frame.index)), 1, notes
    stacks = _stack_by_place(frames, shown)
    phases = len(stacks[0])
    _check_distances(stacks, shown)
    for stack in stacks:
        stack.sort(key=lambda frame: (frame.time, frame.number, frame.index))
    if phases > 1:
        notes += _check_times(stacks, shown)
    return [stack[phase] for phase in range(phases) for stack in stacks], phases, notes


def _drop_copies(frames: list[Frame]) -> tuple[list[Frame], list[str]]:
    """Each image once: a backup beside a series must not count as a second time point."""
    kept: dict[object, Frame] = {}
    for frame in frames:
        # Some anonymizers give all images one UID: only what is equal besides is a copy.
        place = None if frame.position is None else tuple(frame.position)
        same = (frame.uid, frame.index, place, frame.time, frame.number, frame.echo)
        kept.setdefault(same if frame.uid else (frame.path, frame.index), frame)
    files = len({frame.path for frame in frames}) - len({frame.path for frame in kept.values()})
    notes = [f"{files} DICOM files are copies of others (equal SOPInstanceUID) and were left out"] if files else []
    return list(kept.values()), notes


def _stack_by_place(frames: list[Frame], shown: Path) -> list[list[Frame]]:
    """The images of each position, in the order of positions."""
    directions = np.stack([frame.orientation for frame in frames])
    if np.abs(directions - directions[0]).max() > 1e-2:
        reason = "the images of the series lie in several orientations (a localizer?)"
        raise ScanError(shown, reason, "name another series")
    normal = _normal(frames[0])
    depths = [float(frame.position @ normal) for frame in frames]
    places = _distinct(sorted(depths))
    stacks: list[list[Frame]] = [[] for _ in places]
    for frame, depth in zip(frames, depths, strict=True):
        stacks[int(np.argmin(np.abs(places - depth)))].append(frame)
    counts = {len(stack) for stack in stacks}
    if len(counts) > 1:
        raise ScanError(
            shown,
            f"{len(places)} positions have between {min(counts)} and {max(counts)} images each; images are missing or "
            "two scans are mixed",
            "copy the whole series",
        )
    return stacks


def _normal(frame: Frame) -> np.ndarray:
    return np.cross(frame.orientation[:3], frame.orientation[3:])


def _distinct(places: list[float]) -> np.ndarray:
    """Positions along the normal, taken as one where they differ by less than 0.01 mm."""
    kept = [places[0]]
    kept += [place for before, place in pairwise(places) if place - before > ONE_PLACE]
    return np.array(kept)


def _check_distances(stacks: list[list[Frame]], shown: Path) -> None:
    """Refuse gaps and uneven distances: volumes and places are computed from one distance for all slices."""
    corners = np.stack([stack[0].position for stack in stacks])
    if len(corners) < 3:
        return
    gaps = np.diff(corners @ _normal(stacks[0][0]))
    usual = float(np.median(gaps))
    if gaps.max() > MISSING * usual:
        worst = int(gaps.argmax())
        raise ScanError(
            shown,
            f"about {max(1, round(gaps[worst] / usual) - 1)} slice(s) are missing after slice {worst + 1} (a gap of "
            f"{gaps[worst]:.1f} mm where {usual:.1f} mm is usual)",
            "copy the whole series",
        )
    even = corners[0] + np.linspace(0, 1, len(corners))[:, None] * (corners[-1] - corners[0])
    aside = float(np.linalg.norm(corners - even, axis=1).max())
    if gaps.max() > UNEVEN * gaps.min() + ROUNDING or aside > (UNEVEN - 1) * usual + ROUNDING:
        raise ScanError(
            shown,
            f"its slices are unevenly spaced ({gaps.min():.1f} to {gaps.max():.1f} mm apart); some are missing, or "
            "two scans are mixed",
            "copy the whole series, or resample it to even distances",
        )


def _check_times(stacks: list[list[Frame]], shown: Path) -> list[str]:
    """Whether several images of each position are time points: a note where only their order says so."""
    phases = len(stacks[0])
    if len({frame.echo for frame in stacks[0]}) > 1:
        reason = f"holds {phases} images of each slice, of different echo times"
        raise ScanError(shown, reason, "put the images of one echo into a folder of their own")
    if len({frame.time[:2] for frame in stacks[0]}) < phases:
        return [f"{phases} images at each position, taken as time points in the order of their numbers"]
    return []
