"""The way from scans to figures: through the Reader, from stored predictions, and what is refused on it."""

import json
from pathlib import Path

import numpy as np
import pytest

from hf_mri.data.hashes import hash_pixels
from hf_mri.evaluation.evaluate import evaluate_folds, evaluate_model, evaluate_predictions
from hf_mri.evaluation.protocols import prepare_like_buda
from hf_mri.evaluation.stored_predictions import load_cases, save_case
from hf_mri.evaluation.thresholds import apply_thresholds, choose_thresholds
from hf_mri.evaluation.truth_volumes import TruthVolume, open_volumes
from tests.evaluation.builders import THRESHOLDS, make_reader, write_lgg
from tests.evaluation.test_thresholds import TWO_STAGE, make_stored

CS, DU = "TCGA_CS_0001_20000101", "TCGA_DU_0002_20000101"


@pytest.mark.parametrize("kind", ["two-stage", "resunet", "classifier"])
def test_a_raw_folder_is_read_and_judged_whole(tmp_path: Path, kind: str) -> None:
    reader, _ = make_reader(kind)
    read = []
    metrics = evaluate_model(reader, write_lgg(tmp_path), layout="lgg", progress=read.append)
    assert metrics["data"]["patients"] == 2
    assert metrics["data"]["split"] == "all"
    assert metrics["data"]["sites"] == {"CS": 1, "DU": 1}
    assert sum(read) == metrics["data"]["slices"] == 6
    assert metrics["classification"]["accuracy"] == 1
    assert metrics["engine"]["name"] == "bright"
    assert metrics["engine"]["precision"] == "float32"
    assert ("segmentation" in metrics) == (kind != "classifier")
    assert ("gate" in metrics) == (kind == "two-stage")
    if kind != "classifier":
        assert metrics["segmentation"]["tumor"]["volume_dice"]["min"] > 0.95
    assert any("whom it was trained on" in note for note in metrics["notes"])


def test_the_gate_spares_the_segmenter_and_its_time_is_compared(tmp_path: Path) -> None:
    reader, engine = make_reader("two-stage", gate_threshold=0.4)
    metrics = evaluate_model(reader, write_lgg(tmp_path), layout="lgg")
    gate = metrics["gate"]
    assert (gate["rejected"], gate["positive_slices_lost"], gate["area_lost"]) == (4, 0, 0)
    assert gate["seconds"] > 0
    assert gate["seconds_without"] > 0
    # Warming up segments all 6 slices, the reading only 2, the comparison all 6 again.
    assert engine.segmented == 14


def test_slices_are_read_with_their_mirror_image_on_request(tmp_path: Path) -> None:
    data = write_lgg(tmp_path)
    reader, once = make_reader("resunet")
    assert "flips" not in evaluate_model(reader, data, layout="lgg")["engine"]
    reader, twice = make_reader("resunet", flips=True)
    assert evaluate_model(reader, data, layout="lgg")["engine"]["flips"] is True
    assert twice.segmented == 2 * once.segmented


def test_seen_patients_and_images_are_refused_or_marked(tmp_path: Path) -> None:
    data = write_lgg(tmp_path / "raw")
    reader, _ = make_reader()
    reader.config.name_or_path = str(tmp_path)
    (tmp_path / "training.json").write_text(json.dumps({"patients": {"train": [CS], "test": [DU]}}))
    with pytest.raises(ValueError, match=f"patient {CS} is one of the model's train patients.*--allow-seen"):
        evaluate_model(reader, data, layout="lgg")
    metrics = evaluate_model(reader, data, layout="lgg", allow_seen=True)
    assert metrics["seen_in_training"] == {"patients": [CS], "images": 0}

    # The same pictures under another patient's name.
    with open_volumes(data, "lgg") as source:
        hashes = [hash_pixels(image) for volume in source.volumes if volume.patient == DU for image in volume.images]
    (tmp_path / "training.json").write_text(json.dumps({"patients": {"train": ["other"]}, "image_hashes": hashes[:2]}))
    with pytest.raises(ValueError, match=f"patient {DU} has 2 images that the model was trained on"):
        evaluate_model(reader, data, layout="lgg")
    assert evaluate_model(reader, data, layout="lgg", allow_seen=True)["seen_in_training"]["images"] == 2


def test_what_cannot_be_evaluated_says_what_to_do(tmp_path: Path) -> None:
    reader, _ = make_reader()
    with pytest.raises(ValueError, match="does not read scans"):
        evaluate_model(reader, tmp_path, protocol="cross-validation")
    with pytest.raises(ValueError, match="give --layout"):
        evaluate_model(reader, tmp_path)
    with pytest.raises(ValueError, match="takes no run of folds"):
        evaluate_folds(tmp_path, "patients")


