"""Fits what a model knows of itself, from patients that the weights have not seen; see `mri_trust.py`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hf_mri.evaluation.cases import CaseRow
from hf_mri.modeling.mri_trust_masks import Confidence
from hf_mri.modeling.mri_trust_scans import FEW, KnownScans, measure_distances, standardize

FEWEST = 20  # patients; of fewer nobody can tell what is usual
DOUBTED = 0.02  # share of known scans that may be doubted
RIDGE = 1.0  # in standardized features: with five features and 88 patients hardly more than a safeguard
FOLDS = 20  # so that each fit sees nearly everybody, as the last one does


def fit_confidence(rows: Sequence[tuple[np.ndarray, float]]) -> Confidence:
    """Fit the estimate of a volume's Dice by least squares.

    Args:
        rows: features of `describe_evidence`, and the Dice that came out.
    """
    features = np.array([row[0] for row in rows], float)
    dice = np.array([row[1] for row in rows], float)
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    standard = (features - mean) / scale
    weights = np.linalg.solve(
        standard.T @ standard + RIDGE * np.eye(features.shape[1]), standard.T @ (dice - dice.mean())
    )
    return Confidence(weights / scale, float(dice.mean() - mean @ (weights / scale)))


def estimate_out_of_fold(rows: list[CaseRow]) -> list[CaseRow]:
    """Give every volume the confidence that a fit on the other folds has in it; none where folds are missing."""
    usable = [row for row in rows if row.evidence is not None and "fold" in row.columns]
    if len({row.patient for row in usable}) < FEWEST or len({row.columns["fold"] for row in usable}) < 2:
        return rows
    fits = {
        fold: fit_confidence([(row.evidence, row.mean_dice) for row in usable if row.columns["fold"] != fold])
        for fold in {row.columns["fold"] for row in usable}
    }
    return [
        row if row.evidence is None else replace(row, confidence=fits[row.columns["fold"]].estimate(row.evidence))
        for row in rows
    ]


def fit_known_scans(described: Sequence[np.ndarray], patients: Sequence[str]) -> tuple[KnownScans, dict[str, Any]]:
    """Fit the distance and its limits; distances are judged out of fold.

    Args:
        described: features of `describe_slices` by volume.
        patients: whose volume each is; a patient's volumes stay together.

    Returns:
        The fit on all scans, and how many of them it doubts out of fold.
    """
    names = sorted(set(patients))
    if len(names) < FEWEST:
        raise ValueError(f"{len(names)} patients: known scans are fitted on {FEWEST} or more")
    place = {name: index for index, name in enumerate(np.random.default_rng(0).permutation(names))}
    fold = np.array([place[patient] % FOLDS for patient in patients])
    volumes, slices = np.zeros(len(described)), []
    for part in range(FOLDS):
        moments = _fit_moments([features for features, own in zip(described, fold, strict=True) if own != part])
        for index in np.flatnonzero(fold == part):
            distances = measure_distances(described[index], *moments)
            volumes[index] = distances.mean()
            slices.append(distances)
    limit = _limit(volumes)
    known = KnownScans(*_fit_moments(described), limit, _limit(np.concatenate(slices)))
    large = np.array([len(features) >= FEW for features in described])
    report = {
        "volumes": len(described),
        "doubted": int((volumes[large] > limit).sum()),
        "largest": round(float(volumes.max() / limit), 3),
        "median": round(float(np.median(volumes) / limit), 3),
    }
    return known, report


def _limit(distances: np.ndarray) -> float:
    """The smallest limit that doubts no more than the share that is allowed."""
    ascending = np.sort(distances)
    return float(ascending[-1 - int(DOUBTED * len(ascending))])


def _fit_moments(described: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from sklearn.covariance import LedoitWolf

    rows = np.concatenate(list(described))
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-3
    return mean, scale, np.linalg.inv(LedoitWolf().fit(standardize(rows, mean, scale)).covariance_)
