"""The commands, as a person types them."""

import json

import pytest
import typer
from typer.testing import CliRunner, Result

from hf_mri.commands.data import register


@pytest.fixture
def run():
    """Run `hf-mri data …` in this process."""
    app = typer.Typer()
    register(app)
    return lambda *arguments: CliRunner().invoke(app, ["data", *map(str, arguments)])


def succeed(result: Result) -> str:
    """What a command printed, if it went well."""
    assert result.exit_code == 0, result.exception
    return result.output


def test_from_nothing_to_a_page(run, tmp_path):
    scans, dataset = tmp_path / "scans", tmp_path / "dataset"
    drawn = succeed(run("phantom", "lgg", scans, "--patients", 3, "--seed", 7, "--size", 32))
    assert f"hf-mri data import lgg {scans}" in drawn.replace("\n", "")
    sorted(scans.rglob("*_9_mask.tif"))[0].unlink()
    assert isinstance(run("import", "lgg", scans, dataset).exception, ValueError)
    printed = succeed(run("import", "lgg", scans, dataset, "--protocol", "fold 1/3", "--skip-bad", "--empty", "0.5"))
    assert "3 patients" in printed
    assert "Skipped: kaggle_3m/" in printed
    assert json.loads((dataset / "splits.json").read_text())["protocol"] == "fold 1/3"
    assert "explore.html" in succeed(run("explore", dataset, "--output", tmp_path / "page"))
    assert (tmp_path / "page" / "explore.html").exists()


def test_labels_of_a_folder_are_named(run, tmp_path):
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for patient in "abc":
        (tmp_path / "scans" / patient).mkdir(parents=True)
        Image.fromarray(rng.integers(0, 255, (16, 16)).astype(np.uint8)).save(tmp_path / "scans" / patient / "1.png")
        Image.fromarray(np.eye(16, dtype=np.uint8) * 2).save(tmp_path / "scans" / patient / "1_mask.png")
    succeed(run("import", "folder", tmp_path / "scans", tmp_path / "dataset", "--labels", "edema, core"))
    names = json.loads((tmp_path / "dataset" / "dataset.json").read_text())["id2label"]
    assert names == {"0": "background", "1": "edema", "2": "core"}


@pytest.mark.parametrize("name", ["import", "phantom", "explore", "push"])
def test_every_command_explains_itself(run, name):
    assert "Usage:" in succeed(run(name, "--help"))


def test_a_set_that_may_not_be_passed_on_stays(run, lgg_dataset, tmp_path):
    summary = json.loads((lgg_dataset / "dataset.json").read_text()) | {"name": "uw-madison"}
    (tmp_path / "data").mkdir()
    (tmp_path / "dataset.json").write_text(json.dumps(summary))
    (tmp_path / "data" / "train-00000-of-00001.parquet").touch()
    refused = run("push", tmp_path, "ada/abdomens")
    assert "--allow-redistribution" in str(refused.exception)
