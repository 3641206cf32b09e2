"""metrics.json as text, and in one sentence."""

import json
import re
from pathlib import Path
from typing import Any

from hf_mri.evaluation.figures import format_figure, format_interval


def dump_metrics(metrics: dict[str, Any]) -> str:
    """Write metrics as JSON that a person can read and a difference can show: lists of numbers on one line."""
    text = json.dumps(metrics, indent=1, ensure_ascii=False, allow_nan=False)
    return re.sub(r"\[[^\[\]{}\"]*\]", lambda found: re.sub(r"\s+", " ", found[0]), text) + "\n"


def read_metrics(path: str | Path) -> dict[str, Any]:
    """Read a metrics.json, or the one in a folder.

    Raises:
        ValueError: there is none, or it is of another kind.
    """
    path = Path(path)
    path = path / "metrics.json" if path.is_dir() else path
    if not path.exists():
        raise ValueError(f"{path}: no such file; make it with `hf-mri evaluate`")
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error}); make it anew with `hf-mri evaluate`") from error
    if not isinstance(metrics, dict) or metrics.get("schema") != 1 or "cases" not in metrics:
        raise ValueError(f"{path}: not the metrics of an evaluation (schema 1); make it anew with `hf-mri evaluate`")
    return metrics


def write_headline(metrics: dict[str, Any]) -> str:
    """Say the one figure that matters, on how many patients."""
    patients = f"{metrics['data']['patients']} patients"
    if "segmentation_mean" in metrics:
        dice = metrics["segmentation_mean"]["volume_dice"]
        interval = f" (95 % interval {format_interval(dice['ci95'])})" if "ci95" in dice else ""
        return f"Dice {format_figure(dice['mean'])} per patient{interval} on {patients}"
    found = metrics["classification"]
    if "roc_auc" in found:
        interval = (
            f" (95 % interval {format_interval(found['ci95']['roc_auc'])})" if "roc_auc" in found["ci95"] else ""
        )
        return f"ROC AUC {format_figure(found['roc_auc'])} per slice{interval} on {patients}"
    return f"Accuracy {format_figure(found['accuracy'])} per slice on {patients}"
