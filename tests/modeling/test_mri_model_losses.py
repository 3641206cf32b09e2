"""Losses on logits: hand-computed, safe in bf16, and costly for false positives on empty slices."""

import math

import pytest
import torch

from hf_mri.modeling.mri_model_losses import classification_loss, segmentation_loss, tversky_index
from hf_mri.modeling.mri_model_masks import foreground_against_rest

LOSSES = ["cross_entropy_dice", "bce_dice", "focal_tversky"]


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def two_pixels(p_first: float, p_second: float) -> torch.Tensor:
    """Logits (1, 2, 1, 2) of one slice of two pixels with these probabilities of the foreground."""
    return torch.tensor([[[[0.0, 0.0]], [[logit(p_first), logit(p_second)]]]])


LABELS = torch.tensor([[[1, 0]]])  # the first pixel is foreground


def test_cross_entropy_dice_by_hand():
    # Cross-entropy: -(ln 0.8 + ln 0.6) / 2. Dice with one pixel of smoothing, 2 * 0.8 + 2 over (0.8 + 0.4) + 1 + 2.
    expected = -(math.log(0.8) + math.log(0.6)) / 2 + 1 - (2 * 0.8 + 2) / (1.2 + 1 + 2)
    loss = segmentation_loss(two_pixels(0.8, 0.4), LABELS, "cross_entropy_dice")
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_bce_dice_by_hand_for_overlapping_labels():
    logits = torch.tensor([[[[logit(0.8), logit(0.4)]], [[logit(0.5), logit(0.1)]]]])
    labels = torch.tensor([[[[1.0, 0.0]], [[1.0, 0.0]]]])
    entropy = -(math.log(0.8) + math.log(0.6) + math.log(0.5) + math.log(0.9)) / 4
    dice = 1 - ((2 * 0.8 + 2) / (1.2 + 1 + 2) + (2 * 0.5 + 2) / (0.6 + 1 + 2)) / 2
    assert segmentation_loss(logits, labels, "bce_dice").item() == pytest.approx(entropy + dice, rel=1e-5)


def test_focal_tversky_by_hand():
    # TP 0.8, FN 0.2, FP 0.4: index (0.8 + 1) / (0.8 + 0.7 * 0.2 + 0.3 * 0.4 + 1).
    index = 1.8 / (0.8 + 0.14 + 0.12 + 1)
    loss = segmentation_loss(two_pixels(0.8, 0.4), LABELS, "focal_tversky", tversky_alpha=0.7, tversky_gamma=0.75)
    assert loss.item() == pytest.approx((1 - index) ** 0.75, rel=1e-5)


def test_class_weights_by_hand():
    loss = segmentation_loss(
        two_pixels(0.8, 0.4), LABELS, "cross_entropy_dice", class_weights=torch.tensor([1.0, 3.0])
    )
    entropy = -(3 * math.log(0.8) + math.log(0.6)) / 4
    assert loss.item() == pytest.approx(entropy + 1 - 3.6 / 4.2, rel=1e-5)


def test_one_label_a_pixel_against_the_rest_is_softmax():
    logits = torch.randn(2, 4, 3, 3)
    assert torch.allclose(foreground_against_rest(logits).sigmoid(), logits.softmax(dim=1)[:, 1:], atol=1e-6)


def test_dice_is_tversky_at_one_half():
    scores, targets = torch.randn(2, 3, 4, 4), torch.rand(2, 3, 4, 4).round()
    p, dims = scores.sigmoid(), (0, 2, 3)
    dice = (2 * (p * targets).sum(dims) + 2) / (p.sum(dims) + targets.sum(dims) + 2)
    assert torch.allclose(tversky_index(scores, targets, torch.ones_like(targets).bool(), 0.5), dice)


@pytest.mark.parametrize("loss", LOSSES)
def test_ignored_pixels_cost_nothing(loss: str):
    logits = torch.randn(1, 3, 4, 4)
    labels = torch.randint(0, 3, (1, 4, 4))
    labels[0, 0] = 255
    changed = logits.clone()
    changed[:, :, 0] = 50 * torch.randn(1, 3, 4)
    assert segmentation_loss(logits, labels, loss) == segmentation_loss(changed, labels, loss)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_batch_that_is_ignored_altogether_gives_a_finite_loss(loss: str):
    logits = torch.randn(1, 2, 4, 4, requires_grad=True)
    segmentation_loss(logits, torch.full((1, 4, 4), 255), loss).backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("overlapping", [False, True])
def test_false_positives_on_an_empty_slice_cost(loss: str, overlapping: bool):
    labels = torch.zeros(2, 2, 8, 8) if overlapping else torch.zeros(2, 8, 8, dtype=torch.long)
    clean = torch.full((2, 2, 8, 8), -10.0)
    if not overlapping:
        clean[:, 0] = 10
    false_positive = clean.clone()
    false_positive[0, 1, 2:4, 2:4] = 20
    assert segmentation_loss(clean, labels, loss) < 1e-2
    assert segmentation_loss(false_positive, labels, loss) > segmentation_loss(clean, labels, loss) + 0.1


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("overlapping", [False, True])
def test_losses_are_safe_in_half_precision(loss: str, dtype: torch.dtype, overlapping: bool):
    logits = (100 * torch.randn(2, 3, 128, 128)).to(dtype).requires_grad_()
    labels = torch.randint(0, 2, (2, 3, 128, 128)).float() if overlapping else torch.randint(0, 3, (2, 128, 128))
    value = segmentation_loss(logits, labels, loss)
    value.backward()
    assert value.dtype == torch.float32
    assert value.isfinite()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("overlapping", [False, True])
def test_a_perfect_answer_costs_almost_nothing(loss: str, overlapping: bool):
    labels = torch.randint(0, 3, (2, 16, 16))
    truth = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2).float()
    assert segmentation_loss(40 * truth - 20, truth if overlapping else labels, loss) < 1e-3


def test_labels_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"labels of shape \(1, 8, 8\) do not fit logits"):
        segmentation_loss(torch.zeros(1, 2, 4, 4), torch.zeros(1, 8, 8).long())
    with pytest.raises(ValueError, match="labels must be"):
        classification_loss(torch.zeros(2, 3), torch.zeros(2, 2))


def test_classification_by_hand():
    logits = torch.tensor([[0.0, logit(0.8)], [0.0, logit(0.4)]])
    labels = torch.tensor([1, 0])
    assert classification_loss(logits, labels).item() == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    weighted = classification_loss(logits, labels, class_weights=torch.tensor([1.0, 3.0]))
    assert weighted.item() == pytest.approx(-(3 * math.log(0.8) + math.log(0.6)) / 4)
    # Smoothing by 0.2 moves 0.1 of the target to the other label.
    smooth = classification_loss(logits[:1], labels[:1], label_smoothing=0.2)
    assert smooth.item() == pytest.approx(-(0.9 * math.log(0.8) + 0.1 * math.log(0.2)))
    overlapping = classification_loss(logits[:1, 1:], torch.ones(1, 1), label_smoothing=0.2)
    assert overlapping.item() == pytest.approx(-(0.9 * math.log(0.8) + 0.1 * math.log(0.2)))
