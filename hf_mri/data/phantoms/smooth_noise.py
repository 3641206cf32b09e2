"""Smooth random fields, the raw material of phantoms: texture, warps, bias fields."""

from __future__ import annotations

import numpy as np


def draw_field(rng: np.random.Generator, shape: tuple[int, ...], cells: tuple[int, ...]) -> np.ndarray:
    """Draw a smooth field with mean 0 and deviation about 1.

    A coarse lattice of random numbers is spread by Gaussian weights, one axis after the other. The lattice is laid
    over the whole extent, so another resolution shows the same field.

    Args:
        rng: source of the lattice.
        shape: of the field.
        cells: lattice points along each axis.
    """
    field = rng.standard_normal(cells).astype(np.float32)
    for axis, (length, count) in enumerate(zip(shape, cells, strict=True)):
        field = np.moveaxis(np.tensordot(_weights(length, count), field, axes=(1, axis)), 0, axis)
    return field


def _weights(length: int, count: int) -> np.ndarray:
    """How much each of `count` lattice points counts at each of `length` places; rows of unit length."""
    places = (np.arange(length, dtype=np.float32) + 0.5) / length * (count - 1)
    weights = np.exp(-0.5 * ((places[:, None] - np.arange(count, dtype=np.float32)) / 0.65) ** 2)
    return weights / np.linalg.norm(weights, axis=1, keepdims=True)


def ramp(values: np.ndarray, width: float) -> np.ndarray:
    """A soft step: 0 below -width/2, 1 above width/2."""
    return np.clip(values / width + 0.5, 0, 1)
