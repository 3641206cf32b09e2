"""ImageNet weights: after construction, from a local file, with the stem adapted to the channels."""

import pytest
import timm
import torch
from safetensors.torch import save_file

from hf_mri import (
    ResUNetConfig,
    ResUNetForSemanticSegmentation,
    SliceClassifierConfig,
    SliceClassifierForImageClassification,
    load_imagenet_weights,
)
from tests.closeness import assert_close_outputs


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A weights file of timm's with its classifier, as for ImageNet, and the model that it came from."""
    torch.manual_seed(3)
    model = timm.create_model("test_efficientnet", num_classes=1000).eval()
    path = tmp_path_factory.mktemp("weights") / "test_efficientnet.imagenet.safetensors"
    save_file(model.state_dict(), path)
    return path, model


def make_classifier(channels: int = 3, **kwargs) -> SliceClassifierForImageClassification:
    config = SliceClassifierConfig(backbone="test_efficientnet", num_channels=channels, **kwargs)
    return SliceClassifierForImageClassification(config).eval()


def make_segmenter(channels: int = 3) -> ResUNetForSemanticSegmentation:
    config = ResUNetConfig(backbone="test_efficientnet", num_channels=channels, decoder_channels=[8, 8])
    return ResUNetForSemanticSegmentation(config).eval()


def test_classifier_computes_the_features_of_the_original(weights):
    path, original = weights
    model = make_classifier()
    load_imagenet_weights(model, path)
    images = torch.randn(2, 3, 64, 64)
    assert torch.allclose(
        model.backbone(images), original.forward_head(original.forward_features(images), pre_logits=True)
    )
    assert not model.backbone.training


def test_segmenter_computes_the_features_of_the_original(weights):
    path, original = weights
    model = make_segmenter()
    load_imagenet_weights(model, path)
    images = torch.randn(2, 3, 64, 64)
    _, features = original.forward_intermediates(images)
    for own, expected in zip(model.backbone(images), features, strict=True):
        assert torch.allclose(own, expected, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("make", [make_classifier, make_segmenter])
def test_the_stem_answers_gray_images_alike_for_any_number_of_channels(weights, make, channels: int):
    path, original = weights
    model = make(channels)
    load_imagenet_weights(model, path)
    gray = torch.rand(1, 1, 64, 64)
    expected = original.conv_stem(gray.expand(-1, 3, -1, -1))
    found = model.backbone.conv_stem(gray.expand(-1, channels, -1, -1))
    if channels % 3 == 0 or channels == 1:
        assert torch.allclose(found, expected, atol=1e-5)
    assert 0.3 < found.std() / expected.std() < 3


def test_mean_and_deviation_for_the_processor(weights):
    path, _ = weights
    mean, std = (timm.get_pretrained_cfg("test_efficientnet").to_dict()[name] for name in ("mean", "std"))
    assert load_imagenet_weights(make_classifier(), path) == {"image_mean": list(mean), "image_std": list(std)}
    assert load_imagenet_weights(make_classifier(9), path)["image_mean"] == list(mean) * 3
    assert load_imagenet_weights(make_classifier(1), path)["image_std"] == pytest.approx([sum(std) / 3])


def test_a_shared_file_brings_its_padding(tmp_path):
    path = tmp_path / "mobilenetv2_100.coral_in1k.safetensors"
    save_file(timm.create_model("mobilenetv2_100").state_dict(), path)
    model = ResUNetForSemanticSegmentation(ResUNetConfig(backbone="mobilenetv2_100", decoder_channels=[8]))
    assert load_imagenet_weights(model, path) == {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    assert model.config.backbone_kwargs == {"pad_type": "same"}
    assert type(model.backbone.conv_stem).__name__ == "Conv2dSame"
    model.eval().save_pretrained(tmp_path / "saved")
    loaded = ResUNetForSemanticSegmentation.from_pretrained(tmp_path / "saved")
    images = torch.randn(1, 3, 65, 64)
    with torch.no_grad():
        assert_close_outputs(loaded(images).logits, model(images).logits)
    # The config has the last word.
    kept = ResUNetConfig(backbone="mobilenetv2_100", decoder_channels=[8], backbone_kwargs={"pad_type": ""})
    model = ResUNetForSemanticSegmentation(kept)
    load_imagenet_weights(model, path)
    assert model.config.backbone_kwargs == {"pad_type": ""}


def test_weights_survive_save_and_load(weights, tmp_path):
    path, _ = weights
    model = make_classifier(freeze_backbone=True)
    load_imagenet_weights(model, path)
    assert not any(weight.requires_grad for weight in model.backbone.parameters())
    model.save_pretrained(tmp_path)
    loaded = SliceClassifierForImageClassification.from_pretrained(tmp_path)
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_bad_sources(weights, tmp_path):
    path, _ = weights
    with pytest.raises(FileNotFoundError, match="no weights file 'nowhere"):
        load_imagenet_weights(make_classifier(), "nowhere.safetensors")
    with pytest.raises(ValueError, match="ImageNet weights need a timm backbone"):
        load_imagenet_weights(ResUNetForSemanticSegmentation(ResUNetConfig(hidden_sizes=[4, 4])), path)
    other = SliceClassifierForImageClassification(SliceClassifierConfig(backbone="test_resnet"))
    with pytest.raises(ValueError, match="timm cannot build backbone 'test_resnet'"):
        load_imagenet_weights(other, path)


def test_a_file_of_which_nothing_fits_is_refused(tmp_path, caplog):
    model = make_segmenter()
    model.save_pretrained(tmp_path)  # a whole model's weights: the obvious attempt at fine-tuning it
    with pytest.raises(ValueError, match=r"none of its weights fit backbone 'test_efficientnet' \(.*--from MODEL"):
        load_imagenet_weights(make_segmenter(), tmp_path / "model.safetensors")
    assert "Unexpected keys" not in caplog.text, "one line is enough"


def test_weights_out_of_reach_are_named(monkeypatch):
    model = SliceClassifierForImageClassification(SliceClassifierConfig(backbone="test_resnet"))

    def refuse(**_):
        raise OSError("no connection")

    monkeypatch.setattr(model, "build_backbone", refuse)
    with pytest.raises(OSError, match=r"'test_resnet' cannot be fetched \(no connection\): give a safetensors file"):
        load_imagenet_weights(model, True)
