"""What of a trained model fits into a new one: equal shapes, a stem for other channels, the labels that both know."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

HEADS = ("head.", "auxiliary_heads.")
SHOWN = 3  # names of tensors in a sentence


@dataclass
class Taken:
    """Names of the new model's tensors, by what became of them."""

    whole: list[str] = field(default_factory=list)
    stem: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    channels: tuple[int, int] = (0, 0)
    shared_labels: list[str] = field(default_factory=list)
    new_labels: list[str] = field(default_factory=list)
    matrices: int = 0  # tensors taken as they are that are more than a norm's numbers

    def words(self) -> str:
        """Say what was taken over, and what was not."""
        total = sum(map(len, (self.whole, self.stem, self.labels, self.new)))
        parts = [f"{len(self.whole)} of {total} tensors as they are"]
        if self.stem:
            parts.append(f"the stem adapted from {self.channels[0]} to {self.channels[1]} channels")
        if self.labels:
            kept = f" (kept: {', '.join(self.shared_labels)})" if self.shared_labels else ""
            parts.append(f"new labels {', '.join(self.new_labels)}{kept}")
        if self.new:
            more = f" and {len(self.new) - SHOWN} more" if len(self.new) > SHOWN else ""
            parts.append(f"not taken over, so at random: {', '.join(self.new[:SHOWN])}{more}")
        return "; ".join(parts)

    def record(self) -> dict[str, Any]:
        """What training.json keeps."""
        return {"tensors_taken": len(self.whole), "adapted": [*self.stem, *self.labels], "new": self.new}


def stage_weights(folder: Path, config: dict[str, Any], stage: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a model's weights and config; of a two-stage model those of the stage that is asked for."""
    weights = load_file(folder / "model.safetensors")
    if not isinstance(config.get(stage), dict):
        return weights, config
    prefix = f"{stage}."
    own = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    return own, config[stage]


@torch.no_grad()
def take_over(model: nn.Module, weights: dict[str, Tensor], config: dict[str, Any], positions: int = 1) -> Taken:
    """Copy into a fresh model what fits of other weights, by name.

    Args:
        model: The new model; what does not fit keeps its random numbers.
        weights: Of the trained model, named as in the new one.
        config: The trained model's config: its channels and labels.
        positions: Slices that both see at once, each with all its channels.
    """
    before = config.get("num_channels", 3)
    names_before = {name: int(index) for index, name in (config.get("id2label") or {}).items()}
    taken = Taken(channels=(before, model.config.num_channels))
    same_labels = names_before == model.config.label2id
    same_kind = ("decoder_channels" in config) == hasattr(model.config, "decoder_channels")
    for name, own in model.state_dict().items():
        stored = weights.get(name)
        if stored is None or (name.startswith(HEADS) and not same_kind):
            taken.new.append(name)
        elif name.startswith(HEADS) and not same_labels:
            _take_labels(taken, name, own, stored, names_before, model.config.label2id)
        elif stored.shape == own.shape:
            own.copy_(stored)
            taken.whole.append(name)
            taken.matrices += own.ndim > 1
        elif _is_stem(own, stored, taken.channels):
            own.copy_(adapt_channels(stored.float(), own.shape[1], positions))
            taken.stem.append(name)
        else:
            taken.new.append(name)
    return taken


def adapt_channels(weight: Tensor, channels: int, positions: int = 1) -> Tensor:
    """Spread a stem's weights (O, C, h, w) over other channels, slice by slice: gray images are answered alike."""
    slices = weight.unflatten(1, (positions, -1))
    own = channels // positions
    return (slices.mean(dim=2, keepdim=True).repeat(1, 1, own, 1, 1) * (slices.shape[2] / own)).flatten(1, 2)


def _is_stem(own: Tensor, stored: Tensor, channels: tuple[int, int]) -> bool:
    others = (
        own.ndim == 4 and stored.ndim == 4 and own.shape[0] == stored.shape[0] and own.shape[2:] == stored.shape[2:]
    )
    return others and (stored.shape[1], own.shape[1]) == channels


def _take_labels(
    taken: Taken, name: str, own: Tensor, stored: Tensor, before: dict[str, int], now: dict[str, int]
) -> None:
    """Copy the rows of labels that both models know by the same name."""
    shared = [label for label in now if label in before]
    taken.shared_labels, taken.new_labels = shared, [label for label in now if label not in before]
    if own.shape[1:] != stored.shape[1:] or not shared:
        taken.new.append(name)
        return
    own[[int(now[label]) for label in shared]] = stored[[before[label] for label in shared]].to(own.dtype)
    taken.labels.append(name)
