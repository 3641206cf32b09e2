"""Which engine runs a model: exported graphs where they were fastest, else PyTorch."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel

from .mri_engine import Engine, TorchEngine
from .mri_engine_openvino import load_openvino_engine, prefers_openvino

ENGINES = ("auto", "torch", "torch-compile", "openvino")


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
    if engine == "openvino" or (engine == "auto" and prefers_openvino(model, folder, dtype)):
        return load_openvino_engine(model, folder, dtype)
    return TorchEngine(model, dtype, compiled=engine == "torch-compile")
