"""metrics.json as a whole: by hand on three patients, and key by key against its documentation."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from hf_mri.evaluation.cases import known_spacing, reduce_case
from hf_mri.evaluation.evaluate import evaluate_predictions
from hf_mri.evaluation.metrics_file import dump_metrics
from tests.evaluation.builders import make_case, make_masks

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


def make_three() -> list:
    """A: half found. B: empty, called empty. C: empty, with a false slice. Two slices of four pixels each."""
    empty, half, full = np.zeros((2, 2, 2), bool), np.zeros((2, 2, 2), bool), np.zeros((2, 2, 2), bool)
    full[0], half[0, 0] = True, True
    return [
        make_case(full, half, "A", columns={"site": "X"}),
        make_case(empty, empty, "B", columns={"site": "X"}),
        make_case(empty, half, "C", columns={"site": "Y"}),
    ]


def test_three_patients_by_hand() -> None:
    metrics = evaluate_predictions(make_three(), "patients")
    tumor = metrics["segmentation"]["tumor"]
    third = 2 * 2 / (4 + 2)  # A's Dice: 2 of 4 pixels found, none invented
    assert tumor["volume_dice"]["per_patient"] == pytest.approx({"A": third, "B": 1, "C": 0}, abs=1e-6)
    assert tumor["volume_dice"]["mean"] == pytest.approx((third + 1 + 0) / 3, abs=1e-6)
    assert tumor["volume_dice"]["median"] == pytest.approx(third, abs=1e-6)
    # Six slices: A's first, four that are empty in both (1 each), C's first (0).
    assert tumor["slice_dice"] == pytest.approx((third + 4 + 0) / 6, abs=1e-6)
    assert tumor["positive_slice_dice"] == pytest.approx(third, abs=1e-6)
    assert tumor["pooled_dice"] == pytest.approx(2 * 2 / (4 + 4), abs=1e-6)
    assert tumor["pooled_precision"] == 0.5
    assert tumor["pooled_tversky"] == pytest.approx(2 / (2 + 0.7 * 2 + 0.3 * 2), abs=1e-6)
    assert tumor["distance_volumes"] == {"measured": 1, "both_empty": 1, "missed": 0, "invented": 1}
    assert tumor["surface_dice"] == pytest.approx((1 + 1 + 0) / 3, abs=1e-6)
    assert tumor["lesions"] == {
        "truth": 1, "found": 1, "predicted": 2, "false": 1,
        "sensitivity": 1, "precision": 0.5, "f1": pytest.approx(2 / 3, abs=1e-6),
        "dice": pytest.approx(third / 2, abs=1e-6), "ci95": tumor["lesions"]["ci95"],
    }  # fmt: skip
    assert tumor["volume"]["unit"] == "voxels"
    assert tumor["volume"]["bias"] == pytest.approx((-2 + 0 + 2) / 3)
    assert metrics["classification"]["confusion"] == {"tn": 4, "fp": 1, "fn": 0, "tp": 1}
    assert metrics["data"] == {
        "patients": 3,
        "volumes": 3,
        "slices": 6,
        "positive_slices": 1,
        "sites": {"X": 2, "Y": 1},
    }
    assert metrics["breakdowns"]["site"]["X"]["segmentation"]["tumor"]["volume_dice"] == pytest.approx(
        (third + 1) / 2, abs=1e-6
    )
    assert [case["patient"] for case in metrics["worst"]] == ["C", "A", "B"]
    assert "No tumor in the truth, but 2 pixels in 1 slices were marked." in metrics["worst"][0]["words"]


def make_many(number: int = 8, **changes: object) -> list:
    cases = []
    for seed in range(number):
        truth, predicted = make_masks(seed)
        passed = np.array([True, True, seed % 2 == 0, False])
        columns = {"site": "CS" if seed % 2 else "DU", "age": 30 + 3 * seed, "gender": 1}
        extra = {
            "gate_probability": np.where(truth.any(axis=(1, 2)), 0.8, 0.3) - 0.01 * seed,
            "passed": passed,
            "ungated": {"tumor": predicted},
        }
        masks = predicted & passed[:, None, None]
        cases.append(make_case(truth, masks, f"P{seed}", columns=columns, **(extra | changes)))
    return cases


def test_every_key_is_documented_and_nothing_is_null() -> None:
    metrics = evaluate_predictions(make_many(), "patients", data={"name": "lgg"}, model={"name": "m"})
    text = DOCS.read_text()
    for key in (*metrics, *metrics["segmentation"]["tumor"], *metrics["classification"], *metrics["gate"]):
        assert re.search(rf"`(?:[\w.<>{{}}, ]*\.)?{key}`|_{key.split('_')[-1]}`|`{key.split('_')[-1]}`", text), key
    flat = json.dumps(metrics)
    assert "null" not in flat
    assert "NaN" not in flat
    example = json.loads(re.search(r"## Example\s+```json\n(.*?)```", text, re.DOTALL)[1])
    for part in ("segmentation", "classification", "gate", "data", "engine", "model"):
        known = metrics[part]["tumor"] if part == "segmentation" else metrics[part]
        given = example[part]["tumor"] if part == "segmentation" else example[part]
        unknown = set(given) - set(known) - {"time_saved", "split", "model_type", "parameters"}
        assert not unknown or part == "engine", (part, unknown)


def test_the_gate_is_judged_with_what_it_lost() -> None:
    metrics = evaluate_predictions(make_many(), "patients")
    gate = metrics["gate"]
    # Slice 3 of every patient is rejected, slice 2 (positive) of every other one.
    assert (gate["slices"], gate["rejected"], gate["positive_slices_lost"]) == (32, 12, 4)
    assert gate["area_lost"] == pytest.approx(4 / 16)  # each positive slice has 16 pixels, there are 16 of them
    assert gate["without"]["classification"]["recall"] == 1
    assert (
        gate["without"]["segmentation"]["tumor"]["volume_dice"]
        > metrics["segmentation"]["tumor"]["volume_dice"]["mean"]
    )
    assert gate["classifier"]["recall"] == 1
    assert "time_saved" not in gate  # nobody measured it


def test_columns_become_groups_only_where_they_part_the_patients() -> None:
    breakdowns = evaluate_predictions(make_many(12), "patients")["breakdowns"]
    assert set(breakdowns) == {"site", "age", "lesion size"}  # everyone has the same gender
    assert set(breakdowns["age"]) == {"up to 46.5", "above 46.5"}  # more than eight values are cut at their median
    assert [group["patients"] for group in breakdowns["lesion size"].values()] == [4, 4, 4]


def test_a_classifier_has_no_segmentation() -> None:
    cases = make_three()
    for case in cases:
        case.predicted = None
    metrics = evaluate_predictions(cases, "patients")
    assert not {"segmentation", "segmentation_mean", "gate", "worst", "cardiac"} & set(metrics)
    assert metrics["classification"]["accuracy"] == pytest.approx(5 / 6, abs=1e-6)


def test_several_volumes_of_a_patient_are_averaged_first() -> None:
    full, empty = np.ones((1, 2, 2), bool), np.zeros((1, 2, 2), bool)
    cases = [
        make_case(full, full, "A", volume="A/ED"),
        make_case(full, empty, "A", volume="A/ES"),
        make_case(full, full, "B", volume="B/ED"),
    ]
    dice = evaluate_predictions(cases, "patients")["segmentation"]["tumor"]["volume_dice"]
    assert dice["per_patient"] == {"A": 0.5, "B": 1}
    assert dice["per_volume"] == {"A/ED": 1, "A/ES": 0, "B/ED": 1}
    assert dice["mean"] == 0.75


def test_in_any_order_the_figures_are_the_same() -> None:
    forward, backward = (evaluate_predictions(cases, "patients") for cases in (make_many(), make_many()[::-1]))
    for key, value in forward["segmentation"]["tumor"].items():
        if isinstance(value, float):
            assert backward["segmentation"]["tumor"][key] == pytest.approx(value, abs=2e-6), key


def test_intervals_hold_the_figures() -> None:
    tumor = evaluate_predictions(make_many(), "patients")["segmentation"]["tumor"]
    for key, (low, high) in tumor["ci95"].items():
        assert low - 1e-6 <= tumor[key] <= high + 1e-6, key
    low, high = tumor["volume_dice"]["ci95"]
    assert low <= tumor["volume_dice"]["mean"] <= high


def test_half_known_spacing_measures_nothing() -> None:
    assert known_spacing((1.5, 1.5, None)) is None
    assert known_spacing((1.5, 1.5, 3.0)) == (1.5, 1.5, 3.0)
    row = reduce_case(make_case(*make_masks(0), spacing=(2.0, 5.0, 10.0)))
    assert row.measure_volume(30) == pytest.approx(3)  # 30 voxels of 0.1 mL


def test_a_label_that_the_model_does_not_know_is_named() -> None:
    case = make_case(*make_masks(0))
    case.predicted = {"stomach": case.predicted["tumor"]}
    with pytest.raises(ValueError, match=r"'tumor'.*stomach"):
        evaluate_predictions([case], "patients")
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluate_predictions([], "patients")


def test_json_keeps_lists_of_numbers_on_one_line() -> None:
    text = dump_metrics({"a": [1, 2.5, 3], "b": {"c": ["x", "y"]}})
    assert "[ 1, 2.5, 3 ]" in text
    assert json.loads(text) == {"a": [1, 2.5, 3], "b": {"c": ["x", "y"]}}
