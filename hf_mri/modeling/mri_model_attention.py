"""Where a slice classifier looked: its feature maps, weighted by what they change in its answer."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

LEVELS = 3  # coarsest feature maps: the last alone tells a place by a quarter of the slice


def find_attention(gate: Any, pixel_values: Tensor) -> Tensor:
    """Return where the classifier saw its finding: (B, H, W), 0 to its probability.

    At each level every feature counts as much as more of it would raise the answer there (LayerCAM); a pixel is bright
    where the three coarsest levels agree. Grad-CAM of the last level alone shows a fleck of a quarter of the slice.

    Args:
        gate: a `SliceClassifierForImageClassification`.
        pixel_values: (B, C, H, W) from the processor.

    Raises:
        ValueError: the backbone has no maps over height and width.
    """
    pixels = pixel_values.detach().clone().requires_grad_()  # or frozen weights would leave nothing to follow
    with torch.enable_grad():
        outputs = gate(pixel_values=pixels, output_hidden_states=True)
        levels = [level for level in outputs.hidden_states or () if level.ndim == 4][-LEVELS:]
        if not levels:
            raise ValueError(f"backbone {gate.config.backbone}: has no feature maps to look at, use a CNN")
        logit = outputs.logits[:, 1] - outputs.logits[:, 0]
        gradients = torch.autograd.grad(logit.sum(), levels)
    height, width = pixels.shape[-2:]
    padded = tuple(-(-side // gate.stride) * gate.stride for side in (height, width))
    seen = torch.ones(len(pixels), height, width, device=pixels.device)
    for level, gradient in zip(levels, gradients, strict=True):
        maps = (gradient.relu() * level.detach()).sum(1, keepdim=True).relu()
        maps = F.interpolate(maps, size=padded, mode="bilinear", align_corners=False)[:, 0, :height, :width]
        seen = seen * brightest_one(maps)
    return brightest_one(seen) * logit.detach().sigmoid()[:, None, None]


def brightest_one(maps: Tensor) -> Tensor:
    """Scale each map (B, H, W) so that its brightest pixel is 1; an empty one stays empty."""
    return maps / maps.amax(dim=(1, 2), keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)
