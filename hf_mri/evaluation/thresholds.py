"""Thresholds and temperature, chosen on validation or out-of-fold patients only, and applied to stored predictions."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from scipy.special import expit

from hf_mri.evaluation.cases import Case
from hf_mri.evaluation.stored_predictions import OVERLAPPING, StoredCase
from hf_mri.evaluation.threshold_table import (
    MASK_THRESHOLDS,
    SMALLEST_LESIONS,
    ThresholdTable,
    pick_winners,
    tabulate_case,
    to_logit,
)
from hf_mri.modeling.mri_reading_decisions import (
    keep_largest_component,
    passes_gate,
    remove_small_components,
    slice_probability,
    thresholds_of,
)
from hf_mri.modeling.mri_trust_masks import describe_evidence, gather_evidence

logger = logging.getLogger(__name__)

# Half of what the gate may lose on new patients (1 % of the tumor area): they are never quite like those chosen on.
AREA_LOST = 0.005
# Choices whose Dice differs by less are equally good; among them the best decision a slice wins.
SAME_DICE = 0.001
TEMPERATURES = np.geomspace(0.25, 8, 71)
MASK_WEIGHTS = np.round(np.linspace(0, 1, 21), 2)


def choose_thresholds(cases: Iterable[StoredCase], config: Any) -> dict[str, float]:
    """Choose the thresholds that a config has, from predictions of patients that the model was not trained on.

    - `gate_threshold`: the largest that loses less than half a percent of the tumor area;
    - `mask_threshold`, `smallest_lesion`: highest mean Dice a patient, then best F1 of the slices;
    - `mask_weight`, `temperature`: lowest negative log-likelihood of the slices' tumor probability;
    - `slice_threshold`: best F1 of that probability.

    Args:
        cases: stored predictions; each is reduced at once, so an iterator costs no memory.
        config: the model's config; only fields that it has are chosen.

    Raises:
        ValueError: a case belongs to the test split, or there is none.
    """
    largest = thresholds_of(config)["largest_component"]
    chosen = choose_from_tables([tabulate_case(case, largest) for case in cases])
    return {name: value for name, value in chosen.items() if hasattr(config, name)}


def choose_from_tables(tables: list[ThresholdTable]) -> dict[str, float]:
    """Choose thresholds from tables; see `choose_thresholds`."""
    if not tables:
        raise ValueError("no predictions to choose thresholds on; give validation or out-of-fold patients")
    for table in tables:
        if table.split == "test" and table.fold is None:
            raise ValueError(
                f"{table.patient}: thresholds must not be chosen on test rows; give validation or out-of-fold patients"
            )
    chosen: dict[str, float] = {}
    has_gate, has_mask = (getattr(tables[0], name) is not None for name in ("gate_logit", "mask_logit"))
    if has_gate and has_mask:
        chosen["gate_threshold"] = _choose_gate(tables)
    if has_mask:
        mask_threshold, smallest = _choose_mask(tables, chosen.get("gate_threshold", 0.0))
        chosen |= {"mask_threshold": mask_threshold, "smallest_lesion": smallest}
    if has_gate:
        chosen |= _calibrate(tables, chosen)
        chosen["slice_threshold"] = _choose_slice_threshold(tables, chosen)
    return chosen


def apply_thresholds(cases: Iterable[StoredCase], config: Any) -> Iterator[Case]:
    """Turn stored predictions into readings, as the Reader would with these thresholds.

    Args:
        cases: stored predictions.
        config: a model's config, or a mapping of thresholds.
    """
    thresholds = thresholds_of(config)
    for case in cases:
        truth = {label: case.truth[:, index] for index, label in enumerate(case.labels)}
        passed = passes_gate(case.gate_logit, thresholds["gate_threshold"], len(case.truth))
        peak = None if case.peak_logit is None else np.where(passed, case.peak_logit, np.nan)
        probability = slice_probability(case.gate_logit, peak, thresholds)
        two_stages = case.gate_logit is not None and case.mask_logit is not None
        ungated = predicted = None
        decision = probability >= thresholds["slice_threshold"]
        if case.mask_logit is not None:
            ungated = _make_masks(case, thresholds)
            predicted = {label: mask & passed[:, None, None] for label, mask in ungated.items()}
            decision = np.any([mask.any(axis=(1, 2)) for mask in predicted.values()], axis=0)
        yield Case(
            patient=case.patient,
            volume=case.volume,
            truth=truth,
            predicted=predicted,
            decision=decision,
            probability=probability,
            thresholds=thresholds,
            spacing=case.spacing,
            gate_probability=slice_probability(case.gate_logit, None, thresholds) if two_stages else None,
            passed=passed if two_stages else None,
            ungated=ungated if two_stages else None,
            columns=case.columns,
            evidence=_describe_evidence(case, predicted, passed),
        )


def _describe_evidence(
    case: StoredCase, predicted: dict[str, np.ndarray] | None, passed: np.ndarray
) -> np.ndarray | None:
    """What a reading would say of its outlines; of several labels of one pixel only the winner's logit is stored."""
    if predicted is None or (case.problem_type != OVERLAPPING and len(case.labels) > 1):
        return None
    evidence = np.zeros((len(passed), len(predicted), 5), np.float32)
    for index in np.flatnonzero(passed):
        probability = dict(zip(predicted, expit(case.mask_logit[index]), strict=True))
        evidence[index] = gather_evidence(probability, {label: mask[index] for label, mask in predicted.items()})
    return describe_evidence(evidence)


