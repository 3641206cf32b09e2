"""Pictures of a run: how loss and scores went. They hold no slice, so they may travel with the bundle."""

import json
from pathlib import Path
from typing import Any

from hf_mri.modeling.mri_files import replace_file

SKIPPED = {"epoch", "step", "loss", "learning_rate", "score"}


def list_histories(training: dict[str, Any]) -> list[list[dict]]:
    """The history of a run, from its training.json, and those of the folds that chose its thresholds."""
    return [training["history"], *training.get("folds", [])]


def read_fold_histories(run: str | Path) -> list[list[dict]]:
    """Histories of a cross-validation's folds; empty where its folder holds predictions alone."""
    histories = []
    for path in sorted(Path(run).glob("fold-*/metrics.jsonl")):
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        histories.append([{name: value for name, value in record.items() if name != "time"} for record in records])
    return histories


def draw_curves(histories: list[list[dict]], path: Path) -> None:
    """Draw the loss and the validation scores by epoch, a line for each history."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    names = sorted({key for history in histories for record in history for key in record} - SKIPPED)
    style = {"marker": ".", "linewidth": 1.5 if len(histories) == 1 else 0.8}
    for history in histories:
        left.plot([record["epoch"] for record in history], [record["loss"] for record in history], "#2b6cb0", **style)
    for number, name in enumerate(names):
        label = name.replace("_", " ")
        for history in histories:
            points = [(record["epoch"], record[name]) for record in history if name in record]
            if points:
                right.plot(*zip(*points, strict=True), f"C{number}", label=label, **style)
                label = None  # the legend names each score once
    left.set(xlabel="epoch", ylabel="training loss")
    right.set(xlabel="epoch", ylabel="validation score")
    if right.lines:
        right.legend(fontsize="small")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    replace_file(path, lambda aside: figure.savefig(aside, format="png", dpi=110))
