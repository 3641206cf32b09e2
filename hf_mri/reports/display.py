"""Slices as pictures for eyes: windowed to 8 bit, at the patient's proportions, with outlines of the masks."""

from itertools import cycle

import numpy as np
from PIL import Image
from scipy import ndimage

from hf_mri.modeling.mri_reading import Reading
from hf_mri.tasks.registry import find_task
from hf_mri.tasks.task import Task

# Colors that stay apart on gray, also for color-blind eyes; for labels that the organ's task gives none.
PALETTE = ("#ff5a5f", "#2ec4b6", "#ffd166", "#7aa2ff", "#f28cd6", "#9be564", "#ff9f40", "#c49bff")
WINDOW = (0.5, 99.5)  # percentiles of the volume that become black and white


def label_colors(labels: list[str]) -> dict[str, str]:
    """Give each label its color, as `#rrggbb`: its organ's, else the next that no other label has."""
    own = {label: known.color for label, known in find_task(labels).labels.items() if label in labels}
    free = cycle([color for color in PALETTE if color not in own.values()] or PALETTE)
    return {label: own.get(label) or next(free) for label in labels}


def task_of(reading: Reading) -> Task:
    """The organ that a reading is about: by its labels, or by what a classifier answers."""
    return find_task(list(reading.masks) or [reading.finding or "finding"])


def window_reading(reading: Reading) -> np.ndarray:
    """Turn the scan of a reading into gray (S, H, W) uint8: the sequence that is looked at in this organ."""
    slices = reading.scan.slices
    return window_volume(slices, task_of(reading).shown_channel(slices.shape[-1]))


def window_volume(slices: np.ndarray, channel: int = 0) -> np.ndarray:
    """Turn one channel of (S, H, W, C) of any dtype into gray (S, H, W) uint8, one window for the whole volume."""
    gray = slices[..., channel]
    low, high = find_window(gray)
    scaled = (gray.astype(np.float32) - low) * (255 / (high - low))
    return np.clip(scaled + 0.5, 0, 255).astype(np.uint8)


def find_window(gray: np.ndarray) -> tuple[float, float]:
    """Return which values of slices (S, H, W) become black and white."""
    sample = gray[:: max(1, len(gray) // 32), ::2, ::2]  # an eighth at most: the window needs no more
    low, high = np.percentile(sample, WINDOW)
    if high <= low:
        low, high = float(sample.min()), max(float(sample.max()), float(sample.min()) + 1)
    return low, high


def display_size(height: int, width: int, spacing: tuple | None, longest: int) -> tuple[int, int]:
    """Height and width in screen pixels, so that a millimeter is as long down as across."""
    row_mm, column_mm = (spacing[0], spacing[1]) if spacing else (1.0, 1.0)
    tall, wide = height * row_mm, width * column_mm
    scale = longest / max(tall, wide)
    return max(1, round(tall * scale)), max(1, round(wide * scale))


def draw_slice(
    gray: np.ndarray,
    masks: dict[str, np.ndarray],
    colors: dict[str, str],
    size: tuple[int, int],
    line_width: int = 2,
) -> Image.Image:
    """Draw a slice with each label outlined.

    Args:
        gray: (H, W) uint8.
        masks: Label to bool (H, W).
        colors: Label to `#rrggbb`.
        size: Height and width of the picture.
        line_width: Pixels of the outline, which lies just outside the mask so that the lesion stays visible.
    """
    height, width = size
    picture = np.asarray(Image.fromarray(gray).resize((width, height), Image.Resampling.BICUBIC).convert("RGB")).copy()
    for label, mask in masks.items():
        if mask.any():
            picture[outline(mask, size, line_width)] = _rgb(colors[label])
    return Image.fromarray(picture)


def outline(mask: np.ndarray, size: tuple[int, int], line_width: int) -> np.ndarray:
    """The line around a mask at the picture's size, bool; corners of pixels are smoothed."""
    height, width = size
    soft = Image.fromarray(mask.astype(np.uint8) * 255).resize((width, height), Image.Resampling.BILINEAR)
    inside = np.asarray(soft) > 127
    return ndimage.binary_dilation(inside, iterations=line_width) & ~inside


def _rgb(color: str) -> tuple[int, int, int]:
    return tuple(int(color[start : start + 2], 16) for start in (1, 3, 5))
