"""What runs the networks behind a reading: one small interface, and PyTorch's side of it.

An engine has `name`, `precision` and `device`, and two functions, either of which may be None:
`gate(pixel_values) -> (B, 2)` and `segment(pixel_values) -> (B, L, H, W)`, from float32 slices (C, H, W) of one size
on the CPU (a list, or one tensor of them) to floating tensors on any device.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from .mri_engine_folding import fold_norms

DTYPES = {
    "float32": torch.float32,
    "fp32": torch.float32,
    "bfloat16": torch.bfloat16,
    "bf16": torch.bfloat16,
    "float16": torch.float16,
    "fp16": torch.float16,
}

SMALL = 64  # pixels: enough to see how a network is made


class Engine(Protocol):
    """What a `Reader` asks of an engine."""

    name: str
    precision: str
    device: str
    gate: Any  # Callable[[Sequence[Tensor]], Tensor], or None where the model has no such stage
    segment: Any


class TorchEngine:
    """The model itself, channels-last, in the precision that the device is fast at."""

    def __init__(self, model: PreTrainedModel, precision: str | torch.dtype = "auto"):
        self.name = "torch"
        self.model = model.eval().to(memory_format=torch.channels_last)
        given = precision == "auto" and model.dtype != torch.float32  # weights that were loaded in 16 bits stay so
        self.dtype = model.dtype if given else pick_dtype(model.device, precision)
        self.precision = str(self.dtype).removeprefix("torch.")
        self.device = str(model.device)
        classifier, segmenter = model.gate, model.segmenter
        self.gate = None if classifier is None else lambda pixels: self._run(classifier, pixels)
        self.segment = None if segmenter is None else lambda pixels: self._run(segmenter, pixels)

    def own_model(self) -> None:
        """Make the model faster for good: nobody else holds it, and it is not trained any more."""
        for stage in (self.model.gate, self.model.segmenter):
            if stage is not None and self.model.dtype == torch.float32:
                size = stage.fixed_size or SMALL
                looked_at = torch.rand(
                    1, stage.config.num_channels, size, size, generator=torch.Generator().manual_seed(0)
                )
                fold_norms(stage, looked_at.to(self.model.device))

    def _run(self, network: PreTrainedModel, pixel_values: Sequence[Tensor]) -> Tensor:
        device = self.model.device
        batch: Tensor = pixel_values if isinstance(pixel_values, Tensor) else torch.stack(list(pixel_values))
        batch = batch.to(device, self.model.dtype, memory_format=torch.channels_last, non_blocking=True)
        lower = self.dtype != self.model.dtype
        with torch.inference_mode(), torch.autocast(device.type, self.dtype, enabled=lower):
            return network(pixel_values=batch).logits


class MirroringEngine:
    """Averages another engine's logits over each slice and its mirror image; training sees both as often."""

    def __init__(self, engine: Engine):
        self.name, self.precision, self.device = engine.name, engine.precision, engine.device
        self.gate = engine.gate and (
            lambda pixels: (engine.gate(pixels).float() + engine.gate(_mirror(pixels)).float()) / 2
        )
        self.segment = engine.segment and (
            lambda pixels: (engine.segment(pixels).float() + engine.segment(_mirror(pixels)).float().flip(-1)) / 2
        )


def _mirror(pixel_values: Sequence[Tensor]) -> Sequence[Tensor]:
    """Turn slices left to right."""
    if isinstance(pixel_values, Tensor):
        return pixel_values.flip(-1)
    return [pixels.flip(-1) for pixels in pixel_values]


def pick_dtype(device: torch.device, precision: str | torch.dtype = "auto") -> torch.dtype:
    """The precision to compute in: 16 bits where the device is fast at it."""
    if isinstance(precision, torch.dtype):
        return precision
    if precision in DTYPES:
        return DTYPES[precision]
    if precision != "auto":
        raise ValueError(f"precision {precision!r}: must be 'auto', 'float32', 'bfloat16' or 'float16'")
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.bfloat16 if device.type == "cpu" and gains_by_bfloat16() else torch.float32


def gains_by_bfloat16() -> bool:
    """Whether PyTorch computes faster in bfloat16 on this processor: with AMX, and with AVX-512's dot products.

    Measured on an AMD EPYC with avx512_bf16, one core: a training step of a MobileNetV2 segmenter takes 0.61 s instead
    of 0.95, a slice of a reading 8 ms instead of 16.
    """
    return has_fast_bfloat16() or _has_flag("avx512_bf16")


def has_fast_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 matrices in hardware (AMX)."""
    check = getattr(torch.cpu, "_is_amx_tile_supported", None)
    if check is not None:
        return bool(check())
    return _has_flag("amx_bf16")


def _has_flag(name: str) -> bool:
    try:
        return f" {name}" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
