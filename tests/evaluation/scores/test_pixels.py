"""Overlap scores against tables computed by hand, and the four ways in which masks can be empty."""

import numpy as np
import pytest

from hf_mri.evaluation.scores.pixels import (
    SCORES,
    compute_dice,
    compute_iou,
    compute_precision,
    compute_recall,
    compute_specificity,
    compute_tversky,
    count_pixels,
)


def test_a_two_by_two_table() -> None:
    # truth  1 1   prediction  1 0   tp 1 (top left), fn 1 (top right), fp 1 (bottom left), tn 1
    #        0 0               1 0
    counts = count_pixels(np.array([[1, 1], [0, 0]], bool), np.array([[1, 0], [1, 0]], bool))
    assert counts.tolist() == [1, 1, 1, 1]
    assert compute_dice(counts) == 0.5  # 2 / (2 + 1 + 1)
    assert compute_iou(counts) == pytest.approx(1 / 3)
    assert compute_precision(counts) == 0.5
    assert compute_recall(counts) == 0.5
    assert compute_specificity(counts) == 0.5


def test_a_three_by_three_table() -> None:
    truth = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0]], bool)
    predicted = np.array([[1, 1, 1], [0, 0, 0], [0, 0, 0]], bool)
    counts = count_pixels(truth, predicted)
    assert counts.tolist() == [2, 1, 2, 4]
    assert compute_dice(counts) == pytest.approx(4 / 7)
    assert compute_iou(counts) == pytest.approx(2 / 5)
    assert compute_precision(counts) == pytest.approx(2 / 3)
    assert compute_recall(counts) == pytest.approx(1 / 2)
    assert compute_specificity(counts) == pytest.approx(4 / 5)
    assert compute_tversky(counts) == pytest.approx(2 / (2 + 0.7 * 2 + 0.3 * 1))


@pytest.mark.parametrize(
    ("truth", "predicted", "overlap", "specificity"),
    [
        (False, False, 1, 1),  # both empty: nothing to find, nothing invented
        (False, True, 0, 0),  # invented on all pixels
        (True, False, 0, 1),  # missed everything; no negative pixel to get wrong
        (True, True, 1, 1),
    ],
)
def test_all_four_combinations_of_empty_masks(truth: bool, predicted: bool, overlap: int, specificity: int) -> None:
    counts = count_pixels(np.full((2, 2), truth), np.full((2, 2), predicted))
    for name in ("dice", "iou", "precision", "recall", "tversky"):
        assert SCORES[name](counts) == overlap, name
    assert compute_specificity(counts) == specificity


def test_volumes_pool_their_slices_and_differ_from_the_mean_of_slices() -> None:
    truth, predicted = np.zeros((3, 2, 2), bool), np.zeros((3, 2, 2), bool)
    truth[0], predicted[0] = True, True  # Dice 1 with 4 pixels
    truth[1, 0, 0], predicted[1, 1, 1] = True, True  # Dice 0 with 1 pixel each
    counts = count_pixels(truth, predicted)  # the third slice is empty in both: Dice 1
    assert compute_dice(counts).tolist() == [1, 0, 1]
    assert compute_dice(counts.sum(axis=0)) == pytest.approx(8 / 10)  # 2 * 4 / (2 * 4 + 1 + 1)


def test_in_pieces_equals_at_once() -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.random((2, 6, 5, 4)) > 0.5
    pieces = [count_pixels(truth[index : index + 2], predicted[index : index + 2]) for index in (0, 2, 4)]
    np.testing.assert_array_equal(np.concatenate(pieces), count_pixels(truth, predicted))


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="must be alike"):
        count_pixels(np.zeros((2, 2), bool), np.zeros((2, 3), bool))
