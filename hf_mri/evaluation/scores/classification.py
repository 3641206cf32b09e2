"""Tumor or no tumor: scores of the decisions, of the ranking, and of the probabilities themselves."""

import numpy as np

from hf_mri.evaluation.scores.bootstrap import find_interval, resample_ratio, sum_by_patient
from hf_mri.evaluation.scores.ranking import Ranking

BINS = 15
CLASSES = ("no tumor", "tumor")


def score_classification(
    truth: np.ndarray,
    decision: np.ndarray,
    probability: np.ndarray,
    patient_index: np.ndarray,
    weights: np.ndarray,
    classes: tuple[str, str] = CLASSES,
) -> dict:
    """Score decisions and probabilities against the truth, each (N,), with intervals over patients.

    Args:
        truth: whether each slice (or patient) is positive.
        decision: what was decided.
        probability: probability of the positive class.
        patient_index: which patient each entry belongs to, 0 to P - 1.
        weights: bootstrap weights (resamples, P).
        classes: names of the negative and the positive class.
    """
    truth, decision = np.asarray(truth, bool), np.asarray(decision, bool)
    probability = np.asarray(probability, float)
    patients = weights.shape[1]
    confusion = np.stack([truth & decision, ~truth & decision, truth & ~decision, ~truth & ~decision], axis=1)
    by_patient = sum_by_patient(confusion.astype(float), patient_index, patients)
    totals = by_patient.sum(axis=0)
    scores = score_decisions(totals[None])
    samples = score_decisions(weights @ by_patient)

    squared = sum_by_patient((probability - truth) ** 2, patient_index, patients)
    size = sum_by_patient(np.ones(len(truth)), patient_index, patients)
    scores["brier"] = np.array([squared.sum() / size.sum()])
    samples["brier"] = resample_ratio(weights, squared, size)

    binned = _bin_by_patient(truth, probability, patient_index, patients)
    scores["expected_calibration_error"] = _compute_calibration_error(binned.sum(axis=0)[None])
    samples["expected_calibration_error"] = _compute_calibration_error(np.tensordot(weights, binned, axes=1))

    result: dict = {"slices": len(truth), "positives": int(truth.sum())}
    if 0 < truth.sum() < len(truth):
        ranking = Ranking.sort(truth, probability)
        areas = ranking.compute_areas(np.ones((1, len(truth))))
        resampled = ranking.resample_areas(weights, patient_index)
        for name, value, sample in zip(("roc_auc", "average_precision"), areas, resampled, strict=True):
            scores[name], samples[name] = value, sample
        result["curves"] = ranking.draw_curves()
    result |= {name: float(value[0]) for name, value in scores.items() if np.isfinite(value[0])}
    true, false, missed, rejected = (int(value) for value in totals)
    result["confusion"] = {"tn": rejected, "fp": false, "fn": missed, "tp": true}
    result["by_class"] = _report_classes(totals, classes)
    result.setdefault("curves", {})["reliability"] = _draw_reliability(binned.sum(axis=0))
    result["curves"]["operating_point"] = {
        name: result[key] for name, key in (("tpr", "recall"), ("precision", "precision")) if key in result
    } | ({"fpr": 1 - result["specificity"]} if "specificity" in result else {})
    intervals = {name: find_interval(samples[name], patients) for name in scores if name in result}
    result["ci95"] = {name: interval for name, interval in intervals.items() if interval}
    return result


def score_decisions(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Score tables of (tp, fp, fn, tn), given as (R, 4); NaN where a score has nothing to divide by."""
    tp, fp, fn, tn = (counts[:, column].astype(float) for column in range(4))

    def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
        return np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)

    recall, specificity = ratio(tp, tp + fn), ratio(tn, tn + fp)
    return {
        "accuracy": ratio(tp + tn, tp + fp + fn + tn),
        "balanced_accuracy": (recall + specificity) / 2,
        "precision": ratio(tp, tp + fp),
        "recall": recall,
        "specificity": specificity,
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
    }


def score_decided(truth: np.ndarray, decision: np.ndarray) -> dict[str, float]:
    """Accuracy, precision, recall and F1 of decisions; what cannot be computed is absent."""
    counts = np.array([[(truth & decision).sum(), (~truth & decision).sum(), (truth & ~decision).sum(), 0]])
    counts[0, 3] = len(truth) - counts.sum()
    scores = score_decisions(counts)
    names = ("accuracy", "precision", "recall", "f1")
    return {name: float(scores[name][0]) for name in names if np.isfinite(scores[name][0])}


def _bin_by_patient(truth: np.ndarray, probability: np.ndarray, index: np.ndarray, patients: int) -> np.ndarray:
    """Sum slices, probabilities and positives by bin of equal width, as (patients, bins, 3)."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    sums = np.zeros((patients, BINS, 3))
    np.add.at(sums, (index, bins), np.stack([np.ones(len(truth)), probability, truth.astype(float)], axis=1))
    return sums


def _compute_calibration_error(binned: np.ndarray) -> np.ndarray:
    """Mean distance between what was said and what came true, weighted by slices, for bins (R, bins, 3)."""
    return np.abs(binned[..., 1] - binned[..., 2]).sum(axis=1) / binned[..., 0].sum(axis=1)


def _draw_reliability(binned: np.ndarray) -> dict[str, list]:
    filled = binned[binned[:, 0] > 0]
    return {
        "score": [round(float(value), 5) for value in filled[:, 1] / filled[:, 0]],
        "observed": [round(float(value), 5) for value in filled[:, 2] / filled[:, 0]],
        "slices": [int(value) for value in filled[:, 0]],
    }


def _report_classes(totals: np.ndarray, classes: tuple[str, str]) -> dict[str, dict]:
    """Precision, recall, F1 and support of each class: the negative class is the same table, mirrored."""
    report = {}
    for name, counts in zip(classes, (totals[::-1], totals), strict=True):
        scores = score_decisions(counts[None])
        report[name] = {key: float(scores[key][0]) for key in ("precision", "recall", "f1") if scores[key][0] >= 0}
        report[name]["support"] = int(counts[0] + counts[2])
    return report
