"""Batch norms folded into the convolutions before them: the same answers, and for each a pass over the pixels less."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

CLOSE = 1e-3  # of the largest logit


@torch.no_grad()
def fold_norms(network: nn.Module, pixel_values: Tensor) -> int:
    """Fold in place; the network then only reads. Returns how many norms went.

    Which norm follows which convolution is seen, not guessed: it is the one that gets that convolution's own output.
    Where something else takes that output too, the answers would change: then all stays as it was.

    Args:
        network: in float32, in evaluation mode.
        pixel_values: (1, C, H, W) that it takes, to look at.
    """
    before, pairs = _watch(network, pixel_values)
    names = {module: name for name, module in network.named_modules()}
    undo = []
    for norm, conv in pairs.items():
        parent, _, name = names[norm].rpartition(".")
        undo.append((network.get_submodule(parent), name, norm, conv, conv.weight, conv.bias))
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        # timm's norm holds the activation that follows it.
        rest = [part for part in (getattr(norm, "drop", None), getattr(norm, "act", None)) if part is not None]
        setattr(network.get_submodule(parent), name, nn.Sequential(*rest))
    after = network(pixel_values=pixel_values).logits
    if torch.allclose(after, before, rtol=0, atol=CLOSE * float(before.abs().max())):
        return len(pairs)
    for owner, name, norm, conv, weight, bias in undo:
        conv.weight, conv.bias = weight, bias
        setattr(owner, name, norm)
    return 0


def _watch(network: nn.Module, pixel_values: Tensor) -> tuple[Tensor, dict[nn.BatchNorm2d, nn.Conv2d]]:
    """Return the logits, and the convolution before each norm."""
    made: dict[int, tuple[Tensor, nn.Conv2d]] = {}  # by the output's id; holding the output keeps its id its own
    pairs: dict[nn.BatchNorm2d, nn.Conv2d] = {}
    uses: dict[nn.Module, int] = {}

    def after(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        uses[module] = uses.get(module, 0) + 1
        if isinstance(module, nn.Conv2d):
            made[id(output)] = output, module
        elif isinstance(module, nn.BatchNorm2d) and id(inputs[0]) in made:
            pairs[module] = made[id(inputs[0])][1]

    watched = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)]
    hooks = [module.register_forward_hook(after) for module in watched]
    try:
        logits = network(pixel_values=pixel_values).logits
    finally:
        for hook in hooks:
            hook.remove()
    return logits, {norm: conv for norm, conv in pairs.items() if uses[norm] == uses[conv] == 1}
