"""Stored predictions come back as they went in, to a sixteenth of a logit."""

from pathlib import Path

import numpy as np
import pytest

from hf_mri.evaluation.stored_predictions import StoredCase, load_case, load_cases, save_case, to_mask_logit


def make_case(patient: str = "A", volume: str = "A/ED", seed: int = 0, **changes) -> StoredCase:
    rng = np.random.default_rng(seed)
    values = {
        "patient": patient,
        "volume": volume,
        "labels": ("left", "right"),
        "problem_type": "multi_label_classification",
        "truth": rng.random((3, 2, 9, 7)) > 0.5,
        "mask_logit": rng.normal(0, 5, (3, 2, 9, 7)).astype(np.float32),
        "gate_logit": rng.normal(0, 5, 3).astype(np.float32),
        "slices": np.arange(3),
        "spacing": (1.5, 1.5, 10.0),
        "columns": {"site": "CS", "phase": None, "age": 41.5},
    }
    return StoredCase(**(values | changes))


def test_a_case_comes_back(tmp_path: Path) -> None:
    case = make_case()
    path = save_case(tmp_path, case)
    back = load_case(path)
    assert path.name == "A__ED.npz"
    assert list(tmp_path.iterdir()) == [path]  # nothing half-written stays behind
    assert (back.patient, back.volume, back.labels, back.spacing) == ("A", "A/ED", ("left", "right"), (1.5, 1.5, 10.0))
    assert back.columns == case.columns
    np.testing.assert_array_equal(back.truth, case.truth)
    np.testing.assert_array_equal(back.gate_logit, case.gate_logit)
    np.testing.assert_allclose(back.mask_logit, np.clip(case.mask_logit, -127 / 16, 127 / 16), atol=1 / 32)
    # The highest logit decides a slice's probability, so it is not rounded.
    np.testing.assert_array_equal(back.peak_logit, case.mask_logit.max(axis=(1, 2, 3)))


def test_one_label_a_pixel_keeps_the_winner_beyond_the_cut(tmp_path: Path) -> None:
    logits = np.zeros((1, 3, 1, 2), np.float32)  # background, left, right; two pixels
    logits[0, :, 0, 0] = [-10, 10, 12]  # right wins by 22 to 20, both beyond what a byte holds
    logits[0, :, 0, 1] = [3, 1, 0]  # left against background: 1 - 3 = -2
    mask_logit = to_mask_logit(logits, "single_label_classification")
    case = make_case(
        problem_type="single_label_classification",
        truth=np.zeros((1, 2, 1, 2), bool),
        mask_logit=mask_logit,
        gate_logit=None,
        slices=np.arange(1),
    )
    # Right against the rest of the first pixel: 12 - log(e^-10 + e^10) = 2; of the second: 1 - log(e^3 + 1) < 0.
    assert case.peak_logit.tolist() == [pytest.approx(2.0, abs=1e-4)]
    back = load_case(save_case(tmp_path, case)).mask_logit
    np.testing.assert_array_equal(back.argmax(axis=1)[0, 0], [1, 0])
    np.testing.assert_array_equal(back.max(axis=1)[0, 0], [127 / 16, -2])


def test_a_classifier_has_no_mask_and_a_segmenter_no_gate(tmp_path: Path) -> None:
    assert load_case(save_case(tmp_path, make_case(mask_logit=None))).mask_logit is None
    assert load_case(save_case(tmp_path, make_case(gate_logit=None))).gate_logit is None
    with pytest.raises(ValueError, match="one of them is needed"):
        make_case(mask_logit=None, gate_logit=None)


def test_shapes_are_checked_where_they_are_made() -> None:
    with pytest.raises(ValueError, match="resize the logits"):
        make_case(mask_logit=np.zeros((3, 2, 4, 4)))
    with pytest.raises(ValueError, match="gate_logit has shape"):
        make_case(gate_logit=np.zeros(2))
    with pytest.raises(ValueError, match="2 labels"):
        make_case(truth=np.zeros((3, 1, 9, 7), bool))


def test_folds_are_read_in_order_and_must_be_whole(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no fold-1-of-N"):
        list(load_cases(tmp_path))
    save_case(tmp_path / "fold-2-of-2" / "predictions", make_case("B", "B"))
    with pytest.raises(ValueError, match="fold 1 of 2 has no predictions"):
        list(load_cases(tmp_path))
    save_case(tmp_path / "fold-1-of-2" / "predictions", make_case("A", "A"))
    cases = list(load_cases(tmp_path))
    assert [(case.patient, case.columns["fold"]) for case in cases] == [("A", "fold-1-of-2"), ("B", "fold-2-of-2")]
    save_case(tmp_path / "fold-1-of-3" / "predictions", make_case("A", "A"))
    with pytest.raises(ValueError, match="holds folds of 2 and of 3"):
        list(load_cases(tmp_path))


@pytest.mark.parametrize("kind", ["foreign", "cut", "empty"])
def test_a_file_that_is_none_of_ours_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "X.npz"
    np.savez(path, something=np.zeros(3))
    if kind != "foreign":
        path.write_bytes(path.read_bytes()[: 100 if kind == "cut" else 0])
    with pytest.raises(ValueError, match=r"X\.npz: not a file of stored predictions"):
        load_case(path)
