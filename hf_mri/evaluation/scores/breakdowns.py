"""The same figures for parts of the patients: by site, lesion size, group and clinical columns."""

from collections.abc import Hashable

import numpy as np

from hf_mri.evaluation.cohort import Cohort
from hf_mri.evaluation.scores.bootstrap import find_interval, resample_ratio
from hf_mri.evaluation.scores.ranking import Ranking
from hf_mri.evaluation.scores.segmentation import score_briefly

# A column with more values than this is a measurement: it is cut at its median if it is a number, else left out.
MOST_VALUES = 8
FEWEST_FOR_THIRDS = 6
SIZES = ("small", "medium", "large")


def break_down(cohort: Cohort) -> dict[str, dict[str, dict]]:
    """Summarize the cohort by every column that parts its patients into groups."""
    breakdowns = {}
    for column, groups in find_groups(cohort).items():
        breakdowns[column] = {name: _summarize_group(cohort.select(patients)) for name, patients in groups.items()}
    return breakdowns


def find_groups(cohort: Cohort) -> dict[str, dict[str, set[str]]]:
    """Find the groups of patients by column: column, then value, then patients."""
    values: dict[str, dict[str, set[Hashable]]] = {}
    for row in cohort.rows:
        for column, value in row.columns.items():
            values.setdefault(column, {}).setdefault(row.patient, set()).add(value)
    groups = {}
    for column, by_patient in values.items():
        # A value that changes within a patient (phase, frame, slice) says nothing about the patient.
        single = {patient: next(iter(found)) for patient, found in by_patient.items() if len(found) == 1}
        parted = _part_by_value(single) if len(single) == len(by_patient) else {}
        if len(parted) > 1:
            groups[column] = parted
    by_size = _part_by_size(cohort)
    if by_size:
        groups["lesion size" if len(cohort.labels) < 2 else "size"] = by_size
    first = [column for column in ("site", "group", "lesion size", "size") if column in groups]
    return {column: groups[column] for column in [*first, *(name for name in groups if name not in first)]}


def _part_by_value(by_patient: dict[str, Hashable]) -> dict[str, set[str]]:
    distinct = sorted(set(by_patient.values()), key=str)
    if len(distinct) <= MOST_VALUES:
        return {str(value): {p for p, own in by_patient.items() if own == value} for value in distinct}
    if not all(isinstance(value, int | float) for value in distinct):
        return {}
    middle = float(np.median(list(by_patient.values())))
    low = {patient for patient, value in by_patient.items() if value <= middle}
    return {f"up to {middle:g}": low, f"above {middle:g}": set(by_patient) - low}


def _part_by_size(cohort: Cohort) -> dict[str, set[str]]:
    """Thirds of the patients by the true volume of all labels together."""
    size: dict[str, float] = dict.fromkeys(cohort.patients, 0.0)
    for row in cohort.rows:
        pixels = int(row.truth_pixels.sum())
        size[row.patient] += row.measure_volume(pixels) if cohort.unit == "mm" else pixels
    if len(size) < FEWEST_FOR_THIRDS:
        return {}
    ordered = sorted(size, key=size.__getitem__)
    unit = "mL" if cohort.unit == "mm" else "voxels"
    parts = {}
    for name, third in zip(SIZES, np.array_split(ordered, 3), strict=True):
        parts[f"{name} ({size[third[0]]:,.0f} to {size[third[-1]]:,.0f} {unit})"] = set(third.tolist())
    return parts


def _summarize_group(cohort: Cohort) -> dict:
    truth, decision = cohort.join("truth"), cohort.join("decision")
    group: dict = {"patients": len(cohort.patients), "slices": len(truth)}
    for label in cohort.labels:
        dice = cohort.mean_by_patient(np.array([row.labels[label].volume_dice for row in cohort.rows]))
        samples = resample_ratio(cohort.weights, dice, np.ones(len(dice)))
        interval = find_interval(samples, len(dice))
        scores = score_briefly(cohort, label) | ({"ci95": interval} if interval else {})
        group.setdefault("segmentation", {})[label] = scores
    group["classification"] = {"accuracy": float((truth == decision).mean())}
    if 0 < truth.sum() < len(truth):
        ranking = Ranking.sort(truth, cohort.join("probability"))
        group["classification"]["roc_auc"] = float(ranking.compute_areas(np.ones((1, len(truth))))[0][0])
    return group
