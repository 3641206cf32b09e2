"""The score of the UW-Madison GI competition: 0.4 Dice + 0.6 (1 - normalized 3-D Hausdorff distance).

Its rules, as they are applied here:
- Dice of one organ in one slice; where truth and prediction are both empty it is 0. The mean runs over all slices
  and organs.
- Hausdorff distance of one organ in one volume, between the sets of its voxels, in voxel steps: a step to the next
  slice counts 1 like a pixel. It is divided by the diagonal of the volume (slices, height, width), so that it lies in
  0 to 1. Equal masks, empty ones included, have distance 0; where only one of them is empty it is 1. The mean runs
  over all volumes and organs.
"""

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from hf_mri.evaluation.scores.pixels import compute_dice
from hf_mri.evaluation.scores.surfaces import find_box

ORGANS = ("large_bowel", "small_bowel", "stomach")
DICE_WEIGHT, HAUSDORFF_WEIGHT = 0.4, 0.6


def measure_normalized_hausdorff(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Measure the Hausdorff distance of two boolean volumes (S, H, W) as a share of their diagonal."""
    if not truth.any() or not predicted.any():
        return float(truth.any() != predicted.any())
    diagonal = float(np.linalg.norm(truth.shape))
    box = find_box(truth | predicted)
    truth, predicted = truth[box], predicted[box]
    return min(1.0, max(_reach(predicted, truth), _reach(truth, predicted)) / diagonal)


def _reach(start: np.ndarray, goal: np.ndarray) -> float:
    """The longest way from a voxel of `start` to the nearest of `goal`; inside `goal` it is nothing."""
    outside = np.argwhere(start & ~goal)
    if not len(outside):
        return 0.0
    edge = goal & ~ndimage.binary_erosion(goal)
    return float(cKDTree(np.argwhere(edge)).query(outside)[0].max())


def score_competition(
    counts: dict[str, list[np.ndarray]], distances: dict[str, list[float]], volumes: list[str]
) -> dict:
    """Score organs over volumes.

    Args:
        counts: by organ, one array (S, 4) a volume.
        distances: by organ, one normalized Hausdorff distance a volume.
        volumes: names of the volumes, in the same order.
    """
    dice = {organ: [_slice_dice(table) for table in tables] for organ, tables in counts.items()}
    per_organ = {organ: _combine(np.concatenate(dice[organ]), np.array(distances[organ])) for organ in counts}
    per_case = {
        name: _combine(
            np.concatenate([dice[organ][index] for organ in counts]),
            np.array([distances[organ][index] for organ in counts]),
        )
        for index, name in enumerate(volumes)
    }
    every_dice = np.concatenate([values for organ in counts for values in dice[organ]])
    result = _combine(every_dice, np.concatenate([np.array(distances[organ]) for organ in counts]))
    filled = np.concatenate([table[:, :3].sum(axis=1) > 0 for organ in counts for table in counts[organ]])
    if filled.any():
        result["dice_skipping_empty"] = float(every_dice[filled].mean())
    return result | {"per_organ": per_organ, "per_case": per_case}


def _slice_dice(counts: np.ndarray) -> np.ndarray:
    """Dice a slice under the competition's own rule: both empty is 0, not 1."""
    return np.where(counts[:, :3].sum(axis=1) > 0, compute_dice(counts), 0.0)


def _combine(dice: np.ndarray, distance: np.ndarray) -> dict[str, float]:
    mean_dice, hausdorff = float(dice.mean()), float(1 - distance.mean())
    return {"score": DICE_WEIGHT * mean_dice + HAUSDORFF_WEIGHT * hausdorff, "dice": mean_dice, "hausdorff": hausdorff}
