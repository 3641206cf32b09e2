"""A tiny two-stage model, and readings made by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hf_mri import (
    MriImageProcessor,
    ResUNetConfig,
    ResUNetForSemanticSegmentation,
    SliceClassifierConfig,
    SliceClassifierForImageClassification,
    TwoStageForSemanticSegmentation,
)
from hf_mri.modeling.mri_reading import Reading
from hf_mri.modeling.mri_reading_decisions import THRESHOLDS
from hf_mri.modeling.mri_scan import Scan
from hf_mri.modeling.mri_scan_geometry import Geometry
from tests.data.conftest import lgg_dataset, lgg_source  # noqa: F401 - fixtures

SIDE = 64


def make_model(folder: Path) -> Path:
    """Save a two-stage model with random weights whose gate lets every slice pass."""
    torch.manual_seed(0)
    classifier = SliceClassifierForImageClassification(SliceClassifierConfig(backbone="test_resnet", image_size=SIDE))
    segmenter = ResUNetForSemanticSegmentation(
        ResUNetConfig(hidden_sizes=[4, 8, 8, 8, 8, 8], decoder_channels=[8, 8, 8, 8, 8], image_size=SIDE)
    )
    with torch.no_grad():  # half of the pixels of a noisy slice become tumor
        logits = segmenter.eval()(torch.rand(4, 3, SIDE, SIDE) * 2 - 1).logits
        segmenter.head.bias[1] -= (logits[:, 1] - logits[:, 0]).median()
    model = TwoStageForSemanticSegmentation.from_stages(classifier, segmenter, gate_threshold=0.0)
    model.save_pretrained(folder)
    MriImageProcessor(size={"height": SIDE, "width": SIDE}, num_channels=3, scope="volume").save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """The folder of a tiny two-stage model."""
    return make_model(tmp_path_factory.mktemp("model"))


def write_scan(folder: Path, seed: int = 0, slices: int = 3) -> Path:
    """Write a folder of TIFF slices."""
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (slices, SIDE, SIDE, 3), dtype=np.uint8)
    for number, page in enumerate(pixels, start=1):
        Image.fromarray(page).save(folder / f"slice_{number}.tif")
    return folder


def make_reading(phases: int = 1, labels: tuple[str, ...] = ("tumor",), slices: int = 4) -> Reading:
    """Slices of 10 x 20 pixels at 2 x 1 mm, 5 mm apart; in the second one the first label fills 3 x 4 pixels."""
    count = phases * slices
    masks = {label: np.zeros((count, 10, 20), bool) for label in labels}
    masks[labels[0]][1::slices, 2:5, 6:10] = True
    found = masks[labels[0]].any(axis=(1, 2))
    geometry = Geometry((20, 10, slices))
    gray = np.arange(count * 200, dtype=np.uint16).reshape(count, 10, 20, 1)
    return Reading(
        probability=np.where(found, 0.9, 0.1),
        stage=np.where(found, "mask", "empty"),
        masks=masks,
        spacing=(2.0, 1.0, 5.0),
        geometry=geometry,
        source="patient-1",
        phases=phases,
        thresholds=dict(THRESHOLDS),
        model={"id": "a-model", "revision": None, "engine": "torch", "precision": "float32"},
        scan=Scan(gray, (2.0, 1.0, 5.0), geometry, source="patient-1", phases=phases),
    )
