"""The scans that an export is checked, calibrated and timed on."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hf_mri.modeling.mri_reader import Reader
from hf_mri.modeling.mri_reading import Reading
from hf_mri.modeling.mri_scan import Scan, read_scan
from hf_mri.tasks.registry import find_task

MOST_SLICES = 300  # for the comparison of readings
CALIBRATION_SLICES = 100


@dataclass
class Inputs:
    """Scans, and in words where they come from."""

    name: str
    scans: list[Scan]


@dataclass
class Slices:
    """Prepared slices (N, C, H, W): evenly spread ones for the gate, and those that the segmenter gets to see."""

    gate: Tensor
    segment: Tensor
    passed: float  # share of all slices that reach the segmenter


def load_inputs(reader: Reader, data: str | Path | None) -> Inputs:
    """Read the validation patients of a data set, or phantoms of the kind that the model is for."""
    if data is not None:
        return Inputs(f"validation patients of {Path(data).name}", _read_validation(reader, data))
    from hf_mri.data.phantoms.draw import draw_phantom, find_phantoms

    task = find_task(reader.config.id2label.values())
    layout, channels = task.phantom, reader.processor.num_channels
    with tempfile.TemporaryDirectory(prefix="hf_mri_phantom_") as folder:
        draw_phantom(layout, Path(folder) / layout, patients=4, seed=1)
        phantoms = [
            read_scan(path, orientation=reader.processor.orientation) for path in find_phantoms(Path(folder) / layout)
        ]
    scans = [take_channels(scan, channels, task.shown_channel(scan.slices.shape[-1])) for scan in phantoms]
    return Inputs(f"{layout} phantoms", scans)


def take_channels(scan: Scan, channels: int, first: int) -> Scan:
    """A phantom with as many channels as the model takes, in turn, whichever it was trained on."""
    order = (first + np.arange(channels)) % scan.slices.shape[-1]
    if channels == scan.slices.shape[-1]:
        return scan
    return replace(scan, slices=np.ascontiguousarray(scan.slices[..., order]))


def choose_slices(reader: Reader, readings: list[Reading]) -> Slices:
    """Prepare slices of scans that were read."""
    prepared, passed = [], []
    for reading in readings:
        prepared += list(reader.prepare(reading.scan).pixel_values)
        passed += (reading.stage != "gate").tolist()
    seen = [index for index, goes_on in enumerate(passed) if goes_on] or list(range(len(prepared)))
    return Slices(_spread(prepared, range(len(prepared))), _spread(prepared, seen), float(np.mean(passed)))


def _spread(prepared: list[Tensor], indices: range | list[int]) -> Tensor:
    """At most `CALIBRATION_SLICES`, evenly from all scans; of one size, as the first."""
    indices = [index for index in indices if prepared[index].shape == prepared[indices[0]].shape]
    step = max(1, len(indices) // CALIBRATION_SLICES)
    return torch.stack([prepared[index] for index in indices[::step]][:CALIBRATION_SLICES])


def _read_validation(reader: Reader, data: str | Path) -> list[Scan]:
    from hf_mri.evaluation.truth_volumes import open_volumes

    scans, total = [], 0
    with open_volumes(data, split="validation") as source:
        for volume in source.volumes:
            scans.append(reader.read_scan(volume.images, spacing=volume.spacing))
            total += len(volume.images)
            if total >= MOST_SLICES:
                break
    if not scans:
        raise ValueError(f"{data}: has no validation patients; import it with a split that has")
    return scans
