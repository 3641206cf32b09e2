"""Pictures of a run: how loss and scores went. They hold no slice, so they may travel with the bundle."""

import os
from pathlib import Path

SKIPPED = {"epoch", "step", "loss", "learning_rate", "score"}


def draw_curves(history: list[dict], path: Path) -> None:
    """Draw the loss and the validation scores by epoch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [record["epoch"] for record in history]
    left.plot(epochs, [record["loss"] for record in history], color="#2b6cb0")
    left.set(xlabel="epoch", ylabel="training loss")
    for name in sorted({key for record in history for key in record} - SKIPPED):
        points = [(record["epoch"], record[name]) for record in history if name in record]
        right.plot(*zip(*points, strict=True), label=name.replace("_", " "))
    right.set(xlabel="epoch", ylabel="validation score")
    if right.lines:
        right.legend(fontsize="small")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    aside = path.with_suffix(".writing")
    figure.savefig(aside, format="png", dpi=110)
    os.replace(aside, path)
