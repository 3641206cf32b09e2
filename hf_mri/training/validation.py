"""Validation while training: counts by patient, gathered from all processes, and the scores that choose weights."""

from collections.abc import Iterator

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from sklearn.metrics import roc_auc_score

from hf_mri.modeling.mri_model_masks import foreground_against_rest
from hf_mri.training.rows import Rows

LOOK_AHEAD = 4  # volumes that are fetched early, where they are not here


@torch.inference_mode()
def predict_volumes(
    model, rows: Rows, volumes: list[np.ndarray], processor, accelerator, batch_size: int = 32
) -> Iterator:
    """Yield (rows of the volume, logits on the CPU) for the volumes that fall to this process."""
    model.eval()
    own = volumes[accelerator.process_index :: accelerator.num_processes]
    for at, index in enumerate(own):
        rows.expect(np.concatenate(own[at : at + LOOK_AHEAD]))
        logits = []
        for start in range(0, len(index), batch_size):
            images, _ = rows.batch(index[start : start + batch_size], accelerator.device)
            with accelerator.autocast():
                pixel_values = processor.normalize(images).contiguous(memory_format=torch.channels_last)
                logits.append(model(pixel_values=pixel_values).logits.float())
        yield index, torch.cat(logits)


def validate(model, rows: Rows, volumes: list[np.ndarray], processor, accelerator: Accelerator, task: str) -> dict:
    """Return the scores of a model on validation volumes: `score` chooses the weights, the rest is for the eye."""
    found = []
    for index, logits in predict_volumes(model, rows, volumes, processor, accelerator):
        case = {"patient": str(rows.patients[index[0]]), "label": rows.labels[index]}
        if task == "classify":
            case["slice"] = (logits[:, 1] - logits[:, 0]).cpu().numpy()
        else:
            case |= _count(logits, rows.one_hot(index, accelerator.device), rows.overlapping)
        found.append(case)
    return summarize(gather_object(found), task)


def _count(logits: torch.Tensor, truth: torch.Tensor, overlapping: bool) -> dict:
    foreground = logits if overlapping else foreground_against_rest(logits)
    if overlapping:
        predicted = logits > 0
    else:
        predicted = torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1]).permute(0, 3, 1, 2)[:, 1:] > 0
        truth = truth[:, 1:]
    truth = truth > 0.5
    both = (predicted & truth).sum(dim=(0, 2, 3))
    total = predicted.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3))
    return {
        "both": both.cpu().numpy(),
        "total": total.cpu().numpy(),
        "slice": foreground.amax(dim=(1, 2, 3)).cpu().numpy(),
    }


def summarize(cases: list[dict], task: str) -> dict:
    """Turn the gathered cases into scores; Dice of a label that neither has is 1, as in the evaluation."""
    labels = np.concatenate([case["label"] for case in cases]) > 0
    slices = np.concatenate([case["slice"] for case in cases])
    scores = {}
    if 0 < labels.sum() < len(labels):
        scores["slice_auc"] = float(roc_auc_score(labels, slices))
    if task == "classify":
        scores["slice_accuracy"] = float(((slices > 0) == labels).mean())
        scores["score"] = scores.get("slice_auc", scores["slice_accuracy"])
        return scores
    both = np.stack([case["both"] for case in cases]).astype(float)
    total = np.stack([case["total"] for case in cases]).astype(float)
    dice = np.where(total > 0, 2 * both / np.maximum(total, 1), 1.0)
    scores["volume_dice"] = float(dice.mean())
    scores["worst_volume_dice"] = float(dice.mean(axis=1).min())
    scores["pooled_dice"] = float((2 * both.sum(0) / np.maximum(total.sum(0), 1)).mean())
    scores["score"] = scores["volume_dice"]
    return scores
