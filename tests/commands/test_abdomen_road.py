"""From the competition's download to `submission.csv`, on drawn abdomens: docs/abdomen.md step by step."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hf_mri.commands.app import build_app
from hf_mri.data.dataset_folder import read_table
from hf_mri.data.phantoms.draw import draw_phantom
from hf_mri.modeling.mri_reading_run_length import decode_run_length
from hf_mri.training.arguments import TrainingArguments
from hf_mri.training.data import assign_split
from tests.training.conftest import train  # noqa: F401 - a fixture

SIZE = 48
# A light backbone, each slice with its neighbors as channels, binary cross-entropy + Dice over organs that overlap.
RECIPE = {"task": "segment", "loss": "bce_dice", "neighbors": 1, "image_size": SIZE, "max_steps": 4}


@pytest.fixture(scope="module")
def download(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("road") / "download"
    draw_phantom("uw-madison", folder, patients=6, seed=1, size=SIZE, slices=8)
    return folder


@pytest.fixture(scope="module")
def dataset(download) -> Path:
    run("data", "import", "uw-madison", download, download.parent / "data")
    return download.parent / "data"


@pytest.fixture
def phantom(dataset) -> Path:
    """What `train` trains on."""
    return dataset


def run(*words):
    """Type a command; it must succeed."""
    result = CliRunner().invoke(build_app(), [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_all_days_of_a_case_stand_in_one_fold_and_folds_have_like_shares_of_organs(dataset):
    frame = read_table(dataset)
    held = [assign_split(frame, TrainingArguments(fold=f"{fold}/3")) == "validation" for fold in (1, 2, 3)]
    for rows in held:
        assert not set(frame[rows]["patient"]) & set(frame[~rows]["patient"])
        assert frame[rows]["label"].gt(0).mean() == pytest.approx(frame["label"].gt(0).mean(), abs=0.2)
    assert (sum(rows.astype(int) for rows in held) == 1).all()
    assert frame.groupby("patient")["volume"].nunique().max() > 1  # a case of several days


def test_keeping_thinning_and_dropping_empty_slices_are_compared(train, dataset, tmp_path):  # noqa: F811
    metrics = []
    for name, share in (("keep", 1.0), ("thin", 0.5), ("drop", 0.0)):
        folder = train(**RECIPE, fold="1/3", empty_slices=share, output_dir=str(tmp_path / name))
        metrics.append(folder / "bundle" / "metrics.json")
        found = json.loads(metrics[-1].read_text())
        assert {"score", "dice", "hausdorff", "per_organ", "per_case"} <= set(found["competition"])
    table = run("compare", *metrics).output
    assert all(name in table for name in ("keep", "thin", "drop"))


def test_a_model_writes_what_the_grader_takes(train, dataset, download, tmp_path):  # noqa: F811
    bundle = train(**RECIPE, protocol="all") / "bundle"
    run("submit", download, tmp_path / "submission.csv", "--model", bundle)
    with (tmp_path / "submission.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["id", "class", "predicted"]
    with (download / "train.csv").open(newline="") as file:
        wanted = [(row["id"], row["class"]) for row in csv.DictReader(file)]
    assert sorted((name, organ) for name, organ, _ in rows[1:]) == sorted(wanted)  # each once
    for _, _, text in rows[1:]:
        decode_run_length(text, SIZE, SIZE)  # pairs in range
        starts = [int(number) for number in text.split()[::2]]
        assert starts == sorted(starts)


def test_a_model_of_other_organs_is_refused(train, dataset, download, tmp_path):  # noqa: F811
    heads = tmp_path / "heads"
    draw_phantom("lgg", tmp_path / "lgg", patients=4, size=SIZE, slices=4)
    run("data", "import", "lgg", tmp_path / "lgg", heads)
    bundle = train(task="segment", data=str(heads), max_steps=1, protocol="all") / "bundle"
    with pytest.raises(ValueError, match="does not outline large_bowel, small_bowel, stomach"):
        run("submit", download, tmp_path / "submission.csv", "--model", bundle)
    assert not (tmp_path / "submission.csv").exists()


@pytest.mark.slow
def test_the_seeds_backbone_learns_as_well(train, dataset):  # noqa: F811
    """EfficientNet-B7, begun without weights: one step, to see that all fits together."""
    recipe = RECIPE | {"backbone": "tf_efficientnet_b7", "image_size": 64, "max_steps": 1, "batch_size": 2}
    folder = train(**recipe, decoder_channels=[16, 16, 8, 8], fold="1/3")
    record = json.loads((folder / "bundle" / "config.json").read_text())
    assert record["backbone"] == "tf_efficientnet_b7"
    assert record["problem_type"] == "multi_label_classification"
    assert record["num_channels"] == 3  # the slice between its neighbors
