"""docs/finetuning.md is a promise: its Python runs as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest

from hf_mri import MriImageProcessor, ResUNetConfig, ResUNetForSemanticSegmentation
from hf_mri.training import start_model

PAGE = Path(__file__).parents[2] / "docs" / "finetuning.md"


@pytest.fixture
def brain(tmp_path) -> Path:
    """A small segmenter of synthetic brains: three channels, three slices at once."""
    folder = tmp_path / "model_cards" / "lgg-resunet"
    config = ResUNetConfig(backbone="test_resnet", num_channels=9, image_size=48, decoder_channels=[8, 8, 8, 8])
    ResUNetForSemanticSegmentation(config).save_pretrained(folder)
    MriImageProcessor(size={"height": 48, "width": 48}, neighbors=1, scope="volume").save_pretrained(folder)
    return folder


def test_the_trainer_of_transformers_takes_a_model_for_other_labels(brain, heart_phantom, tmp_path, monkeypatch):
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/heart").symlink_to(heart_phantom)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    space: dict = {}
    exec(compile(code.replace("max_steps=300", "max_steps=2"), PAGE.name, "exec"), space)
    reading = space["read"](np.zeros((2, 64, 64), np.uint8))
    assert set(reading.masks) == {"right ventricle", "myocardium", "left ventricle"}
    assert Path("runs/trainer/model/modeling_resunet.py").is_file(), "the code travels along"


def test_settings_reach_the_config(brain, caplog):
    model, processor = start_model(brain, {0: "background", 1: "tumor"}, num_channels=1, loss="focal_tversky")
    assert (model.config.num_channels, processor.num_channels, processor.neighbors) == (3, 1, 1)
    assert model.config.loss == "focal_tversky"
    assert "the stem adapted from 9 to 3 channels" in caplog.text


def test_a_classifier_is_no_start_for_outlines(tmp_path):
    from hf_mri import SliceClassifierConfig, SliceClassifierForImageClassification

    SliceClassifierForImageClassification(SliceClassifierConfig(backbone="test_resnet")).save_pretrained(tmp_path)
    MriImageProcessor().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="is a classifier, and outlines nothing"):
        start_model(tmp_path, {0: "background", 1: "tumor"}, num_channels=3)
