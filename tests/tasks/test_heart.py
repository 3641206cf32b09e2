"""Ejection fraction and mass on hearts made of boxes, whose volumes are known."""

import numpy as np
import pytest

from hf_mri.evaluation.cases import reduce_case
from hf_mri.evaluation.scores.agreement import measure_agreement
from hf_mri.tasks.heart import compute_ejection_fraction, measure, score_heart
from tests.evaluation.builders import make_case

SPACING = (2.0, 2.5, 10.0)  # a voxel holds 0.05 mL


def make_heart(patient: str, phase: str, pixels: int, predicted_pixels: int) -> object:
    """A volume of two slices whose labels fill as many pixels of each as asked."""
    masks = np.zeros((2, 2, 20, 20), bool)
    for mask, number in zip(masks, (pixels, predicted_pixels), strict=True):
        mask.reshape(2, -1)[:, :number] = True
    labels = ("left ventricle", "right ventricle", "myocardium")
    case = make_case(
        *masks, patient=patient, volume=f"{patient}/{phase}", spacing=SPACING, columns={"phase": phase, "group": "NOR"}
    )
    case.truth, case.predicted = (dict.fromkeys(labels, mask) for mask in masks)
    return reduce_case(case)


def test_volumes_and_ejection_fraction_of_two_patients() -> None:
    # pixels a slice → mL: n * 2 slices * 0.05 = n / 10.   A: 100 → 40 mL, EF 60 %; predicted 100 → 50, EF 50 %.
    rows = [make_heart("A", "ED", 100, 100), make_heart("A", "ES", 40, 50)]
    # B: 200 → 100, EF 50 %; predicted 220 → 88, EF 60 %.
    rows += [make_heart("B", "ED", 200, 220), make_heart("B", "ES", 100, 88)]
    heart = score_heart(rows, measure_agreement)
    assert heart["per_patient"]["A"]["lv_edv"] == pytest.approx([10, 10])
    assert heart["per_patient"]["A"]["lv_ef"] == pytest.approx([60, 50])
    assert heart["per_patient"]["B"]["rv_ef"] == pytest.approx([50, 60])
    ejection = heart["lv"]["ef"]
    assert ejection["bias"] == pytest.approx(0)  # -10 and +10
    assert ejection["limits"] == pytest.approx([-1.96 * np.sqrt(200), 1.96 * np.sqrt(200)])
    assert ejection["mean_absolute_error"] == pytest.approx(10)
    assert heart["lv"]["sv"]["bias"] == pytest.approx(((5 - 6) + (13.2 - 10)) / 2)
    assert heart["myocardium"]["mass"]["bias"] == pytest.approx(1.05 * (0 + 2) / 2)
    assert heart["table"]["left ventricle"]["ED"]["dice"] == pytest.approx((1 + 2 * 200 / 420) / 2)
    assert heart["table"]["left ventricle"]["ED"]["lowest_dice"] == pytest.approx(2 * 200 / 420)
    dice = [1, 2 * 40 / 90, 2 * 200 / 420, 2 * 88 / 188]
    assert heart["mean_dice"] == pytest.approx(np.mean(dice))
    assert heart["lowest_dice"] == pytest.approx(min(dice))
    assert heart["by_group"]["NOR"]["patients"] == 2
    assert heart["by_group"]["NOR"]["dice"]["myocardium"] == pytest.approx(np.mean(dice))
    assert heart["by_group"]["NOR"]["lv_ef"] == ejection


def test_no_heart_without_spacing_or_without_both_phases() -> None:
    assert score_heart([make_heart("A", "ED", 10, 10)], measure_agreement) is None
    empty = compute_ejection_fraction(0.0, 0.0)
    assert empty == 0


def test_a_beat_is_told_by_the_left_ventricle_first_then_the_right_then_the_muscle() -> None:
    beat = {"edv_ml": 120.0, "esv_ml": 48.0, "sv_ml": 72.0, "ef_percent": 60.0}
    cine = {"right ventricle": beat, "left ventricle": beat, "myocardium_g": 101.2}
    told = measure({"cine": cine, "labels": ["right ventricle", "myocardium", "left ventricle"]})
    assert list(told) == ["left ventricle", "right ventricle", "myocardium"]
    assert [found.name for found in told["left ventricle"]] == [
        "ejection fraction",
        "end diastole",
        "end systole",
        "stroke volume",
    ]
    assert told["myocardium"][0].value == 101.2
    assert measure({"cine": None, "labels": []}) == {}
