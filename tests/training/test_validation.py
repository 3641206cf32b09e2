import numpy as np
import pytest

from hf_mri.training.validation import summarize


def test_scores_by_hand():
    # Two volumes. First: 3 pixels in both, of 4 predicted and 6 true: 2*3/10 = 0.6. Second: nothing in either: 1.
    cases = [
        {"label": np.array([1, 0]), "slice": np.array([2.0, -1.0]), "both": np.array([3]), "total": np.array([10])},
        {"label": np.array([0]), "slice": np.array([3.0]), "both": np.array([0]), "total": np.array([0])},
    ]
    scores = summarize(cases, "segment")
    assert scores["volume_dice"] == pytest.approx(0.8)
    assert scores["worst_volume_dice"] == pytest.approx(0.6)
    assert scores["pooled_dice"] == pytest.approx(0.6)
    assert scores["slice_auc"] == pytest.approx(0.5)  # the positive outranks one of the two negatives


def test_a_classifier_is_judged_by_its_ranking():
    cases = [{"label": np.array([1, 0, 1]), "slice": np.array([0.5, -2.0, -0.5])}]
    scores = summarize(cases, "classify")
    assert scores["score"] == scores["slice_auc"] == 1.0
    assert scores["slice_accuracy"] == pytest.approx(2 / 3)
