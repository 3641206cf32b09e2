"""Distances on shapes whose answers are known, at spacing that differs by axis, and against MONAI's own functions."""

import numpy as np
import pytest
import torch

from hf_mri.evaluation.scores.surfaces import measure_surfaces

SPACING = (0.5, 2.0, 10.0)  # rows, columns, slices


def make_block(start: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros((9, 20, 20), bool)
    s, r, c = start
    mask[s : s + 3, r : r + 4, c : c + 5] = True
    return mask


@pytest.mark.parametrize(
    ("moved", "distance"),
    [((2, 5, 4), 0.0), ((2, 8, 4), 1.5), ((2, 5, 7), 6.0), ((3, 5, 4), 10.0)],  # 3 rows, 3 columns, 1 slice
)
def test_a_shifted_block_is_as_far_as_it_was_shifted(moved: tuple[int, int, int], distance: float) -> None:
    scores = measure_surfaces(make_block((2, 5, 4)), make_block(moved), SPACING, tolerance=2.0)
    assert scores.hd == pytest.approx(distance)
    assert scores.hd95 == pytest.approx(distance)


def test_surface_dice_counts_what_lies_within_the_tolerance() -> None:
    truth, predicted = np.zeros((1, 1, 20), bool), np.zeros((1, 1, 20), bool)
    truth[0, 0, 5:9], predicted[0, 0, 6:10] = True, True  # one row: every pixel is surface
    # Distances in columns of 2 mm: predicted 6, 7, 8 lie on truth, 9 is one column off; truth 5 likewise.
    scores = measure_surfaces(truth, predicted, (1.0, 2.0, 1.0), tolerance=1.0)
    assert scores.surface_dice == pytest.approx(6 / 8)
    assert scores.average == pytest.approx((2 + 2) / 8)
    assert measure_surfaces(truth, predicted, (1.0, 2.0, 1.0), tolerance=2.0).surface_dice == 1


@pytest.mark.parametrize(("truth", "predicted", "surface_dice"), [(0, 0, 1), (0, 1, 0), (1, 0, 0)])
def test_empty_masks_have_no_distance(truth: int, predicted: int, surface_dice: int) -> None:
    block = make_block((2, 5, 4))
    scores = measure_surfaces(block & bool(truth), block & bool(predicted), SPACING, tolerance=2.0)
    assert np.isnan([scores.hd, scores.hd95, scores.average]).all()
    assert scores.surface_dice == surface_dice


def test_the_same_as_monai_on_random_blobs() -> None:
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    truth, predicted = (gaussian_filter(rng.normal(size=(8, 24, 24)), 2) > 0.02 for _ in range(2))
    scores = measure_surfaces(truth, predicted, SPACING, tolerance=2.0)
    batch = [torch.from_numpy(mask)[None, None] for mask in (predicted, truth)]
    order = (SPACING[2], SPACING[0], SPACING[1])
    hd95 = compute_hausdorff_distance(*batch, include_background=True, percentile=95, spacing=order)
    average = compute_average_surface_distance(*batch, include_background=True, symmetric=True, spacing=order)
    assert scores.hd95 == pytest.approx(hd95.item(), rel=1e-5)
    assert scores.average == pytest.approx(average.item(), rel=1e-5)
