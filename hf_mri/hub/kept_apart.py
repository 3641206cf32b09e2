"""Figures on patients that nobody who built a model has seen: shown only while they are about these very weights.

`kept_apart.json` beside the weights is written by whoever judges, and names the SHA-256 of the weights it judged.
After new training it is about other weights, and nothing of it is shown.
"""

from pathlib import Path
from typing import Any

from hf_mri.evaluation.figures import SLICE_FIGURES, format_figure, format_interval
from hf_mri.hub.json_files import read_json
from hf_mri.modeling.mri_model_folder import WEIGHTS, hash_weights

KEPT_APART = "kept_apart.json"
DICE = {"mean": "ci95", "median": "median_ci95", "min": None}
DICE_WORDS = {"mean": "Dice per patient volume, mean", "median": "median", "min": "worst patient"}


def read_kept_apart(folder: Path) -> dict[str, Any]:
    """Return the figures of a model's folder; nothing where there are none of these weights."""
    path = folder / KEPT_APART
    if not path.is_file() or not (folder / WEIGHTS).is_file():
        return {}
    found = read_json(path)
    return found if found.get("weights_sha256") == hash_weights(folder) else {}


def tabulate_kept_apart(found: dict[str, Any]) -> list[list[str]]:
    """Return one row a figure: words, value, interval."""
    dice, slices, gate = (found.get(part, {}) for part in ("volume_dice", "slices_called", "gate"))
    rows = [
        [DICE_WORDS[name], format_figure(dice[name]), format_interval(dice.get(interval))]
        for name, interval in DICE.items()
        if name in dice
    ]
    if "share_below_0.6" in dice:
        rows.append(["share of patients below 0.6", format_figure(dice["share_below_0.6"]), format_interval(None)])
    rows += [
        [f"slices: {SLICE_FIGURES[key]}", format_figure(slices[key]), format_interval(slices["ci95"].get(key))]
        for key in ("roc_auc", "f1", "accuracy")
        if key in slices
    ]
    if "area_lost" in gate:
        rows.append(
            ["share of the true area lost by the gate", format_figure(gate["area_lost"]), format_interval(None)]
        )
    return rows
