import json

import pytest

from hf_mri.training.arguments import TrainingArguments, parse_arguments


def test_flags_override_the_config_file(tmp_path):
    config = tmp_path / "recipe.json"
    config.write_text(json.dumps({"task": "classify", "batch_size": 4, "seed": 7}))
    arguments = parse_arguments(["--config", str(config), "--batch_size", "9"])
    assert (arguments.task, arguments.batch_size, arguments.seed) == ("classify", 9, 7)


def test_a_flag_that_repeats_the_default_still_overrides_the_config_file(tmp_path):
    config = tmp_path / "recipe.json"
    config.write_text(json.dumps({"batch_size": 4}))
    default = TrainingArguments().batch_size
    assert parse_arguments(["--config", str(config), "--batch_size", str(default)]).batch_size == default


def test_options_survive_the_round_trip_through_json(tmp_path):
    first = TrainingArguments(task="two-stage", decoder_channels=[8, 4], backbone_kwargs='{"pad_type": "same"}')
    config = tmp_path / "recipe.json"
    config.write_text(json.dumps(first.to_dict()))
    assert parse_arguments(["--config", str(config)]).recipe() == first.recipe()


def test_places_do_not_belong_to_the_recipe():
    assert TrainingArguments(output_dir="a", data="x").recipe() == TrainingArguments(output_dir="b", data="y").recipe()
    assert TrainingArguments(seed=1).recipe() != TrainingArguments(seed=2).recipe()


@pytest.mark.parametrize(
    ("content", "message"),
    [('{"batchsize": 4}', "unknown options batchsize"), ("[", "cannot be read as JSON")],
)
def test_a_wrong_config_file_is_named(tmp_path, content, message):
    config = tmp_path / "recipe.json"
    config.write_text(content)
    with pytest.raises(ValueError, match=message):
        parse_arguments(["--config", str(config)])


def test_wrong_values_say_what_is_allowed():
    with pytest.raises(ValueError, match="classify, segment, two-stage"):
        TrainingArguments(task="detect")
    with pytest.raises(ValueError, match="--loss 'dice' is not one of cross_entropy_dice"):
        TrainingArguments(loss="dice")
    with pytest.raises(ValueError, match="unknown option --batchsize"):
        parse_arguments(["--batchsize", "4"])
    with pytest.raises(ValueError, match="is not JSON"):
        TrainingArguments(backbone_kwargs="pad_type=same")


def test_a_run_without_limit_has_thirty_epochs():
    assert TrainingArguments().epochs == 30
    assert TrainingArguments(max_steps=5).epochs is None


def test_two_stages_share_the_minutes_and_nothing_else():
    both = TrainingArguments(task="two-stage", max_minutes=30)
    assert both.for_one_stage().max_minutes == 15
    assert both.for_one_stage().recipe() == both.recipe() | {"max_minutes": 15}
    one = TrainingArguments(task="two-stage", max_minutes=30, classifier="runs/classifier")
    assert one.for_one_stage().max_minutes == 30
    assert TrainingArguments(task="two-stage", max_steps=9).for_one_stage().max_steps == 9
