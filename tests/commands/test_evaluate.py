"""`hf-mri evaluate` and `hf-mri compare` as a person types them."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from hf_mri.commands import evaluate as commands
from tests.evaluation.test_compare import write_metrics
from tests.evaluation.test_evaluate import save_run


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    commands.register(app)
    return app


def test_a_run_of_folds_is_evaluated(app: typer.Typer, tmp_path: Path) -> None:
    save_run(tmp_path / "run")
    arguments = [
        "evaluate",
        "--data",
        str(tmp_path / "run"),
        "--protocol",
        "cross-validation",
        "--output",
        str(tmp_path / "out"),
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "Dice 0.9" in result.output
    assert (tmp_path / "out" / "metrics.json").exists()
    assert (tmp_path / "out" / "report.html").exists()


def test_a_missing_model_is_said(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", "--data", str(tmp_path), "--output", str(tmp_path / "out")])
    assert isinstance(result.exception, ValueError)
    assert "--model is missing" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_two_evaluations_are_compared(app: typer.Typer, tmp_path: Path) -> None:
    paths = [str(write_metrics(tmp_path / name, shift).parent) for name, shift in (("base", 2), ("other", 1))]
    result = CliRunner().invoke(app, ["compare", *paths, "--output", str(tmp_path / "c.json")])
    assert result.exit_code == 0, result.output
    assert "tumor: Dice per patient" in result.output
    assert (tmp_path / "c.json").exists()
