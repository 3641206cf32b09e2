"""Distances between surfaces through MONAI: Hausdorff, HD95, average surface distance, surface Dice."""

import warnings
from dataclasses import dataclass

import numpy as np

# About the error that two careful readers make along an outline (two to three pixels of the shared data sets).
TOLERANCE = {"mm": 2.0, "px": 2.0}


@dataclass(frozen=True)
class SurfaceScores:
    """Distances between one predicted and one true surface; distances are NaN where one of them does not exist."""

    hd: float
    hd95: float
    average: float
    surface_dice: float


BOTH_EMPTY = SurfaceScores(np.nan, np.nan, np.nan, 1.0)
ONE_EMPTY = SurfaceScores(np.nan, np.nan, np.nan, 0.0)


def measure_surfaces(
    truth: np.ndarray, predicted: np.ndarray, spacing: tuple[float, float, float], tolerance: float
) -> SurfaceScores:
    """Measure the surfaces of two boolean volumes (S, H, W) against each other.

    Args:
        truth: the true mask.
        predicted: the predicted mask.
        spacing: size of a step along (rows, columns, slices), the order in which data sets store it.
        tolerance: surface points closer than this count as right in the surface Dice.
    """
    has_truth, has_predicted = bool(truth.any()), bool(predicted.any())
    if not (has_truth and has_predicted):
        return ONE_EMPTY if has_truth or has_predicted else BOTH_EMPTY
    import torch
    from monai.metrics.utils import get_edge_surface_distance

    box = find_box(truth | predicted)
    row, column, step = spacing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # MONAI calls its own functions in a way that it deprecates
        _, distances, _ = get_edge_surface_distance(
            torch.from_numpy(np.ascontiguousarray(predicted[box])),
            torch.from_numpy(np.ascontiguousarray(truth[box])),
            spacing=(step, row, column),
            symmetric=True,
        )
    to_truth, to_predicted = (np.asarray(values, dtype=np.float64) for values in distances)
    near = np.count_nonzero(to_truth <= tolerance) + np.count_nonzero(to_predicted <= tolerance)
    return SurfaceScores(
        hd=float(max(to_truth.max(), to_predicted.max())),
        hd95=float(max(np.percentile(to_truth, 95), np.percentile(to_predicted, 95))),
        average=float(np.concatenate([to_truth, to_predicted]).mean()),
        surface_dice=near / (len(to_truth) + len(to_predicted)),
    )


def find_box(mask: np.ndarray) -> tuple[slice, ...]:
    """Find the smallest box around a mask: distances cost in proportion to its size, not to the image's."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        filled = np.flatnonzero(mask.any(axis=others))
        box.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return tuple(box)
