"""Thresholds are what the examples make them, never come from test rows, and read as the tables promised."""

from types import SimpleNamespace

import numpy as np
import pytest

from hf_mri.evaluation.scores.pixels import count_pixels
from hf_mri.evaluation.stored_predictions import StoredCase
from hf_mri.evaluation.threshold_table import MASK_THRESHOLDS, SMALLEST_LESIONS, tabulate_case
from hf_mri.evaluation.thresholds import apply_thresholds, choose_from_tables, choose_thresholds
from tests.evaluation.builders import THRESHOLDS

TWO_STAGE = SimpleNamespace(**THRESHOLDS)


def make_stored(seed: int = 0, **changes: object) -> StoredCase:
    """A blob in half of the slices, logits that follow it with noise, specks everywhere."""
    rng, slices, size = np.random.default_rng(seed), 8, 24
    truth = np.zeros((slices, 1, size, size), bool)
    truth[: slices // 2, 0, 6:16, 7:17] = True
    logit = np.where(truth, 2.5, -4.0) + rng.normal(0, 1, truth.shape)
    for index in range(slices):
        row, column = rng.integers(0, 4, 2)
        logit[index, 0, row : row + 2, column : column + 2] = 3.0
    positive = truth.any(axis=(1, 2, 3))
    values = {
        "patient": f"P{seed}",
        "volume": f"P{seed}",
        "labels": ("tumor",),
        "problem_type": "single_label_classification",
        "truth": truth,
        "mask_logit": logit,
        "gate_logit": np.where(positive, 4.0, -4.0) + rng.normal(0, 1, slices),
        "slices": np.arange(slices),
        "columns": {"fold": f"fold-{seed % 2 + 1}-of-2"},
    }
    return StoredCase(**(values | changes))


def test_the_tables_count_what_the_masks_hold() -> None:
    case = make_stored()
    table = tabulate_case(case)
    for row, column in ((0, 0), (5, 2), (8, 4), (12, 10)):
        thresholds = THRESHOLDS | {
            "gate_threshold": 0.0,
            "mask_threshold": float(MASK_THRESHOLDS[row]),
            "smallest_lesion": int(SMALLEST_LESIONS[column]),
        }
        (applied,) = apply_thresholds([case], thresholds)
        counts = count_pixels(case.truth[:, 0], applied.predicted["tumor"])
        np.testing.assert_array_equal(table.overlap[:, 0, row, column], counts[:, 0])
        np.testing.assert_array_equal(table.predicted[:, 0, row, column], counts[:, 0] + counts[:, 1])


def test_the_gate_loses_less_than_it_may() -> None:
    truth = np.zeros((6, 1, 40, 40), bool)
    for index, pixels in enumerate((1000, 1000, 4, 1)):
        truth[index].reshape(-1)[:pixels] = True
    gate_logit = np.array([3.0, 2.0, 0.0, -1.0, -2.0, 1.0])
    case = make_stored(truth=truth, mask_logit=np.where(truth, 5.0, -5.0), gate_logit=gate_logit, slices=np.arange(6))
    chosen = choose_thresholds([case], TWO_STAGE)
    # Slices at -2, -1, 0 and 1 hold 0, 1, 4 and 0 of the 2,005 tumor pixels: under half a percent. The one at 2 must
    # pass; but the threshold never exceeds a half.
    assert chosen["gate_threshold"] == 0.5
    case.gate_logit = gate_logit - 4
    assert choose_thresholds([case], TWO_STAGE)["gate_threshold"] == pytest.approx(1 / (1 + np.exp(2)), rel=1e-3)
    (applied,) = apply_thresholds([case], THRESHOLDS | choose_thresholds([case], TWO_STAGE))
    assert applied.passed.tolist() == [True, True, False, False, False, False]


def test_specks_are_removed_and_the_blob_stays() -> None:
    chosen = choose_thresholds([make_stored(seed) for seed in range(3)], TWO_STAGE)
    assert 5 <= chosen["smallest_lesion"] <= 100  # specks have 4 pixels or a few more, the blob 100
    (applied,) = apply_thresholds([make_stored(7)], THRESHOLDS | chosen)
    assert applied.decision.tolist() == [True] * 4 + [False] * 4


def test_a_lower_mask_threshold_is_found_where_the_model_is_shy() -> None:
    cases = [make_stored(seed) for seed in range(3)]
    for case in cases:
        case.mask_logit = case.mask_logit - 2.5  # the blob now lies around 0
    assert choose_thresholds(cases, TWO_STAGE)["mask_threshold"] < 0.4


def test_the_temperature_undoes_what_was_multiplied() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 2, 4000)
    positive = rng.random(4000) < 1 / (1 + np.exp(-logit))
    truth = np.zeros((4000, 1, 1, 1), bool)
    truth[:, 0, 0, 0] = positive
    case = make_stored(truth=truth, mask_logit=None, gate_logit=3 * logit, slices=np.arange(4000))
    chosen = choose_thresholds([case], SimpleNamespace(temperature=1.0, slice_threshold=0.5))
    assert chosen["temperature"] == pytest.approx(3, rel=0.15)
    assert set(chosen) == {"temperature", "slice_threshold"}  # a classifier has no other


def test_test_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be chosen on test rows"):
        choose_thresholds([make_stored(columns={"split": "test"})], TWO_STAGE)
    # The held-out part of a fold is out-of-fold: exactly what thresholds may be chosen on.
    choose_thresholds([make_stored(columns={"split": "test", "fold": "fold-1-of-2"})], TWO_STAGE)
    with pytest.raises(ValueError, match="no predictions"):
        choose_from_tables([])


def test_overlapping_labels_and_exclusive_ones_are_told_apart() -> None:
    truth = np.ones((1, 2, 2, 2), bool)
    logit = np.stack([np.full((2, 2), 3.0), np.full((2, 2), 2.0)])[None]
    changes = {"labels": ("a", "b"), "truth": truth, "mask_logit": logit, "gate_logit": None, "slices": np.arange(1)}
    (both,) = apply_thresholds([make_stored(problem_type="multi_label_classification", **changes)], THRESHOLDS)
    (one,) = apply_thresholds([make_stored(**changes)], THRESHOLDS)
    assert both.predicted["a"].all()
    assert both.predicted["b"].all()
    assert one.predicted["a"].all()
    assert not one.predicted["b"].any()


def test_where_only_the_largest_component_counts_the_table_and_the_reading_agree() -> None:
    case = make_stored(3)
    table = tabulate_case(case, largest_component=True)
    everything = tabulate_case(case)
    assert (table.predicted <= everything.predicted[..., :1]).all()
    assert (table.predicted < everything.predicted[..., :1]).any()
    for row in (0, 8, 16):
        thresholds = THRESHOLDS | {
            "gate_threshold": 0.0,
            "mask_threshold": float(MASK_THRESHOLDS[row]),
            "smallest_lesion": 0,
            "largest_component": True,
        }
        (applied,) = apply_thresholds([case], thresholds)
        for index, label in enumerate(case.labels):
            found = applied.predicted[label]
            assert (table.predicted[:, index, row] == np.count_nonzero(found, axis=(1, 2))[:, None]).all()
            right = np.count_nonzero(found & case.truth[:, index], axis=(1, 2))
            assert (table.overlap[:, index, row] == right[:, None]).all()
    config = SimpleNamespace(**THRESHOLDS | {"largest_component": True})
    assert choose_thresholds([case], config)["smallest_lesion"] == 0
