"""Counts of pixels and the scores computed from them, with one rule for empty masks.

Counts are an array whose last axis holds true positives, false positives, false negatives and true negatives. Scores
keep the other axes, so that one slice, the slices of a volume, and a whole data set pooled go through the same lines.
"""

import numpy as np

TP, FP, FN, TN = range(4)

# What the projects of docs/recipes.md trained and reported: a missed pixel costs more than an invented one.
TVERSKY_ALPHA = 0.7

EMPTY_RULE = (
    "A score whose denominator is zero is 1 where truth and prediction are both empty and 0 otherwise; "
    "so a slice or volume where both are empty has Dice 1, and one where only one of them is empty has Dice 0. "
    "Specificity without a negative pixel is 1."
)


def count_pixels(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Count true and false positives and negatives of boolean masks (..., H, W) as (..., 4)."""
    if truth.shape != predicted.shape:
        raise ValueError(f"truth has shape {truth.shape}, prediction {predicted.shape}; they must be alike")
    both = np.count_nonzero(truth & predicted, axis=(-2, -1))
    in_truth = np.count_nonzero(truth, axis=(-2, -1))
    in_predicted = np.count_nonzero(predicted, axis=(-2, -1))
    pixels = truth.shape[-2] * truth.shape[-1]
    counts = (both, in_predicted - both, in_truth - both, pixels - in_truth - in_predicted + both)
    return np.stack(counts, axis=-1).astype(np.int64)


def compute_dice(counts: np.ndarray) -> np.ndarray:
    """Twice the overlap over both areas."""
    return _divide(2 * counts[..., TP], 2 * counts[..., TP] + counts[..., FP] + counts[..., FN], counts)


def compute_iou(counts: np.ndarray) -> np.ndarray:
    """Intersection over union (Jaccard index)."""
    return _divide(counts[..., TP], counts[..., TP] + counts[..., FP] + counts[..., FN], counts)


def compute_precision(counts: np.ndarray) -> np.ndarray:
    """Share of the prediction that is right."""
    return _divide(counts[..., TP], counts[..., TP] + counts[..., FP], counts)


def compute_recall(counts: np.ndarray) -> np.ndarray:
    """Share of the truth that was found."""
    return _divide(counts[..., TP], counts[..., TP] + counts[..., FN], counts)


def compute_specificity(counts: np.ndarray) -> np.ndarray:
    """Share of the true background that was left alone; 1 where there is no background."""
    negatives = counts[..., TN] + counts[..., FP]
    return np.where(negatives > 0, counts[..., TN] / np.maximum(negatives, 1), 1.0)


def compute_tversky(counts: np.ndarray, alpha: float = TVERSKY_ALPHA) -> np.ndarray:
    """Tversky index: `alpha` weighs what was missed, `1 - alpha` what was invented."""
    denominator = counts[..., TP] + alpha * counts[..., FN] + (1 - alpha) * counts[..., FP]
    return _divide(counts[..., TP], denominator, counts)


def _divide(numerator: np.ndarray, denominator: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Divide, and apply the empty rule where there is nothing to divide by."""
    both_empty = (counts[..., TP] + counts[..., FP] + counts[..., FN]) == 0
    safe = np.where(denominator > 0, denominator, 1)
    return np.where(denominator > 0, numerator / safe, both_empty.astype(float))


SCORES = {
    "dice": compute_dice,
    "iou": compute_iou,
    "precision": compute_precision,
    "recall": compute_recall,
    "specificity": compute_specificity,
    "tversky": compute_tversky,
}