def _make_masks(case: StoredCase, thresholds: dict[str, float]) -> dict[str, np.ndarray]:
    found = pick_winners(case.mask_logit, case.problem_type) >= to_logit(thresholds["mask_threshold"])
    masks = {label: np.ascontiguousarray(found[:, index]) for index, label in enumerate(case.labels)}
    for mask in masks.values():
        remove_small_components(mask, int(thresholds["smallest_lesion"]))
        if thresholds["largest_component"]:
            keep_largest_component(mask)
    return masks


def _join(tables: list[ThresholdTable], name: str) -> np.ndarray:
    return np.concatenate([getattr(table, name) for table in tables])


def _choose_gate(tables: list[ThresholdTable]) -> float:
    """The largest gate threshold whose rejected slices hold less than `AREA_LOST` of the tumor."""
    logit, area = _join(tables, "gate_logit"), _join(tables, "area")
    order = np.argsort(logit)
    lost = np.cumsum(area[order]) / max(area.sum(), 1)
    kept = order[lost >= AREA_LOST] if area.any() else order[:1]
    # Rounded down to four digits, so that the first slice to keep is kept in another precision as well.
    threshold = float(_round_down(logit[kept[0]]))
    logger.info("gate_threshold %.4g spares %.1f %% of the slices", threshold, 100 * np.mean(logit < logit[kept[0]]))
    return threshold


def _round_down(logit: float) -> float:
    """Round a logit's probability down to four significant digits, at most a half."""
    probability = min(float(1 / (1 + np.exp(-np.float64(logit)))), 0.5)
    if probability < 1e-8:
        return 0.0
    scale = 10.0 ** (3 - np.floor(np.log10(probability)))
    return float(np.floor(probability * scale) / scale)


def _choose_mask(tables: list[ThresholdTable], gate_threshold: float) -> tuple[float, int]:
    """The mask threshold and smallest lesion with the highest mean Dice a patient, then the best F1 of the slices."""
    by_patient: dict[str, list[np.ndarray]] = {}
    decisions, positives = [], []
    for table in tables:
        passed = passes_gate(table.gate_logit, gate_threshold, len(table.positive))
        overlap = table.overlap[passed].sum(axis=0)
        both = table.predicted[passed].sum(axis=0) + table.truth.sum(axis=0)[:, None, None]
        dice = np.where(both > 0, 2 * overlap / np.maximum(both, 1), 1.0)  # the rule of metrics.py for a volume
        by_patient.setdefault(table.patient, []).append(dice.mean(axis=0))
        decisions.append((table.predicted.sum(axis=1) > 0) & passed[:, None, None])
        positives.append(table.positive)
    dice = np.mean([np.mean(volumes, axis=0) for volumes in by_patient.values()], axis=0)
    f1 = _score_f1(np.concatenate(decisions), np.concatenate(positives)[:, None, None])
    good = dice >= dice.max() - SAME_DICE
    row, column = np.unravel_index(np.argmax(np.where(good, f1, -1)), dice.shape)
    return float(MASK_THRESHOLDS[row]), int(SMALLEST_LESIONS[column])


def _score_f1(decisions: np.ndarray, positives: np.ndarray) -> np.ndarray:
    right = (decisions & positives).sum(axis=0)
    return 2 * right / np.maximum(decisions.sum(axis=0) + positives.sum(axis=0), 1)


def _calibrate(tables: list[ThresholdTable], chosen: dict[str, float]) -> dict[str, float]:
    """Weight of the mask's logit and temperature with the lowest negative log-likelihood."""
    positive = _join(tables, "positive")
    gate_logit, mask_logit = _passed_logits(tables, chosen)
    best = (np.inf, 0.0, 1.0)
    for weight in MASK_WEIGHTS if mask_logit is not None else [0.0]:
        # One call to the reading's own formula; its logit is then divided by every temperature at once.
        probability = slice_probability(gate_logit, mask_logit, {"mask_weight": float(weight), "temperature": 1.0})
        margin = np.where(positive, 1, -1) * to_logit(probability)
        loss = np.logaddexp(0, -margin / TEMPERATURES[:, None]).mean(axis=1)
        index = int(loss.argmin())
        best = min(best, (float(loss[index]), float(weight), float(TEMPERATURES[index])))
    result = {"temperature": round(best[2], 4)}
    return result if mask_logit is None else result | {"mask_weight": best[1]}


def _passed_logits(tables: list[ThresholdTable], chosen: dict[str, float]) -> tuple[np.ndarray, np.ndarray | None]:
    gate_logit = _join(tables, "gate_logit")
    if tables[0].mask_logit is None:
        return gate_logit, None
    passed = passes_gate(gate_logit, chosen["gate_threshold"], len(gate_logit))
    return gate_logit, np.where(passed, _join(tables, "mask_logit"), np.nan)


def _choose_slice_threshold(tables: list[ThresholdTable], chosen: dict[str, float]) -> float:
    """The probability from which calling a slice tumor gives the best F1, then the best accuracy."""
    probability = slice_probability(*_passed_logits(tables, chosen), chosen)
    positive = _join(tables, "positive")
    order = np.argsort(-probability, kind="stable")
    right = np.cumsum(positive[order])
    called = np.arange(1, len(order) + 1)
    f1 = 2 * right / (called + positive.sum())
    accuracy = 1 - (called - right + positive.sum() - right) / len(order)
    last = int(np.lexsort((accuracy, f1))[-1])
    following = probability[order[last + 1]] if last + 1 < len(order) else 0.0
    return round(float((probability[order[last]] + following) / 2), 4)