def test_an_imported_data_set_is_judged_on_its_test_split(tmp_path: Path) -> None:
    from hf_mri.data.importing import import_dataset

    patients = tuple(f"TCGA_CS_{number:04d}_20000101" for number in range(8))
    import_dataset("lgg", write_lgg(tmp_path / "raw", patients), tmp_path / "set", workers=1)
    reader, _ = make_reader()
    metrics = evaluate_model(reader, tmp_path / "set")
    manifest = json.loads((tmp_path / "set" / "splits.json").read_text())
    assert sorted(metrics["segmentation"]["tumor"]["volume_dice"]["per_patient"]) == sorted(
        manifest["patients"]["test"]
    )
    assert metrics["data"]["name"] == "lgg"
    assert metrics["data"]["split"] == "test"
    with pytest.raises(ValueError, match=r"no slices in a split 'tests'; there are: .*test"):
        evaluate_model(reader, tmp_path / "set", split="tests")
    leaky = evaluate_model(reader, tmp_path / "set", protocol="slices-leaky")
    assert leaky["data"]["slices"] == 6  # a quarter of 24, from any patient
    assert any("flatter" in note for note in leaky["notes"])


def save_run(run: Path, patients: int = 6) -> None:
    for seed in range(patients):
        save_case(run / f"fold-{seed % 2 + 1}-of-2" / "predictions", make_stored(seed, columns={"site": "CS"}))


def test_folds_are_judged_with_thresholds_from_the_other_folds(tmp_path: Path) -> None:
    save_run(tmp_path)
    metrics = evaluate_folds(tmp_path)
    assert metrics["protocol"] == "cross-validation"
    assert metrics["data"]["patients"] == 6
    assert metrics["segmentation"]["tumor"]["volume_dice"]["mean"] > 0.9
    assert {case["fold"] for case in metrics["cases"]} == {"fold-1-of-2", "fold-2-of-2"}
    cases = list(load_cases(tmp_path))
    expected = choose_thresholds([case for case in cases if case.columns["fold"] == "fold-2-of-2"], TWO_STAGE)
    used = metrics["model"].get("thresholds") or metrics["model"]["thresholds_by_fold"]["fold-1-of-2"]
    assert used == pytest.approx(expected | {"largest_component": False}, abs=1e-6)


def test_stored_predictions_and_cases_at_hand_give_the_same_figures(tmp_path: Path) -> None:
    save_run(tmp_path)
    stored = evaluate_predictions(apply_thresholds(load_cases(tmp_path), THRESHOLDS), "validation")
    fresh = [make_stored(seed, columns={"site": "CS"}) for seed in (0, 2, 4, 1, 3, 5)]
    at_hand = evaluate_predictions(apply_thresholds(fresh, THRESHOLDS), "validation")
    ours, theirs = (metrics["segmentation"]["tumor"]["pooled_dice"] for metrics in (stored, at_hand))
    assert ours == pytest.approx(theirs, abs=0.005)  # logits were rounded to a sixteenth
    assert any("chosen on these same patients" in note for note in stored["notes"])


def test_buda_drops_the_ends_crops_and_clips() -> None:
    images = np.zeros((5, 40, 60, 3), np.uint8)
    images[1:4, 10:30, 20:50] = 100
    images[2, 15, 25] = 255
    truth = np.zeros((5, 40, 60), bool)
    truth[2, 10:30, 20:35] = True  # the left half of what is bright
    volume = TruthVolume("A", "A", images, {"tumor": truth}, (1.0, 1.0, 5.0), {})
    prepared = prepare_like_buda(volume)
    assert prepared.images.shape == (3, 256, 256, 3)
    assert prepared.images.dtype == np.uint8
    # Cropped to 20 x 30, padded to 30 x 30: 5 rows of zeros above and below, the lesion half of the rest.
    mask = prepared.truth["tumor"]
    assert mask.shape == (3, 256, 256)
    assert mask[1].mean() == pytest.approx((20 / 30) * 0.5, abs=0.01)
    assert not mask[0].any()
    assert prepared.spacing == pytest.approx((30 / 256, 30 / 256, 5.0))


def test_buda_keeps_the_largest_component(tmp_path: Path) -> None:
    reader, _ = make_reader()
    metrics = evaluate_model(reader, write_lgg(tmp_path), layout="lgg", protocol="buda")
    assert metrics["protocol"] == "buda"
    assert metrics["data"]["slices"] == 2  # three slices a patient, without the first and the last
    assert metrics["segmentation"]["tumor"]["lesions"]["predicted"] == 2
    assert metrics["model"]["thresholds"]["mask_threshold"] == 0.5


@pytest.mark.real_data
def test_real_patients_without_a_model(real_lgg: Path) -> None:
    """Truth against itself: every figure of agreement is perfect on real masks."""
    from tests.evaluation.builders import make_case

    with open_volumes(real_lgg / "kaggle_3m", "lgg") as source:
        cases = (
            make_case(volume.truth["tumor"], volume.truth["tumor"], volume.patient, columns=volume.columns)
            for _, volume in zip(range(5), source.volumes, strict=False)
        )
        tumor = evaluate_predictions(cases, "patients")["segmentation"]["tumor"]
    assert tumor["volume_dice"]["min"] == tumor["surface_dice"] == tumor["slice_dice"] == 1
    assert tumor["hd95"] == 0
