"""Fit and judge the small model that tells ACDC's groups, from a run's out-of-fold masks; nothing else is trained.

    python -m hf_mri.evaluation.heart_patterns RUN BUNDLE

RUN is the cross-validation that BUNDLE's figures come from. It writes `hf_mri/tasks/heart_patterns.json`, and the
figures into BUNDLE's metrics.json, from which `hf-mri card BUNDLE` writes them into the card.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hf_mri.evaluation.metrics_file import dump_metrics
from hf_mri.evaluation.scores.bootstrap import draw_weights, find_interval
from hf_mri.evaluation.stored_predictions import load_cases
from hf_mri.evaluation.thresholds import apply_thresholds
from hf_mri.modeling.mri_files import write_text
from hf_mri.modeling.mri_reading_measures import measure_cine
from hf_mri.tasks import heart_patterns
from hf_mri.tasks.heart_patterns import FARTHEST, GROUPS, MEASURES, STORED, describe_beat, estimate_groups

# The published model takes all measures, at scikit-learn's own strength: nothing is chosen. What choosing among these
# in the training folds alone, by the log-loss of five folds of theirs, would have reached is judged beside it.
VOLUMES = ("lv_ef", "rv_ef", "lv_edv", "rv_lv", "mass_edv")
CHOICES = [
    {"measures": names, "strength": c}
    for names in (VOLUMES, (*VOLUMES, "ed_max", "es_min", "es_spread"), tuple(MEASURES))
    for c in (0.1, 0.3, 1.0, 3.0, 10.0)
]
INNER_FOLDS = 5
LEAST_SHARE = 1e-3  # in the log-loss
SAME_SCAN = {"patient076": "patient074"}  # ACDC has this scan twice, drawn by two hands


class Hearts:
    """The hearts of a run: measures (N, M), group, fold and scan of each; NaN where a heart has no measures."""

    def __init__(self, measured: list[dict[str, float] | None], groups: list[str], folds: list[str], scans: list[str]):
        rows = [[np.nan] * len(MEASURES) if row is None else list(row.values()) for row in measured]
        self.measures = np.array(rows, float)
        self.groups, self.folds, self.scans = np.array(groups), np.array(folds), np.array(scans)
        self.known = np.isfinite(self.measures).all(axis=1)

    def pick(self, chosen: np.ndarray) -> "Hearts":
        """Return some of the hearts."""
        part = object.__new__(Hearts)
        part.__dict__ = {name: values[chosen] for name, values in self.__dict__.items()}
        return part


def fit_model(hearts: Hearts, measures: Sequence[str] = tuple(MEASURES), strength: float = 1.0) -> dict[str, Any]:
    """Fit the model to the hearts that have measures; returns its numbers."""
    from sklearn.linear_model import LogisticRegression

    values = hearts.measures[hearts.known][:, [list(MEASURES).index(name) for name in measures]]
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    model = LogisticRegression(C=strength, max_iter=2000)
    fitted = model.fit((values - mean) / deviation, hearts.groups[hearts.known])
    order = [list(fitted.classes_).index(name) for name in GROUPS]
    return {
        "measures": list(measures),
        "mean": mean.round(4).tolist(),
        "deviation": deviation.round(4).tolist(),
        "coefficients": {name: fitted.coef_[at].round(3).tolist() for name, at in zip(GROUPS, order, strict=True)},
        "intercepts": {name: round(fitted.intercept_[at], 3) for name, at in zip(GROUPS, order, strict=True)},
    }


def apply_model(model: dict[str, Any], hearts: Hearts) -> tuple[np.ndarray, np.ndarray]:
    """Each heart's probability of each group (N, 5), NaN without measures, and whether a reading would say so (N,)."""
    shares, told = np.full((len(hearts.groups), len(GROUPS)), np.nan), np.zeros(len(hearts.groups), bool)
    for at in np.flatnonzero(hearts.known):
        found, farthest = estimate_groups(dict(zip(MEASURES, hearts.measures[at], strict=True)), model)
        shares[at], told[at] = list(found.values()), farthest <= FARTHEST
    return shares, told


