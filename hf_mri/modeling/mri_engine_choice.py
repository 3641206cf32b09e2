"""Which engine runs a model: exported graphs where they were fastest, else PyTorch."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from transformers import PreTrainedModel

from .mri_engine import Engine, TorchEngine
from .mri_engine_openvino import find_preferred_graphs, load_openvino_engine, open_graphs

logger = logging.getLogger(__name__)

ENGINES = ("auto", "torch", "openvino")


def load_engine(
    model: PreTrainedModel,
    engine: str = "auto",
    precision: str | torch.dtype = "auto",
    folder: str | Path | None = None,
) -> Engine:
    """Choose what runs a model.

    Args:
        engine: "torch", "openvino", or "auto": what was fastest when the model was exported, else PyTorch.
        precision: "auto", "float32", "bfloat16", "float16", or "int8" with OpenVINO.
        folder: where the model came from; exported graphs lie there.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine {engine!r}: must be one of {', '.join(ENGINES)}")
    if engine == "openvino":
        return load_openvino_engine(model, folder, precision)
    record = find_preferred_graphs(model, folder, precision) if engine == "auto" else None
    if record is not None and folder is not None:
        try:
            return open_graphs(model, folder, record, precision)
        except (ImportError, OSError, RuntimeError) as error:  # of a damaged graph, or a library that does not fit
            reason = " ".join(str(error).split())[:200]
            logger.warning("%s: its OpenVINO graphs cannot be loaded (%s); PyTorch reads instead", folder, reason)
    return TorchEngine(model, precision)
