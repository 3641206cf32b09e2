"""Summaries of the masks: four averages of every overlap score, distances, lesions and volumes, with intervals."""

import numpy as np

from hf_mri.evaluation.cases import LabelRow
from hf_mri.evaluation.cohort import Cohort
from hf_mri.evaluation.scores.agreement import measure_agreement
from hf_mri.evaluation.scores.bootstrap import find_interval, resample_median, resample_ratio, sum_by_patient
from hf_mri.evaluation.scores.pixels import FN, SCORES, TP, compute_dice
from hf_mri.evaluation.scores.surfaces import TOLERANCE

Figures = dict[str, float]
Samples = dict[str, np.ndarray]
LESION_COUNTS = ("truth", "found", "predicted", "false")


def summarize_segmentation(cohort: Cohort) -> tuple[dict[str, dict], dict]:
    """Summarize every foreground label, and the mean over the labels."""
    entries, figures, samples = {}, [], []
    for label in cohort.labels:
        parts = [row.labels[label] for row in cohort.rows]
        label_figures, label_samples = _score_overlap(cohort, parts)
        for more_figures, more_samples in (_score_distances(cohort, parts), _score_lesions(cohort, parts)):
            label_figures |= more_figures
            label_samples |= more_samples
        dice = cohort.mean_by_patient(np.array([part.volume_dice for part in parts]))
        entries[label] = {
            "volume_dice": _describe_dice(cohort, dice, parts),
            **label_figures,
            "distance_unit": cohort.unit,
            "surface_tolerance": TOLERANCE[cohort.unit],
            "distance_volumes": _count_distances(parts),
            "volume": _compare_volumes(cohort, parts),
            "ci95": _find_intervals(label_figures, label_samples, cohort),
        }
        entries[label]["lesions"] = _gather_lesions(parts, entries[label])
        figures.append(label_figures)
        samples.append(label_samples)
    return entries, _average_labels(cohort, entries, figures, samples)


def _score_overlap(cohort: Cohort, parts: list[LabelRow]) -> tuple[Figures, Samples]:
    """Every overlap score over slices, positive slices, volumes and pooled pixels."""
    figures, samples, patients = {}, {}, len(cohort.patients)
    slices = np.concatenate([part.counts for part in parts])
    positive = slices[:, TP] + slices[:, FN] > 0
    volumes = np.stack([part.counts.sum(axis=0) for part in parts])
    pooled = sum_by_patient(volumes, cohort.row_patient, patients)
    size, positives = (
        sum_by_patient(chosen.astype(float), cohort.slice_patient, patients)
        for chosen in (np.ones_like(positive), positive)
    )
    for name, compute in SCORES.items():
        values = compute(slices)
        sums = {
            f"slice_{name}": (sum_by_patient(values, cohort.slice_patient, patients), size),
            f"positive_slice_{name}": (sum_by_patient(values * positive, cohort.slice_patient, patients), positives),
            f"volume_{name}": (cohort.mean_by_patient(compute(volumes)), np.ones(patients)),
        }
        for key, (numerator, denominator) in sums.items():
            if denominator.any():
                figures[key] = float(numerator.sum() / denominator.sum())
                samples[key] = resample_ratio(cohort.weights, numerator, denominator)
        figures[f"pooled_{name}"] = float(compute(pooled.sum(axis=0)))
        samples[f"pooled_{name}"] = compute(cohort.weights @ pooled)
    del figures["volume_dice"], samples["volume_dice"]  # described in full by `_describe_dice`
    return figures, samples


def _score_distances(cohort: Cohort, parts: list[LabelRow]) -> tuple[Figures, Samples]:
    figures, samples = {}, {}
    for key, name in (("hd95", "hd95"), ("average_surface_distance", "average"), ("surface_dice", "surface_dice")):
        values = np.array([getattr(part.surfaces, name) for part in parts])
        measured = np.isfinite(values)
        if measured.any():
            numerator, denominator = (
                sum_by_patient(column, cohort.row_patient, len(cohort.patients))
                for column in (np.nan_to_num(values), measured.astype(float))
            )
            figures[key] = float(numerator.sum() / denominator.sum())
            samples[key] = resample_ratio(cohort.weights, numerator, denominator)
    return figures, samples


def _score_lesions(cohort: Cohort, parts: list[LabelRow]) -> tuple[Figures, Samples]:
    names = (*LESION_COUNTS, "dice_sum")
    counts = np.array([[getattr(part.lesions, name) for name in names] for part in parts], float)
    truth, found, predicted, false, dice = sum_by_patient(counts, cohort.row_patient, len(cohort.patients)).T
    ratios = {
        "lesion_sensitivity": (found, truth),
        "lesion_precision": (predicted - false, predicted),
        "lesion_dice": (dice, truth + false),
    }
    figures, samples = {}, {}
    for key, (above, below) in ratios.items():
        if below.any():
            figures[key] = float(above.sum() / below.sum())
            samples[key] = resample_ratio(cohort.weights, above, below)
    return figures, samples


