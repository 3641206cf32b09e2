"""How far a scan lies from those a model was trained on, by what its prepared slices look like.

The measure asks no network: it is the same in every engine and precision, and costs a few milliseconds a scan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

LOOKED_AT = 12  # slices of a scan, evenly spread
ENDS = 0.15  # share at each end of a scan that shows little of the organ
FEW = 4  # fewer slices are judged as slices, more as a volume, whose mean wavers less
SIDE = 64
RINGS = ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0), (1.0, 2.0))
FARTHEST = 6.0  # standard deviations; beyond, one odd feature says no more and would hide the others
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class KnownScans:
    """The slices of the training scans in short: their middle, their spread, and how far scans may lie.

    Args:
        mean: (D,) of the features of `describe_slices`.
        scale: (D,) their standard deviation.
        precision: (D, D) inverse of the covariance of the standardized features.
        volume_limit: largest distance of a volume that passes as known.
        slice_limit: the same of a few slices alone.
    """

    mean: np.ndarray
    scale: np.ndarray
    precision: np.ndarray
    volume_limit: float
    slice_limit: float

    def distances(self, features: np.ndarray) -> np.ndarray:
        """(S,) Mahalanobis distance of each slice, about 1 for the slices of the training."""
        return measure_distances(features, self.mean, self.scale, self.precision)

    def measure(self, features: np.ndarray) -> float:
        """How far a scan lies, in units of the limit: above 1 it is unlike the scans of the training."""
        limit = self.slice_limit if len(features) < FEW else self.volume_limit
        return float(self.distances(features).mean() / limit)


def measure_distances(features: np.ndarray, mean: np.ndarray, scale: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """(S,) distances of feature rows (S, D), divided by the root of D."""
    rows = standardize(features, mean, scale)
    squared = np.einsum("si,ij,sj->s", rows, precision, rows)
    return np.sqrt(np.maximum(squared, 0) / features.shape[1])


def standardize(features: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(S, D) in standard deviations from the middle."""
    return np.clip((features - mean) / scale, -FARTHEST, FARTHEST)


def choose_slices(count: int) -> np.ndarray:
    """Return the slices of a volume that are looked at."""
    return np.unique(np.round(np.linspace(ENDS, 1 - ENDS, LOOKED_AT) * (count - 1)).astype(int))


def describe_slices(slices: Tensor) -> np.ndarray:
    """Describe prepared slices (S, C, H, W) of values 0..1, one row of D features each.

    Brightness by place, and by rings around the middle with its spread and its edges; the histogram; edges by scale;
    symmetry; how alike the channels are. C channels give 31 C + 2 + C (C - 1) / 2 features.
    """
    small = F.adaptive_avg_pool2d(slices.float(), SIDE)
    count, channels = small.shape[:2]
    flat, gray = small.flatten(2), small.mean(dim=1)
    places = F.adaptive_avg_pool2d(small, 4)
    found = [((places + places.flip(-1)) / 2)[..., :2].flatten(1)]  # left and right count as one
    edges = torch.zeros_like(small)
    edges[..., :-1] += small.diff(dim=-1).abs()
    edges[..., :-1, :] += small.diff(dim=-2).abs()
    steps = torch.linspace(-1, 1, SIDE)
    radius = torch.hypot(steps[:, None], steps[None, :])
    for inner, outer in RINGS:
        ring = (radius >= inner) & (radius < outer)
        values = small[..., ring]
        found += [values.mean(2), (values.std(2) + 0.01).log(), (edges[..., ring].mean(2) + 0.003).log()]
    found.append(torch.quantile(flat, torch.tensor(QUANTILES), dim=2).permute(1, 0, 2).reshape(count, -1))
    for scale in (2, 4, 8):
        coarse = F.avg_pool2d(small, scale)
        slope = coarse.diff(dim=-1).abs().mean((2, 3)) + coarse.diff(dim=-2).abs().mean((2, 3))
        found.append((slope / 2 + 0.003).log())
    found += [_correlate(gray.flatten(1), gray.flip(axis).flatten(1))[:, None] for axis in (-1, -2)]
    for one in range(channels):
        found += [(1.02 - _correlate(flat[:, one], flat[:, other])).log()[:, None] for other in range(one)]
    return torch.cat(found, dim=1).numpy()


def _correlate(one: Tensor, other: Tensor) -> Tensor:
    """(S,) correlation of two rows of pixels each; 0 where one is flat."""
    one, other = (values - values.mean(-1, keepdim=True) for values in (one, other))
    return (one * other).sum(-1) / ((one * one).sum(-1) * (other * other).sum(-1) + 1e-6).sqrt()
