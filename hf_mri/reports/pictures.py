"""Overlays and a montage of a reading, as PNG files."""

import base64
import io
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hf_mri.modeling.mri_reading import Reading, slice_name
from hf_mri.reports.display import display_size, draw_slice, label_colors, window_reading

MOST_TILES = 100


def write_overlays(reading: Reading, folder: Path, longest: int = 512) -> list[Path]:
    """Write `0001.png`, …: each slice with its labels outlined.

    Args:
        reading: With the scan that was read.
        folder: Gets the pictures.
        longest: Height or width of a picture, whichever is more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    gray, colors = window_reading(reading), label_colors(list(reading.masks))
    size = display_size(*gray.shape[1:], reading.spacing, longest)
    written = []
    for index, page in enumerate(gray):
        masks = {label: mask[index] for label, mask in reading.masks.items()}
        path = folder / f"{slice_name(index)}.png"
        draw_slice(page, masks, colors, size).save(path, compress_level=3)
        written.append(path)
    return written


def draw_montage(reading: Reading, tile: int = 192) -> Image.Image:
    """Draw all slices (at most 100 of them, those with findings first) in one picture, with number and probability."""
    gray, colors = window_reading(reading), label_colors(list(reading.masks))
    height, width = display_size(*gray.shape[1:], reading.spacing, tile)
    chosen = choose_slices(reading, MOST_TILES)
    columns = min(len(chosen), max(1, math.ceil(math.sqrt(len(chosen) * 1.5 * height / width))))
    rows = math.ceil(len(chosen) / columns)
    sheet = Image.new("RGB", (columns * width, rows * height))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for place, index in enumerate(chosen):
        left, top = place % columns * width, place // columns * height
        masks = {label: mask[index] for label, mask in reading.masks.items()}
        sheet.paste(draw_slice(gray[index], masks, colors, (height, width), line_width=1), (left, top))
        text = f"{index + 1}   {reading.probability[index]:.0%}"
        color = "#ffffff" if reading.positive[index] else "#9aa3ad"
        draw.text((left + 6, top + 4), text, fill=color, font=font, stroke_width=2, stroke_fill="#000000")
    return sheet


def embed_panels(panels: list[Image.Image]) -> str:
    """Pictures of one size in a row, as an address that holds the picture itself."""
    width, height = panels[0].size
    strip = Image.new("RGB", (len(panels) * width, height))
    for place, panel in enumerate(panels):
        strip.paste(panel, (place * width, 0))
    sink = io.BytesIO()
    strip.save(sink, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(sink.getvalue()).decode()


def choose_slices(reading: Reading, most: int) -> list[int]:
    """The slices to show: all if there are few enough; else those with a finding, then others, evenly spread."""
    total = len(reading.probability)
    if total <= most:
        return list(range(total))
    found = np.flatnonzero((reading.stage == "mask") | reading.positive)
    if len(found) >= most:
        return found[np.linspace(0, len(found) - 1, most).astype(int)].tolist()
    others = np.setdiff1d(np.arange(total), found)
    spread = others[np.linspace(0, len(others) - 1, most - len(found)).astype(int)]
    return np.union1d(found, spread).tolist()
