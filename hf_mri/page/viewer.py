"""What the viewer in the browser gets: the slices as pictures once, and what the reading says about them."""

import base64
import io

import gradio as gr
import numpy as np
from gradio.i18n import I18nData
from PIL import Image

from hf_mri.languages.words import ENGLISH, Words
from hf_mri.modeling.mri_scan_geometry import NEGATIVE, POSITIVE
from hf_mri.page.static_files import find_niivue, read_static
from hf_mri.reports.display import find_window, label_colors, window_volume
from hf_mri.reports.measures_table import find_moments
from hf_mri.tasks.task import Task

# One behavior in parts, of which the later ones use what the first defines.
SCRIPTS = ("viewer_texts.js", "viewer.js", "viewer_values.js", "viewer_hand.js", "viewer_cine.js", "viewer_planes.js")
SCRIPTS += ("viewer_layers.js", "viewer_measure.js", "viewer_correct.js", "viewer_start.js")
LONGEST_SIDE = 512  # pixels that are sent; the masks to download keep the scan's own size
SUSPECTED = "suspected"  # called by its probability, but nothing in it is outlined
UNLIKELY = "unlikely"  # outlined, but not called
STAGES = ("gate", "empty", SUSPECTED, "mask", UNLIKELY)
LAYERS = ("gate", "doubt")
KEY = ("mask", SUSPECTED, UNLIKELY, "empty", "gate")  # in the order of the legend


def make_viewer(elem_id: str, texts: I18nData) -> gr.HTML:
    """Return the empty viewer; its markup, behavior and looks are viewer.html, viewer*.js and viewer.css.

    Args:
        elem_id: of the component.
        texts: what the browser replaces by the viewer's texts as JSON. Of the properties that Gradio translates only
            the label reaches a script, and here it is not shown.
    """
    return gr.HTML(
        value=None,
        reading=None,
        values=None,
        frames=None,
        layer=None,
        label=texts,
        html_template=read_static("viewer.html").replace("{planes}", "" if find_niivue() else "none"),
        js_on_load="\n".join(read_static(name) for name in SCRIPTS),
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes="viewer-block",
    )


def show_scan(reading, facts: dict, task: Task, channel_names: tuple[str, ...], words: Words = ENGLISH) -> dict:
    """Return what stays the same while thresholds move: pictures, labels, groups of slices.

    Args:
        reading: with its scan.
        facts: `reading.to_dict()`.
        task: the organ.
        channel_names: of the model's channels.
        words: the visitor's language.
    """
    groups = group_slices(facts)
    shown = {index for group in groups for index in group["slices"]}
    pictures = window_channels(reading.scan.slices)
    height, width, channels = pictures.shape[1:]
    row, column = (reading.spacing or (1.0, 1.0))[:2]
    sent_width, sent_height = shrunk(width, height)
    masks, has_gate = facts["labels"], reading.gate_logit is not None
    named = [*map(words.name, channel_names), words.say("shown.all_channels")]
    key = [{"stage": name, "text": words.say(f"key.{name}")} for name in KEY if name != "gate" or has_gate]
    return {
        "scan": number_scan(reading),
        "images": [encode_channels(picture) if at in shown else None for at, picture in enumerate(pictures)],
        "width": sent_width,
        "height": sent_height,
        "ratio": (width * column) / (height * row),
        "size": [height, width],
        "millimeters": list(reading.spacing) if reading.spacing else None,
        "affine": affine_of(reading),
        "letters": name_sides(affine_of(reading)),
        "windows": find_windows(reading.scan.slices),
        "count": len(facts["slices"]) // facts["phases"],
        "phases": facts["phases"],
        "channels": named if channels == len(channel_names) == 3 else [],
        "channel": task.shown_channel(channels),
        "layers": [{"name": name, "text": words.say(f"layer.{name}")} for name in list_layers(reading)],
        "finding": words.name(task.finding).capitalize(),
        "labels": [
            {"name": words.name(label), "color": color} for label, color in label_colors(facts["labels"]).items()
        ],
        "groups": [group | {"name": words.name(group["name"])} for group in groups],
        "stages": {name: words.say(f"slice.{name}") if masks else "" for name in STAGES},
        "key": key if masks else [],
        "overlapping": reading.overlapping,
        "tone": "measure" if len(masks) > 1 else "alarm",
        "jump": words.say(f"shown.{'largest' if len(masks) > 1 else 'most_suspicious'}"),
    }


def list_layers(reading) -> list[str]:
    """Return the layers that a reading can have."""
    there = {"gate": reading.gate_logit is not None, "doubt": reading.foreground_probability is not None}
    return [name for name in LAYERS if there[name]]


