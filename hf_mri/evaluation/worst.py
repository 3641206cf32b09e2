"""The lowest volumes: in words for the card, with pictures for the report."""

import heapq
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hf_mri.evaluation.cases import Case, CaseRow
from hf_mri.evaluation.cohort import Cohort
from hf_mri.evaluation.metrics import FN, FP, TP
from hf_mri.reports.display import window_volume

SHOWN = 6
SLICES_SHOWN = 4


@dataclass(order=True)
class Picture:
    """The slices of one low volume that explain it best."""

    rank: tuple[float, int]  # the negative Dice, so that a heap drops the best; then the order of arrival
    row: CaseRow = field(compare=False)
    slices: list[int] = field(compare=False)
    gray: np.ndarray = field(compare=False)  # uint8 (K, H, W), windowed with the whole volume
    truth: dict[str, np.ndarray] = field(compare=False)  # by label, bool (K, H, W)
    predicted: dict[str, np.ndarray] = field(compare=False)


class WorstCases:
    """Keeps the pictures of the lowest few volumes while all go by, so memory does not grow with the patients."""

    def __init__(self, shown: int = SHOWN) -> None:
        self.shown = shown
        self.heap: list[Picture] = []
        self.seen = 0

    def consider(self, case: Case, row: CaseRow) -> None:
        """Keep the case if it is among the lowest so far."""
        self.seen += 1
        if case.images is None or case.predicted is None:
            return
        rank = (-row.mean_dice, -self.seen)
        if len(self.heap) == self.shown and rank < self.heap[0].rank:
            return
        slices = choose_slices(row)
        picture = Picture(
            rank=rank,
            row=row,
            slices=slices,
            gray=window_volume(case.images if case.images.ndim == 4 else case.images[..., None])[slices],
            truth={label: mask[slices] for label, mask in case.truth.items()},
            predicted={label: mask[slices] for label, mask in case.predicted.items()},
        )
        (heapq.heappush if len(self.heap) < self.shown else heapq.heappushpop)(self.heap, picture)

    def sort(self) -> list[Picture]:
        """The kept pictures, worst first."""
        return sorted(self.heap, reverse=True)


def choose_slices(row: CaseRow, number: int = SLICES_SHOWN) -> list[int]:
    """Choose the slices with the most wrong pixels, in their order in the volume."""
    wrong = sum(part.counts[:, FP] + part.counts[:, FN] for part in row.labels.values())
    return sorted(int(index) for index in np.argsort(-wrong, kind="stable")[:number])


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
