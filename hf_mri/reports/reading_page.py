"""A reading as one HTML file that needs nothing else: for a screen, a phone or paper, light or dark."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hf_mri.modeling.mri_files import write_text
from hf_mri.modeling.mri_reading import Reading
from hf_mri.reports.bulls_eye import draw_wall
from hf_mri.reports.display import display_size, label_colors, outline, window_reading
from hf_mri.reports.headline import (
    format_confidence,
    format_diameter,
    format_measure,
    format_volume,
    write_headline,
    write_remark,
)
from hf_mri.reports.pictures import choose_slices
from hf_mri.reports.rendering import render
from hf_mri.tasks.registry import find_task

MOST_PICTURES = 120
DECIDED_BY = {"gate": "classifier: nothing", "empty": "segmenter: nothing", "mask": "outlined"}


def write_html(reading: Reading, path: Path) -> Path:
    """Write the report of a reading that still holds its scan."""
    return write_text(path, render_html(reading))


def render_html(reading: Reading) -> str:
    """Return the report as text."""
    facts = reading.to_dict()
    colors = label_colors(facts["labels"])
    size = display_size(*facts["size"], reading.spacing, longest=360)
    return render(
        "reading",
        headline=write_headline(facts),
        remark=write_remark(facts),
        facts=facts,
        colors=colors,
        tiles=_tiles(facts),
        bars=_bars(facts),
        pictures=_pictures(reading, facts, colors, size),
        size=size,
        rows=_rows(facts),
        curves=_curves(facts, colors),
        wall=draw_wall(facts),
        unit="mm²" if facts["spacing_mm"] else "pixels",
    )


def _tiles(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The large numbers at the top: name and value."""
    slices = facts["slices"]
    tiles = [("slices called positive", f"{sum(page['positive'] for page in slices)} of {len(slices)}")]
    tiles.append(("highest probability", f"{max(page['probability'] for page in slices):.0%}"))
    if facts["phases"] == 1:
        for label, volume in facts["volumes"][0].items():
            name = label.replace("_", " ")
            tiles.append((f"{name}, volume", format_volume(volume) or "none"))
            if len(facts["labels"]) == 1:
                tiles.append((f"{name}, largest diameter", format_diameter(volume) or "none"))
    if expected := format_confidence(facts):
        tiles.append(("expected Dice of the outlines", expected))
    measured = find_task(facts["labels"]).measure(facts)
    tiles += [(f"{label}, {first.name}", format_measure(first)) for label, (first, *_) in measured.items()]
    return tiles


def _bars(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """One bar a slice for the strip of probabilities, in units of a 100 high drawing with 10 a slice."""
    return [
        {
            "x": 10 * index + 1,
            "height": max(1.0, round(100 * page["probability"], 1)),
            "kind": "positive" if page["positive"] else "negative",
            "name": page["name"],
            "title": f"{_slice_title(page, facts)}: {page['probability']:.1%}, {DECIDED_BY[page['stage']]}",
        }
        for index, page in enumerate(facts["slices"])
    ]


def _rows(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a slice for the table."""
    key = "area_mm2" if facts["spacing_mm"] else "area_pixels"
    rows = []
    for page in facts["slices"]:
        areas = [page["regions"].get(label) for label in facts["labels"]]
        rows.append(
            {
                "title": _slice_title(page, facts, short=True),
                "name": page["name"],
                "positive": page["positive"],
                "probability": f"{page['probability']:.1%}",
                "decided": DECIDED_BY[page["stage"]],
                "areas": [
                    (f"{region[key]:,.0f}", " ".join(map(str, region["box"]))) if region else ("", "")
                    for region in areas
                ],
            }
        )
    return rows


def _slice_title(page: dict[str, Any], facts: dict[str, Any], short: bool = False) -> str:
    number = f"{page['index'] + 1}" if short else f"slice {page['index'] + 1}"
    return number if facts["phases"] == 1 else f"{number}, phase {page['phase'] + 1}"


def _pictures(
    reading: Reading, facts: dict[str, Any], colors: dict[str, str], size: tuple[int, int]
) -> list[dict[str, Any]]:
    """The slices to look at: a gray JPEG and, as a layer of its own, the outlines."""
    if reading.scan is None:
        return []
    gray = window_reading(reading)
    pictures = []
    for index in choose_slices(reading, MOST_PICTURES):
        page = facts["slices"][index]
        found = {label: mask[index] for label, mask in reading.masks.items() if mask[index].any()}
        image = Image.fromarray(gray[index]).resize(size[::-1], Image.Resampling.BICUBIC)
        pictures.append(
            {
                "name": page["name"],
                "title": _slice_title(page, facts),
                "probability": f"{page['probability']:.0%}",
                "kind": "positive" if page["positive"] else "" if found else "nothing",
                "image": _as_data(image, "JPEG", quality=85),
                "outline": _as_data(_draw_outlines(found, colors, size), "PNG") if found else None,
            }
        )
    return pictures


def _draw_outlines(masks: dict[str, np.ndarray], colors: dict[str, str], size: tuple[int, int]) -> Image.Image:
    """Only the outlines, on transparent ground."""
    indices = np.zeros(size, np.uint8)
    palette = [0, 0, 0]
    for number, (label, mask) in enumerate(masks.items(), start=1):
        indices[outline(mask, size, line_width=3)] = number
        palette += [int(colors[label][start : start + 2], 16) for start in (1, 3, 5)]
    layer = Image.fromarray(indices)
    layer = Image.frombytes("P", layer.size, layer.tobytes())
    layer.putpalette(palette)
    layer.info["transparency"] = 0
    return layer


def _as_data(image: Image.Image, kind: str, **options: Any) -> str:
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(sink.getvalue()).decode()}"


def _curves(facts: dict[str, Any], colors: dict[str, str]) -> list[dict[str, Any]]:
    """Volume over the time points of a cine, a line a label, scaled into a drawing of 1000 by 100."""
    cine = facts["cine"]
    if not cine:
        return []
    volumes = cine["ml_by_phase"]
    if any(value is None for values in volumes.values() for value in values):
        volumes = cine["voxels_by_phase"]
    highest = max((max(values) for values in volumes.values()), default=0) or 1
    step = 1000 / max(1, facts["phases"] - 1)
    return [
        {
            "label": label,
            "color": colors[label],
            "points": " ".join(f"{step * i:.1f},{100 - 96 * v / highest:.1f}" for i, v in enumerate(values)),
            "range": f"{min(values):,.0f} to {max(values):,.0f}",
        }
        for label, values in volumes.items()
    ]
