"""Tiny models, made once."""

import pytest
import torch

from hf_mri import (
    MriImageProcessor,
    ResUNetConfig,
    ResUNetForSemanticSegmentation,
    SliceClassifierConfig,
    SliceClassifierForImageClassification,
    TwoStageForSemanticSegmentation,
)


@pytest.fixture(scope="session")
def processor():
    return MriImageProcessor(size={"height": 64, "width": 64}, num_channels=1, scope="volume", orientation="LPS")


@pytest.fixture(scope="session")
def classifier():
    torch.manual_seed(1)
    return SliceClassifierForImageClassification(SliceClassifierConfig(backbone="test_resnet", num_channels=1)).eval()


@pytest.fixture(scope="session")
def segmenter():
    torch.manual_seed(2)
    return ResUNetForSemanticSegmentation(
        ResUNetConfig(hidden_sizes=[8, 16], decoder_channels=[8], num_channels=1, smallest_lesion=3)
    ).eval()


@pytest.fixture(scope="session")
def two_stage(classifier, segmenter):
    return TwoStageForSemanticSegmentation.from_stages(classifier, segmenter)


@pytest.fixture(scope="session")
def heart_segmenter():
    torch.manual_seed(3)
    labels = ("background", "right ventricle", "myocardium", "left ventricle")
    config = ResUNetConfig(
        hidden_sizes=[8, 16], decoder_channels=[8], num_channels=1, id2label=dict(enumerate(labels))
    )
    return ResUNetForSemanticSegmentation(config).eval()