def choose_model(hearts: Hearts) -> dict[str, Any]:
    """Choose measures and strength on these hearts alone, then fit to all of them."""
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(INNER_FOLDS, shuffle=True, random_state=0)
    splits = list(folds.split(hearts.measures, hearts.groups, hearts.scans))
    losses = []
    for choice in CHOICES:
        shares = np.empty((len(hearts.groups), len(GROUPS)))
        for train, held_out in splits:
            shares[held_out], _ = apply_model(fit_model(hearts.pick(train), **choice), hearts.pick(held_out))
        losses.append(_log_loss(shares, hearts.groups))
    return fit_model(hearts, **CHOICES[int(np.argmin(losses))])


def cross_validate(hearts: Hearts, fit: Callable[[Hearts], dict[str, Any]] = fit_model) -> dict[str, Any]:
    """Judge on the run's own folds: each is told by a model that was fitted to the others."""
    shares, told = np.empty((len(hearts.groups), len(GROUPS))), np.empty(len(hearts.groups), bool)
    for fold in np.unique(hearts.folds):
        held_out = hearts.folds == fold
        shares[held_out], told[held_out] = apply_model(fit(hearts.pick(~held_out)), hearts.pick(held_out))
    return score(shares, told, hearts.groups)


def score(shares: np.ndarray, told: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    """Accuracy with its interval over patients, who was taken for whom, how sure it was; silence is wrong."""
    named = np.where(told, np.array(list(GROUPS))[np.nan_to_num(shares).argmax(axis=1)], "none")
    right = named == groups
    names = [*GROUPS, "none"]
    return {
        "patients": len(groups),
        "accuracy": float(right.mean()),
        "ci95": find_interval(draw_weights(len(groups)) @ right / len(groups), len(groups)),
        "mean_probability": float(shares[told].max(axis=1).mean()),
        "log_loss": _log_loss(shares, groups),
        "silent": int((~told).sum()),
        "confusion": {g: {n: int(((groups == g) & (named == n)).sum()) for n in names} for g in GROUPS},
    }


def measure_hearts(run: Path, thresholds: dict[str, dict[str, float]]) -> tuple[Hearts, Hearts]:
    """Measure every patient of a run as a reading would: from the true masks, and from the out-of-fold ones."""
    found = []
    for cases in _pair_phases(run, thresholds):
        first = cases["ED"]
        row = []
        for kind in ("truth", "predicted"):
            both = [getattr(cases[phase], kind) for phase in ("ED", "ES")]
            masks = {label: np.concatenate([masks[label] for masks in both]) for label in first.truth}
            row.append(describe_beat(measure_cine(masks, first.spacing, 2) or {}))
        scan = SAME_SCAN.get(first.patient, first.patient)
        found.append((*row, first.columns["group"], first.columns["fold"], scan))
    truth, predicted, groups, folds, scans = map(list, zip(*found, strict=True))
    return Hearts(truth, groups, folds, scans), Hearts(predicted, groups, folds, scans)


def _pair_phases(run: Path, thresholds: dict[str, dict[str, float]]) -> Iterator[dict[str, Any]]:
    """A patient's ED and ES, which lie side by side in the run."""
    waiting: dict[str, dict[str, Any]] = {}
    for stored in load_cases(run):
        case = next(apply_thresholds([stored], thresholds[stored.columns["fold"]]))
        both = waiting.setdefault(case.patient, {})
        both[case.columns["phase"]] = case
        if len(both) == 2:
            yield waiting.pop(case.patient)


def _log_loss(shares: np.ndarray, groups: np.ndarray) -> float:
    """Of the hearts that have measures."""
    own = shares[np.arange(len(groups)), [list(GROUPS).index(name) for name in groups]]
    return float(-np.log(np.clip(own[np.isfinite(own)], LEAST_SHARE, 1)).mean())


def main(run: Path, bundle: Path) -> None:
    """Write the model and its figures."""
    metrics = json.loads((bundle / "metrics.json").read_text(encoding="utf-8"))
    truth, predicted = measure_hearts(run, metrics["model"]["thresholds_by_fold"])
    figures = {
        "predicted": cross_validate(predicted),
        "truth": cross_validate(truth),
        "chosen_within": cross_validate(predicted, choose_model),
    }
    write_text(Path(heart_patterns.__file__).parent / STORED, dump_metrics(fit_model(predicted)))
    metrics["cardiac"]["patterns"] = figures
    write_text(bundle / "metrics.json", json.dumps(metrics, indent=2) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
