"""The pattern that a beat's measures are closest to."""

import numpy as np
import pytest

from hf_mri.tasks.heart_patterns import (
    GROUPS,
    MEASURES,
    describe_beat,
    estimate_groups,
    load_model,
    tabulate_patterns,
    tell_pattern,
)


def make_reading(edv: float = 140, ef: float = 62, rv_edv: float = 145, ed: float = 8, es: float = 12.5, **changed):
    """A reading's JSON with an even wall; volumes in mL, walls in mm."""
    wall = [{"ed_mm": ed, "es_mm": es, "thickening_percent": 100 * (es / ed - 1)} for _ in range(16)]
    for segment in wall[:3]:  # no wall is quite even
        segment["es_mm"] *= 0.8
    cine = {
        "left ventricle": {"edv_ml": edv, "ef_percent": ef},
        "right ventricle": {"edv_ml": rv_edv, "ef_percent": 55.0},
        "myocardium_g": 2.3 * ed / 8 * edv ** (2 / 3) * 1.5,
        "wall": {"segments": wall},
        "doubts": [],
    }
    return {"doubts": [], "cine": cine | changed}


def test_a_beat_is_fourteen_numbers():
    measures = describe_beat(make_reading()["cine"])
    assert list(measures) == list(MEASURES)
    assert measures["lv_ef"] == 62
    assert measures["rv_lv"] == pytest.approx(np.log(145 / 140))
    assert measures["ed_max"] == measures["ed_mean"] == 8
    assert measures["es_min"] == pytest.approx(10)


@pytest.mark.parametrize(
    ("heart", "group"),
    [
        ({}, "NOR"),
        ({"edv": 300, "ef": 18, "rv_edv": 180, "ed": 8, "es": 8.8}, "DCM"),
        ({"edv": 120, "ef": 72, "rv_edv": 110, "ed": 15, "es": 21}, "HCM"),
        ({"edv": 105, "ef": 55, "rv_edv": 230, "ed": 6.5, "es": 9}, "RV"),
    ],
)
def test_a_textbook_heart_is_told(heart, group):
    said = tell_pattern(make_reading(**heart))
    assert said.startswith("Research, not a diagnosis")
    assert f"({group}, probability 0." in said


@pytest.mark.parametrize(
    "reading",
    [
        {"doubts": ["It looks like no heart."], "cine": make_reading()["cine"]},
        {"doubts": [], "cine": None},
        {"doubts": [], "cine": {"doubts": ["no heart was found: no left ventricle at any time"]}},
        make_reading(doubts=["right ventricle: not found at end diastole"]),
        make_reading(wall=None),
        make_reading(wall={"segments": []}),
        make_reading(myocardium_g=None),
        make_reading(ed=80, es=90),  # a whale's
    ],
)
def test_where_anything_is_doubtful_nothing_is_said(reading):
    assert tell_pattern(reading) is None


def test_the_stored_model_is_whole():
    model = load_model()
    assert set(model["measures"]) <= set(MEASURES)
    assert list(model["coefficients"]) == list(model["intercepts"]) == list(GROUPS)
    assert {len(line) for line in model["coefficients"].values()} == {len(model["measures"])}
    shares, farthest = estimate_groups(dict(zip(model["measures"], model["mean"], strict=True)), model)
    assert sum(shares.values()) == pytest.approx(1)
    assert farthest == 0


def test_the_card_shows_confusions_accuracy_and_the_model_itself():
    figures = {
        "accuracy": 0.9,
        "ci95": [0.8, 0.95],
        "confusion": {name: dict.fromkeys([*GROUPS, "none"], 1) for name in GROUPS},
    }
    told, judged, model = tabulate_patterns({"predicted": figures, "truth": figures, "chosen_within": figures})
    assert len(told.rows) == 5
    assert judged.rows[0][1:] == [0.9, [0.8, 0.95]]
    assert len(model.rows) == len(load_model()["measures"]) + 1
    assert all(len(row) == len(table.header) for table in (told, judged, model) for row in table.rows)
    assert tabulate_patterns({}) == []
