"""Scores of decisions and probabilities against hand computation and scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from hf_mri.evaluation.scores.bootstrap import draw_weights
from hf_mri.evaluation.scores.classification import score_classification
from hf_mri.evaluation.scores.ranking import Ranking


def make_slices(patients: int = 12, slices: int = 20, seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    truth = rng.random(patients * slices) < 0.35
    # Two decimals give many ties, which a wrong curve counts wrongly.
    probability = np.clip(0.5 * truth + rng.normal(0.25, 0.25, len(truth)), 0, 1).round(2)
    return truth, probability, np.repeat(np.arange(patients), slices)


def test_a_table_by_hand() -> None:
    truth = np.array([1, 1, 1, 0, 0, 0, 0, 0], bool)
    probability = np.array([0.9, 0.8, 0.3, 0.6, 0.2, 0.2, 0.1, 0.0])
    result = score_classification(truth, probability >= 0.5, probability, np.arange(8) // 2, draw_weights(4))
    assert result["confusion"] == {"tn": 4, "fp": 1, "fn": 1, "tp": 2}
    assert result["accuracy"] == 6 / 8
    assert result["precision"] == result["recall"] == result["f1"] == pytest.approx(2 / 3)
    assert result["specificity"] == 4 / 5
    assert result["balanced_accuracy"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    # Of the 15 pairs (positive, negative), only 0.3 against 0.6 is in the wrong order.
    assert result["roc_auc"] == pytest.approx(14 / 15)
    # Precision at the three positives, by falling score: 1/1, 2/2, 3/4.
    assert result["average_precision"] == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert result["brier"] == pytest.approx((0.01 + 0.04 + 0.49 + 0.36 + 0.04 + 0.04 + 0.01 + 0) / 8)
    # Bins of 1/15: 0.9 | 0.8 | 0.6 | 0.3 | 0.2 0.2 | 0.1 | 0.0, each entry's distance summed within its bin.
    assert result["expected_calibration_error"] == pytest.approx((0.1 + 0.2 + 0.6 + 0.7 + 0.4 + 0.1 + 0) / 8)
    assert result["by_class"]["no tumor"] == {"precision": 4 / 5, "recall": 4 / 5, "f1": 4 / 5, "support": 5}


def test_the_same_as_scikit_learn() -> None:
    truth, probability, index = make_slices()
    result = score_classification(truth, probability >= 0.5, probability, index, draw_weights(12))
    assert result["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, probability))
    assert result["average_precision"] == pytest.approx(metrics.average_precision_score(truth, probability))
    assert result["f1"] == pytest.approx(metrics.f1_score(truth, probability >= 0.5))


def test_each_resample_is_the_area_of_the_resampled_patients() -> None:
    truth, probability, index = make_slices()
    weights = draw_weights(12, resamples=5)
    auc, average_precision = Ranking.sort(truth, probability).resample_areas(weights, index)
    for row in range(5):
        drawn = np.concatenate(
            [np.flatnonzero(index == patient) for patient in np.repeat(np.arange(12), weights[row])]
        )
        assert auc[row] == pytest.approx(metrics.roc_auc_score(truth[drawn], probability[drawn]))
        expected = metrics.average_precision_score(truth[drawn], probability[drawn])
        assert average_precision[row] == pytest.approx(expected)


def test_intervals_hold_the_figure_and_are_the_same_twice() -> None:
    truth, probability, index = make_slices()
    first, second = (
        score_classification(truth, probability >= 0.5, probability, index, draw_weights(12)) for _ in range(2)
    )
    assert first == second
    for name, (low, high) in first["ci95"].items():
        assert low <= first[name] <= high, name


def test_one_class_alone_has_no_area() -> None:
    truth = np.zeros(6, bool)
    result = score_classification(truth, truth, np.linspace(0, 0.4, 6), np.arange(6) // 2, draw_weights(3))
    assert "roc_auc" not in result
    assert "recall" not in result
    assert result["accuracy"] == 1
