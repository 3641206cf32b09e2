"""Models side by side: paired differences, and what may not be compared."""

import json
from pathlib import Path

import numpy as np
import pytest

from hf_mri.evaluation.compare import compare_files, format_table
from hf_mri.evaluation.evaluate import evaluate_predictions
from hf_mri.evaluation.figures import SLICE_FIGURES
from hf_mri.evaluation.metrics_file import dump_metrics
from tests.evaluation.builders import make_case, make_masks


def write_metrics(folder: Path, shift: int, patients: range = range(8), protocol: str = "patients") -> Path:
    """An evaluation of masks that lie `shift` pixels beside the truth."""
    cases = []
    for seed in patients:
        truth, _ = make_masks(seed)
        cases.append(make_case(truth, np.roll(truth, shift + seed % 2, axis=2), f"P{seed}"))
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(
        dump_metrics(evaluate_predictions(cases, protocol, model={"name": folder.name}))
    )
    return folder / "metrics.json"


def test_a_better_model_is_better_by_a_paired_interval(tmp_path: Path) -> None:
    paths = [write_metrics(tmp_path / "far", 2), write_metrics(tmp_path / "near", 1)]
    comparison = compare_files(paths, tmp_path / "comparison.json")
    base, other = comparison["figures"]["tumor: Dice per patient"]
    # Squares of 4 x 4 shifted by 1, 2 or 3 columns share 12, 8 or 4 of 16 pixels: Dice 0.75, 0.5, 0.25.
    assert base["value"] == pytest.approx((0.5 + 0.25) / 2)
    assert other["value"] == pytest.approx((0.75 + 0.5) / 2)
    assert other["difference"] == pytest.approx(0.25)
    # Every patient gains exactly a quarter, so the paired interval has no width; unpaired it would.
    assert other["ci95"] == pytest.approx([0.25, 0.25])
    assert json.loads((tmp_path / "comparison.json").read_text())["patients"] == 8
    table = format_table(comparison)
    assert "far" in table.splitlines()[0]
    assert "0.625 (+0.250, 0.250 to 0.250*)" in table


def test_a_model_against_itself_differs_in_nothing(tmp_path: Path) -> None:
    path = write_metrics(tmp_path / "same", 1)
    for entries in compare_files([path, path])["figures"].values():
        assert entries[1]["difference"] == 0
        assert entries[1].get("ci95", [0, 0]) == [0, 0]


def test_only_shared_patients_count_and_other_protocols_are_told(tmp_path: Path) -> None:
    paths = [write_metrics(tmp_path / "a", 1), write_metrics(tmp_path / "b", 1, range(4, 12), "buda")]
    comparison = compare_files(paths)
    assert comparison["patients"] == 4
    assert any("protocols differ" in note for note in comparison["notes"])
    with pytest.raises(ValueError, match="shares no patient"):
        compare_files([paths[0], write_metrics(tmp_path / "c", 1, range(20, 24))])
    with pytest.raises(ValueError, match="two metrics"):
        compare_files(paths[:1])


def test_two_patients_have_no_interval_and_the_table_says_why(tmp_path: Path) -> None:
    paths = [write_metrics(tmp_path / name, shift, range(2)) for name, shift in (("far", 2), ("near", 1))]
    comparison = compare_files(paths)
    assert not any("ci95" in entry for entries in comparison["figures"].values() for entry in entries if entry)
    assert "without an interval, since fewer than 3 patients" in format_table(comparison)


def test_compare_says_what_evaluate_says_of_probabilities_that_are_nearly_certain(tmp_path: Path) -> None:
    cases = []
    for seed in range(6):  # equal in four decimals, and none equals another
        truth, predicted = make_masks(seed)
        certain = 1 - 1e-5 * np.where(truth.any(axis=(1, 2)), 1, 2) / (1 + seed)
        cases.append(make_case(truth, predicted, f"P{seed}", probability=certain))
    metrics = evaluate_predictions(cases, "patients", model={"name": "sure"})
    (tmp_path / "metrics.json").write_text(dump_metrics(metrics))
    figures = compare_files([tmp_path / "metrics.json"] * 2)["figures"]
    assert metrics["classification"]["roc_auc"] > 0.6  # 0.5 of ties
    for key in ("accuracy", "precision", "recall", "f1", "roc_auc"):
        assert figures[f"slices: {SLICE_FIGURES[key]}"][0]["value"] == pytest.approx(
            metrics["classification"][key], abs=1e-6
        )
