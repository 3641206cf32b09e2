"""Synthetic hearts in the ACDC layout: short-axis slices at ED and ES, chamber volumes known.

Lengths are in millimeters from the center of the left ventricle; x points to the image's right, y down.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from scipy.ndimage import gaussian_filter

from hf_mri.data.phantoms.smooth_noise import draw_field, ramp

FIELD_MM = 320.0
SIZE = 216
SLICE_MM = 10.0
RIGHT, MUSCLE, LEFT, THIN_WALL, FAT = range(1, 6)  # the publisher labels the first three
TISSUES = dict(zip(range(1, 6), ("blood", "heart muscle", "blood", "heart muscle", "fat"), strict=True))
BRIGHTNESS = {"lung": 60, "fat": 510, "muscle": 220, "liver": 370, "blood": 800, "heart muscle": 190}
# group → radius of the left cavity at ED, its shrinking to ES, wall thickness at ED, radius of the right ventricle
GROUPS = {
    "NOR": (24, 0.66, 8, 32),
    "MINF": (28, 0.82, 7, 31),
    "DCM": (34, 0.88, 7, 34),
    "HCM": (21, 0.55, 15, 30),
    "RV": (23, 0.70, 8, 42),
}


VESSELS = {"muscle": 0.35, "lung": 0.7, "liver": 0.2}  # how uneven the chest's tissues are


@dataclass
class Heart:
    """One heart in one phase."""

    cavity: float
    wall: float
    right: float
    septum: float  # direction of the right ventricle, radians
    length: float  # base to apex


def write_patients(folder: Path, patients: int, seed: int, size: int | None, slices: int | None) -> dict[str, Any]:
    """Write `training/patient001/…`; return volumes in mL, ejection fractions and the muscle's mass by patient."""
    truth = {}
    for number in range(patients):
        rng = np.random.default_rng([seed, number])
        patient = f"patient{number + 1:03d}"
        group = list(GROUPS)[number % len(GROUPS)]
        target = folder / "training" / patient
        target.mkdir(parents=True)
        frames = {"ED": 1, "ES": int(rng.integers(8, 13))}
        count, spacing = slices or int(rng.integers(8, 11)), FIELD_MM / (size or SIZE)
        volumes = {}
        for phase, (image, mask) in draw_heart(rng, group, size or SIZE, count).items():
            stem = f"{patient}_frame{frames[phase]:02d}"
            _write_nifti(target / f"{stem}.nii.gz", image.astype(np.int16), spacing)
            _write_nifti(target / f"{stem}_gt.nii.gz", mask, spacing)
            volumes[phase] = np.bincount(mask.ravel(), minlength=4) * spacing**2 * SLICE_MM / 1000
        height, weight = rng.normal(170, 9), rng.normal(74, 12)
        lines = {**frames, "Group": group, "Height": f"{height:.1f}", "NbFrame": 28, "Weight": f"{weight:.1f}"}
        text = "".join(f"{key}: {value}\n" for key, value in lines.items())
        (target / "Info.cfg").write_text(text, encoding="utf-8")
        truth[patient] = _describe(volumes, group)
    return truth


def _describe(volumes: dict[str, np.ndarray], group: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"group": group, "muscle_mass_g": round(float(volumes["ED"][MUSCLE]) * 1.05, 3)}
    for name, label in (("left", LEFT), ("right", RIGHT)):
        full, empty = float(volumes["ED"][label]), float(volumes["ES"][label])
        facts[name] = {
            "edv_ml": round(full, 3),
            "esv_ml": round(empty, 3),
            "ef_percent": round(100 * (1 - empty / full), 3),
        }
    return facts


def _write_nifti(path: Path, slices: np.ndarray, spacing: float) -> None:
    """Write slices (S, H, W) as the publisher does: columns first, spacing in the header, an affine without it."""
    image = nibabel.Nifti1Image(np.transpose(slices, (2, 1, 0)), np.diag([-1.0, -1.0, 1.0, 1.0]))
    image.header.set_zooms((spacing, spacing, SLICE_MM))
    nibabel.save(image, path)


