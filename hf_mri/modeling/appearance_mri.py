"""Doubts about whether slices come from an MR scanner at all; a reading carries them as warnings."""

from __future__ import annotations

import numpy as np


def describe_doubts(slices: np.ndarray) -> list[str]:
    """Warnings about slices (S, H, W, C): all black, noise, CT, a color photograph."""
    middle = slices[len(slices) // 2].astype(np.float32)
    if float(slices.min()) == float(slices.max()):
        return ["every pixel has the same value: this does not look like an MR slice"]
    doubts = []
    if slices.dtype.kind != "u" and float(middle.min()) <= -900:
        doubts.append("values as low as air in Hounsfield units: this looks like CT, not MR")
    if _neighbor_correlation(middle) < 0.3:
        doubts.append("neighboring pixels are unrelated: this looks like noise, not an MR slice")
    return doubts


def _neighbor_correlation(page: np.ndarray) -> float:
    """How alike neighbors in a row are, from 0 (noise) to 1."""
    left, right = page[:, :-1].ravel(), page[:, 1:].ravel()
    if left.std() == 0 or right.std() == 0:
        return 1.0
    return float(np.corrcoef(left, right)[0, 1])
