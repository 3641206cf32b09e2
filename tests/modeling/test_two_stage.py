"""The gate saves the segmenter's work, and the output says which stage decided."""

import pytest
import torch
from torch import nn
from transformers import AutoModel, AutoModelForSemanticSegmentation

from hf_mri import (
    ResUNetConfig,
    ResUNetForSemanticSegmentation,
    SliceClassifierConfig,
    SliceClassifierForImageClassification,
    TwoStageConfig,
    TwoStageForSemanticSegmentation,
)
from hf_mri.modeling.modeling_two_stage import EMPTY, FOUND, REJECTED
from tests.closeness import assert_close_outputs, assert_same_model


def make_model(segmenter_kwargs: dict | None = None, **settings) -> TwoStageForSemanticSegmentation:
    torch.manual_seed(0)
    classifier = SliceClassifierForImageClassification(SliceClassifierConfig(backbone="test_resnet"))
    segmenter = ResUNetForSemanticSegmentation(
        ResUNetConfig(**{"hidden_sizes": [4, 8], "decoder_channels": [4]} | (segmenter_kwargs or {}))
    )
    return TwoStageForSemanticSegmentation.from_stages(classifier, segmenter, **settings)


class Gate(nn.Module):
    """Stands for a trained classifier: P(tumor) is the first pixel of each slice."""

    def forward(self, pixel_values, **keywords):
        from transformers.modeling_outputs import ImageClassifierOutput

        probability = pixel_values[:, 0, 0, 0]
        return ImageClassifierOutput(logits=torch.stack([(1 - probability).log(), probability.log()], dim=1))


class Segmenter(nn.Module):
    """Stands for a trained segmenter: remembers the batch, and marks pixels above 0.5 in the second channel."""

    def forward(self, pixel_values, **keywords):
        from transformers.modeling_outputs import SemanticSegmenterOutput

        self.seen = pixel_values
        return SemanticSegmenterOutput(
            logits=torch.stack([torch.zeros_like(pixel_values[:, 1]), pixel_values[:, 1] - 0.5], 1)
        )


def make_slices(*probabilities: float) -> torch.Tensor:
    slices = torch.zeros(len(probabilities), 3, 8, 8)
    slices[:, 0, 0, 0] = torch.tensor(probabilities)
    return slices


@pytest.fixture
def gated() -> TwoStageForSemanticSegmentation:
    model = make_model()
    model.classifier, model.segmenter = Gate(), Segmenter()
    return model


def test_the_segmenter_sees_only_slices_that_pass(gated):
    slices = make_slices(0.001, 0.5, 0.009, 0.011, 0.99)
    slices[4, 1, 2, 2] = 1
    output = gated(slices)
    assert torch.equal(gated.segmenter.seen, slices[[1, 3, 4]])
    assert output.stage.tolist() == [REJECTED, EMPTY, REJECTED, EMPTY, FOUND]
    assert output.stage.dtype == torch.uint8
    assert torch.allclose(output.gate_probability, torch.tensor([0.001, 0.5, 0.009, 0.011, 0.99]), atol=1e-6)
    assert output.gate_logits.shape == (5, 2)


def test_rejected_slices_get_finite_background(gated):
    output = gated(make_slices(0.001, 0.5))
    assert output.logits.isfinite().all()
    assert (output.logits[0, 0] == 20).all()
    assert (output.logits[0, 1] == -20).all()


def test_no_slice_passes_and_the_segmenter_does_not_run(gated):
    gated.segmenter = None
    assert gated(make_slices(0.001, 0.002)).stage.tolist() == [REJECTED, REJECTED]


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_the_gate_may_be_open_or_shut(gated, threshold):
    gated.config.gate_threshold = threshold
    assert (gated(make_slices(0.2, 0.9)).stage != REJECTED).tolist() == [threshold == 0] * 2


def test_passing_slices_get_what_the_segmenter_alone_says():
    model = make_model(gate_threshold=0.0)
    slices = torch.randn(3, 3, 40, 32)
    assert_close_outputs(model(slices).logits, model.segmenter(slices).logits)


