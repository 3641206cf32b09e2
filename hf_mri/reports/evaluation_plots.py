"""The plots of an evaluation, drawn from metrics.json: as PNG files, and as SVG that follows a page's colors."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from hf_mri.evaluation.scores.agreement import LIMIT
from hf_mri.modeling.mri_files import replace_file
from hf_mri.tasks.registry import find_scores

# Ink becomes the page's own text color in SVG; the other colors are readable on white and on black.
INK = "#1c2733"
COLORS = ("#2a9d8f", "#e76f51", "#5b8def", "#c77dff", "#e9a820")
MARK = "#e0475b"
STYLE = {
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.fonttype": "none",
}


def draw_plots(metrics: dict[str, Any]) -> dict[str, Figure]:
    """Draw every plot that the metrics have figures for, by name."""
    plots: dict[str, Figure] = {}
    with rc_context(STYLE):
        labels = list(metrics.get("segmentation", {}))
        if labels:
            plots["dice_by_patient"] = _draw(lambda axes: _plot_patients(axes, metrics["segmentation"]))
            plots["dice_by_size"] = _draw(lambda axes: _plot_sizes(axes, metrics["cases"], labels))
            plots["volume_agreement"] = _draw(lambda axes: _plot_volumes(axes, metrics, labels))
        if "confidence" in metrics:
            plots["confidence"] = _draw(lambda axes: _plot_confidence(axes, metrics["cases"]))
        for prefix, part in (
            ("", metrics["classification"]),
            ("gate_", metrics.get("gate", {}).get("classifier", {})),
        ):
            curves = part.get("curves", {})
            if "roc" in curves:
                plots[f"{prefix}roc"] = _draw(lambda axes, part=part: _plot_roc(axes, part))
                plots[f"{prefix}precision_recall"] = _draw(lambda axes, part=part: _plot_precision_recall(axes, part))
            if curves:
                plots[f"{prefix}reliability"] = _draw(lambda axes, curves=curves: _plot_reliability(axes, curves))
        plots["confusion"] = _draw(lambda axes: _plot_confusion(axes, metrics["classification"]))
        for own, found in find_scores(metrics):
            for plot in own.agreements:
                pairs = [values[plot.measure] for values in found["per_patient"].values() if plot.measure in values]
                if len(pairs) > 1:
                    plots[plot.name] = _draw(
                        lambda axes, pairs=pairs, plot=plot: _plot_agreement(axes, {"": pairs}, plot.quantity)
                    )
    return plots


def save_plots(plots: dict[str, Figure], folder: Path) -> None:
    """Write the plots as PNG files on white."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in plots.items():
        replace_file(
            folder / f"{name}.png", lambda aside, figure=figure: figure.savefig(aside, dpi=110, facecolor="white")
        )


