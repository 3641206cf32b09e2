"""train.py end to end: what it learns, what it leaves, and how it survives."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from hf_mri.evaluation.evaluate import read_largest_component
from hf_mri.evaluation.stored_predictions import load_case
from hf_mri.training import train as loop
from tests.closeness import assert_same_run
from tests.training.conftest import GENTLE

TRAIN = Path(__file__).parents[2] / "train.py"


def read_history(run) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_segmenter_learns_the_phantom(train):
    run = train(task="segment", fold="1/4", max_steps=100, learning_rate=5e-3, **GENTLE)
    assert read_history(run)[-1]["volume_dice"] > 0.45  # nothing gives 0, everything about 0.1
    assert {path.name for path in run.iterdir()} >= {"bundle", "checkpoints", "curves.png", "examples.png", "run.json"}
    assert not list((run / "bundle").rglob("examples*")), "slices stay in the run folder"


def test_a_classifier_learns_the_phantom(train):
    run = train(task="classify", fold="1/4", max_steps=60, **GENTLE)
    assert read_history(run)[-1]["slice_auc"] > 0.85


def test_overlapping_organs_are_learned(train, overlapping_phantom):
    options = {"data": str(overlapping_phantom), "loss": "bce_dice", "learning_rate": 1e-2}
    run = train(task="segment", fold="1/3", max_steps=60, **options, **GENTLE)
    assert read_history(run)[-1]["volume_dice"] > 0.25  # nothing gives 0, everything about 0.1
    config = json.loads((run / "bundle" / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"


def test_two_stages_end_in_one_bundle_with_thresholds_and_provenance(train):
    run = train(task="two-stage", max_steps=4)
    config = json.loads((run / "bundle" / "config.json").read_text())
    training = json.loads((run / "bundle" / "training.json").read_text())
    assert config["model_type"] == "mri_two_stage"
    assert set(training["thresholds_from"]) == set(training["patients"]["validation"])
    assert not set(training["patients"]["train"]) & set(training["patients"]["validation"])
    assert training["image_hashes"]
    assert set(training["stages"]) == {"classifier", "segmenter"}
    case = load_case(next((run / "predictions").glob("*.npz")))
    assert case.gate_logit is not None
    assert case.mask_logit is not None


def test_a_run_that_was_killed_goes_on_as_if_nothing_had_happened(train, tmp_path, monkeypatch):
    options = {"task": "segment", "max_steps": 8, "checkpoint_steps": 3, "gradient_accumulation": 2, "batch_size": 4}
    whole = train(**options, output_dir=str(tmp_path / "whole"))

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # dies in its fifth step, two after the checkpoint
        draws = iter(range(2 * 4 + 1))
        from hf_mri.training import train as script

        real = script.make_generator
        patch.setattr(
            script, "make_generator", lambda *place: real(*place) if next(draws, None) is not None else die()
        )
        with pytest.raises(KeyboardInterrupt):
            train(**options, output_dir=str(tmp_path / "broken"))
    resumed = train(**options, output_dir=str(tmp_path / "broken"), resume=True)

    first, second = (load_file(run / "bundle" / "model.safetensors") for run in (whole, resumed))
    assert_same_run(first, second)
    assert [line["step"] for line in read_history(resumed)] == [line["step"] for line in read_history(whole)]


def test_a_loss_that_is_not_a_number_stops_the_run_and_names_the_slices(train, monkeypatch):
    from hf_mri.modeling.modeling_resunet import ResUNetForSemanticSegmentation

    real, calls = ResUNetForSemanticSegmentation.compute_loss, iter(range(5))
    monkeypatch.setattr(
        ResUNetForSemanticSegmentation,
        "compute_loss",
        lambda *args: real(*args) * (1 if next(calls, None) is not None else np.nan),
    )
    with pytest.raises(ValueError, match=r"the loss is nan at a batch of .* slice \d+.*last good checkpoint is kept"):
        train(task="segment", max_steps=9, checkpoint_steps=3)


def test_a_minute_budget_ends_the_schedule_cleanly(train):
    run = train(task="segment", max_minutes=0.02)
    assert read_history(run)[-1]["learning_rate"] < 0.003 * 0.5
    assert (run / "bundle" / "model.safetensors").exists()


def test_early_stopping_and_the_best_weights(train):
    run = train(task="classify", max_steps=60, validate_every=0.1, early_stopping=2, learning_rate=1e-9, ema=0.0)
    assert read_history(run)[-1]["step"] < 60
    training = json.loads((run / "bundle" / "training.json").read_text())
    assert training["weights_from_step"] <= training["steps"]


def test_predictions_are_kept_at_the_size_that_the_spacing_belongs_to(train):
    run = train(task="segment", max_steps=1, image_size=64)
    case = load_case(next((run / "predictions").glob("*.npz")))
    assert case.truth.shape[-2:] == case.mask_logit.shape[-2:] == (48, 48)


def test_a_heart_at_one_spacing_is_judged_on_its_own_grid(train, heart_phantom, tmp_path):
    options = {"pixel_spacing": 4.0, "crop": 32, "crop_reach": 0.5, "largest_component": True, "select": "last"}
    folder = tmp_path / "cv" / "fold-1-of-1"
    run = train(task="segment", data=str(heart_phantom), fold="1/2", max_steps=2, output_dir=str(folder), **options)
    case = load_case(next((run / "predictions").glob("*.npz")))
    assert case.truth.shape == case.mask_logit.shape == (4, 3, 64, 64)
    config = json.loads((run / "bundle" / "config.json").read_text())
    processor = json.loads((run / "bundle" / "preprocessor_config.json").read_text())
    assert (config["largest_component"], processor["pixel_spacing"]) == (True, 4.0)
    metrics = json.loads((run / "bundle" / "metrics.json").read_text())
    assert metrics["model"]["thresholds"]["largest_component"] is True
    assert set(metrics["cardiac"]["by_group"]) <= {"NOR", "MINF", "DCM", "HCM", "RV"}
    assert read_largest_component(folder.parent)


@pytest.mark.parametrize("tracker", ["tensorboard", "trackio"])
def test_trackers_get_the_epochs(train, tmp_path, monkeypatch, tracker):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    run = train(task="classify", max_steps=1, report_to=tracker)
    written = list((run if tracker == "tensorboard" else tmp_path / "trackio").rglob("*"))
    assert any("tfevents" in path.name or path.suffix == ".db" for path in written)


def test_a_single_slice_can_be_read_by_a_model_with_neighbors(train):
    run = train(task="segment", max_steps=2, neighbors=1)
    from hf_mri import Reader

    reader = Reader.from_pretrained(run / "bundle")
    reading = reader(np.zeros((48, 48, 3), np.uint8))
    assert reading.masks["tumor"].shape == (1, 48, 48)


def test_stopping_by_hand_ends_in_one_line(monkeypatch, capsys):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "parse_arguments", stop)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(TRAIN), run_name="__main__")
    assert stopped.value.code == 130
    assert capsys.readouterr().err.strip() == "train.py: stopped; go on from the last checkpoint with --resume"


def test_a_run_ends_with_what_its_figures_are_worth(train, capsys):
    run = train(task="segment", max_steps=1, learning_rate=1e-9)
    said = capsys.readouterr().out
    assert "Too few to judge by: 3 patients." in said
    assert "> **Too few to judge by: 3 patients." in (run / "bundle" / "README.md").read_text()
