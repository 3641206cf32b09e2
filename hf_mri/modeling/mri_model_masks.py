"""From logits to probabilities and masks: the one rule that loss, gate, processor and reading share."""

import torch
from torch import Tensor


def to_probabilities(logits: Tensor, overlapping: bool) -> Tensor:
    """Softmax over the labels of (B, L, H, W), or a sigmoid each where labels overlap; in float32."""
    return logits.float().sigmoid() if overlapping else logits.float().softmax(dim=1)


def foreground_against_rest(logits: Tensor) -> Tensor:
    """Logits (B, L - 1, H, W) whose sigmoid is the softmax probability of each label but the first."""
    if logits.shape[1] == 2:
        return logits[:, 1:] - logits[:, :1]
    against = [
        logits[:, label] - torch.cat([logits[:, :label], logits[:, label + 1 :]], dim=1).logsumexp(dim=1)
        for label in range(1, logits.shape[1])
    ]
    return torch.stack(against, dim=1)


def to_masks(probabilities: Tensor, threshold: float, overlapping: bool) -> Tensor:
    """Decide each pixel.

    Overlapping labels: a label is present from the threshold. One label a pixel: the most probable foreground label,
    if it reaches the threshold against the background alone; at 0.5 this is the most probable label of all.

    Args:
        probabilities: (B, L, H, W).
        threshold: Between 0 and 1.
        overlapping: Whether labels may overlap.

    Returns:
        bool (B, L, H, W) for overlapping labels, else int64 (B, H, W) with 0 for the background.
    """
    if overlapping:
        return probabilities >= threshold
    best, label = probabilities[:, 1:].max(dim=1)
    present = best * (1 - threshold) >= probabilities[:, 0] * threshold
    return torch.where(present, label + 1, 0)
