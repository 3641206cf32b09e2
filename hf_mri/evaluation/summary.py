"""From rows to the one dictionary that metrics.json holds; docs/metrics.md describes every key."""

import platform
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from hf_mri.evaluation.cases import CaseRow
from hf_mri.evaluation.cohort import Cohort
from hf_mri.evaluation.scores.agreement import measure_agreement
from hf_mri.evaluation.scores.bootstrap import RESAMPLES
from hf_mri.evaluation.scores.breakdowns import break_down
from hf_mri.evaluation.scores.classification import BINS, CLASSES, score_classification, score_decided
from hf_mri.evaluation.scores.confidence import summarize_confidence, summarize_doubts
from hf_mri.evaluation.scores.gate import summarize_gate
from hf_mri.evaluation.scores.pixels import EMPTY_RULE, TVERSKY_ALPHA
from hf_mri.evaluation.scores.segmentation import summarize_segmentation
from hf_mri.evaluation.worst import describe_worst
from hf_mri.tasks.registry import find_task

SCHEMA = 1
PACKAGES = ("hf_mri", "torch", "transformers", "timm", "numpy", "scipy", "monai")
PROTOCOL_NOTES = {
    "validation": ["Thresholds were chosen on these same patients, which flatters the figures a little."],
    "slices-leaky": [
        "Slices were split at random: neighbors of the test slices were in training, so the figures flatter. "
        "Volumes hold only their test slices."
    ],
}
RULES = {
    "empty_masks": EMPTY_RULE,
    "slice": "Mean over all slices, empty ones included.",
    "positive_slice": "Mean over the slices that hold the label in the truth.",
    "volume": "Each volume as one 3-D mask; a patient's volumes are averaged first, then the patients.",
    "pooled": "The pixels of all slices together, as if they were one image.",
    "tversky": f"Missed pixels weigh {TVERSKY_ALPHA}, invented ones {1 - TVERSKY_ALPHA:.1f}.",
    "distances": (
        "Between 3-D surfaces, in mm where every spacing is known, else in pixels with a step of 1 between slices. "
        "HD95 is the larger of the two directions' 95th percentiles. Where truth or prediction is empty there is no "
        "distance; such volumes are counted apart, and their surface Dice is 1 if both are empty and 0 if one is."
    ),
    "lesions": "Pieces connected in 3-D, corners included; found means any overlap; false ones count 0 in the Dice.",
    "calibration": f"Expected calibration error over {BINS} bins of equal width.",
    "intervals": f"95 % percentile bootstrap over patients, {RESAMPLES} resamples, fixed seed.",
}


