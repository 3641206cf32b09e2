"""Configs: complete labels after every save and load, and errors that say what is allowed."""

import pytest
from transformers import AutoConfig

from hf_mri import ResUNetConfig, SliceClassifierConfig, TwoStageConfig

CONFIGS = [
    SliceClassifierConfig(backbone="test_resnet", class_weights=[1, 2.5], backbone_kwargs={"features_only": True}),
    ResUNetConfig(id2label={0: "background", 1: "right ventricle", 2: "myocardium", 3: "left ventricle"}),
    ResUNetConfig(
        id2label={0: "large_bowel", 1: "small_bowel", 2: "stomach"}, problem_type="multi_label_classification"
    ),
    TwoStageConfig(
        classifier=SliceClassifierConfig(num_channels=1, class_weights=(1, 3)),
        segmenter={"num_channels": 1, "hidden_sizes": (4, 8)},
        temperature=1.5,
        gate_threshold=0.2,
    ),
]


def fields(config) -> dict:
    return {
        key: value for key, value in config.to_dict().items() if key not in ("_name_or_path", "transformers_version")
    }


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.model_type)
def test_save_and_load_give_the_same_config(config, tmp_path):
    config.save_pretrained(tmp_path)
    loaded = AutoConfig.from_pretrained(tmp_path)
    assert type(loaded) is type(config)
    assert fields(loaded) == fields(config)
    assert loaded.label2id == {name: index for index, name in loaded.id2label.items()}
    loaded.save_pretrained(tmp_path / "again")
    assert fields(type(config).from_pretrained(tmp_path / "again")) == fields(config)


def test_defaults_name_the_labels():
    assert SliceClassifierConfig().id2label == {0: "no tumor", 1: "tumor"}
    assert ResUNetConfig().label2id == {"background": 0, "tumor": 1}
    assert TwoStageConfig().id2label == {0: "background", 1: "tumor"}


def test_either_map_of_labels_suffices():
    assert ResUNetConfig(label2id={"background": 0, "stomach": 1}).id2label == {0: "background", 1: "stomach"}
    assert TwoStageConfig(label2id={"background": 0, "stomach": 1}).id2label == {0: "background", 1: "stomach"}


def test_number_of_labels_changed_on_load(tmp_path):
    ResUNetConfig().save_pretrained(tmp_path)
    config = ResUNetConfig.from_pretrained(tmp_path, num_labels=4)
    assert config.id2label == {i: f"LABEL_{i}" for i in range(4)}
    config.save_pretrained(tmp_path / "four")
    assert ResUNetConfig.from_pretrained(tmp_path / "four").num_labels == 4


def test_two_stages_have_the_labels_of_the_segmenter():
    organs = {0: "large_bowel", 1: "stomach"}
    config = TwoStageConfig(segmenter=ResUNetConfig(id2label=organs, problem_type="multi_label_classification"))
    assert (config.id2label, config.problem_type) == (organs, "multi_label_classification")
    classifier, segmenter = config.stage_configs()
    assert classifier.id2label == {0: "no tumor", 1: "tumor"}
    assert (segmenter.id2label, segmenter.problem_type) == (organs, "multi_label_classification")
    assert TwoStageConfig(id2label={0: "background", 1: "edema", 2: "core"}).stage_configs()[1].num_labels == 3


def test_the_gate_is_the_rule_of_99_percent_unless_told():
    assert TwoStageConfig().gate_threshold == 0.01


@pytest.mark.parametrize(
    ("config", "arguments", "message"),
    [
        (ResUNetConfig, {"loss": "dice"}, "loss must be one of 'cross_entropy_dice', 'bce_dice', 'focal_tversky'"),
        (ResUNetConfig, {"problem_type": "regression"}, "problem_type must be one of 'single_label_classification'"),
        (ResUNetConfig, {"id2label": {0: "background", 2: "tumor"}}, "id2label must name every index from 0"),
        (ResUNetConfig, {"id2label": {0: "tumor", 1: "edema"}}, "id2label must name label 0 'background'"),
        (ResUNetConfig, {"id2label": {0: "background"}}, "needs two labels or more"),
        (ResUNetConfig, {"id2label": {0: "background", 1: "background"}}, "each by another name"),
        (
            ResUNetConfig,
            {"id2label": {0: "background", 1: "tumor"}, "label2id": {"background": 1, "tumor": 0}},
            "label2id .* is not the inverse",
        ),
        (ResUNetConfig, {"class_weights": [1.0]}, "class_weights must hold one number .* each of the 2 labels"),
        (ResUNetConfig, {"decoder_channels": []}, "decoder_channels must be above 0"),
        (ResUNetConfig, {"hidden_sizes": [16, -1]}, "hidden_sizes must be above 0"),
        (ResUNetConfig, {"mask_threshold": 1.5}, "mask_threshold must lie between 0 and 1"),
        (ResUNetConfig, {"smallest_lesion": -1}, "smallest_lesion must be 0 or above"),
        (ResUNetConfig, {"upsampling": "cubic"}, "upsampling must be one of 'bilinear', 'nearest'"),
        (SliceClassifierConfig, {"dropout": 2}, "dropout must lie between 0 and 1"),
        (SliceClassifierConfig, {"num_channels": 0}, "num_channels must be above 0"),
        (SliceClassifierConfig, {"temperature": 0}, "temperature must be above 0"),
        (TwoStageConfig, {"gate_threshold": -1}, "gate_threshold must lie between 0 and 1"),
        (TwoStageConfig, {"classifier": {"num_channels": 1}}, "classifier takes 1 channels, segmenter 3"),
        (TwoStageConfig, {"classifier": {"num_labels": 3}}, "the gate needs the two labels"),
    ],
)
def test_wrong_values_say_what_is_allowed(config, arguments, message):
    with pytest.raises(ValueError, match=message):
        config(**arguments)


def test_a_wrong_type_is_refused():
    with pytest.raises(Exception, match="num_channels"):  # the strict dataclass of huggingface_hub
        ResUNetConfig(num_channels="three")
