"""The card's plots, drawn from training.json and metrics.json: figures only, never a slice of anybody."""

import os
from collections.abc import Callable
from pathlib import Path

from hf_mri.hub.facts import BundleFacts
from hf_mri.training.curves import draw_curves

CAPTIONS = {
    "curves.png": "Loss and validation scores during training",
    "curves-classifier.png": "Loss and validation scores during training of the classifier",
    "curves-segmenter.png": "Loss and validation scores during training of the segmenter",
    "patients.png": "Dice per patient volume, one dot a patient",
    "sizes.png": "Dice of each volume by the true size",
    "operating-curves.png": "ROC curve, precision and recall, and calibration, per slice",
    "agreement.png": "Ejection fraction against the truth: difference by mean, with limits of agreement",
}
INK, ACCENT = "#2b6cb0", "#c05621"


def captions(folder: Path) -> list[tuple[str, str]]:
    """List the plots that a bundle holds, with a sentence each."""
    return [(name, words) for name, words in CAPTIONS.items() if (folder / "plots" / name).exists()]


def draw_plots(facts: BundleFacts) -> None:
    """Draw every plot that the bundle has figures for, and remove those that it has no figures for any more."""
    folder = facts.folder / "plots"
    folder.mkdir(exist_ok=True)
    for name in CAPTIONS:
        (folder / name).unlink(missing_ok=True)
    histories = facts.training.get("stages") or {"": facts.training.get("history")}
    for stage, history in histories.items():
        if history:
            draw_curves(history, folder / (f"curves-{stage}.png" if stage else "curves.png"))
    found = facts.metrics.get("segmentation", {})
    if any(label.get("volume_dice", {}).get("per_patient") for label in found.values()):
        draw(folder / "patients.png", (6.4, 3.2), lambda figure: plot_patients(figure, found))
    if facts.metrics.get("cases") and found:
        draw(folder / "sizes.png", (6.4, 3.4), lambda figure: plot_sizes(figure, facts.metrics["cases"]))
    curves = facts.metrics.get("classification", {}).get("curves")
    if curves:
        draw(folder / "operating-curves.png", (10, 3.4), lambda figure: plot_operating_curves(figure, curves))
    pairs = [
        case["lv_ef"] for case in facts.metrics.get("cardiac", {}).get("per_patient", {}).values() if "lv_ef" in case
    ]
    if len(pairs) > 1:
        draw(folder / "agreement.png", (6.4, 3.4), lambda figure: plot_agreement(figure, pairs))


def draw(path: Path, size: tuple[float, float], fill: Callable) -> None:
    """Draw one figure into a file, in one piece."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    fill(figure)
    for axes in figure.axes:
        axes.grid(alpha=0.3)
    aside = path.with_suffix(".writing")
    figure.savefig(aside, format="png", dpi=110, metadata={"Software": None})
    os.replace(aside, path)


def plot_patients(figure, segmentation: dict) -> None:
    """One column of dots a label, lowest patient first, and a line at the mean."""
    axes = figure.subplots()
    for label, found in segmentation.items():
        dice = sorted(found["volume_dice"].get("per_patient", {}).values())
        line = axes.plot(
            dice, marker="o", markersize=4, linewidth=0.8, label=f"{label}, mean {sum(dice) / len(dice):.3f}"
        )[0]
        axes.axhline(sum(dice) / len(dice), color=line.get_color(), linewidth=0.8, linestyle="--")
    axes.set(xlabel="patients, lowest first", ylabel="Dice per volume", ylim=(-0.02, 1.02))
    axes.legend(loc="lower right", fontsize="small")


def plot_sizes(figure, cases: list[dict]) -> None:
    """Dice of each volume against the true size of what it shows: small ones are hard."""
    axes = figure.subplots()
    for label in sorted({label for case in cases for label in case["labels"]}):
        found = [case["labels"][label] for case in cases if label in case["labels"]]
        points = [(row["truth_volume"], row["dice"]) for row in found if row.get("truth_volume") and "dice" in row]
        if points:
            axes.scatter(*zip(*points, strict=True), s=18, alpha=0.8, label=label)
            axes.legend(loc="lower right", fontsize="small")
    axes.set(xlabel="true volume", ylabel="Dice", ylim=(-0.02, 1.02), xscale="log")


def plot_operating_curves(figure, curves: dict) -> None:
    """ROC, precision against recall, and observed share against score; a dot marks the operating point."""
    roc, precision_recall, reliability = figure.subplots(1, 3)
    point = curves.get("operating_point", {})
    roc.plot(curves["roc"]["fpr"], curves["roc"]["tpr"], color=INK)
    roc.set(xlabel="false positive rate", ylabel="true positive rate")
    precision_recall.plot(curves["pr"]["recall"], curves["pr"]["precision"], color=INK)
    precision_recall.set(xlabel="recall", ylabel="precision", ylim=(0, 1.02))
    if {"fpr", "tpr", "precision"} <= point.keys():
        roc.plot(point["fpr"], point["tpr"], "o", color=ACCENT)
        precision_recall.plot(point["tpr"], point["precision"], "o", color=ACCENT)
    if curves.get("reliability"):
        reliability.plot([0, 1], [0, 1], color="0.6", linestyle="--")
        reliability.plot(curves["reliability"]["score"], curves["reliability"]["observed"], marker="o", color=INK)
    reliability.set(xlabel="score", ylabel="observed share")


def plot_agreement(figure, pairs: list[list[float]]) -> None:
    """Bland and Altman's plot of the left ventricle's ejection fraction."""
    axes = figure.subplots()
    differences = [predicted - truth for truth, predicted in pairs]
    bias = sum(differences) / len(differences)
    spread = (sum((value - bias) ** 2 for value in differences) / (len(differences) - 1)) ** 0.5
    axes.scatter([(truth + predicted) / 2 for truth, predicted in pairs], differences, color=INK, s=18)
    for height, style in ((bias, "-"), (bias - 1.96 * spread, "--"), (bias + 1.96 * spread, "--")):
        axes.axhline(height, color=ACCENT, linestyle=style, linewidth=1)
    axes.set(xlabel="mean of truth and prediction, %", ylabel="prediction - truth, points")
