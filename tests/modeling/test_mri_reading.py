"""What a reading computes from masks and probabilities, and what it writes."""

import csv
import json
import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from scipy.special import expit, logit

from hf_mri import Reading, read_scan
from hf_mri.modeling.mri_reading_decisions import (
    foreground_masks,
    highest_foreground_logit,
    keep_largest_component,
    remove_small_components,
    slice_probability,
)
from hf_mri.modeling.mri_reading_measures import largest_diameter, measure_cine
from hf_mri.modeling.mri_reading_run_length import decode_run_length
from hf_mri.modeling.mri_scan_geometry import Geometry
from tests.modeling.phantom_files import head, write_nifti


def make_reading(**changes) -> Reading:
    """Two slices of 6 x 8; a block of 2 x 3 pixels and a single pixel in the second."""
    mask = np.zeros((2, 6, 8), bool)
    mask[1, 1:3, 2:5] = True
    mask[1, 5, 7] = True
    fields = {
        "probability": np.array([0.1, 0.9]),
        "stage": np.array(["empty", "mask"]),
        "masks": {"tumor": mask},
        "spacing": (2.0, 3.0, 5.0),
        "geometry": Geometry((8, 6, 2)),
        "gate_logit": np.array([-1.0, 2.0]),
        "mask_logit": np.array([-3.0, 4.0]),
    }
    return Reading(**fields | changes)


def test_a_dictionary_holds_areas_boxes_volumes_and_extent():
    answer = make_reading().to_dict()
    assert answer["schema"] == "hf_mri.reading/1"
    # 7 pixels of 2 mm x 3 mm; box: left 2, top 1, to column 7 and row 5.
    assert answer["slices"][1]["regions"] == {"tumor": {"area_mm2": 42.0, "area_pixels": 7, "box": [2, 1, 6, 5]}}
    assert answer["slices"][0]["regions"] == {}
    assert [(s["name"], s["positive"], s["stage"]) for s in answer["slices"]] == [
        ("0001", False, "empty"),
        ("0002", True, "mask"),
    ]
    # 7 voxels of 30 mm3; the block's diagonal: 2 rows of 2 mm, 3 columns of 3 mm.
    assert answer["volumes"] == [
        {
            "tumor": {
                "ml": 0.21,
                "voxels": 7,
                "largest_diameter_mm": round(float(np.hypot(4, 9)), 2),
                "largest_diameter_pixels": None,
                "first_slice": 1,
                "last_slice": 1,
            }
        }
    ]
    assert json.loads(json.dumps(answer)) == answer


def test_without_spacing_pixels_are_counted_and_millimeters_left_out():
    answer = make_reading(spacing=None).to_dict()
    assert answer["spacing_mm"] is None
    assert answer["slices"][1]["regions"]["tumor"]["area_mm2"] is None
    volume = answer["volumes"][0]["tumor"]
    assert (volume["ml"], volume["voxels"], volume["largest_diameter_mm"]) == (None, 7, None)
    assert volume["largest_diameter_pixels"] == round(float(np.hypot(2, 3)), 2)
    only_in_plane = make_reading(spacing=(2.0, 3.0, None)).to_dict()
    assert only_in_plane["slices"][1]["regions"]["tumor"]["area_mm2"] == 42.0
    assert only_in_plane["volumes"][0]["tumor"]["ml"] is None


def test_the_largest_diameter_is_that_of_all_pixel_corners():
    rng = np.random.default_rng(0)
    mask = rng.random((1, 12, 9)) > 0.3
    mask[0, 6] = True  # one region
    mask[0, :, 4] = True
    regions, count = ndimage.label(mask[0], np.ones((3, 3)))
    best = 0.0
    for index in range(1, count + 1):  # every pair of corners, the slow way
        rows, columns = np.nonzero(regions == index)
        corners = np.array(
            [(r + i, c + j) for r, c in zip(rows, columns, strict=True) for i in (0, 1) for j in (0, 1)]
        )
        corners = corners * [0.7, 1.9]
        best = max(best, np.linalg.norm(corners[:, None] - corners[None], axis=-1).max())
    assert largest_diameter(mask, (0.7, 1.9)) == pytest.approx(best)
    assert largest_diameter(np.zeros((2, 4, 4), bool), (1, 1)) == 0