def show_reading(reading, facts: dict, words: Words = ENGLISH) -> dict:
    """Return what a threshold changes: label maps, probabilities and measures."""
    slices = facts["slices"]
    areas = [sum(region["area_pixels"] for region in row["regions"].values()) for row in slices]
    masks = list(reading.masks.values())
    return {
        "scan": number_scan(reading),
        "maps": [encode_map([mask[at] for mask in masks]) if area else None for at, area in enumerate(areas)],
        "probability": [round(row["probability"], 4) for row in slices],
        "stage": [name_stage(row) for row in slices],
        "measures": [measure(row["regions"], words) for row in slices],
        "weight": [area / max(*areas, 1) for area in [*areas]],
        "curves": draw_curves(facts, words),
    }


def number_scan(reading) -> int:
    """Return what tells a visitor's scans apart: pictures and thresholds' results reach the browser one by one."""
    return id(reading.scan) % 1_000_003


def name_stage(row: dict) -> str:
    """Return how a slice is shown: red is what the headline counts and the segmenter outlined."""
    if row["stage"] == "mask":
        return "mask" if row["positive"] else UNLIKELY
    return SUSPECTED if row["positive"] else row["stage"]


def measure(regions: dict, words: Words) -> str:
    """Return the area of each label in a slice in words, empty where there is none."""
    parts = []
    for label, region in regions.items():
        area = region["area_mm2"]
        pixels = words.say("finding.pixels", number=words.number(f"{region['area_pixels']:,}"))
        size = pixels if area is None else f"{words.number(f'{area:,.0f}')} mm²"
        parts.append(f"{words.name(label)} {size}")
    return ", ".join(parts)


def group_slices(facts: dict) -> list[dict]:
    """Return the slices that lie side by side: end-diastole and end-systole of a cine, else all in one group."""
    count = len(facts["slices"]) // facts["phases"]
    shown = {name: phase for name, (_, phase) in find_moments(facts).items()}
    if not shown:
        shown = {"First time point": 0, "Last time point": facts["phases"] - 1} if facts["phases"] > 1 else {"": 0}
    return [{"name": name, "slices": list(range(phase * count, (phase + 1) * count))} for name, phase in shown.items()]


def affine_of(reading) -> list[list[float]] | None:
    """Return where (slice, row, column) lies in millimeters (right, anterior, superior), None where nobody knows."""
    affine = reading.scan.geometry.slice_affine()
    return None if affine is None else affine.tolist()


def name_sides(affine: list[list[float]] | None) -> dict[str, str]:
    """Return the letters at the picture's edges, such as R at the left: where the patient's sides are."""
    if affine is None:
        return {}
    steps = np.asarray(affine)[:3]
    letters = {}
    for axis, before, after in ((1, "top", "bottom"), (2, "left", "right")):
        main = int(np.abs(steps[:, axis]).argmax())
        pair = (NEGATIVE[main], POSITIVE[main])
        letters[before], letters[after] = pair if steps[main, axis] > 0 else pair[::-1]
    return letters


def find_windows(slices: np.ndarray) -> list[list[float]]:
    """Return for each channel what is black and white in its pictures, and its lowest and highest value."""
    slices = list_channels(slices)
    planes = [slices[..., channel] for channel in range(slices.shape[-1])]
    return [[*map(float, find_window(plane)), float(plane.min()), float(plane.max())] for plane in planes]


def draw_curves(facts: dict, words: Words) -> dict | None:
    """Return each label's volume over the beat, None where there is no beat."""
    if facts["phases"] < 2 or not facts["labels"]:
        return None
    unit = "ml" if all(volume["ml"] is not None for volume in facts["volumes"][0].values()) else "voxels"
    marks = {words.name(name): phase for name, (_, phase) in find_moments(facts).items()}
    lines = [[volumes[label][unit] for volumes in facts["volumes"]] for label in facts["labels"]]
    return {"unit": "mL" if unit == "ml" else words.name("voxels"), "lines": lines, "marks": marks}


def list_channels(slices: np.ndarray) -> np.ndarray:
    """Return slices (S, H, W, C); equal channels only once."""
    return slices[..., :1] if slices.shape[-1] > 1 and (slices == slices[..., :1]).all() else slices


def window_channels(slices: np.ndarray) -> np.ndarray:
    """Return slices (S, H, W, C) as 8 bit, each channel in its own window; equal channels only once."""
    slices = list_channels(slices)
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
    return encode(shrink(pack_bits(masks), Image.Resampling.NEAREST), "PNG", compress_level=1)


def pack_bits(masks: list[np.ndarray]) -> np.ndarray:
    """Return masks (H, W) as one picture in which label k is bit k."""
    return sum(mask.astype(np.uint8) << number for number, mask in enumerate(masks))


def encode(picture: np.ndarray, kind: str, **options) -> str:
    """Return a picture as a data address: nothing of a scan is written to the disk for the browser."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
