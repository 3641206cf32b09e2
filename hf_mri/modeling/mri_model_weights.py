"""Whether a model in memory is still the one that lies in its folder."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from transformers import PreTrainedModel

from .mri_model_folder import WEIGHTS


def has_weights_of(model: PreTrainedModel, folder: str | Path) -> bool:
    """Whether the model's weights are those in a folder; training changes them, and the model's name stays.

    Graphs and figures beside other weights say nothing of this model.
    """
    path = Path(folder) / WEIGHTS
    if not path.is_file():
        return False
    tolerance = 0.0 if model.dtype == torch.float32 else 0.01  # loaded in 16 bits
    try:
        with safe_open(str(path), "pt") as stored:
            for name, weight in model.named_parameters():
                kept = stored.get_tensor(name).float()
                own = weight.detach().float().cpu()
                if own.shape != kept.shape or not torch.allclose(own, kept, rtol=tolerance, atol=tolerance / 10):
                    return False
    except SafetensorError:
        return False
    return True