def test_a_cine_gives_ejection_fraction():
    left, right = np.zeros((3 * 2, 10, 10), bool), np.zeros((3 * 2, 10, 10), bool)
    left[0:2, :, :5], left[2:4, :, :2], left[4:6, :, :3] = True, True, True  # 100, 40, 60 voxels
    right[0:2, :, :4], right[2:4, :, :3] = True, True
    cine = measure_cine({"left ventricle": left, "right ventricle": right}, (2.0, 2.0, 10.0), 3)
    assert (cine["end_diastole_phase"], cine["end_systole_phase"]) == (0, 1)
    # 100 voxels of 40 mm3 are 4 ml, 40 are 1.6 ml; (100 - 40) / 100.
    assert cine["left ventricle"] == {"edv_ml": 4.0, "esv_ml": 1.6, "sv_ml": 2.4, "ef_percent": 60.0}
    assert cine["right ventricle"] == {"edv_ml": 3.2, "esv_ml": 2.4, "sv_ml": 0.8, "ef_percent": 25.0}
    assert cine["ml_by_phase"]["left ventricle"] == [4.0, 1.6, 2.4]
    assert cine["doubts"] == []
    assert "myocardium_g" not in cine
    muscle = measure_cine({"left ventricle": left, "myocardium": right}, (2.0, 2.0, 10.0), 3)
    assert muscle["myocardium_g"] == pytest.approx(1.05 * 3.2)
    assert measure_cine({"left ventricle": left}, None, 1) is None


def make_beat(counts: list[int]) -> np.ndarray:
    """A chamber (T, H, W) of so many voxels at each time point."""
    return np.array([np.arange(400).reshape(20, 20) < count for count in counts])


def test_volumes_that_no_heart_has_are_doubted_and_not_measured():
    beat = [round(300 - 90 * (1 - np.cos(2 * np.pi * t / 25))) for t in range(25)]
    left = {"left ventricle": make_beat(beat)}
    good = measure_cine(left, (1, 1, 10), 25)
    assert good["doubts"] == []
    assert good["left ventricle"]["ef_percent"] == pytest.approx(60, abs=0.5)
    broken = measure_cine(left | {"right ventricle": make_beat([*beat[:7], 20, *beat[8:]])}, (1, 1, 10), 25)
    assert "left ventricle" in broken
    assert "right ventricle" not in broken
    assert re.match(
        r"right ventricle: its volume jumps by \d+ % between time points [78] and [89]", broken["doubts"][0]
    )
    still = measure_cine({"left ventricle": make_beat([300] * 24 + [299])}, (1, 1, 10), 25)
    assert "left ventricle" not in still
    assert "ejection fraction of 0 % is outside 5 to 90 %" in still["doubts"][0]
    nothing = measure_cine({"left ventricle": make_beat([0] * 25)}, (1, 1, 10), 25)
    assert nothing["doubts"] == ["no heart was found: no left ventricle at any time"]
    right = measure_cine(left | {"right ventricle": make_beat([0] * 25)}, (1, 1, 10), 25)
    assert right["doubts"] == ["right ventricle: not found at end diastole"]
    # End diastole and end systole alone lie far apart: no jump is seen in them.
    assert measure_cine({"left ventricle": make_beat([300, 120])}, None, 2)["doubts"] == []


def test_what_is_doubted_is_among_the_warnings():
    reading = make_reading()
    masks = {"left ventricle": np.zeros_like(reading.masks["tumor"])}
    answer = replace(reading, masks=masks, phases=2).to_dict()
    assert answer["warnings"] == [*reading.warnings, "no heart was found: no left ventricle at any time"]


