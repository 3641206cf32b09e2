"""Small volumes, readers and folders that the tests of the evaluation share."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from hf_mri import MriImageProcessor, Reader, ResUNetConfig, SliceClassifierConfig, TwoStageConfig
from hf_mri.evaluation.cases import Case

THRESHOLDS = {
    "gate_threshold": 0.01,
    "slice_threshold": 0.5,
    "mask_threshold": 0.5,
    "smallest_lesion": 0,
    "temperature": 1.0,
    "mask_weight": 0.5,
}


def make_case(
    truth: np.ndarray, predicted: np.ndarray, patient: str = "A", label: str = "tumor", **changes: object
) -> Case:
    """A case of one label from two masks (S, H, W); a slice's probability is 0.9 where something is predicted."""
    found = predicted.any(axis=(1, 2))
    values = {
        "patient": patient,
        "volume": patient,
        "truth": {label: truth},
        "predicted": {label: predicted},
        "decision": found,
        "probability": np.where(found, 0.9, 0.1),
        "thresholds": THRESHOLDS,
    }
    return Case(**(values | changes))


def make_masks(seed: int, slices: int = 4, size: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """A square lesion in half of the slices, and a prediction that is shifted by a pixel or two."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((slices, size, size), bool)
    row, column = rng.integers(1, size - 6, 2)
    truth[slices // 4 : slices // 4 + slices // 2, row : row + 4, column : column + 4] = True
    return truth, np.roll(truth, tuple(rng.integers(0, 3, 2)), axis=(1, 2))


class BrightEngine:
    """Calls a slice tumor where anything is brighter than 0.6 after the window, and outlines what is."""

    name, precision, device = "bright", "float32", "cpu"

    def __init__(self, gate: bool = True, segment: bool = True) -> None:
        self.segmented = 0
        if not gate:
            self.gate = None
        if not segment:
            self.segment = None

    def gate(self, pixel_values: list[torch.Tensor]) -> torch.Tensor:
        """Logits of no tumor and tumor."""
        highest = torch.stack([*pixel_values]).amax(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(highest), 40 * (highest - 0.6)], dim=1)

    def segment(self, pixel_values: list[torch.Tensor]) -> torch.Tensor:
        """Logits of background and tumor."""
        self.segmented += len(pixel_values)
        tumor = 40 * (torch.stack([*pixel_values]).amax(dim=1) - 0.6)
        return torch.stack([torch.zeros_like(tumor), tumor], dim=1)


def make_reader(kind: str = "two-stage", flips: bool = False, **settings: object) -> tuple[Reader, BrightEngine]:
    """A Reader whose network is replaced by arithmetic."""
    config = {"two-stage": TwoStageConfig, "resunet": ResUNetConfig, "classifier": SliceClassifierConfig}[kind](
        **settings
    )
    engine = BrightEngine(gate=kind != "resunet", segment=kind != "classifier")
    processor = MriImageProcessor(
        size={"height": 32, "width": 32},
        window="fixed",
        intensity_range=(0, 255),
        image_mean=[0.0] * 3,
        image_std=[1.0] * 3,
    )
    return Reader(SimpleNamespace(config=config), processor, engine=engine, flips=flips), engine


def write_lgg(folder: Path, patients: tuple[str, ...] = ("TCGA_CS_0001_20000101", "TCGA_DU_0002_20000101")) -> Path:
    """A folder as the LGG set's publisher ships it: three slices a patient, a bright square in the middle one."""
    for number, patient in enumerate(patients):
        place = folder / "kaggle_3m" / patient
        place.mkdir(parents=True)
        rng = np.random.default_rng(number)
        for index in range(1, 4):
            image = rng.integers(20, 90, (32, 32, 3), dtype=np.uint8)
            mask = np.zeros((32, 32), np.uint8)
            if index == 2:
                mask[10:18, 8 : 16 + number] = 255
                image[mask > 0] = 230
            Image.fromarray(image).save(place / f"{patient}_{index}.tif")
            Image.fromarray(mask).save(place / f"{patient}_{index}_mask.tif")
    return folder
