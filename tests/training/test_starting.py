"""Where a training starts: at another's weights, with other labels and channels, and what is said of it."""

import json

import pytest
import torch
from safetensors.torch import load_file

from hf_mri.training.arguments import parse_arguments
from hf_mri.training.weights_to_take import adapt_channels


def read(run, name="training.json") -> dict:
    return json.loads((run / "bundle" / name).read_text())


def options_from(bundle, *flags: str) -> dict:
    """What the command line makes of --from."""
    given = parse_arguments(["--from", str(bundle), *flags])
    names = ("backbone", "backbone_kwargs", "decoder_channels", "deep_supervision", "image_size", "neighbors")
    return {name: getattr(given, name) for name in names} | {"start_from": str(bundle)}


def test_a_heart_starts_at_a_brain(train, heart_phantom, tmp_path, capsys):
    brain = train(task="segment", max_steps=2, neighbors=1, deep_supervision=True, name="brain")
    options = options_from(brain / "bundle")
    assert options["decoder_channels"] == [16, 16, 8, 8]
    assert (options["image_size"], options["neighbors"], options["deep_supervision"]) == (48, 1, True)
    capsys.readouterr()

    # A rate of zero: what the bundle holds is what the run began with.
    still = {"max_steps": 1, "learning_rate": 0.0, "weight_decay": 0.0, "ema": 0.0}
    heart = train(data=str(heart_phantom), output_dir=str(tmp_path / "heart"), task="segment", **options, **still)
    said = capsys.readouterr().out
    assert "segment: starts from brain: " in said
    assert "the stem adapted from 9 to 3 channels" in said
    assert "new labels right ventricle" in said
    assert "(kept: background)" in said

    before, after = (load_file(run / "bundle" / "model.safetensors") for run in (brain, heart))
    name = "decoder.blocks.0.conv1.weight"
    assert torch.equal(before[name], after[name])
    assert torch.equal(before["head.weight"][0], after["head.weight"][0])
    assert after["head.weight"].shape[0] == 4
    record = read(heart)["start"]
    assert (record["model"], record["dataset"], record["on_hub"]) == ("brain", "lgg-phantom", False)
    assert "backbone.conv1.0.weight" in record["adapted"]
    assert set(read(brain)["image_hashes"]) < set(read(heart)["image_hashes"]), "its training counts as seen"


def test_a_segmenter_lends_its_backbone_to_a_classifier(train, tmp_path, capsys):
    brain = train(task="segment", max_steps=1, protocol="all")
    train(
        task="classify", max_steps=1, protocol="all", output_dir=str(tmp_path / "c"), start_from=str(brain / "bundle")
    )
    assert "not taken over, so at random: head.weight, head.bias" in capsys.readouterr().out


def test_both_stages_start_at_a_two_stage_model(train, tmp_path, capsys):
    first = train(task="two-stage", max_steps=1, protocol="all")
    capsys.readouterr()
    options = options_from(first / "bundle")
    train(task="two-stage", max_steps=1, protocol="all", output_dir=str(tmp_path / "second"), **options)
    said = capsys.readouterr().out
    assert "classify: starts from run: " in said
    assert "segment: starts from run: " in said
    assert "at random" not in said


def test_patients_that_the_start_has_seen_may_not_judge(train, tmp_path):
    brain = train(task="segment", max_steps=1, protocol="all")
    with pytest.raises(ValueError, match=r"was trained on 3 of the 3 validation patients \(TCGA.*--protocol all"):
        train(task="segment", max_steps=1, output_dir=str(tmp_path / "again"), start_from=str(brain / "bundle"))


def test_a_start_that_gives_nothing_is_an_error(train, tmp_path):
    brain = train(task="segment", max_steps=1, protocol="all")
    with pytest.raises(
        ValueError, match=r"none of its weights fit.*a segmenter on test_resnet, this one a segmenter on"
    ):
        train(
            task="segment",
            backbone="none",
            decoder_channels=[4, 4, 4, 4],
            max_steps=1,
            protocol="all",
            output_dir=str(tmp_path / "other"),
            start_from=str(brain / "bundle"),
        )


def test_random_numbers_are_said(train, capsys):
    train(task="segment", max_steps=1)
    assert "segment: all weights start from random numbers" in capsys.readouterr().out


def test_flags_win_over_the_model(train):
    brain = train(task="segment", max_steps=1)
    assert options_from(brain / "bundle", "--image_size", "64")["image_size"] == 64


def test_a_start_beside_imagenet_weights_is_refused(tmp_path):
    with pytest.raises(ValueError, match="--from and --pretrained both"):
        parse_arguments(["--from", "a/b", "--pretrained", "timm"])
    with pytest.raises(OSError, match="nowhere: no such folder"):
        parse_arguments(["--from", "nowhere"])


def test_a_stem_answers_gray_slices_alike_for_any_channels():
    weight = torch.randn(4, 9, 3, 3)  # three slices of three channels
    slices = torch.rand(1, 3, 8, 8)
    expected = torch.nn.functional.conv2d(slices.repeat_interleave(3, dim=1), weight)
    for channels in (3, 6, 12):
        gray = slices.repeat_interleave(channels // 3, dim=1)
        assert torch.allclose(
            torch.nn.functional.conv2d(gray, adapt_channels(weight, channels, 3)), expected, atol=1e-5
        )


def test_the_card_names_the_model_and_the_terms_of_its_data(train, heart_phantom, tmp_path):
    from hf_mri.hub.bundle_facts import read_facts
    from hf_mri.hub.card_metadata import metadata
    from hf_mri.hub.card_text import citation, preparation

    run = train(task="segment", data=str(heart_phantom), max_steps=1)
    path = run / "bundle" / "training.json"
    start = {"model": "someone/lgg-resunet", "on_hub": True, "dataset": "lgg"}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"start": start}))
    facts = read_facts(run / "bundle")
    assert metadata(facts).to_dict()["base_model"] == ["someone/lgg-resunet"]
    assert "begun from the weights of `someone/lgg-resunet`" in preparation(facts)
    assert "(cc-by-nc-sa-4.0): these terms hold too" in citation(facts)
