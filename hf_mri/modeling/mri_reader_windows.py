"""A beating organ stays where it is: the first time point shows where, and the others are looked at there alone."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

MARGIN = 24  # pixels of the network's grid around what the first time point shows: beating and breathing, with context
STEP = 32  # sides are multiples of it, as networks take them
WORTH = 0.7  # share of the slice's area above which a window saves too little
CERTAIN = 20.0  # logit of the background where nobody looked

Window = tuple[slice, slice]


def find_window(found: np.ndarray) -> Window | None:
    """The rows and columns to look at from where something was found (H, W); None for the whole slice."""
    if not found.any():
        return None
    rows, columns = (_widen(np.flatnonzero(found.any(axis=axis)), found.shape[1 - axis]) for axis in (1, 0))
    area = (rows.stop - rows.start) * (columns.stop - columns.start)
    return (rows, columns) if area < WORTH * found.size else None


def _widen(places: np.ndarray, side: int) -> slice:
    """A stretch of whole steps around places along one side, within it."""
    first, last = int(places[0]) - MARGIN, int(places[-1]) + 1 + MARGIN
    length = -(-max(last - first, 2 * STEP) // STEP) * STEP
    if length >= side:
        return slice(0, side)
    start = min(max(0, (first + last - length) // 2), side - length)
    return slice(start, start + length)


def put_back(logits: Tensor, window: Window, size: tuple[int, int], overlapping: bool) -> Tensor:
    """A window's logits (L, h, w) as the whole slice's (L, H, W): the rest is background."""
    rows, columns = window
    margins = [columns.start, size[1] - columns.stop, rows.start, size[0] - rows.stop]
    whole = F.pad(logits, margins, value=-CERTAIN)
    if not overlapping:
        whole[:1] = F.pad(logits[:1], margins, value=CERTAIN)
    return whole


def where_found(logits: Tensor, overlapping: bool) -> np.ndarray:
    """Pixels (H, W) that any slice of (B, L, H, W) gives to a label."""
    found = (logits > 0).any(dim=1) if overlapping else logits.argmax(dim=1) > 0
    return torch.any(found, dim=0).cpu().numpy()