def test_the_slices_probability_joins_gate_and_mask():
    config = SimpleNamespace(temperature=2.0, mask_weight=0.25)
    gate, mask = np.array([1.0, -2.0]), np.array([5.0, np.nan])
    # passed: (0.75 * 1 + 0.25 * 5) / 2 = 1; rejected: -2 / 2 = -1
    np.testing.assert_allclose(slice_probability(gate, mask, config), expit([1.0, -1.0]))
    np.testing.assert_allclose(slice_probability(gate, None, config), expit([0.5, -1.0]))
    np.testing.assert_allclose(slice_probability(None, np.array([5.0]), SimpleNamespace()), expit([5.0]))
    with pytest.raises(ValueError, match="needs"):
        slice_probability(None, None, config)


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("labels", [2, 4])
def test_the_highest_foreground_logit_is_the_logit_of_the_highest_probability(labels, overlapping):
    logits = torch.randn(3, labels, 5, 7, generator=torch.Generator().manual_seed(0))
    foreground = list(range(labels)) if overlapping else list(range(1, labels))
    probability = logits.sigmoid() if overlapping else logits.softmax(1)
    expected = logit(probability[:, foreground].flatten(1).amax(1).double().numpy())
    np.testing.assert_allclose(highest_foreground_logit(logits, foreground, overlapping), expected, rtol=1e-4)


def test_at_one_half_the_likeliest_label_wins_and_higher_thresholds_ask_for_more():
    logits = torch.randn(4, 20, 20, generator=torch.Generator().manual_seed(0))
    probability = logits.softmax(0)
    found = foreground_masks({k: probability[k] for k in (1, 2, 3)}, 0.5, overlapping=False)
    likeliest = logits.argmax(0).numpy()
    for label, mask in found.items():
        np.testing.assert_array_equal(mask, likeliest == label)
    stricter = foreground_masks({k: probability[k] for k in (1, 2, 3)}, 0.8, overlapping=False)
    assert all((stricter[k] <= found[k]).all() for k in found)


def test_small_regions_are_removed_in_each_slice():
    mask = make_reading().masks["tumor"].copy()
    mask[0, 0, 0] = mask[0, 1, 1] = True  # two pixels that touch at a corner
    assert remove_small_components(mask.copy(), 1).sum() == 9
    assert remove_small_components(mask.copy(), 2).sum() == 8
    assert remove_small_components(mask.copy(), 3).sum() == 6
    assert remove_small_components(mask.copy(), 7).sum() == 0


def test_the_largest_region_reaches_through_the_slices_of_its_phase():
    mask = np.zeros((4, 6, 6), bool)  # two phases of two slices
    mask[0, :2, :2] = mask[1, 2, 2] = True  # five that touch at a corner through the slices
    mask[1, 4:, 2:4] = True  # four
    mask[2, 0, 0] = mask[3, 5, 4:] = True  # one and two
    kept = keep_largest_component(mask.copy(), phases=2)
    assert [int(page.sum()) for page in kept] == [4, 1, 0, 2]
    assert (kept <= mask).all()
    assert keep_largest_component(np.zeros((2, 3, 3), bool)).sum() == 0


def test_thresholds_move_without_the_model():
    reading = make_reading()
    assert reading.at(smallest_lesion=2).masks["tumor"].sum() == 6
    assert reading.masks["tumor"].sum() == 7  # the original stays
    assert reading.at(slice_threshold=0.95).positive.tolist() == [False, False]
    gated = reading.at(gate_threshold=0.5)  # sigmoid(-1) is below
    assert gated.stage.tolist() == ["gate", "mask"]
    np.testing.assert_allclose(gated.probability, expit([-1.0, 2.0]))
    np.testing.assert_allclose(gated.at(mask_weight=0.5).probability, expit([-1.0, 3.0]))
    with pytest.raises(ValueError, match="keep='all'"):
        reading.at(mask_threshold=0.4)
    with pytest.raises(ValueError, match="keep='all'"):
        reading.at(smallest_lesion=2).at(smallest_lesion=0)
    with pytest.raises(ValueError, match="unknown threshhold"):
        reading.at(threshhold=1)
    rejected = make_reading(mask_logit=np.array([np.nan, 4.0]), thresholds=reading.at(gate_threshold=0.5).thresholds)
    with pytest.raises(ValueError, match="gate_threshold"):
        rejected.at(gate_threshold=0.1)


