"""Areas under the ROC and precision-recall curves, for one data set or for all bootstrap resamples of it at once."""

from dataclasses import dataclass

import numpy as np

CURVE_POINTS = 101
# Resamples are computed in pieces of about this many numbers, so memory stays flat.
CHUNK = 2_000_000


@dataclass(frozen=True)
class Ranking:
    """Slices sorted by falling score once; equal scores share one threshold, so ties count half as they should."""

    order: np.ndarray  # (N,) indices by falling score
    last: np.ndarray  # (T,) position in `order` of the last slice of each distinct score
    positive: np.ndarray  # (N,) truth in that order

    @classmethod
    def sort(cls, truth: np.ndarray, score: np.ndarray) -> "Ranking":
        """Sort slices by score; truth (N,) boolean, score (N,)."""
        order = np.argsort(-score, kind="stable")
        ordered = score[order]
        last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
        return cls(order, last, np.asarray(truth, bool)[order])

    def trace(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Count true and false positives at each distinct score for weights (R, N), both as (R, T)."""
        ordered = weights[:, self.order]
        true = np.cumsum(ordered * self.positive, axis=1)[:, self.last]
        false = np.cumsum(ordered * ~self.positive, axis=1)[:, self.last]
        return true, false

    def compute_areas(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute ROC AUC and average precision for weights (R, N); NaN where only one class is left."""
        true, false = self.trace(np.asarray(weights, float))
        positives, negatives = true[:, -1:], false[:, -1:]
        with np.errstate(invalid="ignore", divide="ignore"):
            recall, fall_out, precision = true / positives, false / negatives, true / (true + false)
        # A threshold above which nothing with weight lies has no precision, and adds no recall either.
        precision = np.nan_to_num(precision)
        start = np.zeros((len(true), 1))
        steps = np.diff(recall, prepend=start)
        middle = recall - steps / 2
        auc = (np.diff(fall_out, prepend=start) * middle).sum(axis=1)
        average_precision = (steps * precision).sum(axis=1)
        both = (positives[:, 0] > 0) & (negatives[:, 0] > 0)
        return np.where(both, auc, np.nan), np.where(both, average_precision, np.nan)

    def resample_areas(self, weights: np.ndarray, patient_index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute both areas in each resample of the patients, for weights (R, patients)."""
        rows = max(1, CHUNK // max(len(self.order), 1))
        pieces = [
            self.compute_areas(weights[start : start + rows][:, patient_index])
            for start in range(0, len(weights), rows)
        ]
        return np.concatenate([piece[0] for piece in pieces]), np.concatenate([piece[1] for piece in pieces])

    def draw_curves(self) -> dict[str, dict[str, list[float]]]:
        """Draw the ROC and precision-recall curves as at most 101 points each."""
        true, false = (counts[0] for counts in self.trace(np.ones((1, len(self.order)))))
        kept = np.unique(np.linspace(0, len(true) - 1, CURVE_POINTS).round().astype(int))
        true, false = true[kept], false[kept]
        recall, fall_out = true / true[-1], false / false[-1]
        return {
            "roc": {"fpr": _round([0.0, *fall_out]), "tpr": _round([0.0, *recall])},
            "pr": {"recall": _round(recall), "precision": _round(true / (true + false))},
        }


def _round(values: np.ndarray | list[float]) -> list[float]:
    return [round(float(value), 5) for value in values]