def draw_heart(
    rng: np.random.Generator, group: str, size: int, slices: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Draw a heart at ED and ES in the same chest: phase → image (S, H, W) uint16 and mask (S, H, W) uint8."""
    cavity, shrink, wall, right = (value * rng.uniform(0.92, 1.08) for value in GROUPS[group])
    shrink = min(shrink, 0.92)
    septum, length = np.pi + rng.normal(0.25, 0.2), rng.uniform(78, 92)
    full = Heart(cavity, wall, right, septum, length)
    # The wall keeps its volume while the cavity shrinks, so it thickens.
    outer = np.sqrt((cavity + wall) ** 2 - cavity**2 + (cavity * shrink) ** 2)
    empty = Heart(cavity * shrink, outer - cavity * shrink, right * rng.uniform(0.76, 0.84), septum, length * 0.9)
    shape = (slices, size, size)
    x, y, below = _place_heart(rng, shape)
    chest = _draw_chest(rng, shape, x, y)
    bias = 1 + 0.12 * draw_field(rng, shape, (2, 3, 3))
    texture = draw_field(rng, shape, (4, 40, 40))
    drawn = {}
    for phase, heart in (("ED", full), ("ES", empty)):
        cover, mask = shape_heart(rng, heart, x, y, below)
        image = chest * (1 - sum(cover.values()))
        for label, share in cover.items():
            image = image + share * BRIGHTNESS[TISSUES[label]]
        image = gaussian_filter(image, (0, 0.7 * size / SIZE, 0.7 * size / SIZE))
        image = image * (1 + 0.06 * texture) * np.clip(bias, 0.5, 1.6)
        noise = rng.normal(0, 17, (2, *shape))
        drawn[phase] = (np.rint(np.hypot(image + noise[0], noise[1])).astype(np.uint16), mask)
    return drawn


def draw_scan(rng: np.random.Generator, size: int | None) -> tuple[np.ndarray, np.ndarray, tuple]:
    """Draw a healthy heart at ED and ES: slices and mask (2, S, H, W), and the spacing in mm."""
    size = size or SIZE
    slices, masks = (np.stack(part) for part in zip(*draw_heart(rng, "NOR", size, 9).values(), strict=True))
    return slices, masks, (FIELD_MM / size, FIELD_MM / size, SLICE_MM)


def _place_heart(rng: np.random.Generator, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Millimeters from the left ventricle's axis, and how far below the base every slice lies."""
    slices, size, _ = shape
    grid = ((np.arange(size, dtype=np.float32) + 0.5) / size - 0.5) * FIELD_MM
    x = grid[None, None, :] - rng.normal(12, 8) + 2.5 * draw_field(rng, shape, (2, 5, 5))
    y = grid[None, :, None] - rng.normal(0, 8) + 2.5 * draw_field(rng, shape, (2, 5, 5))
    below = np.linspace(2, 10 * max(slices, 8), slices, dtype=np.float32)[:, None, None]
    return x, y, below


def _draw_chest(rng: np.random.Generator, shape: tuple[int, int, int], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Body wall, lungs, liver and spine."""
    body = np.sqrt(((x + 18) / 156) ** 2 + ((y - 4) / 124) ** 2)
    chest = 12 + (BRIGHTNESS["fat"] - 12) * ramp(1 - body, 0.03)
    for name, where in (
        ("muscle", ramp(0.90 - body, 0.03)),
        ("lung", ramp(0.76 - body, 0.03)),
        ("liver", ramp(1 - np.hypot((x + 70) / 75, (y - 72) / 42), 0.08) * ramp(0.78 - body, 0.03)),
        ("muscle", ramp(1 - np.hypot((x + 10) / 30, (y - 92) / 26), 0.08)),
    ):
        chest = chest + (BRIGHTNESS[name] * (1 + VESSELS[name] * draw_field(rng, shape, (4, 60, 60))) - chest) * where
    return chest


def shape_heart(
    rng: np.random.Generator, heart: Heart, x: np.ndarray, y: np.ndarray, below: np.ndarray
) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Soft cover of every structure, and the mask; both taper to the apex."""
    taper = np.sqrt(np.clip(1 - (np.clip(below, 0, None) / heart.length) ** 2, 0, 1))
    present = (below >= 0) & (taper > 0.25)
    soft = 1.5
    radius = np.hypot(x, y)
    cavity, outer = heart.cavity * taper, (heart.cavity + heart.wall) * np.maximum(taper, 0.4)
    away = 0.92 * heart.right
    right = np.hypot(
        (x - away * np.cos(heart.septum)) / 1.0, (y - away * np.sin(heart.septum)) / rng.uniform(1.05, 1.15)
    )
    right_present = present & (below < 0.82 * heart.length)
    thin = ramp(heart.right * taper + 4 - right, soft) * ramp(right - heart.right * taper, soft)
    cover = {
        RIGHT: ramp(heart.right * taper - right, soft) * ramp(radius - outer, soft) * right_present,
        MUSCLE: ramp(outer - radius, soft) * ramp(radius - cavity, soft) * present,
        LEFT: ramp(cavity - radius, soft) * present,
        THIN_WALL: thin * ramp(radius - outer, soft) * right_present,
    }
    rim = np.maximum(ramp(outer + 4 - radius, soft), ramp(heart.right * taper + 8 - right, soft) * right_present)
    cover[FAT] = rim * present * (1 - np.clip(sum(cover.values()), 0, 1))
    shares = np.stack([np.full(radius.shape, 0.5), *(cover[label] for label in (RIGHT, MUSCLE, LEFT))])
    return cover, np.argmax(shares, axis=0).astype(np.uint8)
