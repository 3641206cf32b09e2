"""What `hf-mri doctor` says."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hf_mri.commands import app, doctor, extras
from tests.reports.conftest import make_model


def test_a_missing_library_is_named_with_the_extra_that_brings_it(monkeypatch, capsys):
    monkeypatch.setattr(extras, "find_spec", lambda module: None if module == "openvino" else object())
    assert extras.find_missing() == {"export": ["openvino"]}
    monkeypatch.setenv("COLUMNS", "200")
    doctor.run_doctor()
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if "openvino" in line]
    assert "missing" in line
    assert 'pip install "hf_mri[export]"' in line
    assert any("torch " in line and "at least 2." in line for line in lines)


def test_a_model_is_timed_on_each_engine_and_the_missing_export_is_said(tmp_path):
    rows = doctor.time_model(str(make_model(tmp_path)), slices=2)
    timed = [row for row in rows if "problem" not in row]
    assert {row["engine"] for row in timed} == {"torch"}
    assert all(row["segment_ms"] > 0 for row in timed)
    (problem,) = [row["problem"] for row in rows if "problem" in row]
    assert "hf-mri export" in problem


def test_every_library_of_every_extra_is_listed():
    """So that no missing one ends in Python's own words."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    listed = {name for name, *_ in extras.OPTIONAL}
    for extra, lines in project["optional-dependencies"].items():
        if extra not in ("bench", "dev", "docs", "all"):
            assert {Requirement(line).name for line in lines} <= listed, extra
    always = {Requirement(line).name.replace("-", "_") for line in project["dependencies"]}
    assert always <= set(doctor.CORE)


def test_a_command_that_lacks_a_library_ends_with_its_pip_line(monkeypatch, capsys):
    def fail():
        raise ModuleNotFoundError("No module named 'pandas'", name="pandas.core")

    monkeypatch.setattr(app, "build_app", lambda: fail)
    with pytest.raises(SystemExit) as stopped:
        app.main()
    assert stopped.value.code == 1
    assert capsys.readouterr().err == 'hf-mri: pandas is not installed (data sets): pip install "hf_mri[train]"\n'
