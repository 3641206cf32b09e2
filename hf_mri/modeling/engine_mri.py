"""What runs the networks behind a reading: one small interface, and PyTorch's side of it.

An engine has `name`, `precision` and `device`, and two functions, either of which may be None:
`gate(pixel_values) -> (B, 2)` and `segment(pixel_values) -> (B, L, H, W)`, from float32 slices (C, H, W) of one size
on the CPU (a list, or one tensor of them) to floating tensors on any device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

ENGINES = ("auto", "torch", "torch-compile", "openvino")
DTYPES = {
    "float32": torch.float32,
    "fp32": torch.float32,
    "bfloat16": torch.bfloat16,
    "bf16": torch.bfloat16,
    "float16": torch.float16,
    "fp16": torch.float16,
}


class Engine(Protocol):
    """What a `Reader` asks of an engine."""

    name: str
    precision: str
    device: str
    gate: Callable[[Sequence[Tensor]], Tensor] | None
    segment: Callable[[Sequence[Tensor]], Tensor] | None


class TorchEngine:
    """The model itself, channels-last, in the precision that the device is fast at."""

    def __init__(self, model: PreTrainedModel, dtype: str | torch.dtype = "auto", compiled: bool = False):
        self.name = "torch-compile" if compiled else "torch"
        self.model = model.eval().to(memory_format=torch.channels_last)
        given = dtype == "auto" and model.dtype != torch.float32  # weights that were loaded in 16 bits stay so
        self.dtype = model.dtype if given else pick_dtype(model.device, dtype)
        self.precision = str(self.dtype).removeprefix("torch.")
        self.device = str(model.device)
        classifier, segmenter = stages_of(model)
        if compiled:  # takes a minute at the first batch: worth it for thousands of slices
            classifier, segmenter = (part and torch.compile(part, dynamic=True) for part in (classifier, segmenter))
        self.gate = None if classifier is None else lambda pixels: self._run(classifier, pixels)
        self.segment = None if segmenter is None else lambda pixels: self._run(segmenter, pixels)

    def _run(self, network: PreTrainedModel, pixel_values: Sequence[Tensor]) -> Tensor:
        device = self.model.device
        pixel_values = pixel_values if isinstance(pixel_values, Tensor) else torch.stack(pixel_values)
        pixel_values = pixel_values.to(device, self.model.dtype, memory_format=torch.channels_last, non_blocking=True)
        lower = self.dtype != self.model.dtype
        with torch.inference_mode(), torch.autocast(device.type, self.dtype, enabled=lower):
            return network(pixel_values=pixel_values).logits


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


def stages_of(model: PreTrainedModel) -> tuple[PreTrainedModel | None, PreTrainedModel | None]:
    """The classifier and the segmenter in a model, None for what it lacks."""
    if model.config.model_type == "mri_two_stage":
        return model.classifier, model.segmenter
    if model.config.model_type == "mri_slice_classifier":
        return model, None
    if model.config.model_type == "mri_resunet":
        return None, model
    raise ValueError(
        f"model: cannot read scans with a {model.config.model_type!r}; give a mri_two_stage, mri_resunet or "
        "mri_slice_classifier"
    )


def load_engine(
    model: PreTrainedModel, engine: str = "auto", dtype: str | torch.dtype = "auto", folder: str | Path | None = None
) -> Engine:
    """Choose what runs a model.

    Args:
        engine: "torch", "torch-compile", "openvino", or "auto": what was fastest when the model was exported, else
            PyTorch.
        dtype: "auto", "float32", "bfloat16", "float16", or "int8" with OpenVINO.
        folder: where the model came from; exported graphs lie there.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine {engine!r}: must be one of {', '.join(ENGINES)}")
    from .engine_openvino_mri import load_openvino_engine, prefers_openvino

    if engine == "openvino" or (engine == "auto" and prefers_openvino(model, folder, dtype)):
        return load_openvino_engine(model, folder, dtype)
    return TorchEngine(model, dtype, compiled=engine == "torch-compile")


def pick_dtype(device: torch.device, dtype: str | torch.dtype = "auto") -> torch.dtype:
    """The precision to compute in: 16 bits where the device is fast at it."""
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype in DTYPES:
        return DTYPES[dtype]
    if dtype != "auto":
        raise ValueError(f"dtype {dtype!r}: must be 'auto', 'float32', 'bfloat16' or 'float16'")
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
        return f" {name}" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
