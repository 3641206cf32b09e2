"""Each command does what its help says, on models that were trained on nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from hf_mri.commands.app import build_app
from hf_mri.page.accounts import read_users
from tests.hub.conftest import bundle, finished_bundles  # noqa: F401 - fixtures


def run(*words: object, **options: object) -> Result:
    return CliRunner().invoke(build_app(), [str(word) for word in words], **options)


def say(*words: object, **options: object) -> str:
    """What a command that succeeds prints."""
    result = run(*words, **options)
    assert result.exit_code == 0, result.output or result.exception
    return result.output


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 36, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "scan.png")
    return tmp_path / "scan.png"


def test_predict_writes_a_folder_a_scan_and_skips_what_is_done(bundle, scan, tmp_path):  # noqa: F811
    words = (
        "predict",
        scan,
        "--model",
        bundle,
        "--output",
        tmp_path / "out",
        "--only",
        "json,rle",
        "--spacing",
        "1,1,5",
    )
    assert "1 scans read, 0 done before, 0 failed" in say(*words)
    reading = json.loads((tmp_path / "out/scan/reading.json").read_text())
    assert reading["spacing_mm"] == [1, 1, 5]
    assert "0 scans read, 1 done before, 0 failed" in say(*words)


def test_predict_of_a_scan_that_fails_ends_with_code_1(bundle, scan, tmp_path):  # noqa: F811
    (tmp_path / "bad.png").write_text("no picture")
    result = run("predict", scan, tmp_path / "bad.png", "--model", bundle, "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert "1 scans read, 0 done before, 1 failed" in result.output


@pytest.mark.parametrize("spacing", ["1", "a,b", "1,0"])
def test_a_spacing_that_is_none_is_refused(bundle, scan, tmp_path, spacing):  # noqa: F811
    result = run("predict", scan, "--model", bundle, "--output", tmp_path / "out", "--spacing", spacing)
    assert "--spacing" in str(result.exception)


def test_bundle_makes_a_model_whole_or_bare(bundle, tmp_path):  # noqa: F811
    assert say("bundle", bundle, tmp_path / "bare", "--no-code").strip() == str(tmp_path / "bare")
    assert not list((tmp_path / "bare").glob("*.py"))
    say("bundle", tmp_path / "bare", tmp_path / "whole")
    assert (tmp_path / "whole/handler.py").exists()


def test_card_is_written_anew_for_another_id(bundle):  # noqa: F811
    card = Path(say("card", bundle, "--model-id", "ada/tumors").strip())
    assert 'MODEL = "ada/tumors"' in card.read_text()


def test_add_user_asks_twice_and_keeps_no_password(tmp_path):
    users = tmp_path / "users.txt"
    say("add-user", users, "anna", input="right password\nright password\n")
    assert list(read_users(users)) == ["anna"]
    assert "right password" not in users.read_text()
    assert "at least 8 characters" in str(run("add-user", users, "bert", input="short\nshort\n").exception)


def test_train_passes_its_options_on():
    result = run("train", "--taks", "segment")
    assert "unknown option --taks" in str(result.output) + str(result.exception)


def test_cross_validate_refuses_what_looks_at_the_held_out_fold(tmp_path):
    result = run("cross-validate", "--data", "d", "--output", tmp_path, "--early_stopping", "2")
    assert "held-out fold" in str(result.exception)


def test_compare_prints_a_table_and_writes_json(bundle, tmp_path):  # noqa: F811
    metrics = bundle / "metrics.json"
    printed = say("compare", metrics, metrics, "--output", tmp_path / "comparison.json")
    assert "my-model" in printed
    assert json.loads((tmp_path / "comparison.json").read_text())
