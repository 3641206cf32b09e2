"""Run-length text for masks: pairs `start length`, 1-based, counted along the rows (left to right, then down)."""

from __future__ import annotations

import numpy as np


def encode_run_length(mask: np.ndarray) -> str:
    """Write a mask as `start length` pairs; an empty mask is an empty string.

    Args:
        mask: (H, W); everything that is not zero counts as foreground.
    """
    inside = np.zeros(mask.size + 2, bool)
    inside[1:-1] = np.ravel(mask) != 0
    edges = np.flatnonzero(inside[1:] != inside[:-1])  # even entries start a run, odd entries end it
    edges[1::2] -= edges[::2]
    edges[::2] += 1
    return " ".join(map(str, edges.tolist()))


def decode_run_length(text: str | None, height: int, width: int) -> np.ndarray:
    """Read `start length` pairs into a boolean mask (H, W); None, NaN and blank text are an empty mask.

    Raises:
        ValueError: the text is not made of pairs of positive numbers, or a run ends beyond the image.
    """
    mask = np.zeros(height * width + 1, np.int32)
    if not isinstance(text, str) or not text.strip():
        return mask[:-1].reshape(height, width).astype(bool)
    try:
        numbers = np.array(text.split(), dtype=np.int64)
    except (ValueError, OverflowError):
        raise ValueError(f"run-length {text[:40]!r} holds something that is not a whole number") from None
    if numbers.size % 2:
        raise ValueError(f"run-length {text[:40]!r} has an odd count of numbers: it must be pairs `start length`")
    starts, lengths = numbers[::2] - 1, numbers[1::2]
    if starts.min() < 0 or lengths.min() < 1:
        raise ValueError(f"run-length {text[:40]!r} has a start or a length below 1")
    # Each number is checked alone first, so that their sum can't overflow.
    if max(starts.max(), lengths.max()) > height * width or (starts + lengths).max() > height * width:
        raise ValueError(f"run-length {text[:40]!r} runs beyond the image of {width}x{height} pixels")
    np.add.at(mask, starts, 1)
    np.add.at(mask, starts + lengths, -1)
    return np.cumsum(mask[:-1]).reshape(height, width) > 0
