"""Synthetic abdomens in the UW-Madison layout: 16-bit slices, three organs that overlap a little.

Lengths are in units of half the body's width; x points to the image's right, y down (to the back), and `height` runs
from 0 at the top of the stomach to 1 in the pelvis.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from hf_mri.data.datasets_table import UW_MADISON
from hf_mri.data.phantoms.smooth_noise import draw_field, ramp
from hf_mri.modeling.mri_reading_run_length import encode_run_length

SIZE = 266
FIELD_MM = 399.0  # 266 pixels of 1.5 mm
SLICE_MM = 3.0
BRIGHTNESS = {"air": 150, "fat": 9000, "muscle": 3200, "liver": 4200, "spine": 5200, "inside": 6000}
ORGANS = {"large_bowel": 2600, "small_bowel": 8000, "stomach": 3800}


def write_patients(folder: Path, patients: int, seed: int, size: int | None, slices: int | None) -> dict[str, Any]:
    """Write `train/case001/case001_day0/scans/…` and `train.csv`; return the organs' pixels by day."""
    size = size or SIZE
    spacing = f"{FIELD_MM / size:.2f}"
    truth = {}
    lines = []
    for number in range(patients):
        rng = np.random.default_rng([seed, number])
        case = f"case{number + 1:03d}"
        for day in sorted(rng.choice(30, int(rng.integers(1, 3)), replace=False)):
            name = f"{case}_day{day}"
            images, organs = draw_abdomen(rng, size, slices or int(rng.integers(24, 37)))
            target = folder / "train" / case / name / "scans"
            target.mkdir(parents=True)
            for index, image in enumerate(images, 1):
                file = f"slice_{index:04d}_{size}_{size}_{spacing}_{spacing}.png"
                Image.fromarray(image).save(target / file, compress_level=1)
                for organ, masks in organs.items():
                    lines.append((f"{name}_slice_{index:04d}", organ, encode_run_length(masks[index - 1])))
            truth[name] = {organ: int(masks.sum()) for organ, masks in organs.items()}
    with (folder / "train.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id", "class", "segmentation"))
        writer.writerows(lines)
    return truth


def draw_abdomen(rng: np.random.Generator, size: int, slices: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Draw one scan: slices (S, H, W) uint16, and for every organ a mask (S, H, W)."""
    shape = (slices, size, size)
    grid = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    scale = rng.uniform(0.80, 0.92)
    x = (grid[None, None, :] - rng.normal(0, 0.03)) / scale + 0.02 * draw_field(rng, shape, (3, 5, 5))
    y = (grid[None, :, None] - rng.normal(0, 0.03)) / scale + 0.02 * draw_field(rng, shape, (3, 5, 5))
    height = np.linspace(rng.uniform(-0.15, 0.0), rng.uniform(1.0, 1.1), slices, dtype=np.float32)[:, None, None]
    body = np.hypot(x, y / rng.uniform(0.62, 0.72))
    organs = _shape_organs(rng, shape, x, y, height)
    soft = 3 / size
    image = BRIGHTNESS["air"] + (BRIGHTNESS["fat"] - BRIGHTNESS["air"]) * ramp(1 - body, 2 * soft)
    for name, where in (
        ("muscle", ramp(0.90 - body, 2 * soft)),
        ("inside", ramp(0.82 - body, 2 * soft)),
        ("liver", ramp(1 - np.hypot((x + 0.38) / 0.42, (y + 0.08) / 0.42), 0.1) * ramp(0.42 - height, 0.1)),
        ("muscle", ramp(1 - np.hypot((np.abs(x) - 0.24) / 0.15, (y - 0.42) / 0.13), 0.1)),
        ("spine", ramp(1 - np.hypot(x / 0.15, (y - 0.34) / 0.13), 0.1)),
    ):
        image = image + (BRIGHTNESS[name] * (1 + 0.05 * draw_field(rng, shape, (5, 18, 18))) - image) * where
    for name, inside in organs.items():
        tone = ORGANS[name] * (1 + 0.18 * draw_field(rng, shape, (8, 30, 30)))
        image = image + (tone - image) * ramp(inside, 4 * soft)
    image = gaussian_filter(image, (0, 0.7 * size / SIZE, 0.7 * size / SIZE))
    image = image * np.clip(1 + 0.15 * draw_field(rng, shape, (2, 3, 3)), 0.5, 1.6)
    noise = rng.normal(0, 160, (2, *shape))
    image = np.rint(np.clip(np.hypot(image + noise[0], noise[1]), 0, 65535)).astype(np.uint16)
    return image, {name: organs[name] > 0 for name in UW_MADISON.id2label.values()}


def draw_scan(rng: np.random.Generator, size: int | None) -> tuple[np.ndarray, dict[str, np.ndarray], tuple]:
    """Draw one abdomen: slices (S, H, W), a mask (S, H, W) by organ, and the spacing in mm."""
    size = size or SIZE
    return *draw_abdomen(rng, size, 24), (FIELD_MM / size, FIELD_MM / size, SLICE_MM)


def _shape_organs(
    rng: np.random.Generator, shape: tuple[int, int, int], x: np.ndarray, y: np.ndarray, height: np.ndarray
) -> dict[str, np.ndarray]:
    """How deep inside every organ a voxel lies, negative outside, in body units; in the order they are painted."""
    wave = 0.12 * draw_field(rng, shape, (6, 10, 10))
    middle = rng.uniform(0.18, 0.26)
    stomach = 1 - np.sqrt(((x - 0.28) / 0.34) ** 2 + ((y + 0.12) / 0.24) ** 2 + ((height - middle) / 0.24) ** 2)
    coils = 0.55 - np.abs(draw_field(rng, shape, (9, 20, 20)))
    room = 1 - np.sqrt((x / 0.50) ** 2 + ((y + 0.10) / 0.34) ** 2 + ((height - 0.68) / 0.34) ** 2)
    flank = 0.13 - np.hypot(np.abs(x) - rng.uniform(0.56, 0.62), (y + 0.02) / 1.3)
    across = 0.13 - np.hypot((y + 0.28), (height - 0.42) * 0.9) - 0.5 * np.clip(np.abs(x) - 0.55, 0, None)
    along = np.minimum(height - 0.30, 1.0 - height)
    colon = np.maximum(np.minimum(flank, along), across)
    return {
        "small_bowel": np.minimum(coils * 0.3, room * 0.4),
        "large_bowel": colon + 0.25 * wave,
        "stomach": (stomach + wave) * 0.3,
    }
