"""From a model's logits to decisions: what a slice is called, what is outlined, and by which thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from scipy.special import expit
from torch import Tensor

from .mri_model_masks import foreground_against_rest, to_masks

THRESHOLDS = {
    "gate_threshold": 0.0,
    "slice_threshold": 0.5,
    "mask_threshold": 0.5,
    "smallest_lesion": 0,
    "largest_component": False,
    "temperature": 1.0,
    "mask_weight": 0.0,
}


def slice_probability(gate_logit: np.ndarray | None, mask_logit: np.ndarray | None, config: Any) -> np.ndarray:
    """(S,) the probability that a slice shows any foreground.

    Args:
        gate_logit: (S,) logit of tumor from the classifier; None without a classifier.
        mask_logit: (S,) logit of the highest foreground probability, NaN where the gate rejected the slice; None
            without a segmenter.
        config: a configuration, or a mapping, with temperature and mask_weight.
    """
    if gate_logit is None and mask_logit is None:
        raise ValueError("slice_probability: needs the classifier's logits, the segmenter's, or both")
    temperature, weight = (thresholds_of(config)[name] for name in ("temperature", "mask_weight"))
    if gate_logit is None:
        return expit(np.asarray(mask_logit, np.float64))
    total = np.asarray(gate_logit, np.float64)
    if mask_logit is not None:
        both = (1 - weight) * total + weight * np.asarray(mask_logit, np.float64)
        total = np.where(np.isnan(mask_logit), total, both)
    return expit(total / temperature)


def thresholds_of(config: Any) -> dict[str, float]:
    """The thresholds of a configuration (or mapping); what it lacks does nothing."""
    look_up = config.get if isinstance(config, dict) else lambda name, default: getattr(config, name, default)
    return {name: look_up(name, default) for name, default in THRESHOLDS.items()}


def highest_foreground_logit(logits: Tensor, foreground: list[int], overlapping: bool) -> np.ndarray:
    """(B,) the logit of each slice's highest foreground probability, from the segmenter's logits (B, L, H, W)."""
    logits = logits.float()
    if overlapping:
        return logits[:, foreground].amax(dim=(1, 2, 3)).cpu().numpy()
    if logits.shape[1] > 2:  # one pass finds the pixel; a label against all others takes a pass for each label
        place = logits.softmax(dim=1)[:, 1:].amax(dim=1).flatten(1).argmax(dim=1)
        logits = logits.flatten(2).take_along_dim(place[:, None, None], dim=2)[..., None]
    return foreground_against_rest(logits).amax(dim=(1, 2, 3)).cpu().numpy()


def passes_gate(gate_logit: np.ndarray | None, gate_threshold: float, count: int) -> np.ndarray:
    """(S,) which slices the segmenter gets: tumor probability at or above the threshold; all without a classifier."""
    if gate_logit is None:
        return np.ones(count, bool)
    return expit(np.asarray(gate_logit, np.float64)) >= gate_threshold


def foreground_masks(
    probability: Mapping[str, np.ndarray | Tensor], threshold: float, overlapping: bool
) -> dict[str, np.ndarray]:
    """Masks by label from the probabilities of all foreground labels, of one shape (H, W) or (S, H, W)."""
    if len(probability) == 1:
        return {k: (torch.as_tensor(values).float() >= threshold).cpu().numpy() for k, values in probability.items()}
    if next(iter(probability.values())).ndim == 3:  # slice by slice: a volume's labels in float32 would be large
        pages = [
            foreground_masks(dict(zip(probability, page, strict=True)), threshold, overlapping)
            for page in zip(*probability.values(), strict=True)
        ]
        return {label: np.stack([page[label] for page in pages]) for label in probability}
    stack = torch.stack([torch.as_tensor(values).float() for values in probability.values()])
    if overlapping:
        found = to_masks(stack[None], threshold, True)[0]
    else:
        background = (1 - stack.sum(dim=0)).clamp_(0, 1)
        decided = to_masks(torch.cat([background[None], stack])[None], threshold, False)[0]
        found = torch.stack([decided == index + 1 for index in range(len(stack))])
    return dict(zip(probability, found.cpu().numpy(), strict=True))


def remove_small_components(mask: np.ndarray, smallest: int) -> np.ndarray:
    """Clear, in place, the regions of each slice (…, H, W) that have fewer pixels than `smallest`; corners connect."""
    if smallest > 1:
        for page in mask.reshape(-1, *mask.shape[-2:]):
            if page.any():
                part = page[_box(page)]
                regions, _ = ndimage.label(part, np.ones((3, 3)))
                sizes = np.bincount(regions.ravel())
                part &= sizes[regions] >= smallest
    return mask


def keep_largest_component(mask: np.ndarray, phases: int = 1) -> np.ndarray:
    """Clear, in place, all but the largest 3-D region of each phase of a mask (T * S, H, W); corners connect."""
    for volume in mask.reshape(phases, -1, *mask.shape[-2:]):
        if volume.any():
            part = volume[:, *_box(volume.any(axis=0))]
            regions, count = ndimage.label(part, np.ones((3, 3, 3)))
            if count > 1:
                part &= regions == 1 + np.bincount(regions.ravel())[1:].argmax()
    return mask


def _box(page: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns that hold everything in a mask (H, W) that is not empty."""
    rows, columns = (np.flatnonzero(page.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def decide_stage(masks: dict[str, np.ndarray], passed: np.ndarray) -> np.ndarray:
    """(S,) which stage decided: gate, empty or mask."""
    found = np.zeros(len(passed), bool)
    for mask in masks.values():
        found |= mask.any(axis=(1, 2))
    return np.where(passed, np.where(found, "mask", "empty"), "gate")
