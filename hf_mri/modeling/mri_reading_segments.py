"""The left ventricle's wall by the segments of the American Heart Association (AHA).

Six segments around the base, six around the middle, four around the apex: two of the six share the septum, between the
two lines where the right ventricle's wall begins, and four the rest. The 17th segment, the tip, has no cavity to
measure from. Which of the two lines is the anterior one only a scan's geometry tells; without it the sides of the
septum are called a and b, a where one arrives going clockwise in the picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .mri_reading_wall import ANGLES, THIRDS, Ring, Septum, Wall, average_septa, trace_wall

# Clockwise from where the septum begins, and from the apical septum on.
AROUND = ("septal b", "septal a", "side a", "lateral a", "lateral b", "side b")
AROUND_APEX = ("septal", "side a", "lateral", "side b")
# The order of the AHA's numbers, 1 to 16, where a is anterior, and their names then.
ORDER = ("side a", "septal a", "septal b", "side b", "lateral b", "lateral a")
ORDER_APEX = ("side a", "septal", "side b", "lateral")
NAMES = {"side a": "anterior", "septal a": "anteroseptal", "septal b": "inferoseptal", "side b": "inferior"}
NAMES |= {"lateral b": "inferolateral", "lateral a": "anterolateral"}
OBLIQUE = 0.985  # cosine of 10 degrees: no short axis is as near to one of the patient's axes; a made-up header's is
APART = 0.5  # how much farther to the front and top one line lies, in units of the radius, to be called anterior
KNOWN = 0.5  # share of a segment's rays that must meet muscle

Segments = dict[tuple[str, str], float | None]  # third and name → mean thickness in mm


def measure_wall(times: list[Ring], spacing: tuple, affine: np.ndarray | None = None) -> dict[str, Any] | None:
    """Thickness at end diastole and end systole, in mm; None where fewer than three slices show the ring.

    Without a right ventricle nobody knows where the septum is: then there are means, but no segments.

    Args:
        times: end diastole, then end systole.
        spacing: millimeters between rows and columns first.
        affine: (slice, row, column) to millimeters (right, anterior, superior), or None where nobody knows.
    """
    walls = [wall for wall in (trace_wall(ring, spacing) for ring in times) if wall is not None]
    if len(walls) < len(times):
        return None
    facts: dict[str, Any] = {
        f"mean_{when}_mm": _round(_mean(np.concatenate(wall.thickness)))
        for when, wall in zip(("ed", "es"), walls, strict=True)
    }
    septa = [septa for septa in (_complete(wall.septa) for wall in walls) if septa]
    if len(septa) < len(walls):
        return facts | {"anterior_known": False, "segments": []}
    anterior = find_anterior(septa[0][1], affine)
    diastole, systole = (measure_segments(wall, septum) for wall, septum in zip(walls, septa, strict=True))
    return facts | {"anterior_known": anterior is not None, "segments": _join(diastole, systole, anterior)}


def measure_segments(wall: Wall, septa: list[Septum]) -> Segments:
    """The mean thickness of each segment; None where the ring is open."""
    found: Segments = {}
    for third, thickness, (begin, width) in zip(THIRDS, wall.thickness, septa, strict=True):
        names: tuple[str, ...] = AROUND_APEX
        number = (ANGLES - (begin + width / 2 - np.pi / 4)) % (2 * np.pi) // (np.pi / 2)
        if third != THIRDS[-1]:
            names, turned = AROUND, (ANGLES - begin) % (2 * np.pi)
            free = (2 * np.pi - width) / 4
            number = np.where(turned < width, turned // (width / 2), 2 + (turned - width) // free)
        for index, name in enumerate(names):
            rays = thickness[:, number == index]
            found[third, name] = _mean(rays) if np.isfinite(rays).mean() >= KNOWN else None
    return found


def find_anterior(septum: Septum, affine: np.ndarray | None) -> str | None:
    """Which side of the septum is anterior, "a" or "b": the one farther to the front and the top.

    None where the header does not say how the slices lie: an affine along the patient's axes is no short axis.
    """
    if affine is None:
        return None
    steps = np.asarray(affine, float)[:3, :3]
    across, down, along = (steps / np.linalg.norm(steps, axis=0)).T
    if np.abs(across).max() > OBLIQUE:
        return None
    sides = {"a": septum[0] + septum[1], "b": septum[0]}
    height = {side: (down * np.sin(end) + along * np.cos(end))[1:].sum() / np.sqrt(2) for side, end in sides.items()}
    if abs(height["a"] - height["b"]) < APART:
        return None
    return max(height, key=lambda side: height[side])


def _complete(septa: list[Septum | None]) -> list[Septum]:
    """Lend a third without a right ventricle, mostly the apex, the septum of the middle; none where there is none."""
    known = [septum for septum in septa if septum is not None]
    middle = septa[1] or average_septa(known)
    return [septum or middle for septum in septa] if middle is not None else []


def _join(diastole: Segments, systole: Segments, anterior: str | None) -> list[dict[str, Any]]:
    """The segments in the AHA's order, with its numbers and names where it is known which side is anterior."""
    swap = {"a": "b", "b": "a"} if anterior == "b" else {}
    segments: list[dict[str, Any]] = []
    for third in THIRDS:
        for name in ORDER_APEX if third == THIRDS[-1] else ORDER:
            place = third, name[:-1] + swap.get(name[-1], name[-1])
            full, empty = diastole[place], systole[place]
            segments.append(
                {
                    "name": f"{third} {NAMES.get(name, name) if anterior else name}",
                    "number": len(segments) + 1 if anterior else None,
                    "ed_mm": _round(full),
                    "es_mm": _round(empty),
                    "thickening_percent": _round(100 * (empty / full - 1)) if full and empty else None,
                }
            )
    return segments


def _mean(rays: np.ndarray) -> float | None:
    return float(np.nanmean(rays)) if np.isfinite(rays).any() else None


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