def _gather_lesions(parts: list[LabelRow], entry: dict) -> dict:
    """Move the figures of lesions out of a label's entry, beside their counts and under shorter names."""
    lesions: dict = {name: sum(getattr(part.lesions, name) for part in parts) for name in LESION_COUNTS}
    intervals = {}
    for name in [name for name in entry if name.startswith("lesion_")]:
        short = name.removeprefix("lesion_")
        lesions[short] = entry.pop(name)
        if name in entry["ci95"]:
            intervals[short] = entry["ci95"].pop(name)
    if lesions.get("sensitivity", 0) + lesions.get("precision", 0) > 0:
        sensitivity, precision = lesions.get("sensitivity", 0), lesions.get("precision", 0)
        lesions["f1"] = 2 * sensitivity * precision / (sensitivity + precision)
    return lesions | ({"ci95": intervals} if intervals else {})


def _describe_dice(cohort: Cohort, dice: np.ndarray, parts: list[LabelRow] | None = None) -> dict:
    """Mean, median, spread and worst of one Dice a patient, with intervals and the values themselves."""
    patients = len(cohort.patients)
    described = {"mean": float(dice.mean()), "median": float(np.median(dice)), "min": float(dice.min())}
    if patients > 1:
        described["std"] = float(dice.std(ddof=1))
    if patients >= 5:  # a model is only as good as its worst patients
        described["worst_fifth"] = float(np.sort(dice)[: round(patients / 5)].mean())
    mean_samples = resample_ratio(cohort.weights, dice, np.ones(patients))
    for key, values in (("ci95", mean_samples), ("median_ci95", resample_median(dice))):
        interval = find_interval(values, patients)
        if interval:
            described[key] = interval
    described["per_patient"] = dict(zip(cohort.patients, dice.tolist(), strict=True))
    if parts and len(parts) > patients:
        described["per_volume"] = {row.volume: part.volume_dice for row, part in zip(cohort.rows, parts, strict=True)}
    return described


def _count_distances(parts: list[LabelRow]) -> dict[str, int]:
    """Why volumes have no distance: HD95 alone would hide what was missed altogether."""
    truth = np.array([part.truth_pixels > 0 for part in parts])
    predicted = np.array([part.predicted_pixels > 0 for part in parts])
    return {
        "measured": int((truth & predicted).sum()),
        "both_empty": int((~truth & ~predicted).sum()),
        "missed": int((truth & ~predicted).sum()),
        "invented": int((~truth & predicted).sum()),
    }


def _compare_volumes(cohort: Cohort, parts: list[LabelRow]) -> dict:
    """Agreement of predicted with true volume in mL, or in voxels where any spacing is unknown."""
    in_milliliters = cohort.unit == "mm"
    pixels = np.array([[part.truth_pixels, part.predicted_pixels] for part in parts], float)
    scale = [np.prod(row.spacing) / 1000 if in_milliliters else 1.0 for row in cohort.rows]
    truth, predicted = pixels.T * np.array(scale)
    return {
        "unit": "mL" if in_milliliters else "voxels",
        "truth_mean": float(truth.mean()),
        "predicted_mean": float(predicted.mean()),
        **measure_agreement(truth, predicted),
    }


def _find_intervals(figures: Figures, samples: Samples, cohort: Cohort) -> dict[str, list[float]]:
    intervals = {name: find_interval(samples[name], len(cohort.patients)) for name in figures if name in samples}
    return {name: interval for name, interval in intervals.items() if interval}


def _average_labels(cohort: Cohort, entries: dict, figures: list[Figures], samples: list[Samples]) -> dict:
    """Means over the labels, in every resample as well, so that the intervals know how labels vary together."""
    dice = np.mean([list(entry["volume_dice"]["per_patient"].values()) for entry in entries.values()], axis=0)
    shared = [name for name in figures[0] if all(name in figure for figure in figures)]
    means = {name: float(np.mean([figure[name] for figure in figures])) for name in shared}
    mean_samples = {name: np.mean([sample[name] for sample in samples], axis=0) for name in shared}
    return {
        "volume_dice": _describe_dice(cohort, dice),
        **means,
        "ci95": _find_intervals(means, mean_samples, cohort),
    }


def score_briefly(cohort: Cohort, label: str, ungated: bool = False) -> dict:
    """The few Dice figures that stand in comparisons: a group of patients, or the masks with the gate off."""
    parts = [row.labels[label] for row in cohort.rows]
    tables = [part.ungated if ungated else part.counts for part in parts]
    slices, volumes = np.concatenate(tables), np.stack([table.sum(axis=0) for table in tables])
    positive = slices[:, TP] + slices[:, FN] > 0
    scores = {
        "volume_dice": float(cohort.mean_by_patient(compute_dice(volumes)).mean()),
        "pooled_dice": float(compute_dice(volumes.sum(axis=0))),
    }
    if positive.any():
        scores["positive_slice_dice"] = float(compute_dice(slices[positive]).mean())
    return scores
