"""Cross-validation: every patient is judged by a model that has not seen it, and chooses nothing."""

import json

import pytest

from hf_mri.data.dataset_folder import read_table
from hf_mri.data.splits import split_patients
from hf_mri.training.arguments import TrainingArguments
from hf_mri.training.cross_validation import check_options, run_folds
from hf_mri.training.data import assign_split

TINY = (
    "--task segment --backbone none --image_size 32 --batch_size 4 --max_steps 2 --mixed_precision no --ema 0".split()
)


@pytest.mark.parametrize(
    "options", [["--early_stopping", "3"], ["--schedule", "plateau"], ["--select", "best"], ["--max_stepz", "3"]]
)
def test_options_that_would_let_the_held_out_patients_choose_are_refused(options, tmp_path):
    with pytest.raises(ValueError, match=options[0]):
        run_folds("no-data", tmp_path, 3, options)
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_file_is_looked_through_as_well(tmp_path):
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"early_stopping": 2}))
    with pytest.raises(ValueError, match="held-out fold"):
        check_options(["--config", str(recipe)])
    recipe.write_text(json.dumps({"select": "best"}))  # the default of a single run: no fold takes it
    check_options(["--config", str(recipe)])


def test_a_fold_holds_out_the_same_patients_everywhere(phantom):
    frame = read_table(phantom)
    held = assign_split(frame, TrainingArguments(fold="2/4")) == "validation"
    tests = split_patients(frame, "fold 2/4", seed=0) == "test"
    assert held.any()
    assert (held == tests).all()


def test_every_patient_is_judged_once_and_a_finished_fold_is_not_trained_again(phantom, tmp_path):
    run = tmp_path / "run"
    options = [*TINY, "--rows_cache", str(tmp_path / "rows")]
    sentence = run_folds(str(phantom), run, 2, options)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["protocol"] == "cross-validation"
    assert metrics["data"]["patients"] == len(set(read_table(phantom)["patient"]))
    assert sentence.startswith(f"{metrics['data']['patients']} patients, each read by a model that had not seen it.")
    assert (run / "report.html").exists()
    training = json.loads((run / "fold-1-of-2/bundle/training.json").read_text())
    assert training["weights_from_step"] == training["steps"] == 2
    before = (run / "fold-1-of-2/bundle/model.safetensors").stat().st_mtime_ns
    run_folds(str(phantom), run, 2, options)
    assert (run / "fold-1-of-2/bundle/model.safetensors").stat().st_mtime_ns == before


def test_a_fold_that_fails_says_which_and_what_to_do(tmp_path):
    with pytest.raises(ValueError, match="fold-1-of-2: training ended with exit code"):
        run_folds(str(tmp_path / "nowhere"), tmp_path / "run", 2, TINY)
