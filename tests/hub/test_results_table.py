import json
import shutil
from pathlib import Path

import pytest

from hf_mri.hub.results_table import END, START, results_table, update

ROOT = Path(__file__).parents[2]


def test_one_row_a_model(finished_bundles, tmp_path):
    for kind in ("classifier", "two-stage"):
        shutil.copytree(finished_bundles(kind), tmp_path / kind)
    header, _, classifier, two_stage = results_table(tmp_path).splitlines()
    metrics = json.loads((tmp_path / "two-stage/metrics.json").read_text())
    cells = [cell.strip() for cell in two_stage.strip("|").split("|")]
    assert cells[2:4] == ["6", "cross-validation"]
    low, high = metrics["segmentation"]["tumor"]["volume_dice"]["ci95"]
    mean = metrics["segmentation"]["tumor"]["volume_dice"]["mean"]
    assert cells[4] == f"{mean:.3f} ({low:.3f} to {high:.3f})"
    assert f"| {metrics['classification']['roc_auc']:.3f} |" in two_stage
    assert "| – | – | – |" in classifier
    assert header.count("|") == classifier.count("|") == two_stage.count("|")
    assert results_table(tmp_path / "classifier") == "No model is published yet."


def test_the_table_stands_between_its_markers():
    text = f"# Title\n\n{START}\nold\n{END}\n\nAfter.\n"
    assert update(text, "new") == f"# Title\n\n{START}\nnew\n{END}\n\nAfter.\n"
    with pytest.raises(ValueError, match="no place"):
        update("# Title", "new")


def test_the_readme_says_what_the_models_metrics_say(monkeypatch):
    monkeypatch.chdir(ROOT)
    readme = (ROOT / "README.md").read_text()
    assert update(readme, results_table("model_cards")) == readme
