"""Gray values to the numbers that models take: windows and z-scores of a slice or of a whole volume."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

MOST_PIXELS = 2**20  # percentiles of larger channels are taken from every second, third … row
BRIGHT = 99  # percentile
BACKGROUND = 0.12  # of the way from the lowest value to the bright ones: darker is air or bone
MIDDLE = 0.4  # where the median of the tissue comes to lie between 0 and 1
# In the LGG data, stored in 8 bits, no slice has 0.01 % of a channel's pixels at 255; in slices of 16 bits that Pillow
# or a stock pipeline turned into RGB it may be nearly all tissue.
CLIPPED_SHARE = 0.2
CLIPPED = (
    f"at least {CLIPPED_SHARE:.0%} of the pixels are at 255, as when a picture of 16 bits is turned into 8-bit RGB "
    "on its way (the stock pipelines do that): if it was one, give its own pixels, or read it with mri-reading"
)


def apply_window(slices: list[Tensor], limits: tuple[Tensor, Tensor], out: Tensor) -> None:
    """Map the window of gray values to 0..1 and clip; a channel of one value becomes 0.

    Args:
        slices: Slices (C, H, W) of any number type, which share their window.
        limits: What becomes 0 and 1.
        out: float32 (S, C, H, W), written slice by slice, so that each stays in the processor's cache.
    """
    low, high = limits
    width = (high - low).where(high > low, 1)
    for pixels, values in zip(slices, out, strict=True):
        values.copy_(pixels).sub_(low).div_(width).clamp_(0, 1)


def looks_clipped(pixels: np.ndarray) -> bool:
    """Whether a slice (H, W) or (H, W, C) of 8 bits looks like one of 16 bits that was cut off at 255."""
    if pixels.dtype != np.uint8 or pixels.size == 0:
        return False
    gray = pixels if pixels.ndim == 2 else pixels[..., 0]
    share = np.count_nonzero(gray == 255) / gray.size
    return bool(CLIPPED_SHARE <= share < 1) and bool((pixels.ndim == 2) or (pixels == pixels[..., :1]).all())


def find_limits(slices: list[Tensor], percentiles: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Return the lower and the upper limit of each channel, (C, 1, 1) each.

    Where both fall on one value, as in a slice that is almost all background, the maximum is the upper limit.
    """
    return _by_channel(slices, lambda pixels: find_percentiles(pixels, percentiles))


def find_tissue_limits(slices: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The same, so that the median of the tissue comes to lie at `MIDDLE`.

    Bright fat moves a high percentile, and with it every gray value of the brain; the median it hardly moves.
    """

    def find(pixels: np.ndarray) -> tuple[float, float]:
        low, high = find_percentiles(pixels, (0, BRIGHT))
        tissue = pixels[pixels > low + BACKGROUND * (high - low)]
        middle = find_percentiles(tissue, (50,))[0] if tissue.size else low
        return low, low + (middle - low) / MIDDLE

    return _by_channel(slices, find)


def _by_channel(slices: list[Tensor], find: Callable[[np.ndarray], tuple[float, ...]]) -> tuple[Tensor, Tensor]:
    channels, height, width = slices[0].shape
    step = 1 + len(slices) * height * width // (MOST_PIXELS + 1)
    limits = []
    for channel in range(channels):
        pixels = np.concatenate([pixels[channel, ::step].numpy().ravel() for pixels in slices])
        low, high = find(pixels)
        if high <= low:
            high = max(float(pixels[channel].numpy().max()) for pixels in slices)  # torch knows no maximum of uint16
        limits.append((low, high))
    low, high = torch.tensor(limits, dtype=torch.float32).T.reshape(2, channels, 1, 1)
    return low, high


def find_percentiles(pixels: np.ndarray, percentiles: Sequence[float]) -> tuple[float, ...]:
    """Return percentiles as `np.percentile` does, but from a histogram where gray values have 8 or 16 bits."""
    if pixels.dtype not in (np.uint8, np.uint16):
        return tuple(float(value) for value in np.percentile(pixels, percentiles))
    below = np.bincount(pixels).cumsum()
    values = []
    for percentile in percentiles:
        rank = percentile / 100 * (pixels.size - 1)
        first = int(rank)
        lower, upper = np.searchsorted(below, (first, min(first + 1, pixels.size - 1)), side="right")
        values.append(float(lower + (rank - first) * (upper - lower)))
    return tuple(values)


def apply_zscore(values: Tensor) -> None:
    """Subtract the mean and divide by the standard deviation of each channel of (S, C, H, W), in place."""
    variance, mean = torch.var_mean(values, dim=(0, 2, 3), keepdim=True, correction=0)
    std = variance.sqrt()
    values.sub_(mean).div_(std.where(std > 1e-6, 1))
