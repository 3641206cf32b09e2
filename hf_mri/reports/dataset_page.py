"""A page that shows what is in a data set: self-contained HTML, and the same figures as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console
from rich.progress import track

from hf_mri.data.dataset_folder import assign_splits, load_rows, read_entry, read_summary
from hf_mri.data.datasets_table import DatasetEntry
from hf_mri.data.sources import Row, split_mask
from hf_mri.modeling.mri_files import write_text
from hf_mri.reports.dataset_facts import Tally, gather_facts
from hf_mri.reports.display import display_size, draw_slice, label_colors, window_volume
from hf_mri.reports.evaluation_plots import COLORS, STYLE, render_svg
from hf_mri.reports.pictures import embed_panels
from hf_mri.reports.rendering import render

PICTURES = 12
TILE = 200


def explore_dataset(dataset: str | Path, output: str | Path | None = None, *, progress: bool = False) -> Path:
    """Write `explore.html` and `explore.json`.

    Args:
        dataset: folder of an imported data set.
        output: folder for the two files; made if it is not there. By default one beside the data set, never in it,
            because all that lies in it is uploaded.
        progress: show a progress bar.

    Returns:
        The page.
    """
    dataset = Path(dataset)
    output = Path(output) if output else dataset.with_name(f"{dataset.resolve().name}-explored")
    entry, summary, table = read_entry(dataset), read_summary(dataset), assign_splits(dataset)
    audit = json.loads((dataset / "audit.json").read_text(encoding="utf-8"))
    tally = Tally(entry, choose_patients(table))
    rows = track(load_rows(dataset), "Counting", total=len(table), console=Console(stderr=True), disable=not progress)
    facts = gather_facts(rows, table, entry, summary, audit, tally)
    page = render_page(facts, [row for _, row in tally.largest.values()], entry)
    output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
    write_text(output / "explore.json", text)
    return write_text(output / "explore.html", page)


def choose_patients(table: pd.DataFrame) -> set[str]:
    """Patients for the pictures: spread evenly from those with the fewest positive slices to those with the most."""
    shares = table.groupby("patient")["label"].mean().sort_values(kind="stable")
    places = np.linspace(0, len(shares) - 1, min(PICTURES, len(shares))).round().astype(int)
    return set(shares.index[places])


def render_page(facts: dict[str, Any], rows: list[Row], entry: DatasetEntry) -> str:
    """The page as text; it needs no network and no script."""
    colors = label_colors(list(entry.foreground.values()))
    return render(
        "dataset",
        facts=facts,
        colors=colors,
        positive=entry.slice_labels[1],
        plots={name: render_svg(name, figure) for name, figure in draw_plots(facts).items()},
        strips=[
            {
                "patient": row["patient"],
                "slice": row["slice"],
                "split": row["split"],
                "source": _draw_strip(row, entry, colors),
            }
            for row in sorted(rows, key=lambda row: row["patient"])
        ],
    )


def draw_plots(facts: dict[str, Any]) -> dict[str, Figure]:
    """The distributions as figures, by name."""
    with rc_context(STYLE):
        return {
            "slices": _draw(lambda axes: _plot_slices(axes, facts["splits"])),
            "patients": _draw(lambda axes: _plot_patients(axes, facts["patients"])),
            "volumes": _draw(lambda axes: _plot_volumes(axes, facts["slices_per_volume"])),
            "areas": _draw(lambda axes: _plot_areas(axes, facts["area"])),
            "intensities": _draw(lambda axes: _plot_intensities(axes, facts["intensity"])),
            "positions": _draw(lambda axes: _plot_positions(axes, facts["label_by_position"])),
        }


def _draw(fill: Any) -> Figure:
    figure = Figure(figsize=(4.6, 3.4), layout="constrained")
    fill(figure.subplots())
    return figure


def _plot_slices(axes: Axes, splits: dict[str, Any]) -> None:
    names = list(splits)
    positive = [splits[name]["positive"] for name in names]
    empty = [splits[name]["slices"] - splits[name]["positive"] for name in names]
    axes.barh(names, positive, color=COLORS[1], label="with foreground")
    axes.barh(names, empty, left=positive, color=COLORS[0], alpha=0.45, label="empty")
    axes.invert_yaxis()
    axes.set_xlabel("slices")
    axes.legend(loc="lower right")


def _plot_patients(axes: Axes, patients: list[dict[str, Any]]) -> None:
    shares = [patient["positive"] / patient["slices"] for patient in patients]
    axes.hist(shares, bins=np.linspace(0, 1, 21), color=COLORS[0])
    axes.set_xlabel("share of a patient's slices with foreground")
    axes.set_ylabel("patients")


def _plot_volumes(axes: Axes, slices: dict[int, int]) -> None:
    axes.bar(list(slices), list(slices.values()), width=0.9, color=COLORS[2])
    axes.set_xlim(min(slices) - 2.5, max(slices) + 2.5)  # volumes of one length are a bar, not a wall
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("slices in a volume")
    axes.set_ylabel("volumes")


def _plot_areas(axes: Axes, areas: dict[str, Any]) -> None:
    for color, (label, area) in zip(COLORS, areas.items(), strict=False):
        if area:
            axes.stairs(
                area["histogram"]["counts"], area["histogram"]["edges"], color=color, label=label, linewidth=1.6
            )
    axes.set_xscale("log")
    axes.set_xlabel("area in a slice, pixels")
    axes.set_ylabel("slices")
    axes.legend()


def _plot_intensities(axes: Axes, intensity: dict[str, Any]) -> None:
    for color, (name, channel) in zip(COLORS, intensity.items(), strict=False):
        counts = np.array(channel["histogram"]["counts"], float)
        axes.stairs(counts / counts.sum(), channel["histogram"]["edges"], color=color, label=name, linewidth=1.6)
    axes.set_yscale("log")
    axes.set_xlabel("intensity")
    axes.set_ylabel("share of pixels")
    axes.legend()


def _plot_positions(axes: Axes, positions: dict[str, list[float | None]]) -> None:
    for color, (label, shares) in zip(COLORS, positions.items(), strict=False):
        places = (np.arange(len(shares)) + 0.5) / len(shares)
        axes.plot(places, [np.nan if share is None else share for share in shares], "o-", color=color, label=label)
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("place in the volume, first slice to last")
    axes.set_ylabel("share of slices that show it")
    axes.legend()


def _draw_strip(row: Row, entry: DatasetEntry, colors: dict[str, str]) -> str:
    """A slice, its mask and both together, side by side, as an address that holds the picture."""
    image = row["image"] if row["image"].ndim == 3 else row["image"][..., None]
    gray = window_volume(image[None], entry.task.shown_channel(image.shape[-1]))[0]
    masks = split_mask(row["mask"], entry)
    size = display_size(*gray.shape, row["spacing"], TILE)
    flat = np.zeros((*gray.shape, 3), np.uint8)
    for label, inside in masks.items():
        flat[inside] = np.maximum(flat[inside], tuple(bytes.fromhex(colors[label][1:])))
    panels = [
        draw_slice(gray, {}, colors, size),
        Image.fromarray(flat).resize(size[::-1], Image.Resampling.NEAREST),
        draw_slice(gray, masks, colors, size),
    ]
    return embed_panels(panels)
