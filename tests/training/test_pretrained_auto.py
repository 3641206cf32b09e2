"""What `--pretrained auto` and `timm` mean where the Hub is in reach, out of reach, or not asked."""

import json

import pytest

from hf_mri.training import weights_to_have
from hf_mri.training.arguments import TrainingArguments
from hf_mri.training.weights_to_have import can_be_had, settle_pretrained


@pytest.fixture
def reach(monkeypatch):
    """`reach(True)`: timm's weights can be had."""
    return lambda can: monkeypatch.setattr(weights_to_have, "can_be_had", lambda backbone: can)


def test_auto_takes_what_can_be_had(reach):
    reach(True)
    assert settle_pretrained(TrainingArguments(task="two-stage")) == "timm"
    assert settle_pretrained(TrainingArguments(backbone="none")) is None, "no timm backbone, no weights"
    assert settle_pretrained(TrainingArguments(start_from="a/b")) is None, "the model's weights are wanted"
    reach(False)
    assert settle_pretrained(TrainingArguments()) is None
    assert settle_pretrained(TrainingArguments(pretrained="none")) is None


def test_weights_that_were_asked_for_by_name_are_not_silently_left_out(reach):
    reach(False)
    with pytest.raises(ValueError, match=r"--pretrained timm: the weights of mobilenetv2_100 .*--pretrained none"):
        settle_pretrained(TrainingArguments(pretrained="timm"))


def test_a_resumed_run_keeps_what_it_began_with(reach, tmp_path):
    reach(False)
    (tmp_path / "run.json").write_text(json.dumps({"pretrained": "timm"}))
    assert settle_pretrained(TrainingArguments(output_dir=str(tmp_path), resume=True)) == "timm"


def test_offline_the_hub_is_not_asked(monkeypatch, tmp_path):
    monkeypatch.setattr(weights_to_have, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(weights_to_have.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(weights_to_have, "get_hf_file_metadata", lambda *_, **__: pytest.fail("asked"))
    assert not can_be_had("mobilenetv2_100")


@pytest.mark.parametrize(("answer", "expected"), [(None, True), (OSError("no network"), False)])
def test_a_hub_that_answers_has_them(monkeypatch, answer, expected):
    def ask(url, timeout):
        assert url.endswith("timm/mobilenetv2_100.ra_in1k/resolve/main/model.safetensors")
        if answer:
            raise answer

    monkeypatch.setattr(weights_to_have, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(weights_to_have.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(weights_to_have, "get_hf_file_metadata", ask)
    assert can_be_had("mobilenetv2_100") is expected