def test_kept_probabilities_move_every_threshold():
    probability = np.linspace(0, 1, 2 * 6 * 8).reshape(2, 6, 8).astype(np.float16)
    reading = make_reading(foreground_probability={"tumor": probability})
    for threshold in (0.2, 0.5, 0.9):
        np.testing.assert_array_equal(
            reading.at(mask_threshold=threshold).masks["tumor"], probability >= np.float32(threshold)
        )


def test_saved_masks_run_lengths_and_json_are_the_reading(tmp_path):
    reading = make_reading()
    written = reading.save(tmp_path)
    assert written[-1] == tmp_path / "reading.json"  # last: a folder with one is complete
    assert json.loads(written[-1].read_text()) == reading.to_dict()
    for index, name in enumerate(["0001", "0002"]):
        page = np.asarray(Image.open(tmp_path / "masks" / "tumor" / f"{name}.png"))
        np.testing.assert_array_equal(page, reading.masks["tumor"][index] * 255)
    with (tmp_path / "run_lengths.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row, page in zip(rows, reading.masks["tumor"], strict=True):
        np.testing.assert_array_equal(
            decode_run_length(row["run_length"], int(row["height"]), int(row["width"])), page
        )
    image = nibabel.load(tmp_path / "tumor.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj).transpose(2, 1, 0), reading.masks["tumor"])
    assert image.header.get_zooms() == (3.0, 2.0, 5.0)
    assert not list(tmp_path.rglob(".*"))  # nothing half-written stays


def test_only_what_is_asked_for_is_written(tmp_path):
    reading = make_reading()
    assert [path.name for path in reading.save(tmp_path / "a", only=["json"])] == ["reading.json"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["reading.json"]
    with pytest.raises(ValueError, match="unknown html; choose among json, masks"):
        reading.save(tmp_path, only=["html"])


def test_without_nibabel_everything_else_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nibabel", None)
    make_reading().save(tmp_path)
    assert not list(tmp_path.glob("*.nii.gz"))
    assert (tmp_path / "reading.json").is_file()


def test_labels_become_file_names(tmp_path):
    mask = make_reading().masks["tumor"]
    make_reading(masks={"left ventricle": mask, "a/b": mask}).save(tmp_path)
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["a_b", "left_ventricle"]


@pytest.mark.parametrize("affine", [np.diag([-1.0, -2, 7, 1]), np.diag([2.0, 1, -7, 1]), np.diag([7.0, 1, 1, 1])])
@pytest.mark.parametrize("phases", [1, 3])
def test_nifti_masks_lie_where_the_source_lies(tmp_path, affine, phases):
    volume = head(dtype=np.int16).transpose(2, 1, 0)
    volume = volume if phases == 1 else np.stack([volume // (n + 1) for n in range(phases)], axis=-1)
    path = write_nifti(tmp_path / "scan.nii.gz", volume, affine)
    scan = read_scan(path)
    mask = scan.slices[..., 0] > 9000
    count = len(mask)
    reading = Reading(
        np.ones(count), np.full(count, "mask"), {"bright": mask}, scan.spacing, scan.geometry, phases=phases
    )
    np.testing.assert_array_equal(reading.in_source_order("bright"), volume > 9000)
    reading.save(tmp_path / "out", only=["nifti"])
    image = nibabel.load(tmp_path / "out" / "bright.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj) > 0, volume > 9000)
    np.testing.assert_allclose(image.affine, affine)
