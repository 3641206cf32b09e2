"""Every notebook runs from top to bottom, offline, and is kept without outputs."""

import json
from pathlib import Path

import pytest
from accelerate.state import AcceleratorState, GradientState, PartialState

DOCS = Path(__file__).parents[1] / "docs"
NOTEBOOKS = sorted(DOCS.glob("*.ipynb"))


def read_code(path: Path) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_there_is_one():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_is_kept_without_outputs(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs"), "clear the outputs before you commit: they may hold pictures"
        assert not cell.get("execution_count")


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    for state in (AcceleratorState, GradientState, PartialState):
        state._reset_state()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    space: dict = {}
    for number, code in enumerate(read_code(path), 1):
        exec(compile(code, f"{path.name}, cell {number}", "exec"), space)
    assert "<img" in space["reading"]._repr_html_()
    assert set(space["reading"].masks) == {"tumor"}
    assert (tmp_path / "out/first-steps/heart/bundle/README.md").is_file()
