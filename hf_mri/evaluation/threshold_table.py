"""One volume's stored prediction reduced to small tables, from which any choice of thresholds can be judged."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hf_mri.evaluation.scores.surfaces import find_box
from hf_mri.evaluation.stored_predictions import OVERLAPPING, StoredCase
from hf_mri.modeling.mri_reading_decisions import keep_largest_component

MASK_THRESHOLDS = np.round(np.arange(0.1, 0.91, 0.05), 2)
SMALLEST_LESIONS = np.array([0, 5, 10, 20, 35, 50, 75, 100, 150, 200, 300])


@dataclass(frozen=True)
class ThresholdTable:
    """What is kept of a volume: S slices, L labels, T mask thresholds, K smallest lesions."""

    patient: str
    fold: str | None
    split: str | None
    gate_logit: np.ndarray | None  # (S,)
    mask_logit: np.ndarray | None  # (S,), the highest of the slice
    positive: np.ndarray  # bool (S,)
    area: np.ndarray  # (S,), true pixels of any label
    truth: np.ndarray | None  # (S, L), true pixels
    overlap: np.ndarray | None  # (S, L, T, K), predicted pixels that are right
    predicted: np.ndarray | None  # (S, L, T, K), predicted pixels


def tabulate_case(case: StoredCase, largest_component: bool = False) -> ThresholdTable:
    """Count overlap and prediction of every slice at every mask threshold and smallest lesion of the grid.

    Where only the `largest_component` of a label is kept, it is found first, and small lesions within it stay.
    """
    area = np.count_nonzero(case.truth.any(axis=1), axis=(1, 2))
    overlap = predicted = truth = None
    if case.mask_logit is not None:
        truth = np.count_nonzero(case.truth, axis=(2, 3))
        shape = (*truth.shape, len(MASK_THRESHOLDS), len(SMALLEST_LESIONS))
        overlap, predicted = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        winners = pick_winners(case.mask_logit, case.problem_type)
        if largest_component:
            overlap[:], predicted[:] = _count_largest(winners, case.truth)
        else:
            for index, page in enumerate(winners):
                for label, logit in enumerate(page):
                    overlap[index, label], predicted[index, label] = _count_slice(logit, case.truth[index, label])
    return ThresholdTable(
        patient=case.patient,
        fold=case.columns.get("fold"),
        split=case.columns.get("split"),
        gate_logit=case.gate_logit,
        mask_logit=case.peak_logit,
        positive=area > 0,
        area=area,
        truth=truth,
        overlap=overlap,
        predicted=predicted,
    )


def pick_winners(mask_logit: np.ndarray, problem_type: str) -> np.ndarray:
    """Leave each pixel only to its likeliest label, where labels exclude each other; shapes (S, L, H, W)."""
    if problem_type == OVERLAPPING or mask_logit.shape[1] == 1:
        return mask_logit
    labels = np.arange(mask_logit.shape[1])[:, None, None]
    return np.where(labels == mask_logit.argmax(axis=1, keepdims=True), mask_logit, -np.inf)


def _count_slice(logit: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Overlap and predicted pixels of one label in one slice, each (T, K)."""
    overlap = np.zeros((len(MASK_THRESHOLDS), len(SMALLEST_LESIONS)), np.int32)
    predicted = np.zeros_like(overlap)
    cuts = to_logit(MASK_THRESHOLDS)
    candidates = logit >= cuts[0]
    if not candidates.any():
        return overlap, predicted
    box = find_box(candidates)
    logit, truth = logit[box], truth[box]
    for row, cut in enumerate(cuts):
        pieces, number = ndimage.label(logit >= cut, np.ones((3, 3)))
        if not number:
            break
        size = np.bincount(pieces.ravel(), minlength=number + 1)[1:]
        right = np.bincount(pieces[truth], minlength=number + 1)[1:]
        kept = size >= SMALLEST_LESIONS[:, None]
        overlap[row], predicted[row] = kept @ right, kept @ size
    return overlap, predicted


def _count_largest(winners: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Overlap and predicted pixels (S, L, T, 1) of each label's largest component at each threshold."""
    counts, cuts = [], to_logit(MASK_THRESHOLDS)
    candidates = (winners >= cuts[0]).any(axis=(0, 1))
    if candidates.any():  # the rest of each slice decides nothing
        box = (..., *find_box(candidates))
        winners, truth = winners[box], truth[box]
    for cut in cuts:
        found = np.stack([keep_largest_component(page >= cut) for page in winners.swapaxes(0, 1)], axis=1)
        counts.append([np.count_nonzero(found & truth, axis=(2, 3)), np.count_nonzero(found, axis=(2, 3))])
    overlap, predicted = np.moveaxis(np.array(counts), 0, -1)[..., None]
    return overlap, predicted


def to_logit(probability: np.ndarray | float) -> np.ndarray:
    """Turn a probability into its logit."""
    probability = np.clip(np.asarray(probability, np.float64), 1e-12, 1 - 1e-12)
    return np.log(probability / (1 - probability))
