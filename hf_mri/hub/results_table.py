"""The README's table of results, written from the published models' metrics: `python -m hf_mri.hub.results_table`."""

import argparse
import sys
from pathlib import Path

from hf_mri.evaluation.figures import SLICE_FIGURES, format_figure, format_interval
from hf_mri.hub.bundle_facts import BundleFacts, read_facts
from hf_mri.hub.markdown import put_between, table
from hf_mri.modeling.mri_files import write_text

SLICES = ("roc_auc", "f1", "accuracy")
START, END = "<!-- results: written by `python -m hf_mri.hub.results_table` -->", "<!-- end of results -->"
HEADER = [
    "model",
    "parameters",
    "patients",
    "protocol",
    "Dice per volume (95 %)",
    "median",
    "worst",
    *(SLICE_FIGURES[key] for key in SLICES),
]


def results_table(folder: str | Path) -> str:
    """Return one row a model that has been evaluated, as Markdown; a sentence where there is none."""
    bundles = sorted(path.parent for path in Path(folder).glob("*/metrics.json"))
    if not bundles:
        return "No model is published yet."
    return table(HEADER, [row for bundle in bundles for row in describe_both(read_facts(bundle))])


def describe_both(facts: BundleFacts) -> list[list[str]]:
    """Return the model's own figures, and below them those on patients kept apart, where there are any."""
    rows = [describe(facts)]
    if found := facts.kept_apart:
        dice, slices = found.get("volume_dice", {}), found.get("slices_called", {})
        rows.append(
            [
                "",
                "",
                format_figure(found["patients"]),
                "patients kept apart",
                _with_interval(dice),
                format_figure(dice.get("median")),
                format_figure(dice.get("min")),
                *(format_figure(slices.get(key)) for key in SLICES),
            ]
        )
    return rows


def describe(facts: BundleFacts) -> list[str]:
    """Return one row: the mean over labels for outlines, per slice for answers; a dash where there is no figure."""
    metrics = facts.metrics
    dice, slices = metrics.get("segmentation_mean", {}).get("volume_dice", {}), metrics.get("classification", {})
    worst = [
        label["volume_dice"]["min"]
        for label in metrics.get("segmentation", {}).values()
        if "min" in label["volume_dice"]
    ]
    return [
        f"[{facts.name}]({facts.folder.as_posix()})",
        f"{facts.parameters / 1e6:.2f} M",
        format_figure(metrics.get("data", {}).get("patients")),
        metrics["protocol"],
        _with_interval(dice),
        format_figure(dice.get("median")),
        format_figure(min(worst, default=None)),
        *(format_figure(slices.get(key)) for key in SLICES),
    ]


def _with_interval(dice: dict) -> str:
    mean = format_figure(dice.get("mean"))
    return f"{mean} ({format_interval(dice['ci95'])})" if "ci95" in dice else mean


def update(text: str, written: str) -> str:
    """Return a text with the table between its two markers."""
    return put_between(text, written, START, END)


def main() -> None:
    """Print the table, or put it into a file."""
    parser = argparse.ArgumentParser(prog="python -m hf_mri.hub.results_table", description=__doc__)
    parser.add_argument("folder", nargs="?", default="model_cards", help="folder of bundles")
    parser.add_argument("--write", metavar="FILE", help="file that holds the two markers, such as README.md")
    arguments = parser.parse_args()
    written = results_table(arguments.folder)
    if arguments.write:
        write_text(Path(arguments.write), update(Path(arguments.write).read_text(encoding="utf-8"), written))
    else:
        sys.stdout.write(written + "\n")


if __name__ == "__main__":
    main()
