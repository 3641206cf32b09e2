"""Whatever a scanner's file holds, as the 8 or 16 bits without sign that a PNG keeps."""

from __future__ import annotations

import numpy as np


def to_storable(volume: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return a volume as uint8 or uint16, and whether its values had to be rescaled for that.

    Whole numbers from 0 to 65535 are kept as they are. Anything else (negative values, fractions) is mapped linearly,
    the volume's minimum to 0 and its maximum to 65535, which intensity windows can't tell from the original.
    """
    if volume.dtype in (np.uint8, np.uint16):
        return volume, False
    low, high = (float(volume.min()), float(volume.max())) if volume.size else (0.0, 0.0)
    if low >= 0 and high <= 65535 and (volume.dtype.kind in "iub" or np.array_equal(volume, np.rint(volume))):
        return volume.astype(np.uint16), False
    scale = 65535 / (high - low) if high > low else 0.0
    return np.rint((volume.astype(np.float64) - low) * scale).astype(np.uint16), True
