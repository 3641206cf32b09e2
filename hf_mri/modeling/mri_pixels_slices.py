"""Slices as people hold them (PIL, numpy, torch; 8 bits or more; any channels) to tensors (C, H, W)."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor

ImageLike: TypeAlias = Image.Image | np.ndarray | Tensor


def to_list(images: ImageLike | Sequence[ImageLike]) -> list[ImageLike]:
    """One slice, or a stack of slices with four axes, or a sequence of slices: as a list."""
    if isinstance(images, Image.Image):
        return [images]
    if isinstance(images, np.ndarray | Tensor):
        return list(images) if images.ndim == 4 else [images]
    return list(images)


def to_tensor(image: ImageLike) -> Tensor:
    """Return the stored values, never scaled or clipped, in the axes that they have."""
    if isinstance(image, Tensor):
        values = image.detach().cpu()
        return values.float() if values.dtype == torch.bfloat16 else values
    if isinstance(image, Image.Image) and image.mode == "P":
        image = image.convert("RGB")
    array = np.asarray(image)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"images must hold numbers, got an array of {array.dtype}")
    native = np.uint8 if array.dtype == bool else array.dtype.newbyteorder("=")
    return torch.from_numpy(array.astype(native, order="C"))  # a copy: the original may be read-only


def _fix(channels: int) -> str:
    if channels == 1:
        return "give one channel, as slice[..., 0] is"
    return f"repeat a gray slice, as np.repeat(slice[..., None], {channels}, axis=-1) does"


def to_channels_first(
    image: ImageLike, channels: int, number: int, data_format: str | None = None, repeat_gray: bool = False
) -> Tensor:
    """Return one slice as a tensor (C, H, W) of its own dtype, or raise ValueError that says what to change.

    Args:
        image: (H, W) or with one axis of channels, the last in arrays and the first in tensors, unless only the other
            one fits.
        channels: Channels that the slice must have.
        number: Position of the slice among the images, for the error.
        data_format: `channels_first` or `channels_last`: where the axis of channels is.
        repeat_gray: A slice of one channel is repeated for each.
    """
    if data_format not in (None, "channels_first", "channels_last"):
        raise ValueError(f"input_data_format must be 'channels_first' or 'channels_last', got {data_format!r}")
    values = to_tensor(image)
    name, shape = f"images[{number}]", tuple(values.shape)
    if values.numel() == 0:
        raise ValueError(f"{name} is empty, its shape is {shape}")
    if len(shape) == 2:
        values = values[None]
    elif len(shape) == 3:
        guessed = shape[0] == channels and (isinstance(image, Tensor) or shape[-1] != channels)
        channels_first = guessed if data_format is None else data_format == "channels_first"
        values = values if channels_first else values.permute(2, 0, 1)
    if repeat_gray and values.ndim == 3 and len(values) == 1:
        values = values.repeat(channels, 1, 1)
    if channels == 1 and len(values) == 3 and bool((values == values[:1]).all()):
        values = values[:1]  # gray that was converted to RGB, as the stock pipelines do
    if values.ndim != 3 or len(values) != channels:
        raise ValueError(
            f"{name} has shape {shape}, this processor takes slices of {channels} channels: {_fix(channels)}, and "
            "give a volume as a list of slices"
        )
    if values.is_floating_point() and not bool(values.isfinite().all()):
        raise ValueError(f"{name} holds NaN or infinity: replace them, as np.nan_to_num does")
    return values
