"""Grey values to numbers that models take: windows and z-scores of one slice or of a whole volume."""

from collections.abc import Sequence

from torch import Tensor


def apply_window(
    volume: Tensor, intensity_range: Sequence[float] | None, percentiles: Sequence[float], by_slice: bool
) -> Tensor:
    """Map the window of grey values to 0..1 and clip.

    Args:
        volume: (S, C, H, W) of any number type.
        intensity_range: Fixed limits; percentiles of the pixels without them.
        percentiles: Lower and upper percentile, of each channel.
        by_slice: Take percentiles of each slice instead of the volume.

    Returns:
        float32 (S, C, H, W); 0 where a channel is constant.
    """
    values = volume.float()
    if intensity_range is not None:
        low, high = intensity_range
        return ((values - low) / (high - low)).clamp_(0, 1)
    low, high = find_limits(values, percentiles, by_slice)
    width = (high - low).where(high > low, 1)
    return ((values - low) / width).clamp_(0, 1)


def find_limits(values: Tensor, percentiles: Sequence[float], by_slice: bool) -> tuple[Tensor, Tensor]:
    """Return the lower and upper limit, broadcastable to (S, C, H, W).

    Where both percentiles fall on one value, as in a slice that is almost all background, the maximum is the upper
    limit.
    """
    pixels = _flatten(values, by_slice)
    low, high = (_percentile(pixels, percentile) for percentile in percentiles)
    high = high.where(high > low, pixels.amax(dim=-1))
    return low[..., None, None], high[..., None, None]


def apply_zscore(values: Tensor, by_slice: bool) -> Tensor:
    """Subtract the mean and divide by the standard deviation of each channel; 0 where it is constant."""
    pixels = _flatten(values, by_slice)
    mean, std = pixels.mean(dim=-1), pixels.std(dim=-1, correction=0)
    std = std.where(std > 1e-6, 1)
    return (values - mean[..., None, None]) / std[..., None, None]


def _flatten(values: Tensor, by_slice: bool) -> Tensor:
    """(S, C, H, W) to the pixels of each channel: (S, C, N) by slice, (1, C, N) by volume."""
    if by_slice:
        return values.flatten(2)
    return values.transpose(0, 1).flatten(1)[None]


def _percentile(pixels: Tensor, percentile: float) -> Tensor:
    """The pixel at that rank along the last axis, the lower one between two."""
    count = pixels.shape[-1]
    if percentile == 0:
        return pixels.amin(dim=-1)
    rank = int(percentile / 100 * (count - 1))
    return pixels.kthvalue(rank + 1, dim=-1).values
