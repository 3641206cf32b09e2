"""The GI competition's score on an example that fits on paper."""

import numpy as np
import pytest

from hf_mri.evaluation.scores.pixels import count_pixels
from hf_mri.tasks.abdomen import measure_normalized_hausdorff, score_competition


def test_a_worked_example() -> None:
    # One volume of two slices of 2 x 2, so its diagonal is sqrt(4 + 4 + 4) = sqrt(12).
    empty = np.zeros((2, 2, 2), bool)
    stomach, found = empty.copy(), empty.copy()
    stomach[0, 0, :] = True  # two pixels in the first slice
    found[0, 0, 0] = True  # one of them found
    # stomach: Dice 2 * 1 / (2 + 1) = 2/3 and, in the slice empty in both, 0; the missed pixel is 1 away.
    # large bowel: empty in both: Dice 0 twice, distance 0.   small bowel: invented: Dice 0 twice, distance 1.
    pairs = {"large_bowel": (empty, empty), "small_bowel": (empty, found), "stomach": (stomach, found)}
    counts = {organ: [count_pixels(*pair)] for organ, pair in pairs.items()}
    distances = {organ: [measure_normalized_hausdorff(*pair)] for organ, pair in pairs.items()}
    assert distances == {"large_bowel": [0.0], "small_bowel": [1.0], "stomach": [pytest.approx(1 / np.sqrt(12))]}

    result = score_competition(counts, distances, ["case1_day0"])
    dice = (2 / 3) / 6
    hausdorff = 1 - (0 + 1 + 1 / np.sqrt(12)) / 3
    assert result["dice"] == pytest.approx(dice)
    assert result["hausdorff"] == pytest.approx(hausdorff)
    assert result["score"] == pytest.approx(0.4 * dice + 0.6 * hausdorff)
    assert result["dice_skipping_empty"] == pytest.approx((2 / 3) / 2)  # stomach's slice and the invented one
    assert result["per_case"]["case1_day0"]["score"] == pytest.approx(result["score"])
    assert result["per_organ"]["large_bowel"] == {"score": 0.6, "dice": 0.0, "hausdorff": 1.0}


def test_the_distance_is_that_of_all_voxels_in_both_directions() -> None:
    from scipy.spatial.distance import directed_hausdorff

    rng = np.random.default_rng(1)
    truth, predicted = rng.random((2, 4, 7, 5)) > 0.7
    a, b = np.argwhere(truth), np.argwhere(predicted)
    expected = max(directed_hausdorff(a, b)[0], directed_hausdorff(b, a)[0]) / np.linalg.norm(truth.shape)
    assert measure_normalized_hausdorff(truth, predicted) == pytest.approx(expected)
