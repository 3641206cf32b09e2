"""The lowest volumes in words."""

from typing import Any

from hf_mri.evaluation.cases import CaseRow
from hf_mri.evaluation.cohort import Cohort
from hf_mri.evaluation.scores.pixels import FN, FP, TP

SHOWN = 6


def choose_worst(rows: list[CaseRow], number: int = SHOWN) -> set[str]:
    """Names of the volumes with the lowest mean Dice; none where nothing is outlined."""
    outlined = [row for row in rows if row.labels]
    return {row.volume for row in sorted(outlined, key=lambda row: row.mean_dice)[:number]}


def describe_worst(cohort: Cohort, number: int = SHOWN) -> list[dict[str, Any]]:
    """Describe the volumes and labels with the lowest Dice, worst first."""
    found = [(part.volume_dice, row, label) for row in cohort.rows for label, part in row.labels.items()]
    found.sort(key=lambda entry: entry[0])
    return [_describe(row, label) for _, row, label in found[:number]]


def _describe(row: CaseRow, label: str) -> dict[str, Any]:
    part = row.labels[label]
    unit = "mL" if row.spacing else "voxels"
    truth, predicted = row.measure_volume(part.truth_pixels), row.measure_volume(part.predicted_pixels)
    return {
        "patient": row.patient,
        "volume": row.volume,
        "label": label,
        "dice": part.volume_dice,
        "truth_volume": truth,
        "predicted_volume": predicted,
        "unit": unit,
        "words": _put_in_words(row, label, f"{truth:,.1f} {unit}" if row.spacing else f"{truth:,.0f} {unit}"),
    }


def _put_in_words(row: CaseRow, label: str, size: str) -> str:
    """One sentence that says what went wrong, for a page that may show no picture."""
    counts = row.labels[label].counts
    tp, fp, fn = (int(counts[:, column].sum()) for column in (TP, FP, FN))
    in_truth = counts[:, TP] + counts[:, FN] > 0
    in_predicted = counts[:, TP] + counts[:, FP] > 0
    where = f"{label} of {size} in {in_truth.sum()} of {len(counts)} slices"
    if tp + fn == 0:
        return f"No {label} in the truth, but {fp:,} pixels in {in_predicted.sum()} slices were marked."
    if tp + fp == 0:
        return f"The {where} was missed altogether."
    if tp == 0:
        return f"The {where} was missed; {fp:,} pixels elsewhere were marked."
    missed, invented = fn / (tp + fn), fp / (tp + fp)
    missed_slices = int((in_truth & ~in_predicted).sum())
    return (
        f"The {where}: {missed:.0%} of it was missed ({missed_slices} slices altogether), "
        f"{invented:.0%} of what was marked is not {label}."
    )
