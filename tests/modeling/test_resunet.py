"""The segmenter: a plain ResUNet, any timm backbone, any size, every loss."""

import pytest
import torch
from transformers import AutoModel, AutoModelForSemanticSegmentation

from hf_mri import ResUNetConfig, ResUNetForSemanticSegmentation
from tests.closeness import assert_same_model

# One small timm backbone a family: residual, inverted residual, without /2 level, attention of fixed size, dense.
BACKBONES = ["test_resnet", "test_efficientnet", "test_convnext", "test_vit", "test_maxvit"]
ORGANS = {"id2label": {0: "large_bowel", 1: "small_bowel"}, "problem_type": "multi_label_classification"}


def make_model(**kwargs) -> ResUNetForSemanticSegmentation:
    torch.manual_seed(0)
    kwargs = {"hidden_sizes": [4, 8, 8], "decoder_channels": [8, 4], "image_size": 64} | kwargs
    return ResUNetForSemanticSegmentation(ResUNetConfig(**kwargs)).eval()


def segment(model, height: int = 64, width: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        return model(torch.randn(2, model.config.num_channels, height, width, generator=generator)).logits


def test_parameters_of_the_original():
    model = ResUNetForSemanticSegmentation(
        ResUNetConfig(id2label={0: "tumor"}, problem_type="multi_label_classification")
    )
    assert sum(weight.numel() for weight in model.parameters()) == 1_206_129


@pytest.mark.parametrize("backbone", [None, *BACKBONES])
def test_saved_weights_come_back_bit_for_bit(backbone: str | None, tmp_path):
    model = make_model(backbone=backbone)
    segment(model.train())  # moves the batch norm statistics
    model.eval().save_pretrained(tmp_path)
    for auto in (ResUNetForSemanticSegmentation, AutoModel, AutoModelForSemanticSegmentation):
        assert_same_model(auto.from_pretrained(tmp_path), model, torch.randn(2, 3, 64, 64))


@pytest.mark.parametrize("backbone", [None, "test_resnet", "test_efficientnet", "test_convnext"])
@pytest.mark.parametrize(("height", "width"), [(251, 197), (33, 64), (40, 72)])
def test_any_size(backbone: str | None, height: int, width: int):
    assert segment(make_model(backbone=backbone), height, width).shape == (2, 2, height, width)


@pytest.mark.parametrize("backbone", [None, "test_resnet", "test_vit"])
@pytest.mark.parametrize("channels", [1, 3, 4, 9])
def test_any_number_of_channels(backbone: str | None, channels: int):
    assert segment(make_model(backbone=backbone, num_channels=channels)).shape == (2, 2, 64, 64)


def test_a_border_that_the_strides_leave_over_counts():
    """ConvNeXt's stem of stride 4 would drop the last three rows of 251."""
    model = make_model(backbone="test_convnext")
    slices = torch.zeros(1, 3, 67, 64)
    changed = slices.clone()
    changed[:, :, 66] = 1
    with torch.no_grad():
        assert not torch.equal(model(slices).logits, model(changed).logits)


@pytest.mark.parametrize("backbone", ["test_vit", "test_maxvit"])
def test_backbones_of_fixed_size_say_which(backbone: str):
    model = make_model(backbone=backbone)
    with pytest.raises(ValueError, match=r"takes images of 64x64 pixels only, got 96x64: set the processor's size"):
        model(torch.zeros(1, 3, 96, 64))
    with pytest.raises(ValueError, match=r"takes an image_size in multiples of (16|32), got 70"):
        make_model(backbone=backbone, image_size=70)


@pytest.mark.parametrize("decoder_channels", [[8], [8, 8], [8, 8, 8, 8], [16, 8, 8, 8, 8], [8] * 7])
@pytest.mark.parametrize("backbone", ["test_resnet", "test_convnext", "test_vit"])
def test_any_depth_of_decoder(backbone: str, decoder_channels: list[int]):
    model = make_model(backbone=backbone, decoder_channels=decoder_channels, upsampling="nearest")
    assert segment(model).shape == (2, 2, 64, 64)
    assert model.head.in_channels == decoder_channels[-1]


@pytest.mark.parametrize("loss", ["cross_entropy_dice", "bce_dice", "focal_tversky"])
@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("deep_supervision", [False, True])
def test_loss_falls_on_one_batch(loss: str, overlapping: bool, deep_supervision: bool):
    labels_of = ORGANS if overlapping else {}
    model = make_model(loss=loss, deep_supervision=deep_supervision, decoder_channels=[8, 8, 4], **labels_of).train()
    pixel_values = torch.randn(4, 3, 32, 32)
    pixel_values[:, :, 8:20, 8:20] += 2
    labels = torch.zeros(4, 32, 32, dtype=torch.long)
    labels[:3, 8:20, 8:20] = 1
    if overlapping:
        labels = torch.stack([labels, labels.flip(-1)], dim=1).float()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    values = []
    for _ in range(40):
        optimizer.zero_grad()
        value = model(pixel_values, labels=labels).loss
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.6 * values[0]


def test_deep_supervision_costs_nothing_in_evaluation():
    model = make_model(deep_supervision=True, decoder_channels=[8, 8, 4])
    labels = torch.randint(0, 2, (2, 32, 32))
    pixel_values = torch.randn(2, 3, 32, 32)
    plain = make_model(decoder_channels=[8, 8, 4])
    plain.load_state_dict(model.state_dict(), strict=False)
    assert torch.equal(model(pixel_values, labels).loss, plain(pixel_values, labels).loss)
    assert len(model.auxiliary_heads) == 2
    assert not torch.equal(model.train()(pixel_values, labels).loss, plain.train()(pixel_values, labels).loss)


def test_coarser_losses_weigh_half_as_much_each():
    model, labels = make_model(), torch.randint(0, 2, (2, 8, 8))
    coarse, fine, full = torch.randn(3, 2, 2, 8, 8)
    expected = (
        sum(weight * model.compute_loss(logits, labels) for logits, weight in ((full, 4), (fine, 2), (coarse, 1))) / 7
    )
    found = model._add_losses(model.compute_loss(full, labels), [coarse, fine], labels)
    assert torch.allclose(found, expected)


@pytest.mark.parametrize("backbone", [None, "test_efficientnet"])
def test_new_head_for_another_number_of_labels(backbone: str | None, tmp_path):
    make_model(backbone=backbone).save_pretrained(tmp_path)
    with pytest.raises(RuntimeError, match="ignore_mismatched_sizes"):
        ResUNetForSemanticSegmentation.from_pretrained(tmp_path, num_labels=4)
    model = ResUNetForSemanticSegmentation.from_pretrained(tmp_path, num_labels=4, ignore_mismatched_sizes=True)
    logits = segment(model)
    assert logits.shape[1] == 4
    assert logits.isfinite().all()
    assert logits.abs().max() < 1e3


def test_half_precision_forward_and_loss():
    model = make_model().to(torch.bfloat16).train()
    loss = model(torch.randn(2, 3, 32, 32).bfloat16(), labels=torch.zeros(2, 32, 32).long()).loss
    loss.backward()
    assert loss.isfinite()


def test_channels_last_gives_the_same_answer():
    model = make_model(backbone="test_resnet", decoder_channels=[8, 8, 8, 8])
    expected = segment(model)
    model = model.to(memory_format=torch.channels_last)
    assert torch.allclose(segment(model), expected, atol=1e-4)


def test_a_tuple_on_request():
    loss, logits = make_model()(torch.zeros(1, 3, 32, 32), labels=torch.zeros(1, 32, 32).long(), return_dict=False)
    assert loss.ndim == 0
    assert logits.shape == (1, 2, 32, 32)


def test_bad_input():
    model = make_model()
    with pytest.raises(ValueError, match=r"pixel_values must be \(B, 3, H, W\), got \(1, 1, 32, 32\)"):
        model(torch.zeros(1, 1, 32, 32))
    with pytest.raises(ValueError, match=r"pixel_values must be \(B, 3, H, W\), got \(3, 32, 32\)"):
        model(torch.zeros(3, 32, 32))
    with pytest.raises(ValueError, match="pixel_values is empty"):
        model(torch.zeros(0, 3, 32, 32))
    with pytest.raises(ValueError, match="unknown backbone 'resnet5': did you mean resnet50"):
        make_model(backbone="resnet5")
    with pytest.raises(ValueError, match="timm cannot build backbone 'test_resnet' with"):
        make_model(backbone="test_resnet", backbone_kwargs={"colour": True})
