"""The classifier: any timm backbone, frozen or not, saved and loaded bit for bit."""

import pytest
import torch
from transformers import AutoModel, AutoModelForImageClassification

from hf_mri import SliceClassifierConfig, SliceClassifierForImageClassification
from tests.closeness import assert_same_model

TINY = ["test_resnet", "test_efficientnet", "test_convnext", "test_vit", "test_maxvit"]
LARGE = [
    "resnet50",
    "densenet121",
    "efficientnet_b7",
    "mobilenetv2_100",
    "convnext_tiny",
    "swin_tiny_patch4_window7_224",
    "maxvit_tiny_tf_224",
    "vit_small_patch16_224",
]


def make_model(backbone: str = "test_resnet", **kwargs) -> SliceClassifierForImageClassification:
    torch.manual_seed(0)
    kwargs = {"image_size": 64} | kwargs
    return SliceClassifierForImageClassification(SliceClassifierConfig(backbone=backbone, **kwargs)).eval()


def classify(model, size: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        return model(torch.randn(2, model.config.num_channels, size, size, generator=generator)).logits


def check_round_trip(model, folder, size: int) -> None:
    model.save_pretrained(folder)
    assert classify(model, size).isfinite().all()
    for auto in (SliceClassifierForImageClassification, AutoModel, AutoModelForImageClassification):
        assert_same_model(auto.from_pretrained(folder), model, torch.randn(2, 3, size, size))


@pytest.mark.parametrize("backbone", TINY)
@pytest.mark.parametrize("features_only", [False, True])
def test_saved_weights_come_back_bit_for_bit(backbone: str, features_only: bool, tmp_path):
    model = make_model(backbone, backbone_kwargs={"features_only": True} if features_only else None)
    classify(model.train())  # moves the batch norm statistics
    check_round_trip(model.eval(), tmp_path, 64)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", LARGE)
def test_saved_weights_come_back_bit_for_bit_large(backbone: str, tmp_path):
    check_round_trip(make_model(backbone, image_size=224), tmp_path, 224)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit"])
def test_any_number_of_channels(channels: int, backbone: str):
    assert classify(make_model(backbone, num_channels=channels)).shape == (2, 2)


@pytest.mark.parametrize("features_only", [False, True])
def test_odd_sizes(features_only: bool):
    model = make_model(backbone_kwargs={"features_only": features_only})
    assert model(torch.randn(1, 3, 251, 197)).logits.shape == (1, 2)


def test_features_only_leaves_out_the_wide_last_layer():
    with torch.device("meta"):
        wide = make_model("mobilenetv2_100")
        narrow = make_model("mobilenetv2_100", backbone_kwargs={"features_only": True})
    assert (wide.head.in_features, narrow.head.in_features) == (1280, 320)
    assert sum(weight.numel() for weight in narrow.parameters()) < 1.82e6


def test_a_frozen_backbone_does_not_move():
    model = make_model(freeze_backbone=True, dropout=0.5).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD((weight for weight in model.parameters() if weight.requires_grad), lr=0.1)
    model(torch.randn(4, 3, 64, 64), labels=torch.tensor([0, 1, 0, 1])).loss.backward()
    optimizer.step()
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"head.weight", "head.bias"}


def test_a_frozen_backbone_stays_frozen_after_loading(tmp_path):
    make_model(freeze_backbone=True).save_pretrained(tmp_path)
    model = SliceClassifierForImageClassification.from_pretrained(tmp_path)
    assert {name for name, weight in model.named_parameters() if weight.requires_grad} == {"head.weight", "head.bias"}


@pytest.mark.parametrize("problem_type", ["single_label_classification", "multi_label_classification"])
@pytest.mark.parametrize("options", [{}, {"class_weights": [1, 3], "label_smoothing": 0.1}])
def test_loss_falls_on_one_batch(problem_type: str, options: dict):
    model = make_model(problem_type=problem_type, **options).train()
    pixel_values, labels = torch.randn(4, 3, 64, 64), torch.tensor([0, 1, 0, 1])
    if problem_type == "multi_label_classification":
        labels = torch.tensor([[1.0, 1], [0, 1], [1, 0], [0, 0]])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    values = []
    for _ in range(15):
        optimizer.zero_grad()
        value = model(pixel_values, labels=labels).loss
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.7 * values[0]


def test_one_output_for_overlapping_labels(tmp_path):
    model = make_model(problem_type="multi_label_classification", id2label={0: "tumor"})
    assert classify(model).shape == (2, 1)


@pytest.mark.parametrize("backbone", TINY)
def test_new_head_for_another_number_of_labels(backbone: str, tmp_path):
    make_model(backbone).save_pretrained(tmp_path)
    model = SliceClassifierForImageClassification.from_pretrained(tmp_path, num_labels=5, ignore_mismatched_sizes=True)
    logits = classify(model.eval())
    assert logits.shape == (2, 5)
    assert logits.isfinite().all()
    assert logits.std() < 30


def test_timm_keeps_its_own_initialization():
    """A backbone built from scratch starts as timm wants it, not as transformers' default of N(0, 0.02)."""
    block = make_model("test_vit").backbone.blocks[0]
    assert block.attn.qkv.bias.abs().max() == 0
    assert 0.015 < block.mlp.fc1.weight.std() < 0.025
    stem = make_model("resnet18").backbone.conv1.weight
    assert stem.std() > 0.02


@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit"])
def test_a_gate_at_half_resolution_sees_averaged_pixels(backbone):
    gate = make_model(backbone, downsample=2, image_size=128)
    whole = make_model(backbone, image_size=64)
    whole.load_state_dict(gate.state_dict())
    images = torch.randn(2, 3, 128, 128)
    torch.testing.assert_close(gate(images).logits, whole(torch.nn.functional.avg_pool2d(images, 2)).logits)


def test_fine_tune_a_step_save_and_load_again(tmp_path):
    make_model().save_pretrained(tmp_path / "before")
    model = AutoModelForImageClassification.from_pretrained(tmp_path / "before").train()
    model(torch.randn(4, 3, 64, 64), labels=torch.tensor([0, 1, 0, 1])).loss.backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    check_round_trip(model.eval(), tmp_path / "after", 64)


def test_bad_input():
    model = make_model("test_vit")
    with pytest.raises(ValueError, match=r"pixel_values must be \(B, 3, H, W\), got \(2, 1, 64, 64\)"):
        model(torch.zeros(2, 1, 64, 64))
    with pytest.raises(ValueError, match="64x64 pixels only, got 32x32"):
        model(torch.zeros(2, 3, 32, 32))
    with pytest.raises(ValueError, match="unknown backbone 'densnet121': did you mean densenet121"):
        make_model("densnet121")
    with pytest.raises(ValueError, match="shares weights"):
        make_model("coat_lite_tiny")
