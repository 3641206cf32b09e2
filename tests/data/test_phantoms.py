"""Synthetic scans: repeatable, and shaped like the task."""

import json

import numpy as np
import pytest

from hf_mri.data.phantoms.draw import draw_phantom, make_phantom
from hf_mri.data.phantoms.lgg import draw_head
from hf_mri.data.sources import iterate_rows


@pytest.mark.parametrize("layout", ["lgg", "acdc", "uw-madison", "bids"])
def test_the_seed_decides_every_byte_and_more_patients_change_none(layout, tmp_path):
    for name, patients, seed in (("one", 2, 5), ("two", 3, 5), ("other", 2, 6)):
        draw_phantom(layout, tmp_path / name, patients=patients, seed=seed, size=32, slices=4)
    rows = {
        name: {(r["volume"], r["slice"]): r["image"].tobytes() for r in iterate_rows(layout, tmp_path / name)}
        for name in ("one", "two", "other")
    }
    assert rows["one"].items() <= rows["two"].items()
    assert len(rows["two"]) > len(rows["one"])
    assert not rows["one"].items() & rows["other"].items()


def test_a_head_has_a_lesion_bright_in_flair_across_neighboring_slices():
    for seed in range(6):
        images, masks = draw_head(np.random.default_rng(seed), size=96)
        assert 20 <= len(images) <= 40
        positive = np.flatnonzero(masks.any(axis=(1, 2)))
        assert 4 <= len(positive) <= 0.7 * len(images)
        assert (np.diff(positive) == 1).all()
        flair = images[..., 1].astype(float)
        inside = flair[masks > 0]
        largest = masks.sum(axis=(1, 2)).argmax()
        brain = flair[largest][(masks[largest] == 0) & (flair[largest] > 25)]
        assert np.median(inside) > 1.15 * np.median(brain)


def test_a_heart_shrinks_at_end_systole_and_the_groups_differ(acdc_source):
    truth = json.loads((acdc_source / "PHANTOM.json").read_text())["truth"]
    by_group = {facts["group"]: facts for facts in truth.values()}
    assert set(by_group) == {"NOR", "MINF", "DCM", "HCM", "RV"}
    for facts in truth.values():
        for side in ("left", "right"):
            assert facts[side]["edv_ml"] > facts[side]["esv_ml"] > 0
    assert by_group["DCM"]["left"]["edv_ml"] > by_group["NOR"]["left"]["edv_ml"]
    assert by_group["DCM"]["left"]["ef_percent"] < 45 < by_group["NOR"]["left"]["ef_percent"]
    assert by_group["HCM"]["muscle_mass_g"] > by_group["NOR"]["muscle_mass_g"]
    assert by_group["RV"]["right"]["edv_ml"] > by_group["NOR"]["right"]["edv_ml"]


def test_a_small_data_set_in_one_call(tmp_path):
    dataset = make_phantom("acdc", tmp_path / "dataset", patients=3, size=32, slices=4, protocol="all")
    assert json.loads((dataset / "dataset.json").read_text())["splits"]["test"]["slices"] == 3 * 2 * 4


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"layout": "folder"}, "no phantom is drawn in the layout 'folder'"),
        ({"patients": 0}, "--patients 0"),
        ({"size": 8}, "--size 8"),
    ],
)
def test_what_can_not_be_drawn(tmp_path, arguments, reason):
    with pytest.raises(ValueError, match=reason):
        draw_phantom(**{"layout": "lgg", "dest": tmp_path / "new", **arguments})
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="is there already"):
        draw_phantom("lgg", tmp_path, patients=1, size=32, slices=2)
