"""What the viewer in the browser gets: the slices as pictures once, and what the reading says about them."""

import base64
import io

import gradio as gr
import numpy as np
from PIL import Image

from hf_mri.page.answer import find_moments
from hf_mri.page.static_files import read_static
from hf_mri.reports.display import label_colors, window_volume
from hf_mri.tasks.task import Task

LONGEST_SIDE = 512  # pixels that are sent; the masks to download keep the scan's own size
SUSPECTED = "suspected"  # called by its probability, but nothing in it is outlined
UNLIKELY = "unlikely"  # outlined, but not called
STAGES = {
    "gate": "set aside by the gate",
    "empty": "nothing outlined",
    SUSPECTED: "suspected, nothing outlined",
    "mask": "outlined",
    UNLIKELY: "outlined, too unlikely to count",
}
KEY = {
    "mask": "outlined",
    SUSPECTED: "suspected",
    UNLIKELY: "outlined, too unlikely to count",
    "empty": "nothing found",
    "gate": "set aside",
}


def make_viewer(elem_id: str) -> gr.HTML:
    """Return the empty viewer; its markup, behavior and looks are viewer.html, viewer.js and style.css."""
    return gr.HTML(
        value=None,
        reading=None,
        html_template=read_static("viewer.html"),
        js_on_load=read_static("viewer.js"),
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes="viewer-block",
    )


def show_scan(reading, facts: dict, task: Task, channel_names: tuple[str, ...]) -> dict:
    """Return what stays the same while thresholds move: pictures, labels, groups of slices.

    Args:
        reading: with its scan.
        facts: `reading.to_dict()`.
        task: the organ.
        channel_names: of the model's channels.
    """
    groups = group_slices(facts)
    shown = {index for group in groups for index in group["slices"]}
    pictures = window_channels(reading.scan.slices)
    height, width, channels = pictures.shape[1:]
    row, column = (reading.spacing or (1.0, 1.0))[:2]
    sent_width, sent_height = shrunk(width, height)
    masks, has_gate = facts["labels"], reading.gate_logit is not None
    return {
        "scan": number_scan(reading),
        "images": [encode_channels(picture) if at in shown else None for at, picture in enumerate(pictures)],
        "width": sent_width,
        "height": sent_height,
        "ratio": (width * column) / (height * row),
        "channels": [*channel_names, "all, as colors"] if channels == len(channel_names) == 3 else [],
        "channel": task.shown_channel(channels),
        "finding": task.finding.capitalize(),
        "labels": [
            {"name": label.replace("_", " "), "color": color} for label, color in label_colors(facts["labels"]).items()
        ],
        "groups": groups,
        "stages": STAGES if masks else dict.fromkeys(STAGES, ""),
        "key": [{"stage": name, "text": KEY[name]} for name in KEY if name != "gate" or has_gate] if masks else [],
        "tone": "measure" if len(masks) > 1 else "alarm",
        "jump": "Largest" if len(masks) > 1 else "Most suspicious",
    }


def show_reading(reading, facts: dict) -> dict:
    """Return what a threshold changes: label maps, probabilities and measures."""
    slices = facts["slices"]
    areas = [sum(region["area_pixels"] for region in row["regions"].values()) for row in slices]
    masks = list(reading.masks.values())
    return {
        "scan": number_scan(reading),
        "maps": [encode_map([mask[at] for mask in masks]) if area else None for at, area in enumerate(areas)],
        "probability": [round(row["probability"], 4) for row in slices],
        "stage": [name_stage(row) for row in slices],
        "measures": [measure(row["regions"]) for row in slices],
        "weight": [area / max(*areas, 1) for area in [*areas]],
    }


def number_scan(reading) -> int:
    """Return what tells a visitor's scans apart: pictures and thresholds' results reach the browser one by one."""
    return id(reading.scan) % 1_000_003


def name_stage(row: dict) -> str:
    """Return how a slice is shown: red is what the headline counts and the segmenter outlined."""
    if row["stage"] == "mask":
        return "mask" if row["positive"] else UNLIKELY
    return SUSPECTED if row["positive"] else row["stage"]


def measure(regions: dict) -> str:
    """Return the area of each label in a slice in words, empty where there is none."""
    parts = []
    for label, region in regions.items():
        area = region["area_mm2"]
        size = f"{region['area_pixels']:,} pixels" if area is None else f"{area:,.0f} mm²"
        parts.append(f"{label.replace('_', ' ')} {size}")
    return ", ".join(parts)


def group_slices(facts: dict) -> list[dict]:
    """Return the slices that lie side by side: end-diastole and end-systole of a cine, else all in one group."""
    count = len(facts["slices"]) // facts["phases"]
    shown = {name: phase for name, (_, phase) in find_moments(facts).items()}
    if not shown:
        shown = {"First time point": 0, "Last time point": facts["phases"] - 1} if facts["phases"] > 1 else {"": 0}
    return [{"name": name, "slices": list(range(phase * count, (phase + 1) * count))} for name, phase in shown.items()]


def window_channels(slices: np.ndarray) -> np.ndarray:
    """Return slices (S, H, W, C) as 8 bit, each channel in its own window; equal channels only once."""
    if slices.shape[-1] > 1 and (slices == slices[..., :1]).all():
        slices = slices[..., :1]
    return np.stack([window_volume(slices[..., [channel]]) for channel in range(slices.shape[-1])], axis=-1)


def shrunk(width: int, height: int) -> tuple[int, int]:
    """Return the width and height that are sent."""
    scale = min(1.0, LONGEST_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def shrink(picture: np.ndarray, resample: Image.Resampling = Image.Resampling.LANCZOS) -> np.ndarray:
    """Return a picture (H, W) no longer than what is sent."""
    size = shrunk(picture.shape[1], picture.shape[0])
    if size == (picture.shape[1], picture.shape[0]):
        return picture
    return np.asarray(Image.fromarray(picture).resize(size, resample))


def encode_channels(picture: np.ndarray) -> str:
    """Return a slice (H, W, C) as one gray picture, channel below channel: as colors they would bleed."""
    channels = [shrink(picture[..., channel]) for channel in range(picture.shape[-1])]
    return encode(np.concatenate(channels), "JPEG", quality=92)


def encode_map(masks: list[np.ndarray]) -> str:
    """Return masks (H, W) as one lossless picture in which label k is bit k; labels may overlap."""
    bits = sum(mask.astype(np.uint8) << number for number, mask in enumerate(masks))
    return encode(shrink(bits, Image.Resampling.NEAREST), "PNG", compress_level=1)


def encode(picture: np.ndarray, kind: str, **options) -> str:
    """Return a picture as a data address: nothing of a scan is written to the disk for the browser."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
