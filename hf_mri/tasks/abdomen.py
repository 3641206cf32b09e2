"""Stomach and bowels in MR of the abdomen, judged as the UW-Madison GI competition does.

Its score is 0.4 Dice + 0.6 (1 - normalized 3-D Hausdorff distance). Its rules, as they are applied here:
- Dice of one organ in one slice; where truth and prediction are both empty it is 0. The mean runs over all slices
  and organs.
- Hausdorff distance of one organ in one volume, between the sets of its voxels, in voxel steps: a step to the next
  slice counts 1 like a pixel. It is divided by the diagonal of the volume (slices, height, width), so that it lies in
  0 to 1. Equal masks, empty ones included, have distance 0; where only one of them is empty it is 1. The mean runs
  over all volumes and organs.

Checked against the competition's own words on its evaluation, as public repositories repeat them: the weights, Dice 0
where both are empty, a slice depth of 1, and places "normalized by image size" to a score from 0 to 1. Not checked,
since the grader's code is not public: that this means the volume's diagonal, and what an organ counts that one side
lacks.
"""

from typing import Any

import numpy as np

from hf_mri.tasks.task import Agree, Label, OwnScores, ScanExample, Table, Task

ORGANS = ("large_bowel", "small_bowel", "stomach")
DICE_WEIGHT, HAUSDORFF_WEIGHT = 0.4, 0.6


def pick_examples(slices: np.ndarray, masks: Any) -> list[ScanExample]:
    """Show a scan: slices (S, H, W) of a drawn abdomen."""
    return [ScanExample("abdomen", "Abdomen", slices, slices[len(slices) // 2])]


def measure_normalized_hausdorff(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Measure the Hausdorff distance of two boolean volumes (S, H, W) as a share of their diagonal."""
    from scipy.ndimage import find_objects

    if not truth.any() or not predicted.any():
        return float(truth.any() != predicted.any())
    diagonal = float(np.linalg.norm(truth.shape))
    box = find_objects((truth | predicted).astype(np.uint8))[0]
    truth, predicted = truth[box], predicted[box]
    return min(1.0, max(_reach(predicted, truth), _reach(truth, predicted)) / diagonal)


def score_organs(rows: list[Any], agree: Agree) -> dict[str, Any] | None:
    """Score all three organs over volumes; None where a model outlines others.

    Args:
        rows: of an evaluation, one a volume, with each organ's counts (S, 4) and, as its own, the distance.
        agree: is not needed: the competition measures no volumes.
    """
    if set(rows[0].labels) != set(ORGANS):
        return None
    counts = {organ: [row.labels[organ].counts for row in rows] for organ in ORGANS}
    distances = {organ: [row.labels[organ].own for row in rows] for organ in ORGANS}
    return score_competition(counts, distances, [row.volume for row in rows])


def score_competition(
    counts: dict[str, list[np.ndarray]], distances: dict[str, list[float]], volumes: list[str]
) -> dict[str, Any]:
    """Score organs over volumes.

    Args:
        counts: by organ, one array (S, 4) a volume: true, false and missed pixels of each slice, and the rest.
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


def tabulate(found: dict[str, Any]) -> list[Table]:
    """Show the score with its parts, and each organ's."""
    figures = ("score", "dice", "hausdorff", "dice_skipping_empty")
    whole = Table(("figure", "value"), [[name, found[name]] for name in figures if name in found])
    organs = [
        [organ.replace("_", " "), part["score"], part["dice"], part["hausdorff"]]
        for organ, part in found.get("per_organ", {}).items()
    ]
    return [whole, *([Table(("organ", "score", "Dice", "1 - Hausdorff"), organs)] if organs else [])]


def _reach(start: np.ndarray, goal: np.ndarray) -> float:
    """The longest way from a voxel of `start` to the nearest of `goal`; inside `goal` it is nothing."""
    from scipy.ndimage import binary_erosion
    from scipy.spatial import cKDTree

    outside = np.argwhere(start & ~goal)
    if not len(outside):
        return 0.0
    edge = goal & ~binary_erosion(goal)
    return float(cKDTree(np.argwhere(edge)).query(outside)[0].max())


def _slice_dice(counts: np.ndarray) -> np.ndarray:
    """Dice a slice under the competition's own rule: both empty is 0, not 1."""
    true, wrong = counts[:, 0], counts[:, 1] + counts[:, 2]
    return 2 * true / np.maximum(2 * true + wrong, 1)


def _combine(dice: np.ndarray, distance: np.ndarray) -> dict[str, float]:
    mean_dice, hausdorff = float(dice.mean()), float(1 - distance.mean())
    return {"score": DICE_WEIGHT * mean_dice + HAUSDORFF_WEIGHT * hausdorff, "dice": mean_dice, "hausdorff": hausdorff}


ABDOMEN = Task(
    name="abdomen",
    title="Abdomen",
    finding="organ",
    body_part="ABDOMEN",
    labels={
        "large_bowel": Label("#ff5a5f", ("AnatomicalStructure", "LargeIntestine")),
        "small_bowel": Label("#2ec4b6", ("AnatomicalStructure", "SmallIntestine")),
        "stomach": Label("#ffd166", ("AnatomicalStructure", "Stomach")),
    },
    phantom="uw-madison",
    pick_examples=pick_examples,
    compare_masks=measure_normalized_hausdorff,
    scores=(
        OwnScores(
            key="competition",
            title="Competition score",
            score=score_organs,
            tables=tabulate,
            tiles=lambda found: [("competition score", found["score"])],
        ),
    ),
)
