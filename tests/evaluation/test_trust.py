"""Confidence and known scans, fitted and judged on patients that a fit has not seen."""

from dataclasses import replace

import numpy as np
import pytest

from hf_mri.evaluation.cases import reduce_case
from hf_mri.evaluation.scores.confidence import summarize_confidence, summarize_doubts
from hf_mri.evaluation.trust import DOUBTED, FEWEST, estimate_out_of_fold, fit_confidence, fit_known_scans
from tests.evaluation.builders import make_case


def overlapping_masks(dice: float) -> tuple[np.ndarray, np.ndarray]:
    """Two rows of 100 pixels that overlap in so many hundredths."""
    truth, predicted = np.zeros((2, 1, 1, 300), bool)
    truth[..., :100] = True
    predicted[..., 100 - round(100 * dice) : 200 - round(100 * dice)] = True
    return truth, predicted


def make_rows(count: int, noise: float, seed: int = 0):
    """Volumes whose Dice follows the first of five features, but for some noise."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        dice = rng.uniform(0.3, 0.95)
        evidence = np.r_[dice + noise * rng.normal(), rng.normal(size=4)]
        case = make_case(*overlapping_masks(dice), patient=f"patient{number}")
        rows.append(replace(reduce_case(case), evidence=evidence, columns={"fold": f"fold-{number % 5}"}))
    return rows


def test_the_fit_finds_what_the_dice_follows():
    rows = make_rows(60, 0.01)
    confidence = fit_confidence([(row.evidence, row.mean_dice) for row in rows])
    assert confidence.estimate(np.array([0.8, 0, 0, 0, 0])) == pytest.approx(0.8, abs=0.05)
    assert confidence.estimate(np.array([9.0, 0, 0, 0, 0])) == 1  # never more than a Dice can be


def test_out_of_fold_estimates_rank_the_volumes():
    found = summarize_confidence(estimate_out_of_fold(make_rows(60, 0.03)))
    assert found["volumes"] == 60
    assert found["rank_correlation"] > 0.9
    assert found["mean_absolute_error"] < 0.1
    assert found["worst_among_least_confident"] >= 5
    kept = [entry["dice"] for entry in found["retention"]]
    assert kept == sorted(kept)  # the more of the doubtful are set aside, the better the rest


def test_features_that_say_nothing_rank_nothing():
    rows = [replace(row, evidence=np.random.default_rng(7).normal(size=5)) for row in make_rows(60, 0.0)]
    assert abs(summarize_confidence(estimate_out_of_fold(rows))["rank_correlation"] or 0) < 0.3


def test_few_patients_or_one_fold_have_no_estimate():
    assert all(row.confidence is None for row in estimate_out_of_fold(make_rows(FEWEST - 1, 0.0)))
    alone = [replace(row, columns={"fold": "fold-1"}) for row in make_rows(40, 0.0)]
    assert all(row.confidence is None for row in estimate_out_of_fold(alone))


def test_doubts_are_counted_where_scans_were_read():
    rows = make_rows(4, 0.0)
    assert summarize_doubts(rows) == {}
    read = [replace(row, doubts=["strange"] if number == 1 else []) for number, row in enumerate(rows)]
    assert summarize_doubts(read) == {"volumes": 4, "doubted": 1, "share": 0.25, "which": [rows[1].volume]}


def test_known_scans_doubt_few_of_their_own_and_all_that_are_far():
    rng = np.random.default_rng(0)
    described = [rng.normal(rng.normal(scale=0.5, size=6), 1.0, (12, 6)) for _ in range(100)]
    known, report = fit_known_scans(described, [f"patient{number}" for number in range(100)])
    assert report["volumes"] == 100
    assert report["doubted"] <= DOUBTED * 100
    assert known.measure(described[0]) < 1
    assert known.measure(described[0] + 10) > 1


def test_known_scans_need_patients():
    with pytest.raises(ValueError, match="20 or more"):
        fit_known_scans([np.zeros((2, 3))] * 5, ["one"] * 5)
