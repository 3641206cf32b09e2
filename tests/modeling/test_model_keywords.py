"""What programs ask of every model: feature maps, tuples, graphs without branches; the same for all three."""

import pytest
import torch

from hf_mri import (
    ResUNetConfig,
    ResUNetForSemanticSegmentation,
    SliceClassifierConfig,
    SliceClassifierForImageClassification,
    TwoStageConfig,
    TwoStageForSemanticSegmentation,
)

CLASSIFIER = {"backbone": "test_resnet", "image_size": 32}
RESUNET = {"hidden_sizes": [4, 8, 16], "decoder_channels": [8, 4], "image_size": 32}


def make_model(kind: str):
    torch.manual_seed(0)
    if kind == "classifier":
        return SliceClassifierForImageClassification(SliceClassifierConfig(**CLASSIFIER)).eval()
    if kind == "resunet":
        return ResUNetForSemanticSegmentation(ResUNetConfig(**RESUNET)).eval()
    return TwoStageForSemanticSegmentation(TwoStageConfig(classifier=CLASSIFIER, segmenter=RESUNET)).eval()


KINDS = ("classifier", "resunet", "two-stage")


@pytest.mark.parametrize("kind", KINDS)
def test_feature_maps_on_request_by_call_and_by_config(kind):
    model, slices = make_model(kind), torch.rand(2, 3, 32, 32)
    assert model(slices).hidden_states is None
    asked = model(slices, output_hidden_states=True, output_attentions=True)
    assert torch.allclose(asked.logits, model(slices).logits, atol=1e-6)
    sides = [maps.shape[-1] for maps in asked.hidden_states]
    assert sides == ([32, 16, 8, 16, 32] if kind == "resunet" else [16, 8, 4, 2, 1])
    model.config.output_hidden_states = True
    assert len(model(slices).hidden_states) == len(sides)


@pytest.mark.parametrize("kwargs", [{"features_only": True}, {}])
def test_feature_maps_of_a_classifier_end_where_it_pools(kwargs):
    config = SliceClassifierConfig(**CLASSIFIER, backbone_kwargs=kwargs)
    model = SliceClassifierForImageClassification(config).eval()
    answer = model(torch.rand(1, 3, 32, 32), output_hidden_states=True)
    assert answer.hidden_states[-1].shape == (1, answer.hidden_states[-1].shape[1], 1, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_tuples_by_call_and_by_config(kind):
    model, slices = make_model(kind), torch.rand(2, 3, 32, 32)
    labels = torch.tensor([0, 1]) if kind == "classifier" else torch.ones(2, 32, 32).long()
    loss, logits, *_ = model(slices, labels=labels, return_dict=False)
    model.config.return_dict = False
    by_config = model(slices, labels=labels)
    assert isinstance(by_config, tuple)
    assert torch.equal(by_config[0], loss)
    assert torch.equal(model(slices, return_dict=True).logits, logits)


def test_two_stages_of_one_size_and_as_many_channels(tmp_path):
    config = TwoStageConfig(classifier=CLASSIFIER, segmenter=RESUNET, num_channels=1, largest_component=True)
    assert config.classifier["num_channels"] == config.segmenter["num_channels"] == 1
    assert config.segmenter["largest_component"]
    config.save_pretrained(tmp_path)
    larger = TwoStageConfig.from_pretrained(tmp_path, image_size=64)
    assert larger.classifier["image_size"] == larger.segmenter["image_size"] == 64
    with pytest.raises(ValueError, match="image_size must be above 0"):
        larger.image_size = 0


@pytest.fixture
def gated():
    """Two stages whose gate rejects one of three slices, and these slices."""
    model, slices = make_model("two-stage"), torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        model.config.gate_threshold = float(model(slices).gate_probability.sort().values[1])
        yield model, slices


def test_two_stages_are_exported_whole(gated):
    model, slices = gated
    expected = model(slices)
    assert expected.stage.tolist().count(0) == 1
    answer = torch.export.export(model, (slices,), strict=False).module()(slices)
    assert torch.equal(answer.stage, expected.stage)
    assert torch.allclose(answer.logits, expected.logits, atol=1e-5)


def test_two_stages_compile_to_one_graph(gated):
    model, slices = gated
    expected = model(slices)
    answer = torch.compile(model, fullgraph=True, backend="eager")(slices)
    assert torch.allclose(answer.logits, expected.logits, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_a_trace_of_two_stages_gates_other_slices_too(gated):
    model, slices = gated
    traced = torch.jit.trace(model, (slices,), strict=False)
    others = torch.rand(3, 3, 32, 32)
    assert torch.allclose(traced(others)["logits"], model(others).logits, atol=1e-5)
