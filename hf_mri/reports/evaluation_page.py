"""What an evaluation writes: metrics.json, plots as PNG, and one HTML page that holds everything."""

from pathlib import Path
from typing import Any

from hf_mri.evaluation.figures import SLICE_FIGURES, format_figure
from hf_mri.evaluation.judgment import judge
from hf_mri.evaluation.metrics_file import dump_metrics, write_headline
from hf_mri.modeling.mri_files import write_text
from hf_mri.reports.display import display_size, draw_slice, label_colors
from hf_mri.reports.evaluation_plots import draw_plots, render_svg, save_plots
from hf_mri.reports.pictures import embed_panels
from hf_mri.reports.rendering import render
from hf_mri.reports.worst_pictures import Picture
from hf_mri.tasks.registry import find_scores

TILE = 240


def write_report(metrics: dict[str, Any], pictures: list[Picture], folder: Path) -> None:
    """Write the whole output folder; metrics.json comes last, so a folder that has it is complete.

    Args:
        metrics: what `summarize_rows` computed.
        pictures: the lowest volumes, worst first.
        folder: is made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plots = draw_plots(metrics)
    save_plots(plots, folder / "plots")
    page = render_page(metrics, {name: render_svg(name, figure) for name, figure in plots.items()}, pictures)
    write_text(folder / "report.html", page)
    text = dump_metrics(metrics)
    write_text(folder / "metrics.json", text)


def render_page(metrics: dict[str, Any], plots: dict[str, str], pictures: list[Picture]) -> str:
    """Render the page as text; it needs no network and no script."""
    colors = label_colors(list(metrics.get("segmentation", {})))
    return render(
        "evaluation",
        metrics=metrics,
        plots=plots,
        headline=write_headline(metrics),
        warnings=[*judge(metrics), *metrics.get("notes", [])],
        tiles=make_tiles(metrics),
        own_scores=find_scores(metrics),
        colors=colors,
        worst=[_show(picture, colors) for picture in pictures],
    )


def make_tiles(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """The large numbers at the top: name and value."""
    tiles = []
    if "segmentation_mean" in metrics:
        mean = metrics["segmentation_mean"]
        dice = mean["volume_dice"]
        tiles = [
            ("Dice per patient, mean", format_figure(dice["mean"])),
            ("median", format_figure(dice["median"])),
            ("worst patient", format_figure(dice["min"])),
        ]
        if "pooled_dice" in mean:
            tiles.append(("Dice of pooled pixels", format_figure(mean["pooled_dice"])))
    found = metrics["classification"]
    shown = [key for key in ("roc_auc", "f1", "accuracy") if key in found]
    tiles += [(f"slices: {SLICE_FIGURES[key]}", format_figure(found[key])) for key in shown]
    gate = metrics.get("gate", {})
    if "area_lost" in gate:
        tiles.append(("area that the gate lost", f"{gate['area_lost']:.2%}"))
        tiles.append(("slices that it saved", f"{gate['slices_saved']:.0%}"))
    for own, found in find_scores(metrics):
        tiles += [(name, format_figure(value)) for name, value in own.tiles(found)]
    return tiles


def _show(picture: Picture, colors: dict[str, str]) -> dict[str, Any]:
    """One low volume: its facts, and image, truth and prediction of each chosen slice side by side."""
    size = display_size(*picture.gray.shape[1:], picture.row.spacing, TILE)
    strips = []
    for place, index in enumerate(picture.slices):
        truth = {label: mask[place] for label, mask in picture.truth.items()}
        predicted = {label: mask[place] for label, mask in picture.predicted.items()}
        panels = [draw_slice(picture.gray[place], masks, colors, size) for masks in ({}, truth, predicted)]
        strips.append({"index": index + 1, "source": embed_panels(panels)})
    dice = {label: part.volume_dice for label, part in picture.row.labels.items()}
    return {"volume": picture.row.volume, "dice": dice, "slices": len(picture.row.truth), "strips": strips}
