"""How thick the left ventricle's wall is, ray by ray.

Rays leave the cavity's center in every slice, and the muscle along each is summed, interpolated between pixels: a sum
neither gains nor loses by a mask's steps, as the distance to the nearest other pixel does, and a ring that is open at
the base costs only the rays that pass there. What a ray gains by meeting the wall at a slant is taken off.

Angles are those of the picture: 0 to the right, growing clockwise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import map_coordinates

RAYS = 90
STEP = 0.25  # mm along a ray
WAVES = 6  # of the wall's shape around the ring; shorter ones are the steps of its pixels
BESIDE = 5.0  # mm: how near the muscle the right ventricle must lie for the wall between them to be septum
NARROWEST, WIDEST = np.radians(40), np.radians(220)  # of a septum; else an outline went wrong
THIRDS = ("basal", "mid", "apical")
ANGLES = (np.arange(RAYS) + 0.5) * 2 * np.pi / RAYS

Septum = tuple[float, float]  # the angle at which it begins, and its width


class Ring(NamedTuple):
    """What is outlined at one time point: masks (S, H, W)."""

    cavity: np.ndarray
    muscle: np.ndarray
    right: np.ndarray  # ventricle


class Wall(NamedTuple):
    """One time point, by the thirds of the slices that show the ring, from the base on."""

    thickness: list[np.ndarray]  # (slices, RAYS) mm, NaN where a ray meets no muscle
    septa: list[Septum | None]  # None where no slice shows a right ventricle


def trace_wall(ring: Ring, spacing: tuple) -> Wall | None:
    """Trace the slices that show cavity and muscle; None where there are too few for thirds.

    Args:
        ring: of one time point.
        spacing: millimeters between rows and columns first.
    """
    cavity, muscle, right = ring
    shown = np.flatnonzero(cavity.any(axis=(1, 2)) & muscle.any(axis=(1, 2)))
    if len(shown) < len(THIRDS):
        return None
    areas, half = cavity[shown].sum(axis=(1, 2)), len(shown) // 2
    if areas[:half].sum() < areas[-half:].sum():  # the cavity narrows toward the apex
        shown = shown[::-1]
    thickness, septa = [], []
    for part in np.array_split(shown, len(THIRDS)):
        traces = [trace_slice(cavity[at], muscle[at], right[at], spacing) for at in part]
        thickness.append(np.stack([rays for rays, _ in traces]))
        septa.append(average_septa([septum for _, septum in traces if septum is not None]))
    return Wall(thickness, septa)


def trace_slice(
    cavity: np.ndarray, muscle: np.ndarray, right: np.ndarray, spacing: tuple
) -> tuple[np.ndarray, Septum | None]:
    """The thickness along the rays of one slice (H, W) in mm, and where its septum lies."""
    steps = np.asarray(spacing[:2], float)
    center = np.argwhere(cavity).mean(axis=0)
    reach = np.linalg.norm((np.argwhere(muscle) - center) * steps, axis=1).max() + 2 * BESIDE
    radius = np.arange(0, reach, STEP)
    places = np.stack([np.outer(np.sin(ANGLES), radius), np.outer(np.cos(ANGLES), radius)])
    places = center[:, None, None] + places / steps[:, None, None]
    wall, other = (map_coordinates(mask.astype(np.float32), places, order=1) for mask in (muscle, right))
    length = wall.sum(axis=1) * STEP
    found = length > STEP
    middle = np.where(found, (wall * radius).sum(axis=1) * STEP / np.maximum(length, STEP), np.nan)
    outer = np.where(wall >= 0.5, radius, 0).max(axis=1, keepdims=True)
    beside = (other >= 0.5) & (radius > outer) & (radius <= outer + BESIDE)
    return np.where(found, length * _find_slant(middle), np.nan), _find_septum(found & beside.any(axis=1))


def average_septa(septa: list[Septum]) -> Septum | None:
    """The mean of their middles, and of their widths."""
    if not septa:
        return None
    middle = np.angle(np.mean([np.exp(1j * (begin + width / 2)) for begin, width in septa]))
    width = float(np.mean([width for _, width in septa]))
    return float(middle) - width / 2, width


def _find_slant(middle: np.ndarray) -> np.ndarray:
    """Cosine between each ray and the normal of the wall's middle, whose radius by angle is given."""
    known = np.flatnonzero(np.isfinite(middle))
    if len(known) < RAYS // 4:
        return np.ones(RAYS)
    waves = np.fft.rfft(np.interp(np.arange(RAYS), known, middle[known], period=RAYS))
    waves[WAVES + 1 :] = 0
    smooth, slope = np.fft.irfft(waves, RAYS), np.fft.irfft(waves * 1j * np.arange(len(waves)), RAYS)
    return smooth / np.hypot(smooth, slope)


def _find_septum(touches: np.ndarray) -> Septum | None:
    """Where the rays that meet the right ventricle begin, and how wide they spread: all but their widest gap."""
    hits = np.flatnonzero(touches)
    if not len(hits):
        return None
    gaps = np.diff(hits, append=hits[0] + RAYS)
    last = int(gaps.argmax())
    begin, width = hits[(last + 1) % len(hits)] * 2 * np.pi / RAYS, (RAYS - gaps[last] + 1) * 2 * np.pi / RAYS
    return (float(begin), float(width)) if NARROWEST <= width <= WIDEST else None
