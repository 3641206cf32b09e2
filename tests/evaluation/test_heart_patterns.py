"""The model of the groups is judged on hearts that it has not seen."""

import numpy as np
import pytest

from hf_mri.evaluation.heart_patterns import CHOICES, Hearts, choose_model, cross_validate, fit_model
from hf_mri.tasks.heart_patterns import GROUPS, MEASURES


def make_hearts(apart: float, patients: int = 50) -> Hearts:
    """Hearts whose groups differ in five of the measures; one has no measures."""
    rng = np.random.default_rng(0)
    groups = [list(GROUPS)[number % 5] for number in range(patients)]
    rows = rng.normal(size=(patients, len(MEASURES)))
    rows[np.arange(patients), [list(GROUPS).index(group) for group in groups]] += apart
    measured = [dict(zip(MEASURES, row, strict=True)) for row in rows]
    folds = [f"fold-{number // 5 % 5 + 1}-of-5" for number in range(patients)]
    return Hearts([None, *measured[1:]], groups, folds, [f"scan{number}" for number in range(patients)])


def test_groups_that_lie_apart_are_told_and_the_silent_heart_counts_as_wrong():
    judged = cross_validate(make_hearts(apart=8))
    assert judged["accuracy"] == pytest.approx(0.98)
    assert judged["silent"] == 1
    assert judged["confusion"]["NOR"] == {"NOR": 9, "MINF": 0, "DCM": 0, "HCM": 0, "RV": 0, "none": 1}
    assert judged["ci95"][0] < 0.98 < judged["ci95"][1]


def test_groups_that_do_not_differ_are_guessed():
    assert cross_validate(make_hearts(apart=0))["accuracy"] < 0.45  # a fifth, were it many hearts


def test_measures_and_strength_are_chosen_among_the_declared():
    hearts = make_hearts(apart=2, patients=40)
    assert choose_model(hearts) in [fit_model(hearts, **choice) for choice in CHOICES]
