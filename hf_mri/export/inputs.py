"""The scans that an export is checked, calibrated and timed on."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hf_mri.modeling.reader_mri import Reader
from hf_mri.modeling.reading_mri import Reading
from hf_mri.modeling.scan_mri import Scan

MOST_SLICES = 300  # for the comparison of readings
CALIBRATION_SLICES = 100
PHANTOM_OF_LABEL = {"left ventricle": "acdc", "stomach": "uw-madison"}  # every other model reads heads


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
    from hf_mri.data.phantoms import draw_phantom

    labels = reader.config.id2label.values()
    layout = next((PHANTOM_OF_LABEL[label] for label in labels if label in PHANTOM_OF_LABEL), "lgg")
    with tempfile.TemporaryDirectory(prefix="hf_mri_phantom_") as folder:
        draw_phantom(layout, Path(folder) / layout, patients=4, seed=1)
        scans = [reader.read_scan(path) for path in find_phantoms(Path(folder) / layout)]
    return Inputs(f"{layout} phantoms", scans)


def find_phantoms(folder: Path) -> list[Path]:
    """The scans in a folder that `draw_phantom` wrote."""
    volumes = sorted(folder.rglob("*_frame[0-9][0-9].nii.gz"))
    return volumes or sorted({path.parent for path in folder.rglob("*") if path.suffix in (".tif", ".png")})


def choose_slices(reader: Reader, readings: list[Reading]) -> Slices:
    """Prepare slices of scans that were read."""
    prepared, passed = [], []
    for reading in readings:
        slices, _ = reader._match_channels(reading.scan)
        count = reading.scan.slices_per_phase
        volume_ids = [index // count for index in range(len(slices))]
        known = {"volume_ids": volume_ids, "spacings": [reading.scan.spacing] * len(slices)}
        prepared += list(reader.processor(list(slices), **known, return_tensors="pt")["pixel_values"])
        passed += (reading.stage != "gate").tolist()
    seen = [index for index, goes_on in enumerate(passed) if goes_on] or list(range(len(prepared)))
    return Slices(_spread(prepared, range(len(prepared))), _spread(prepared, seen), float(np.mean(passed)))


def _spread(prepared: list[Tensor], indices: range | list[int]) -> Tensor:
    """At most `CALIBRATION_SLICES`, evenly from all scans; of one size, as the first."""
    indices = [index for index in indices if prepared[index].shape == prepared[indices[0]].shape]
    step = max(1, len(indices) // CALIBRATION_SLICES)
    return torch.stack([prepared[index] for index in indices[::step]][:CALIBRATION_SLICES])


def _read_validation(reader: Reader, data: str | Path) -> list[Scan]:
    from hf_mri.evaluation.volumes import open_volumes

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
