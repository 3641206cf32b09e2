"""Doubts about whether a scan is what a model was trained on; a reading carries them apart from mere warnings."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .mri_pixels_intensity import CLIPPED, looks_clipped
from .mri_scan import Scan

AIR_IN_CT = -900  # Hounsfield units
# MR slices have dark surroundings: over 130 brain and heart volumes the corners' mean stayed below 0.18 of the range;
# eight of nine photographs exceed it, and have few dark pixels besides.
BRIGHT_CORNERS, DARK_SHARE, DARK = 0.185, 0.2, 0.1
UNRELATED = 0.3  # correlation of neighboring pixels: above 0.9 in those volumes, 0 in noise


# What a header calls the organ of a label.
BODY_PARTS = {
    "tumor": ("BRAIN", "HEAD", "SKULL"),
    "ventricle": ("HEART", "CARDIAC", "CHEST", "THORAX"),
    "bowel": ("ABDOMEN", "PELVIS", "STOMACH", "BOWEL", "LIVER"),
}


def describe_doubts(scan: Scan, channels: int, labels: Iterable[str]) -> list[str]:
    """Sentences that say why a scan may not be what a model was trained on: by its header, its shape and its pixels.

    Args:
        channels: that the model takes.
        labels: that the model knows.
    """
    labels = " ".join(labels)
    doubts = []
    if scan.modality not in ("MR", ""):
        doubts.append(f"The header says {scan.modality}, and the model was trained on MR.")
    known = [part for label, parts in BODY_PARTS.items() if label in labels for part in parts]
    if known and scan.body_part and not any(part in scan.body_part.upper() for part in known):
        doubts.append(
            f"The header says {scan.body_part.lower()}, and the model was trained on the {known[0].lower()}."
        )
    if scan.phases > 1 and "ventricle" not in labels:
        doubts.append(f"The scan has {scan.phases} time points, and the model was trained on still volumes.")
    given = scan.slices.shape[-1]
    if given == 1 and channels > 1:
        doubts.append(f"The scan has one channel, and the model was trained on {channels}: it was repeated.")
    elif channels > 1 and bool((scan.slices == scan.slices[..., :1]).all()):
        doubts.append(f"All {given} channels are the same picture, and the model was trained on {given} sequences.")
    return doubts + _doubt_pixels(scan.slices)


def _doubt_pixels(slices: np.ndarray) -> list[str]:
    """Doubts about slices (S, H, W, C) that are all black, noise, CT or a photograph."""
    if slices.min() == slices.max():
        return ["Every pixel has the same value: this does not look like an MR slice."]
    count = len(slices)
    step = max(1, min(slices.shape[1:3]) // 64)  # enough to judge, and no time lost
    pages = [slices[i, ::step, ::step].astype(np.float32) for i in sorted({count // 4, count // 2, 3 * count // 4})]
    doubts = []
    if slices.dtype.kind != "u" and min(page.min() for page in pages) <= AIR_IN_CT:
        doubts.append("Values as low as air in Hounsfield units: this looks like CT, not MR.")
    if looks_clipped(slices[count // 2]):
        doubts.append(f"{CLIPPED[0].upper()}{CLIPPED[1:]}.")
    scaled = [_scale(page) for page in pages]
    if np.median([_neighbor_correlation(page) for page in scaled]) < UNRELATED:
        doubts.append("Neighboring pixels are unrelated: this looks like noise, not an MR slice.")
    elif (
        np.median([_corner_mean(page) for page in scaled]) > BRIGHT_CORNERS
        and np.median([(page < DARK).mean() for page in scaled]) < DARK_SHARE
    ):
        doubts.append("The surroundings are bright: this looks like a photograph, not an MR slice.")
    return doubts


def _scale(page: np.ndarray) -> np.ndarray:
    """(H, W, C) to gray (H, W) between 0 and 1, each channel by its own range."""
    pixels = page.reshape(-1, page.shape[-1])
    rank = int(0.995 * (len(pixels) - 1))
    low, high = pixels.min(axis=0), np.partition(pixels, rank, axis=0)[rank]
    return np.clip((page - low) / np.maximum(high - low, 1e-6), 0, 1).mean(axis=-1)


def _corner_mean(page: np.ndarray) -> float:
    side = max(1, min(page.shape) // 12)
    rows, columns = (np.r_[:side, length - side : length] for length in page.shape)
    return float(page[np.ix_(rows, columns)].mean())


def _neighbor_correlation(page: np.ndarray) -> float:
    """How alike neighbors in a row are: near 1 in pictures of anything, 0 in noise."""
    left, right = page[:, :-1].ravel(), page[:, 1:].ravel()
    if left.size < 2 or left.std() == 0 or right.std() == 0:
        return 1.0
    return float(np.corrcoef(left, right)[0, 1])