def render_svg(name: str, figure: Figure) -> str:
    """Render a plot as inline SVG: it takes the page's text color and its ids meet no other plot's."""
    sink = io.StringIO()
    with rc_context(STYLE | {"svg.hashsalt": name}):
        figure.savefig(sink, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = sink.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    return text.replace(INK, "currentColor")


def _draw(fill: Any, size: tuple[float, float] = (4.6, 3.6)) -> Figure:
    figure = Figure(figsize=size, layout="constrained")
    fill(figure.subplots())
    return figure


def _plot_patients(axes: Axes, segmentation: dict[str, Any]) -> None:
    """Dice of every patient from the lowest to the highest, with the mean and its interval."""
    for color, (label, entry) in zip(COLORS, segmentation.items(), strict=False):
        dice = entry["volume_dice"]
        values = sorted(dice["per_patient"].values())
        name = f"{label}: mean {dice['mean']:.3f}, median {dice['median']:.3f}"
        axes.plot(range(1, len(values) + 1), values, "o", markersize=4, color=color, label=name)
        axes.axhline(dice["mean"], color=color, linewidth=1)
        if "ci95" in dice:
            axes.axhspan(*dice["ci95"], color=color, alpha=0.12, linewidth=0)
    axes.set(xlabel="patients, lowest first", ylabel="Dice of the volume", ylim=(-0.02, 1.02))
    axes.legend(loc="lower right", fontsize="small")


def _plot_sizes(axes: Axes, cases: list[dict], labels: list[str]) -> None:
    """Dice by true volume: small ones decide the mean."""
    unit = "voxels"
    for color, label in zip(COLORS, labels, strict=False):
        rows = [case["labels"][label] for case in cases if case["labels"][label]["truth_volume"] > 0]
        unit = "mL" if all("spacing" in case for case in cases) else "voxels"
        axes.plot(
            [row["truth_volume"] for row in rows],
            [row["dice"] for row in rows],
            "o",
            markersize=4,
            color=color,
            label=label,
        )
    axes.set(xlabel=f"true volume, {unit}", ylabel="Dice of the volume", ylim=(-0.02, 1.02), xscale="log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    if len(labels) > 1:
        axes.legend(loc="lower right", fontsize="small")


def _plot_volumes(axes: Axes, metrics: dict[str, Any], labels: list[str]) -> None:
    pairs = {
        label: [
            (case["labels"][label]["truth_volume"], case["labels"][label]["predicted_volume"])
            for case in metrics["cases"]
        ]
        for label in labels
    }
    unit = metrics["segmentation"][labels[0]]["volume"]["unit"]
    _plot_agreement(axes, pairs, f"volume, {unit}")


def _plot_confidence(axes: Axes, cases: list[dict]) -> None:
    """The Dice that came out by the Dice that was expected: on the diagonal the estimate is right."""
    judged = [case for case in cases if "confidence" in case]
    dice = [np.mean([label["dice"] for label in case["labels"].values()]) for case in judged]
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
    axes.plot([case["confidence"] for case in judged], dice, "o", markersize=4, color=COLORS[0])
    axes.set(xlabel="Dice that was expected", ylabel="Dice of the volume", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def _plot_agreement(axes: Axes, pairs: dict[str, list], quantity: str) -> None:
    """Difference by mean of prediction and truth (Bland and Altman), with bias and limits of agreement."""
    every = np.concatenate([np.array(values, float) for values in pairs.values()])
    for color, (label, values) in zip(COLORS, pairs.items(), strict=False):
        truth, predicted = np.array(values, float).T
        axes.plot((truth + predicted) / 2, predicted - truth, "o", markersize=4, color=color, label=label)
    difference = every[:, 1] - every[:, 0]
    bias = difference.mean()
    axes.axhline(bias, color=INK, linewidth=1)
    if len(difference) > 1:
        for side in (-1, 1):
            axes.axhline(bias + side * LIMIT * difference.std(ddof=1), color=INK, linewidth=1, linestyle="--")
    axes.set(xlabel=f"mean of prediction and truth: {quantity}", ylabel="prediction - truth")
    if len(pairs) > 1:
        axes.legend(fontsize="small")


def _plot_roc(axes: Axes, part: dict[str, Any]) -> None:
    roc, point = part["curves"]["roc"], part["curves"]["operating_point"]
    axes.plot(roc["fpr"], roc["tpr"], color=COLORS[0], label=f"AUC {part['roc_auc']:.3f}")
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
    axes.plot(point["fpr"], point["tpr"], "D", color=MARK, label="operating point")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(loc="lower right", fontsize="small")


def _plot_precision_recall(axes: Axes, part: dict[str, Any]) -> None:
    curve, point = part["curves"]["pr"], part["curves"]["operating_point"]
    label = f"average precision {part['average_precision']:.3f}"
    axes.plot(curve["recall"], curve["precision"], color=COLORS[0], label=label)
    if "precision" in point:
        axes.plot(point["tpr"], point["precision"], "D", color=MARK, label="operating point")
    axes.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(loc="lower left", fontsize="small")


def _plot_reliability(axes: Axes, curves: dict[str, Any]) -> None:
    """What was said against what came true; the dots grow with the number of slices."""
    reliability = curves["reliability"]
    size = 12 + 150 * np.sqrt(np.array(reliability["slices"]) / max(sum(reliability["slices"]), 1))
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
    axes.plot(reliability["score"], reliability["observed"], color=COLORS[0], linewidth=1)
    axes.scatter(reliability["score"], reliability["observed"], s=size, color=COLORS[0])
    axes.set(
        xlabel="probability that was said", ylabel="share that was positive", xlim=(-0.04, 1.04), ylim=(-0.04, 1.04)
    )


def _plot_confusion(axes: Axes, part: dict[str, Any]) -> None:
    table = np.array(
        [[part["confusion"]["tn"], part["confusion"]["fp"]], [part["confusion"]["fn"], part["confusion"]["tp"]]]
    )
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1.6)
    names = list(part["by_class"])
    for row in range(2):
        for column in range(2):
            # Drawn on the map's own blue, so it must not follow the page's color.
            axes.text(
                column,
                row,
                f"{table[row, column]:,}\n{share[row, column]:.1%}",
                ha="center",
                va="center",
                color="#0b1a2b",
            )
    axes.set(xticks=[0, 1], yticks=[0, 1], xticklabels=names, yticklabels=names, xlabel="decision", ylabel="truth")
    axes.grid(visible=False)
