"""A case is one volume with its truth and its reading; it is reduced to a row at once, so memory stays flat."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hf_mri.evaluation.scores.lesions import LesionCounts, count_lesions
from hf_mri.evaluation.scores.pixels import FN, FP, TP, compute_dice, count_pixels
from hf_mri.evaluation.scores.surfaces import TOLERANCE, SurfaceScores, find_box, measure_surfaces
from hf_mri.tasks.registry import find_task
from hf_mri.tasks.task import Task


@dataclass
class Case:
    """One volume; masks are boolean (S, H, W) by foreground label."""

    patient: str
    volume: str
    truth: dict[str, np.ndarray]
    decision: np.ndarray  # bool (S,): tumor in this slice?
    probability: np.ndarray  # float (S,)
    thresholds: dict[str, float]  # that were applied, as `thresholds_of` names them
    predicted: dict[str, np.ndarray] | None = None  # None for a classifier
    spacing: tuple[float, float, float] | None = None  # (row, column, slice) in mm
    gate_probability: np.ndarray | None = None  # float (S,), two-stage models
    passed: np.ndarray | None = None  # bool (S,): the gate let the segmenter look
    ungated: dict[str, np.ndarray] | None = None  # the masks with the gate off
    columns: dict[str, Any] = field(default_factory=dict)  # site, phase, group, fold, clinical columns
    evidence: np.ndarray | None = None  # what `describe_evidence` says of the outlines
    confidence: float | None = None  # the model's own estimate of the volume Dice
    doubts: list[str] | None = None  # why the scan may not be known to the model; None where it was not asked
    images: np.ndarray | None = None  # (S, H, W) or (S, H, W, C), for the page of worst cases


@dataclass(frozen=True)
class LabelRow:
    """What is kept of one label in one volume."""

    counts: np.ndarray  # (S, 4)
    surfaces: SurfaceScores
    lesions: LesionCounts
    ungated: np.ndarray | None = None  # (S, 4) with the gate off
    own: float | None = None  # what the organ's task measures between two masks besides

    @property
    def volume_dice(self) -> float:
        """Dice of the whole volume."""
        return float(compute_dice(self.counts.sum(axis=0)))

    @property
    def truth_pixels(self) -> int:
        """Pixels of this label in the truth."""
        return int(self.counts[:, [TP, FN]].sum())

    @property
    def predicted_pixels(self) -> int:
        """Pixels of this label in the prediction."""
        return int(self.counts[:, [TP, FP]].sum())


@dataclass(frozen=True)
class CaseRow:
    """What is kept of one volume."""

    patient: str
    volume: str
    spacing: tuple[float, float, float] | None
    columns: dict[str, Any]
    thresholds: dict[str, float]
    truth: np.ndarray  # bool (S,)
    truth_pixels: np.ndarray  # int (S,): pixels with any label
    decision: np.ndarray  # bool (S,)
    probability: np.ndarray  # float (S,)
    gate_probability: np.ndarray | None
    passed: np.ndarray | None
    ungated_decision: np.ndarray | None
    labels: dict[str, LabelRow]
    evidence: np.ndarray | None = None
    confidence: float | None = None
    doubts: list[str] | None = None

    @property
    def probable(self) -> np.ndarray:
        """bool (S,): the probability reaches `slice_threshold`."""
        return self.probability >= self.thresholds["slice_threshold"]

    @property
    def gate_decision(self) -> np.ndarray:
        """bool (S,): the classifier alone reaches `slice_threshold`."""
        return self.gate_probability >= self.thresholds["slice_threshold"]

    @property
    def mean_dice(self) -> float:
        """Volume Dice averaged over the labels."""
        return float(np.mean([row.volume_dice for row in self.labels.values()]))

    def measure_volume(self, pixels: float) -> float:
        """Turn a number of voxels into mL, or leave it where the voxel's size is unknown."""
        return float(pixels) if self.spacing is None else float(pixels * np.prod(self.spacing) / 1000)


def reduce_case(case: Case) -> CaseRow:
    """Reduce a volume to counts, distances and lesions."""
    any_truth = np.any(list(case.truth.values()), axis=0)
    spacing = known_spacing(case.spacing)
    labels = {}
    if case.predicted is not None:
        missing = set(case.truth) - set(case.predicted)
        if missing:
            raise ValueError(
                f"{case.volume}: the truth has a label {sorted(missing)[0]!r}, the model {sorted(case.predicted)}; "
                "evaluate it on the kind of data that it was trained for"
            )
        task = find_task(case.truth)
        labels = {
            label: _reduce_label(truth, case.predicted[label], case.ungated and case.ungated[label], spacing, task)
            for label, truth in case.truth.items()
        }
    ungated_decision = None
    if case.ungated is not None:
        ungated_decision = np.any([mask.any(axis=(1, 2)) for mask in case.ungated.values()], axis=0)
    return CaseRow(
        patient=case.patient,
        volume=case.volume,
        spacing=spacing,
        columns={name: value for name, value in case.columns.items() if value is not None},
        thresholds=dict(case.thresholds),
        truth=any_truth.any(axis=(1, 2)),
        truth_pixels=np.count_nonzero(any_truth, axis=(1, 2)),
        decision=np.asarray(case.decision, bool),
        probability=np.asarray(case.probability, float),
        gate_probability=case.gate_probability,
        passed=None if case.passed is None else np.asarray(case.passed, bool),
        ungated_decision=ungated_decision,
        labels=labels,
        evidence=case.evidence,
        confidence=case.confidence,
        doubts=case.doubts,
    )


def known_spacing(spacing: Any) -> tuple[float, float, float] | None:
    """Keep a spacing only where all three steps are known; half of one measures no volume."""
    if spacing is None or len(spacing) != 3 or any(step is None or not step > 0 for step in spacing):
        return None
    return tuple(float(step) for step in spacing)


def _reduce_label(
    truth: np.ndarray,
    predicted: np.ndarray,
    ungated: np.ndarray | None,
    spacing: tuple[float, float, float] | None,
    task: Task,
) -> LabelRow:
    either = truth | predicted
    lesions = LesionCounts()
    if either.any():
        box = find_box(either)
        truth_box, predicted_box = truth[box], predicted[box]
        lesions = count_lesions(truth_box, predicted_box)
    else:
        truth_box = predicted_box = either
    tolerance = TOLERANCE["px" if spacing is None else "mm"]
    return LabelRow(
        counts=count_pixels(truth, predicted),
        surfaces=measure_surfaces(truth_box, predicted_box, spacing or (1.0, 1.0, 1.0), tolerance),
        lesions=lesions,
        ungated=None if ungated is None else count_pixels(truth, ungated),
        own=task.compare_masks and task.compare_masks(truth, predicted),
    )
