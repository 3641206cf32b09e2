"""The commands, as a person types them."""

import json
import subprocess
import sys

import pytest


def run(*arguments: object) -> subprocess.CompletedProcess:
    """Run `hf-mri data …` in a process of its own."""
    command = [sys.executable, "-m", "hf_mri.cli", "data", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_from_nothing_to_a_data_set(tmp_path):
    drawn = run("phantom", "lgg", tmp_path / "scans", "--patients", 3, "--seed", 7, "--size", 32)
    assert drawn.returncode == 0, drawn.stderr
    assert f"hf-mri data import lgg {tmp_path / 'scans'}" in drawn.stdout
    done = run("import", "lgg", tmp_path / "scans", tmp_path / "dataset", "--split", "fold 1/3")
    assert done.returncode == 0, done.stderr
    assert "3 patients" in done.stdout
    assert json.loads((tmp_path / "dataset" / "splits.json").read_text())["protocol"] == "fold 1/3"


@pytest.mark.parametrize("name", ["import", "phantom", "explore", "push"])
def test_help_is_there_for_every_command(name):
    from typer.testing import CliRunner

    import hf_mri.data.commands
    from hf_mri.cli import app

    if not app.registered_groups:
        hf_mri.data.commands.register(app)
    shown = CliRunner().invoke(app, ["data", name, "--help"])
    assert shown.exit_code == 0
    assert "Usage:" in shown.output


def test_a_failure_is_one_line_that_names_the_folder(tmp_path):
    failed = run("import", "lgg", tmp_path, tmp_path / "dataset")
    assert failed.returncode == 1
    (line,) = failed.stderr.strip().splitlines()
    assert str(tmp_path) in line
    assert "give the folder that holds kaggle_3m" in line
