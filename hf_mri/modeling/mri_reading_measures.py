"""What masks measure: areas, boxes, volumes, diameters, and the heart's ejection fraction."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial.distance import pdist

from .mri_reading_segments import measure_wall
from .mri_reading_wall import Ring

VENTRICLES = ("left ventricle", "right ventricle")
MYOCARDIUM = "myocardium"
DENSITY = 1.05  # of heart muscle, g/mL
# What no heart does, so that the outlines must be wrong: percent of the filled chamber that a beat pumps out, and how
# much of it may come or go from one time point to the next, of 25 a beat; fewer time points lie further apart.
EJECTION_RANGE = (5.0, 90.0)
LARGEST_STEP, USUAL_PHASES = 0.2, 25


def measure_slice(mask: np.ndarray, spacing: tuple | None) -> dict[str, Any]:
    """Area and box [left, top, width, height] of a slice's mask (H, W), which is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    pixels = int(mask.sum())
    left, top = int(columns[0]), int(rows[0])
    return {
        "area_mm2": round(pixels * spacing[0] * spacing[1], 2) if spacing else None,
        "area_pixels": pixels,
        "box": [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1],
    }


def measure_volume(mask: np.ndarray, spacing: tuple | None) -> dict[str, Any]:
    """Volume, largest diameter within a slice, first and last slice (0-based) of a mask (S, H, W)."""
    present = np.flatnonzero(mask.any(axis=(1, 2)))
    voxels = int(mask.sum())
    diameter = largest_diameter(mask[present], spacing[:2] if spacing else (1.0, 1.0))
    return {
        "ml": _milliliters(voxels, spacing),
        "voxels": voxels,
        "largest_diameter_mm": round(diameter, 2) if spacing else None,
        "largest_diameter_pixels": None if spacing else round(diameter, 2),
        "first_slice": int(present[0]) if len(present) else None,
        "last_slice": int(present[-1]) if len(present) else None,
    }


def largest_diameter(mask: np.ndarray, spacing: tuple[float, float]) -> float:
    """The longest straight line between pixel corners within one connected region of one slice of a mask (S, H, W)."""
    best = 0.0
    for page in mask:
        regions, _ = ndimage.label(page, np.ones((3, 3)))
        for index, box in enumerate(ndimage.find_objects(regions), start=1):
            height, width = (part.stop - part.start for part in box)
            if np.hypot(height * spacing[0], width * spacing[1]) > best:
                best = max(best, _diameter(regions[box] == index, spacing))
    return best


def _diameter(region: np.ndarray, spacing: tuple[float, float]) -> float:
    """Of one region: only the first and last pixel of each row can be an end of the longest line."""
    rows = np.flatnonzero(region.any(axis=1))
    first = region[rows].argmax(axis=1)
    last = region.shape[1] - region[rows, ::-1].argmax(axis=1)
    corners = np.concatenate([np.stack([rows + down, side], axis=1) for down in (0, 1) for side in (first, last)])
    return float(pdist(np.unique(corners, axis=0) * np.asarray(spacing)).max())


def measure_cine(
    masks: dict[str, np.ndarray], spacing: tuple | None, phases: int, affine: np.ndarray | None = None
) -> dict[str, Any] | None:
    """Volumes over time; with a left ventricle, end diastole (largest), end systole (smallest) and ejection fraction.

    A chamber whose volumes no heart has gets no figures; `doubts` then says why.

    Args:
        masks: by label (T * S, H, W), time point after time point.
        spacing: millimeters between rows, columns and slices, or None.
        phases: T.
        affine: (slice, row, column) to millimeters (right, anterior, superior), or None where nobody knows.
    """
    if phases < 2:
        return None
    voxels = {label: mask.reshape(phases, -1).sum(axis=1) for label, mask in masks.items()}
    cine: dict[str, Any] = {
        "ml_by_phase": {label: [_milliliters(n, spacing) for n in v] for label, v in voxels.items()}
    }
    cine["voxels_by_phase"] = {label: [int(n) for n in counts] for label, counts in voxels.items()}
    left = voxels.get(VENTRICLES[0])
    if left is None:
        return cine
    if not left.any():
        return cine | {"doubts": ["no heart was found: no left ventricle at any time"]}
    diastole, systole = int(left.argmax()), int(left.argmin())
    cine |= {"end_diastole_phase": diastole, "end_systole_phase": systole}
    doubts = {label: doubt_volumes(voxels[label], diastole, systole) for label in VENTRICLES if label in voxels}
    cine["doubts"] = [f"{label}: {doubt}" for label, found in doubts.items() for doubt in found]
    if doubts[VENTRICLES[0]]:  # it says when the heart is full, so nothing else can be measured without it
        return cine
    for label, found in doubts.items():
        if not found:
            cine[label] = _measure_chamber(int(voxels[label][diastole]), int(voxels[label][systole]), spacing)
    mass = _milliliters(int(voxels.get(MYOCARDIUM, np.zeros(phases))[diastole]), spacing)
    if mass:
        cine["myocardium_g"] = round(DENSITY * mass, 3)
    if spacing and all(label in masks for label in (*VENTRICLES, MYOCARDIUM)):
        ring = (masks[label] for label in (VENTRICLES[0], MYOCARDIUM, VENTRICLES[1]))
        beats = [mask.reshape(phases, -1, *mask.shape[1:]) for mask in ring]
        cine["wall"] = measure_wall(
            [Ring(*(beat[at] for beat in beats)) for at in (diastole, systole)], spacing, affine
        )
    return cine


def doubt_volumes(voxels: np.ndarray, diastole: int, systole: int) -> list[str]:
    """Say what is wrong with a chamber's volumes over time (T,); nothing where they can be a heart's."""
    full, empty = int(voxels[diastole]), int(voxels[systole])
    if not full:
        return ["not found at end diastole"]
    doubts = []
    ejected = 100 * (full - empty) / full
    low, high = EJECTION_RANGE
    if not low <= ejected <= high:
        doubts.append(f"an ejection fraction of {ejected:.0f} % is outside {low:g} to {high:g} %, not to be believed")
    steps = np.abs(np.diff(voxels, append=voxels[0])) / max(1, voxels.max())  # the last phase is followed by the first
    jump = int(steps.argmax())
    if steps[jump] > LARGEST_STEP * max(1.0, USUAL_PHASES / len(voxels)):
        after = (jump + 1) % len(voxels)
        doubts.append(
            f"its volume jumps by {100 * steps[jump]:.0f} % between time points {jump + 1} and {after + 1}, as no "
            "heart's does"
        )
    return doubts


def _measure_chamber(full: int, empty: int, spacing: tuple | None) -> dict[str, float | None]:
    return {
        "edv_ml": _milliliters(full, spacing),
        "esv_ml": _milliliters(empty, spacing),
        "sv_ml": _milliliters(full - empty, spacing),
        "ef_percent": round(100 * (full - empty) / full, 1),
    }


def _milliliters(voxels: int, spacing: tuple | None) -> float | None:
    if spacing is None or spacing[2] is None:
        return None
    return round(float(voxels * spacing[0] * spacing[1] * spacing[2] / 1000), 3)
