"""metrics.json as text, and its figures in words."""

import json
import re
from pathlib import Path
from typing import Any


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


def format_figure(value: float | int) -> str:
    """Three digits after the point for fractions, fewer for what is larger, separators for thousands."""
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    return f"{value:.3f}" if size < 10 else f"{value:.1f}" if size < 1000 else f"{value:,.0f}"


def format_interval(bounds: list[float]) -> str:
    """An interval as `0.85 to 0.91`."""
    return f"{format_figure(bounds[0])} to {format_figure(bounds[1])}"


def format_cell(cell: str | float | int | list[float] | None) -> str:
    """A cell of an organ's own table: text as it is, a figure, an interval, or a dash where there is nothing."""
    if cell is None or isinstance(cell, str):
        return cell or "–"
    return format_interval(cell) if isinstance(cell, list | tuple) else format_figure(cell)


def write_headline(metrics: dict[str, Any]) -> str:
    """Say the one figure that matters, on how many patients."""
    patients = f"{metrics['data']['patients']} patients"
    if "segmentation_mean" in metrics:
        dice = metrics["segmentation_mean"]["volume_dice"]
        interval = f" (95 % interval {format_interval(dice['ci95'])})" if "ci95" in dice else ""
        return f"Dice {dice['mean']:.3f} per patient{interval} on {patients}"
    found = metrics["classification"]
    if "roc_auc" in found:
        interval = (
            f" (95 % interval {format_interval(found['ci95']['roc_auc'])})" if "roc_auc" in found["ci95"] else ""
        )
        return f"ROC AUC {found['roc_auc']:.3f} per slice{interval} on {patients}"
    return f"Accuracy {found['accuracy']:.3f} per slice on {patients}"
