"""Tiny bundles, trained on nothing, with real figures from made-up predictions."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from hf_mri import (
    MriImageProcessor,
    ResUNetConfig,
    ResUNetForSemanticSegmentation,
    SliceClassifierConfig,
    SliceClassifierForImageClassification,
    TwoStageConfig,
    TwoStageForSemanticSegmentation,
)
from hf_mri.evaluation.evaluate import evaluate_predictions
from hf_mri.evaluation.stored_predictions import StoredCase
from hf_mri.evaluation.thresholds import apply_thresholds
from hf_mri.hub.bundle import write_bundle
from tests.data.conftest import lgg_dataset, lgg_source  # noqa: F401 - fixtures

PATIENTS = [f"TCGA_{('CS', 'DU')[number % 2]}_{number}" for number in range(6)]
TRAINING = {
    "dataset": "lgg",
    "patients": {"train": PATIENTS[:4], "validation": PATIENTS[4:]},
    "sites": {"CS": 3, "DU": 3},
    "image_hashes": ["0f" * 8],
    "training_slices": 20,
    "steps": 10,
    "epochs": 2.0,
    "seconds": 84.0,
    "hardware": "2 CPU cores",
    "versions": {"torch": "2.15.0"},
    "code_version": "0123abc",
    "history": [{"epoch": 1, "step": 5, "loss": 1.0, "dice": 0.3}, {"epoch": 2, "step": 10, "loss": 0.5, "dice": 0.6}],
}
TRAIN_CONFIG = {
    "task": "two-stage",
    "pretrained": "/somewhere/weights.safetensors",
    "seed": 3,
}


def make_model(kind: str, channels: int = 3) -> torch.nn.Module:
    torch.manual_seed(0)
    classifier = SliceClassifierForImageClassification(
        SliceClassifierConfig(backbone="test_resnet", num_channels=channels, image_size=32)
    )
    segmenter = ResUNetForSemanticSegmentation(
        ResUNetConfig(hidden_sizes=[4, 8, 8], decoder_channels=[8, 4], num_channels=channels, image_size=32)
    )
    if kind == "two-stage":
        return TwoStageForSemanticSegmentation.from_stages(classifier, segmenter)
    return (classifier if kind == "classifier" else segmenter).eval()


def make_processor(channels: int = 3) -> MriImageProcessor:
    return MriImageProcessor(
        size={"height": 32, "width": 32},
        num_channels=channels,
        image_mean=[0.5] * channels,
        image_std=[0.5] * channels,
    )


def make_metrics(kind: str) -> dict:
    """Judge made-up predictions of six patients by the package's own evaluation."""

    def store(number: int) -> StoredCase:
        random = np.random.default_rng(number)
        truth = np.zeros((5, 1, 24, 24), bool)
        truth[1:4, 0, 6:14, 6 : 10 + number] = True
        return StoredCase(
            patient=PATIENTS[number],
            volume=PATIENTS[number],
            labels=("tumor",),
            problem_type="single_label_classification",
            truth=truth,
            mask_logit=None
            if kind == "classifier"
            else np.where(truth, 3.0, -4.0) + random.normal(0, 1.5, truth.shape),
            gate_logit=None if kind == "resunet" else np.array([-3, 2, 4, 3, -1.0]) + random.normal(0, 1, 5),
            slices=np.arange(5),
            spacing=(1.0, 1.0, 5.0),
            columns={"site": PATIENTS[number][5:7]},
        )

    config = {"classifier": SliceClassifierConfig, "resunet": ResUNetConfig, "two-stage": TwoStageConfig}[kind]()
    cases = apply_thresholds([store(number) for number in range(6)], config)
    return evaluate_predictions(cases, protocol="cross-validation", data={"name": "lgg"})


@pytest.fixture(scope="session")
def finished_bundles(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Bundles by kind, made once; to be copied before they are changed."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            folder = tmp_path_factory.mktemp("bundles") / kind
            made[kind] = write_bundle(
                folder,
                make_model(kind),
                make_processor(),
                train_config=TRAIN_CONFIG,
                training=TRAINING,
                metrics=make_metrics(kind),
            )
        return made[kind]

    return make


@pytest.fixture
def bundle(finished_bundles: Callable[[str], Path], tmp_path: Path) -> Path:
    """A two-stage bundle of one's own."""
    return Path(shutil.copytree(finished_bundles("two-stage"), tmp_path / "my-model"))
