"""Losses on logits. All are computed in float32, so that bf16 logits are safe."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .mri_model_masks import foreground_against_rest

SMOOTHING = 1.0  # one pixel: keeps the ratios finite, and lets a clean empty batch cost nothing


def classification_loss(
    logits: Tensor,
    labels: Tensor,
    class_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy for labels (B,), binary cross-entropy for overlapping labels (B, L).

    Args:
        logits: (B, L).
        labels: Label indices (B,), or 0 and 1 for each label (B, L).
        class_weights: Weight of each label (L,).
        label_smoothing: Share of the target spread over all labels.

    Returns:
        The mean over the batch, weighted by class.
    """
    logits = logits.float()
    if labels.ndim == 1:
        return F.cross_entropy(logits, labels.long(), weight=class_weights, label_smoothing=label_smoothing)
    if labels.shape != logits.shape:
        raise ValueError(f"labels must be {tuple(logits.shape)} like the logits, got {tuple(labels.shape)}")
    targets = labels.float() * (1 - label_smoothing) + 0.5 * label_smoothing
    return F.binary_cross_entropy_with_logits(logits, targets, weight=class_weights)


def segmentation_loss(
    logits: Tensor,
    labels: Tensor,
    loss: str = "cross_entropy_dice",
    class_weights: Tensor | None = None,
    ignore_index: int = 255,
    tversky_alpha: float = 0.7,
    tversky_gamma: float = 0.75,
) -> Tensor:
    """The loss of that name; every loss takes both kinds of labels.

    One label a pixel: labels (B, H, W); the overlap terms score the foreground only, and binary cross-entropy sets
    each foreground label against the rest. Overlapping labels: labels (B, L, H, W); cross-entropy is then binary.

    Dice and Tversky are computed over the batch: a false positive costs on every slice, also on one without
    foreground, since it enlarges the denominator of all.

    Args:
        logits: (B, L, H, W).
        labels: (B, H, W) indices, or (B, L, H, W) of 0 and 1.
        loss: `cross_entropy_dice`, `bce_dice` or `focal_tversky`.
        class_weights: Weight of each label (L,).
        ignore_index: Label value of pixels that cost nothing.
        tversky_alpha: Weight of missed pixels.
        tversky_gamma: Exponent of the focal Tversky loss.

    Returns:
        A scalar.
    """
    overlapping = labels.ndim == logits.ndim
    if labels.shape != (logits.shape if overlapping else logits.shape[:1] + logits.shape[2:]):
        raise ValueError(
            f"labels of shape {tuple(labels.shape)} do not fit logits {tuple(logits.shape)}: give (B, H, W) for one "
            "label a pixel, (B, L, H, W) for overlapping labels"
        )
    logits = logits.float()
    valid = labels != ignore_index
    if overlapping:
        scores, targets, weights = logits, labels.float(), class_weights
    else:
        scores = foreground_against_rest(logits)
        foreground = torch.arange(1, logits.shape[1], device=labels.device).view(1, -1, 1, 1)
        targets = (labels.unsqueeze(1) == foreground).float()
        weights = None if class_weights is None else class_weights[1:]
    valid_scores = valid if overlapping else valid.unsqueeze(1).expand_as(scores)

    if loss == "focal_tversky":
        index = tversky_index(scores, targets, valid_scores, tversky_alpha)
        return _weighted_mean((1 - index).clamp_min(1e-6) ** tversky_gamma, weights)
    dice = _weighted_mean(1 - tversky_index(scores, targets, valid_scores, alpha=0.5), weights)
    if loss == "bce_dice" or overlapping:
        return binary_cross_entropy(scores, targets, valid_scores, weights) + dice
    if loss == "cross_entropy_dice":
        return cross_entropy(logits, labels.long(), class_weights, ignore_index) + dice
    raise ValueError(f"loss must be 'cross_entropy_dice', 'bce_dice' or 'focal_tversky', got {loss!r}")


def tversky_index(scores: Tensor, targets: Tensor, valid: Tensor, alpha: float) -> Tensor:
    """TP / (TP + alpha FN + (1 - alpha) FP) of each label (L,), soft, over the batch; alpha 0.5 is Dice."""
    probability = scores.sigmoid() * valid
    targets = targets * valid
    dims = (0, 2, 3)
    hit = (probability * targets).sum(dims)
    missed = targets.sum(dims) - hit
    false = probability.sum(dims) - hit
    return (hit + SMOOTHING) / (hit + alpha * missed + (1 - alpha) * false + SMOOTHING)


def cross_entropy(logits: Tensor, labels: Tensor, class_weights: Tensor | None, ignore_index: int) -> Tensor:
    """Mean over the pixels that count, weighted by class; 0 where all are ignored."""
    losses = F.cross_entropy(logits, labels, weight=class_weights, ignore_index=ignore_index, reduction="none")
    valid = labels != ignore_index
    weights = valid.float() if class_weights is None else class_weights[labels.where(valid, 0)] * valid
    return losses.sum() / weights.sum().clamp_min(1e-6)


def binary_cross_entropy(scores: Tensor, targets: Tensor, valid: Tensor, weights: Tensor | None) -> Tensor:
    """Mean over the pixels that count, averaged over the labels by weight; 0 where all are ignored."""
    losses = F.binary_cross_entropy_with_logits(scores, targets * valid, reduction="none") * valid
    dims = (0, 2, 3)
    return _weighted_mean(losses.sum(dims) / valid.sum(dims).clamp_min(1), weights)


def _weighted_mean(by_label: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return by_label.mean()
    return (by_label * weights).sum() / weights.sum().clamp_min(1e-6)
