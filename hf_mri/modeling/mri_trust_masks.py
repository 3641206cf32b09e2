"""How good a reading's outlines will be, estimated from what the segmenter says of their pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

POSSIBLE = 0.05  # what is less probable is noise of the whole background
AREA, INSIDE, OUTSIDE, WIDE, NARROW = range(5)
FEATURES = 5  # of `describe_evidence`
LEVELS = {WIDE: 0.25, NARROW: 0.75}  # a clear outline is as large at both


@dataclass(frozen=True)
class Confidence:
    """A linear estimate of the volume Dice from the features of `describe_evidence`."""

    weights: np.ndarray
    bias: float

    def estimate(self, features: np.ndarray) -> float:
        """Return the Dice to expect, 0 to 1."""
        return float(np.clip(features @ self.weights + self.bias, 0, 1))


def gather_evidence(probability: Mapping[str, Any], masks: Mapping[str, np.ndarray]) -> np.ndarray:
    """(L, 5) of one slice by label: the mask's pixels, the probability inside and outside, the area at two levels."""
    rows = []
    for label, mask in masks.items():
        values = torch.as_tensor(probability[label]).float().cpu()
        inside = values[torch.from_numpy(mask)].sum()
        possible = values[values >= POSSIBLE].sum()
        levels = [(values >= level).sum() for level in LEVELS.values()]
        rows.append([mask.sum(), inside, max(float(possible - inside), 0.0), *levels])
    return np.asarray(rows, np.float32).reshape(-1, 5)


def describe_evidence(evidence: np.ndarray) -> np.ndarray | None:
    """Features of a whole reading from the evidence of its slices (S, L, 5); None where nothing is outlined.

    The Dice to expect were every probability true; how much the area hangs on the threshold; the size; how
    certain the outlined pixels are; and the largest slice's share, high in lesions of one or two slices.
    """
    totals = evidence.sum(axis=0, dtype=np.float64)
    totals = totals[totals[:, AREA] > 0]
    if not len(totals):
        return None
    area = totals[:, AREA]
    largest = evidence[..., AREA].max(axis=0)[evidence[..., AREA].sum(axis=0) > 0]
    features = [
        2 * totals[:, INSIDE] / (area + totals[:, INSIDE] + totals[:, OUTSIDE]),
        2 * totals[:, NARROW] / np.maximum(totals[:, WIDE] + totals[:, NARROW], 1),
        np.log10(area),
        totals[:, INSIDE] / area,
        largest / area,
    ]
    return np.asarray([values.mean() for values in features])