def test_overlapping_labels_are_all_absent_where_rejected():
    overlapping = {"id2label": {0: "large_bowel", 1: "stomach"}, "problem_type": "multi_label_classification"}
    model = make_model(overlapping, gate_threshold=1.0)
    output = model(torch.randn(2, 3, 32, 32))
    assert (output.logits == -20).all()
    assert output.stage.tolist() == [REJECTED, REJECTED]


def test_training_segments_every_slice_and_moves_both_stages():
    model = make_model(gate_threshold=1.0).train()
    labels = torch.zeros(4, 32, 32, dtype=torch.long)
    labels[:2, 8:16, 8:16] = 1
    pixel_values = torch.randn(4, 3, 32, 32) + labels[:, None]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        output = model(pixel_values, labels=labels)
        output.loss.backward()
        optimizer.step()
        losses.append(output.loss.item())
    assert (output.stage != REJECTED).all()
    assert losses[-1] < 0.8 * losses[0]
    assert all(weight.grad is not None for weight in model.parameters())


def test_deep_supervision_reaches_the_joint_training():
    model = make_model({"deep_supervision": True, "hidden_sizes": [4, 8, 8, 8], "decoder_channels": [8, 8, 4]}).train()
    model(torch.randn(2, 3, 32, 32), labels=torch.ones(2, 32, 32).long()).loss.backward()
    assert all(weight.grad is not None for weight in model.segmenter.parameters())


def test_saved_weights_and_thresholds_come_back_bit_for_bit(tmp_path):
    model = make_model(gate_threshold=0.3, temperature=1.7, mask_threshold=0.4, smallest_lesion=12)
    model.save_pretrained(tmp_path)
    slices = torch.randn(4, 3, 251, 197)
    for auto in (TwoStageForSemanticSegmentation, AutoModel, AutoModelForSemanticSegmentation):
        loaded = auto.from_pretrained(tmp_path)
        assert_same_model(loaded, model, slices)
    settings = ("gate_threshold", "temperature", "mask_threshold", "smallest_lesion")
    assert [getattr(loaded.config, name) for name in settings] == [0.3, 1.7, 0.4, 12]


def test_joined_models_are_copies_with_the_segmenters_thresholds():
    torch.manual_seed(0)
    classifier = SliceClassifierForImageClassification(SliceClassifierConfig(backbone="test_resnet"))
    segmenter = ResUNetForSemanticSegmentation(
        ResUNetConfig(hidden_sizes=[4, 8], decoder_channels=[4], mask_threshold=0.3, smallest_lesion=5)
    )
    model = TwoStageForSemanticSegmentation.from_stages(classifier, segmenter, smallest_lesion=7)
    assert (model.config.mask_threshold, model.config.smallest_lesion) == (0.3, 7)
    for joined, own in ((model.classifier, classifier), (model.segmenter, segmenter)):
        for name, value in own.state_dict().items():
            assert torch.equal(joined.state_dict()[name], value)
    assert model.segmenter.head.weight is not segmenter.head.weight


def test_two_mobilenets_stay_under_five_million_parameters():
    backbone = {"backbone": "mobilenetv2_100"}
    config = TwoStageConfig(
        classifier={**backbone, "backbone_kwargs": {"features_only": True}},
        segmenter={**backbone, "decoder_channels": [96, 64, 48, 32], "decoder_kernel_size": 3},
    )
    with torch.device("meta"):
        model = TwoStageForSemanticSegmentation(config)
    assert sum(weight.numel() for weight in model.parameters()) < 5e6


def test_another_number_of_labels(tmp_path):
    make_model().save_pretrained(tmp_path / "two")
    model = TwoStageForSemanticSegmentation.from_pretrained(
        tmp_path / "two", num_labels=4, ignore_mismatched_sizes=True
    )
    logits = model(torch.randn(2, 3, 32, 32)).logits
    assert logits.shape[1] == 4
    assert logits.isfinite().all()
    model.save_pretrained(tmp_path / "four")
    assert TwoStageForSemanticSegmentation.from_pretrained(tmp_path / "four").config.num_labels == 4


def test_bad_input():
    with pytest.raises(ValueError, match=r"pixel_values must be \(B, 3, H, W\), got \(1, 32, 32\)"):
        make_model()(torch.zeros(1, 32, 32))