def summarize_rows(
    rows: list[CaseRow],
    *,
    protocol: str,
    data: dict[str, Any] | None = None,
    model: dict[str, Any] | None = None,
    engine: dict[str, Any] | None = None,
    seconds_without_gate: float | None = None,
    seen: dict[str, Any] | None = None,
    notes: list[str] | None = None,
    classes: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """Compute everything that metrics.json holds.

    Args:
        rows: one a volume.
        protocol: name of the protocol.
        data: `name`, `split`, `fingerprint`; what can be counted is counted here.
        model: `name`, `model_type`, `parameters`, …
        engine: `name`, `precision`, `device`, `seconds`, …
        seconds_without_gate: time of the same reading with every slice segmented.
        seen: patients and images that the model was trained on, where there are any.
        notes: sentences that a reader must know.
        classes: names of a negative and a positive slice; by default the words of the labels' organ.

    Raises:
        ValueError: there are no rows.
    """
    if not rows:
        raise ValueError("nothing to evaluate: the data hold no volume of this split")
    cohort = Cohort(rows)
    task = find_task(cohort.labels)
    classes = classes or (task.slice_labels if cohort.labels else CLASSES)
    truth, decision, probability = (cohort.join(name) for name in ("truth", "decision", "probability"))
    metrics: dict[str, Any] = {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "protocol": protocol,
        "rules": RULES,
        "notes": [*(notes or []), *PROTOCOL_NOTES.get(protocol, []), *_note_spacing(cohort)],
        "seen_in_training": seen or False,
        "data": {**(data or {}), **_count(cohort)},
        "model": {
            **_without_thresholds(model or {}),
            "labels": cohort.labels or list(classes[1:]),
            **_collect_thresholds(rows),
        },
        "engine": engine or {"name": "stored predictions"},
        "versions": _list_versions(),
    }
    if cohort.labels:
        metrics["segmentation"], metrics["segmentation_mean"] = summarize_segmentation(cohort)
    metrics["classification"] = _classify_slices(cohort, truth, decision, probability, classes)
    if cohort.labels:
        metrics["classification"]["at_slice_threshold"] = score_decided(truth, cohort.join("probable"))
    if all(row.passed is not None for row in rows):
        seconds = (engine or {}).get("seconds")
        metrics["gate"] = summarize_gate(cohort, classes, seconds, seconds_without_gate)
    if confidence := summarize_confidence(rows):
        metrics["confidence"] = confidence
    if doubts := summarize_doubts(rows):
        metrics["doubts"] = doubts
    own = {scores.key: scores.score(rows, measure_agreement) for scores in task.scores}
    metrics |= {key: found for key, found in own.items() if found}
    breakdowns = break_down(cohort)
    if breakdowns:
        metrics["breakdowns"] = breakdowns
    if cohort.labels:
        metrics["worst"] = describe_worst(cohort)
    metrics = round_figures(metrics)
    # Not rounded: ties that rounding makes would change the AUC that `compare` computes from them.
    metrics["cases"] = [_describe_case(row) for row in rows]
    return metrics


def round_figures(value: Any) -> Any:
    """Round every number in nested dictionaries and lists to six digits after the point."""
    if isinstance(value, dict):
        return {key: round_figures(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [round_figures(part) for part in value]
    return round(float(value), 6) if isinstance(value, float | np.floating) else value


def _count(cohort: Cohort) -> dict[str, Any]:
    sites = Counter({row.patient: row.columns["site"] for row in cohort.rows if "site" in row.columns}.values())
    counts = {
        "patients": len(cohort.patients),
        "volumes": len(cohort.rows),
        "slices": len(cohort.slice_patient),
        "positive_slices": int(cohort.join("truth").sum()),
    }
    return counts | ({"sites": dict(sorted(sites.items()))} if sites else {})


def _collect_thresholds(rows: list[CaseRow]) -> dict[str, Any]:
    """The thresholds that were applied: one set, or one a fold."""
    by_fold = {str(row.columns.get("fold", "")): row.thresholds for row in rows}
    different = {tuple(sorted(thresholds.items())) for thresholds in by_fold.values()}
    return {"thresholds": rows[0].thresholds} if len(different) == 1 else {"thresholds_by_fold": by_fold}


def _without_thresholds(model: dict[str, Any]) -> dict[str, Any]:
    """Facts of a model may come from another evaluation of it; its thresholds are not those applied here."""
    return {name: value for name, value in model.items() if not name.startswith("thresholds")}


def _note_spacing(cohort: Cohort) -> list[str]:
    unknown = sum(row.spacing is None for row in cohort.rows)
    if not unknown or not cohort.labels:
        return []
    return [
        f"Spacing is unknown for {unknown} of {len(cohort.rows)} volumes: distances are in pixels, volumes in voxels."
    ]


def _list_versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _classify_slices(
    cohort: Cohort, truth: np.ndarray, decision: np.ndarray, probability: np.ndarray, classes: tuple[str, str]
) -> dict[str, Any]:
    """Scores by slice, and by patient with the highest probability and any positive slice."""
    summary = {
        "decision": "any foreground in the reading" if cohort.labels else "score at or above slice_threshold",
        "score": "calibrated probability of the slice",
        **score_classification(truth, decision, probability, cohort.slice_patient, cohort.weights, classes),
    }
    patients = len(cohort.patients)
    any_truth, any_decision = (
        np.bincount(cohort.slice_patient, weights=values, minlength=patients) > 0 for values in (truth, decision)
    )
    highest = np.zeros(patients)
    np.maximum.at(highest, cohort.slice_patient, probability)
    by_patient = score_classification(any_truth, any_decision, highest, np.arange(patients), cohort.weights, classes)
    by_patient["patients"] = by_patient.pop("slices")
    return summary | {"per_patient": by_patient}


def _describe_case(row: CaseRow) -> dict[str, Any]:
    """One row a volume: enough to pair two models patient by patient and slice by slice."""
    case: dict[str, Any] = {"patient": row.patient, "volume": row.volume}
    case |= {name: row.columns[name] for name in ("site", "phase", "group", "fold") if name in row.columns}
    case |= {"slices": len(row.truth)} | ({"spacing": list(row.spacing)} if row.spacing else {})
    case |= {
        "truth": row.truth.astype(int).tolist(),
        "decision": row.decision.astype(int).tolist(),
        "probability": [float(value) for value in row.probability],
    }
    labels = {}
    for label, part in row.labels.items():
        labels[label] = {
            "counts": part.counts.sum(axis=0).tolist(),
            "dice": float(part.volume_dice),
            "truth_volume": float(row.measure_volume(part.truth_pixels)),
            "predicted_volume": float(row.measure_volume(part.predicted_pixels)),
        } | ({"hd95": float(part.surfaces.hd95)} if np.isfinite(part.surfaces.hd95) else {})
    if row.evidence is not None:
        case["evidence"] = [float(value) for value in row.evidence]
    if row.confidence is not None:
        case["confidence"] = float(row.confidence)
    return case | ({"labels": labels} if labels else {})
