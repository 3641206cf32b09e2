"""Layers between picture and outlines, which the viewer asks for: where the gate looked, how sure each pixel is."""

import numpy as np

from hf_mri.page.viewer import encode, group_slices, number_scan, shrink


def show_layer(reading, facts: dict, name: str, pages: np.ndarray) -> dict:
    """Return a layer's pictures for the slices that are shown; None where it has nothing to show.

    Args:
        reading: with its scan.
        facts: `reading.to_dict()`.
        name: of the layer.
        pages: (S, H, W), from 0 to 1.
    """
    shown = {index for group in group_slices(facts) for index in group["slices"]}
    return {
        "scan": number_scan(reading),
        "name": name,
        "images": [encode_page(page) if at in shown else None for at, page in enumerate(pages)],
    }


def encode_page(page: np.ndarray) -> str | None:
    """Return a page (H, W) as a gray picture."""
    levels = (255 * page.astype(np.float32)).round().astype(np.uint8)
    return encode(shrink(levels), "PNG", compress_level=1) if levels.any() else None


def find_doubt(reading) -> np.ndarray:
    """Return (S, H, W): 1 where two answers are equally likely, 0 where the pixel is certain or was not segmented."""
    kept = np.stack(list(reading.foreground_probability.values()))  # (L, S, H, W)
    if reading.overlapping:
        return 2 * np.minimum(kept, 1 - kept).max(axis=0)
    likeliest = np.maximum(kept.max(axis=0), 1 - kept.sum(axis=0, dtype=np.float32))
    return np.clip(2 * (1 - likeliest), 0, 1)
