"""Synthetic heads in the LGG layout: three channels (pre-contrast, FLAIR, post-contrast), a lesion bright in FLAIR.

Lengths are in units of the head's half length; x points to the image's right, y down (to the back of the head), and
`height` runs from 0 at the base of the skull to 1 at the top.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from hf_mri.data.phantoms.smooth_noise import draw_field, ramp

SIZE = 256
CEREBRUM, CEREBRUM_SLICES = 0.33, 20  # the part of a head that is drawn as real ones look: above face and ears
SPACING = (0.9, 0.9, 5.0)  # what makes a drawn head as large as a real one, in mm; its files do not say it
SITES = ("PA", "PB", "PC")
CLINICAL = {  # column → largest value; all count from 1, but death01
    "RNASeqCluster": 4,
    "MethylationCluster": 5,
    "miRNACluster": 4,
    "CNCluster": 3,
    "RPPACluster": 4,
    "OncosignCluster": 3,
    "COCCluster": 3,
    "histological_type": 3,
    "neoplasm_histologic_grade": 2,
    "tumor_tissue_site": 1,
    "laterality": 3,
    "tumor_location": 6,
    "gender": 2,
    "age_at_initial_pathologic": 75,
    "race": 4,
    "ethnicity": 2,
    "death01": 1,
}
# Brightness of tissues in (pre-contrast, FLAIR, post-contrast), gray matter near 1.
TISSUES = {
    "air": (0.03, 0.03, 0.03),
    "scalp": (2.3, 2.4, 2.2),
    "skull": (0.15, 0.12, 0.15),
    "fluid": (0.35, 0.22, 0.35),
    "gray": (0.85, 1.06, 0.92),
    "white": (1.05, 0.92, 1.08),
    "muscle": (0.55, 0.5, 0.65),
}


@dataclass
class Lesion:
    """An irregular ellipsoid, and how bright it is in each channel."""

    center: tuple[float, float, float]  # x, y, height
    radii: tuple[float, float, float]
    brightness: tuple[float, float, float]
    enhances: bool
    cyst: float  # radius of a dark core, as a share of the lesion's


def write_patients(folder: Path, patients: int, seed: int, size: int | None, slices: int | None) -> dict[str, Any]:
    """Write `kaggle_3m/PATIENT/PATIENT_N.tif` with masks and data.csv; return each patient's lesion in pixels."""
    truth = {}
    cases = []
    for number in range(patients):
        rng = np.random.default_rng([seed, number])
        case = f"TCGA_{SITES[int(rng.integers(len(SITES)))]}_{number + 1:04d}"
        patient = f"{case}_20000101"
        cases.append({"Patient": case} | {k: int(rng.integers(k != "death01", n + 1)) for k, n in CLINICAL.items()})
        images, masks = draw_head(rng, size or SIZE, slices)
        target = folder / "kaggle_3m" / patient
        target.mkdir(parents=True)
        for index, (image, mask) in enumerate(zip(images, masks, strict=True), 1):
            Image.fromarray(image).save(target / f"{patient}_{index}.tif")
            Image.fromarray(mask * np.uint8(255)).save(target / f"{patient}_{index}_mask.tif")
        truth[patient] = {"slices": len(images), "lesion_pixels": int(masks.sum())}
    with (folder / "kaggle_3m" / "data.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["Patient", *CLINICAL])
        writer.writeheader()
        writer.writerows(cases)
    return truth


def draw_head(
    rng: np.random.Generator, size: int = SIZE, slices: int | None = None, base: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one head: slices (S, H, W, 3) uint8 and its lesion (S, H, W) uint8.

    Args:
        base: the height of the lowest slice, less than a tenth. Face, ears and cerebellum, below 0.35, are drawn
            roughly: a model of real heads takes some of that for a lesion.
    """
    shape = (slices or int(rng.integers(20, 41)), size, size)
    x, y, height = _place_head(rng, shape, base)
    depth, brain_depth = _depth_below_scalp(rng, x, y, height)
    tissue = _mix_tissues(rng, shape, x, y, height, depth)
    lesion = _choose_lesion(rng)
    inside = _shape_lesion(rng, shape, lesion, x, y, height)
    brain = ramp(depth - brain_depth, 0.02) * (1 - _face(x, y, height))
    extent = ramp(1 - inside, 0.25) * brain * (1 - 0.8 * tissue["ventricle"])
    masks = ((inside < 1) & (brain > 0.5) & (tissue["ventricle"] < 0.5)).astype(np.uint8)
    channels = [_render(rng, shape, tissue["mix"], channel, lesion, inside, extent) for channel in range(3)]
    for channel in (0, 2):  # as in the real set, a sequence that was not scanned repeats FLAIR
        if rng.random() < 0.08:
            channels[channel] = channels[1]
    return np.stack(channels, axis=-1), masks


def draw_scan(rng: np.random.Generator, size: int | None) -> tuple[np.ndarray, np.ndarray, tuple]:
    """Draw one head: slices (S, H, W, 3), its lesion (S, H, W), and the spacing in mm."""
    return *draw_head(rng, size or SIZE, CEREBRUM_SLICES, CEREBRUM), SPACING


def _place_head(
    rng: np.random.Generator, shape: tuple[int, int, int], base: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Head coordinates of every voxel: the head is turned, scaled and moved a little, and its sides differ."""
    slices, size, _ = shape
    grid = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    scale = rng.uniform(0.70, 0.94)
    turn = np.deg2rad(rng.normal(0, 4))
    column = grid[None, None, :] - rng.normal(0, 0.03)
    row = grid[None, :, None] - rng.normal(0, 0.03)
    x = (np.cos(turn) * column + np.sin(turn) * row) / scale
    y = (np.cos(turn) * row - np.sin(turn) * column) / scale
    cells = (4, 5, 5)
    x = x + 0.025 * draw_field(rng, shape, cells)
    y = y + 0.025 * draw_field(rng, shape, cells)
    height = np.linspace(base + rng.uniform(0.0, 0.1), rng.uniform(0.96, 1.03), slices, dtype=np.float32)[
        :, None, None
    ]
    return x, y, height + 0.06 * rng.normal() * y


def _depth_below_scalp(
    rng: np.random.Generator, x: np.ndarray, y: np.ndarray, height: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How far below the skin a voxel lies (negative outside), and the depth at which the brain begins there."""
    # The section shrinks towards the top, where skin and bone are cut at a slant and look thicker.
    dome = np.sqrt(np.clip(1 - (np.clip(height - 0.45, 0, None) / 0.6) ** 2, 0.02, 1))
    profile = dome * (0.9 + 0.1 * ramp(height - 0.2, 0.4))
    width = rng.uniform(0.74, 0.84) * profile * (1 + rng.uniform(0.05, 0.12) * y)
    power = rng.uniform(2.0, 2.4)
    radius = (np.abs(x / width) ** power + np.abs(y / profile) ** power + 1e-6) ** (1 / power)
    depth = (1 - radius) * 0.88 * profile
    slant = 1 + 1.2 * np.clip(height - 0.7, 0, None) / 0.3
    return depth.astype(np.float32), (rng.uniform(0.11, 0.15) * slant).astype(np.float32)


def _face(x: np.ndarray, y: np.ndarray, height: np.ndarray) -> np.ndarray:
    """1 where sockets, sinuses and muscles take the brain's place: in front, and around the cerebellum at the base."""
    front = ramp(0.30 - height - 0.25 * (y + 0.2), 0.12) * ramp(-0.05 - y + 0.4 * (np.abs(x) - 0.3), 0.3)
    cerebellum = np.hypot(x / 0.62, (y - 0.42) / 0.42)
    return np.maximum(front, ramp(0.12 - height, 0.08) * ramp(cerebellum - 1, 0.15))


def _mix_tissues(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    x: np.ndarray,
    y: np.ndarray,
    height: np.ndarray,
    depth: np.ndarray,
) -> dict[str, Any]:
    """Shares of every tissue in every voxel (`mix`), painted from the skin inwards, and the `ventricle`s."""
    slant = 1 + 1.2 * np.clip(height - 0.7, 0, None) / 0.3
    skin, bone = rng.uniform(0.04, 0.065) * slant, rng.uniform(0.085, 0.105) * slant
    soft = 2.5 / shape[1]
    folds = draw_field(rng, shape, (9, 26, 26))
    waves = draw_field(rng, shape, (7, 17, 17))
    cortex = ramp(0.30 - depth + 0.08 * waves, 0.06)
    sulcus = ramp(0.10 + 0.16 * ramp(0.28 - depth, 0.2) - np.abs(folds), 0.10) * ramp(0.42 - depth, 0.12)
    fine = ramp(0.22 - np.abs(draw_field(rng, shape, (12, 46, 46))), 0.2) * ramp(0.5 - depth, 0.3)
    middle = ramp(0.012 - np.abs(x + 0.008 * waves), 2 * soft) * ramp(np.abs(y) - 0.25, 0.2)
    ventricle = _ventricles(rng, x, y, height)
    nuclei = ramp(0.2 - np.hypot(np.abs(x) - 0.24, (y - 0.02) / 1.4), 0.06) * ramp(0.12 - np.abs(height - 0.45), 0.06)
    face = _face(x, y, height) * ramp(depth - skin, soft)
    mix: dict[str, np.ndarray] = {"air": np.ones(shape, np.float32)}
    _paint(mix, "scalp", ramp(depth, soft))
    _paint(mix, "skull", ramp(depth - skin, soft))
    _paint(mix, "fluid", ramp(depth - bone, soft))
    _paint(mix, "white", ramp(depth - bone - 0.02, soft))
    _paint(mix, "gray", np.maximum(cortex, nuclei) * ramp(depth - bone - 0.02, soft))
    _paint(
        mix,
        "fluid",
        np.maximum.reduce([sulcus * rng.uniform(0.4, 0.9), 0.3 * fine, middle]) * ramp(depth - bone - 0.02, soft),
    )
    _paint(mix, "fluid", ventricle)
    _paint(mix, "muscle", face)
    for name in ("scalp", "skull", "skull"):
        _paint(mix, name, 0.85 * face * ramp(draw_field(rng, shape, (8, 24, 24)) - 0.5, 0.3))
    eye = np.hypot(np.abs(x) - 0.33, y + 0.66)
    socket = ramp(0.07 - np.abs(height - 0.21), 0.03)
    _paint(mix, "scalp", ramp(0.19 - eye, soft) * socket)
    _paint(mix, "fluid", ramp(0.14 - eye, soft) * socket)
    return {"mix": mix, "ventricle": ventricle}


def _ventricles(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, height: np.ndarray) -> np.ndarray:
    """The two lateral ventricles: horns that lean apart to the front and to the back."""
    wide = rng.uniform(0.05, 0.10)
    lean = np.abs(y - 0.02) * rng.uniform(0.25, 0.4)
    body = ((np.abs(x) - 0.07 - lean) / wide) ** 2 + ((y - 0.02) / rng.uniform(0.36, 0.46)) ** 2
    body = body + ((height - 0.56) / 0.13) ** 2 + 1.2 * (np.abs(y - 0.02) < 0.10) * ramp(0.52 - height, 0.06)
    return ramp(1 - body, 0.35)


def _paint(mix: dict[str, np.ndarray], name: str, cover: np.ndarray) -> None:
    """Lay a tissue over what is there."""
    for other in mix:
        mix[other] = mix[other] * (1 - cover)
    mix[name] = mix.get(name, 0) + cover


def _choose_lesion(rng: np.random.Generator) -> Lesion:
    """Where the lesion is, how large and how bright."""
    size = rng.uniform(0.16, 0.38)
    angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.55)
    flair = rng.uniform(1.4, 1.9)
    return Lesion(
        center=(0.75 * away * np.cos(angle), away * np.sin(angle), rng.uniform(0.42, 0.75)),
        radii=(size * rng.uniform(0.7, 1.1), size * rng.uniform(0.7, 1.1), rng.uniform(0.13, 0.24)),
        brightness=(rng.uniform(0.65, 0.9), flair, rng.uniform(0.7, 1.0)),
        enhances=bool(rng.random() < 0.35),
        cyst=rng.uniform(0.35, 0.6) if rng.random() < 0.25 else 0.0,
    )


def _shape_lesion(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    lesion: Lesion,
    x: np.ndarray,
    y: np.ndarray,
    height: np.ndarray,
) -> np.ndarray:
    """Distance from the lesion's center in lesion radii, its border frayed; below 1 is inside."""
    parts = (x - lesion.center[0], y - lesion.center[1], height - lesion.center[2])
    distance = np.sqrt(sum((part / radius) ** 2 for part, radius in zip(parts, lesion.radii, strict=True)))
    frayed = 0.12 * draw_field(rng, shape, (7, 13, 13)) + 0.07 * draw_field(rng, shape, (9, 30, 30))
    return distance * (1 + np.clip(frayed, -0.45, 0.6))


def _render(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    mix: dict[str, np.ndarray],
    channel: int,
    lesion: Lesion,
    inside: np.ndarray,
    extent: np.ndarray,
) -> np.ndarray:
    """One channel as uint8: tissues, lesion, fine texture, blur, bias field, noise."""
    image = sum(share * TISSUES[name][channel] for name, share in mix.items())
    texture = draw_field(rng, shape, (12, 48, 48))
    inner = lesion.brightness[channel] * (1 + 0.10 * draw_field(rng, shape, (8, 22, 22)))
    if lesion.cyst:
        inner = inner + (0.55 - inner) * ramp(lesion.cyst - inside, 0.15)
    if lesion.enhances and channel == 2:
        rim = ramp(0.14 - np.abs(inside - max(0.45, lesion.cyst)), 0.12)
        inner = inner + rng.uniform(0.6, 1.2) * rim
    image = image + (inner - image) * extent
    image = image * (1 + 0.035 * texture)
    image = gaussian_filter(image, (0, 0.6 * shape[1] / SIZE, 0.6 * shape[2] / SIZE))
    bias = 1 + rng.uniform(0.04, 0.14) * draw_field(rng, shape, (2, 3, 3))
    level, noise = rng.uniform(42, 66), rng.uniform(0.8, 3.0)
    signal = image * np.clip(bias, 0.6, 1.5) * level + rng.normal(0, noise, shape)
    return np.rint(np.clip(np.hypot(signal, rng.normal(0, noise, shape)), 0, 255)).astype(np.uint8)
