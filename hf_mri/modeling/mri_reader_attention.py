"""Where a reader's gate looked, slice by slice, on the scan's own grid."""

from typing import Any

import numpy as np
import torch
from transformers.modeling_outputs import SemanticSegmenterOutput

from .mri_model_attention import find_attention
from .mri_model_checks import MULTI_LABEL
from .mri_reader_batches import Work


def find_attention_of_scan(gate: Any, processor: Any, work: Work, batch_size: int) -> np.ndarray:
    """Return (S, H, W): each slice's map, brought back as probabilities are.

    Args:
        gate: the classifier.
        processor: the model's.
        work: the scan, made ready for the model.
        batch_size: slices that go through the gate at once.
    """
    scan, device, pages = work.scan, next(gate.parameters()).device, []
    for start in range(0, len(scan.slices), batch_size):
        batch = [work.pixel_values[at] for at in range(start, min(start + batch_size, len(scan.slices)))]
        seen = find_attention(gate, torch.stack(batch).to(device)).float().cpu()
        pages += processor.post_process_semantic_segmentation(
            SemanticSegmenterOutput(logits=torch.logit(seen[:, None])),
            target_sizes=[scan.slices.shape[1:3]] * len(batch),
            return_probabilities=True,
            problem_type=MULTI_LABEL,
            spacings=[scan.spacing] * len(batch),
        )
    return torch.cat(pages).numpy()
