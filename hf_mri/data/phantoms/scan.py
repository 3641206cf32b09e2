"""One drawn scan in memory, for whoever needs no files."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np


def draw_scan(
    layout: str, seed: int = 0, size: int | None = None
) -> tuple[np.ndarray, Any, tuple[float, float, float]]:
    """Draw the slices of one patient, their masks, and the spacing in mm between rows, columns and slices."""
    return find_phantom(layout).draw_scan(np.random.default_rng(seed), size)


def find_phantom(layout: str) -> ModuleType:
    """Find the module that draws in a layout."""
    return import_module(f"hf_mri.data.phantoms.{layout.replace('-', '_')}")
