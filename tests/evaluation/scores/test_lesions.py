"""Lesions one by one on volumes small enough to count by eye."""

import numpy as np
import pytest

from hf_mri.evaluation.scores.lesions import count_lesions, keep_largest


def test_found_missed_and_false_lesions() -> None:
    truth, predicted = np.zeros((2, 3, 12), bool), np.zeros((2, 3, 12), bool)
    truth[0, 0, 0:4] = True  # found by two pieces
    predicted[0, 0, 0], predicted[0, 0, 2:4] = True, True
    truth[1, 2, 6:8] = True  # missed
    predicted[0, 0, 10] = True  # false
    counts = count_lesions(truth, predicted)
    assert (counts.truth, counts.found, counts.predicted, counts.false) == (2, 1, 3, 1)
    assert counts.dice_sum == pytest.approx(2 * 3 / (4 + 3))  # both pieces together against the one lesion


def test_corners_and_neighboring_slices_touch() -> None:
    truth = np.zeros((2, 2, 2), bool)
    truth[0, 0, 0] = truth[1, 1, 1] = True
    assert count_lesions(truth, truth).truth == 1


@pytest.mark.parametrize(("truth", "predicted"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_all_four_combinations_of_empty_volumes(truth: int, predicted: int) -> None:
    full = np.ones((1, 2, 2), bool)
    counts = count_lesions(full & bool(truth), full & bool(predicted))
    found = truth & predicted
    assert (counts.truth, counts.found, counts.predicted) == (truth, found, predicted)
    assert (counts.false, counts.dice_sum) == (predicted - found, found)


def test_only_the_largest_piece_is_kept() -> None:
    mask = np.zeros((1, 3, 6), bool)
    mask[0, 0, 0], mask[0, 2, 3:6] = True, True
    kept = keep_largest(mask)
    assert kept.sum() == 3
    assert kept[0, 2, 3:6].all()
    assert not keep_largest(np.zeros_like(mask)).any()
