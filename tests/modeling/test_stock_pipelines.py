"""transformers' own pipelines work with our models, and ask no questions."""

import numpy as np
import pytest
from PIL import Image
from transformers import pipeline

from hf_mri import (
    MriImageProcessor,
    ResUNetConfig,
    ResUNetForSemanticSegmentation,
    SliceClassifierConfig,
    SliceClassifierForImageClassification,
    TwoStageForSemanticSegmentation,
)


def make_classifier(channels: int) -> SliceClassifierForImageClassification:
    return SliceClassifierForImageClassification(SliceClassifierConfig(backbone="test_resnet", num_channels=channels))


def make_segmenter(channels: int) -> ResUNetForSemanticSegmentation:
    config = ResUNetConfig(hidden_sizes=[4, 8], decoder_channels=[4], num_channels=channels)
    return ResUNetForSemanticSegmentation(config)


def make_two_stages(channels: int) -> TwoStageForSemanticSegmentation:
    return TwoStageForSemanticSegmentation.from_stages(
        make_classifier(channels), make_segmenter(channels), gate_threshold=0.0
    )


@pytest.fixture(autouse=True)
def no_questions(monkeypatch):
    """A prompt whether to run the repository's code would stop a script."""

    def refuse(question: str) -> str:
        raise AssertionError(question)

    monkeypatch.setattr("builtins.input", refuse)


@pytest.fixture
def slice_file(tmp_path):
    path = tmp_path / "slice.png"
    Image.fromarray(np.arange(48 * 40, dtype=np.uint8).reshape(48, 40)).save(path)
    return str(path)


def save(model, channels: int, folder) -> str:
    model.save_pretrained(folder)
    MriImageProcessor(size={"height": 32, "width": 32}, num_channels=channels).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("channels", [1, 3])
def test_image_classification(channels: int, slice_file: str, tmp_path):
    classify = pipeline("image-classification", model=save(make_classifier(channels), channels, tmp_path / "model"))
    answers = classify(slice_file)
    assert {answer["label"] for answer in answers} == {"no tumor", "tumor"}
    assert sum(answer["score"] for answer in answers) == pytest.approx(1)
    assert len(classify([slice_file, slice_file], batch_size=2)) == 2


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("make", [make_segmenter, make_two_stages])
def test_image_segmentation(channels: int, make, slice_file: str, tmp_path):
    segment = pipeline("image-segmentation", model=save(make(channels), channels, tmp_path / "model"))
    masks = {answer["label"]: np.asarray(answer["mask"]) for answer in segment(slice_file)}
    assert set(masks) <= {"background", "tumor"}
    assert all(mask.shape == (48, 40) for mask in masks.values())
    assert (sum((mask > 0).astype(int) for mask in masks.values()) == 1).all()
    assert len(segment([slice_file, slice_file], batch_size=2)) == 2


def test_a_slice_of_16_bits_is_clipped_by_the_stock_pipelines_and_they_are_told(tmp_path):
    deep = np.linspace(0, 4000, 48 * 40).reshape(48, 40).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    classify = pipeline("image-classification", model=save(make_classifier(3), 3, tmp_path / "model"))
    with pytest.warns(UserWarning, match="16 bits is turned into 8-bit RGB"):
        classify(str(tmp_path / "deep.png"))


def test_an_endpoint_that_is_given_a_clipped_image_doubts_it(tmp_path):
    clipped = Image.fromarray(np.linspace(0, 4000, 48 * 40).reshape(48, 40).clip(0, 255).astype(np.uint8))
    read = pipeline("mri-reading", model=save(make_segmenter(3), 3, tmp_path / "model"), engine="torch")
    assert any("16 bits" in doubt for doubt in read(clipped.convert("RGB")).doubts)
