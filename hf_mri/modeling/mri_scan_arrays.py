"""Arrays and spacings that a caller gives by hand: what they mean, and which are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .mri_scan_errors import ScanError


def read_array(source: Any, num_channels: int | None) -> np.ndarray:
    """(H, W), (H, W, C), (S, H, W) or (S, H, W, C) as (S, H, W, C); C is the model's channels or one.

    Raises:
        ScanError: no numbers, or a shape that could mean two things.
    """
    try:
        array = np.asarray(source)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ScanError("scan", f"cannot read a {type(source).__name__} as an array ({error})") from error
    if array.dtype.kind not in "buif" or array.size == 0:
        raise ScanError(
            "scan", f"an array of dtype {array.dtype} and shape {array.shape}", "give numbers, at least one pixel"
        )
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    return _lay_out(array, num_channels)


def _lay_out(array: np.ndarray, num_channels: int | None) -> np.ndarray:
    channels = {num_channels} if num_channels else {1, 3}
    given = f"an array of shape {array.shape}"
    if array.ndim == 2:
        return array[None, :, :, None]
    if array.ndim == 3:
        last, first = array.shape[-1] in channels | {1}, array.shape[0] in channels - {1}
        if (last and first) or (first and array.shape[0] > 1) or (not last and array.shape[-1] in (2, 3, 4)):
            raise ScanError(
                "scan",
                f"{given} could be slices or channels",
                "give (S, H, W, C) with C = 1 for gray slices, or (1, H, W, C) for one slice",
            )
        return array[None] if last else array[..., None]
    if array.ndim == 4:
        if num_channels and array.shape[-1] not in (1, num_channels):
            raise ScanError("scan", f"{given} must be (S, H, W, C) with C = {num_channels} or 1")
        return array
    raise ScanError("scan", f"{given} must be (H, W), (H, W, C), (S, H, W) or (S, H, W, C)")


def check_spacing(spacing: Sequence[float]) -> tuple[float, float, float | None]:
    """Millimeters between rows, columns and, where known, slices.

    Raises:
        ScanError: not two or three positive numbers.
    """
    known = list(spacing)
    if len(known) == 3 and known[2] is None:
        known.pop()
    if len(known) not in (2, 3) or not all(v is not None and np.isfinite(v) and 0 < v < 1000 for v in known):
        raise ScanError(
            f"spacing {tuple(spacing)}", "must be two or three positive numbers, mm between rows, columns and slices"
        )
    return float(known[0]), float(known[1]), float(known[2]) if len(known) == 3 else None
