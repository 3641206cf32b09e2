"""Where a drawn wall is thick, and how its segments are called."""

import json

import numpy as np
import pytest

from hf_mri.modeling.mri_reading_measures import measure_cine
from hf_mri.modeling.mri_reading_segments import measure_wall
from hf_mri.modeling.mri_reading_wall import Ring
from tests.modeling.hearts import SPACING, draw_ring, taper, turn_affine


def draw_beat(**ring) -> list[Ring]:
    """A wall that thickens from 8 to 12 mm."""
    return [draw_ring(**ring), draw_ring(cavity=16, wall=12, right=26, **ring)]


def thin_out(ring: Ring, angle: float) -> Ring:
    """The same, with the outer half of the wall taken away within 25 degrees of a direction in the picture."""
    y, x = np.indices(ring.muscle.shape[1:]) - 107.5
    there = np.cos(np.arctan2(y, x) - angle) > np.cos(np.radians(25))
    far = np.hypot(x, y) * SPACING[0] > 28
    return ring._replace(muscle=ring.muscle & ~(there & far))


def find(facts: dict, name: str) -> dict:
    return next(segment for segment in facts["segments"] if segment["name"] == name)


def test_a_beat_thickens_by_half():
    facts = measure_wall(draw_beat(), SPACING)
    assert len(facts["segments"]) == 16
    base = float(np.array_split(taper(), 3)[0].mean())
    for segment in facts["segments"][:6]:
        assert segment["ed_mm"] == pytest.approx(8 * base, abs=0.4)
        assert segment["es_mm"] == pytest.approx(12 * base, abs=0.4)
        assert segment["thickening_percent"] == pytest.approx(50, abs=8)
    assert facts["mean_ed_mm"] < facts["segments"][0]["ed_mm"]  # the phantom tapers
    json.dumps(facts, allow_nan=False)


def test_a_thin_spot_is_found_in_its_segment():
    # The right ventricle to the left; what is cut away lies up and to the right, on the free wall beside a.
    full, empty = draw_beat()
    facts = measure_wall([thin_out(full, np.radians(-75)), empty], SPACING)
    thin = min(facts["segments"][:6], key=lambda segment: segment["ed_mm"])
    assert thin["name"] == "basal side a"
    assert find(facts, "basal side b")["ed_mm"] - thin["ed_mm"] > 1


def test_without_geometry_no_side_is_called_anterior():
    for affine in (None, turn_affine(oblique=False)):
        facts = measure_wall(draw_beat(), SPACING, affine)
        assert not facts["anterior_known"]
        assert all(segment["number"] is None for segment in facts["segments"])
        assert not any("anter" in segment["name"] or "infer" in segment["name"] for segment in facts["segments"])


@pytest.mark.parametrize("mirrored", [False, True])
def test_an_oblique_scan_tells_which_side_is_anterior(mirrored):
    # In the first the picture's top is anterior; in the second, stored upside down, its bottom.
    full, empty = draw_beat()
    thin = thin_out(full, np.radians(75 if mirrored else -75))
    facts = measure_wall([thin, empty], SPACING, turn_affine(mirrored=mirrored))
    assert facts["anterior_known"]
    assert [segment["number"] for segment in facts["segments"]] == list(range(1, 17))
    names = [segment["name"] for segment in facts["segments"]]
    assert names[:4] == ["basal anterior", "basal anteroseptal", "basal inferoseptal", "basal inferior"]
    assert names[12:] == ["apical anterior", "apical septal", "apical inferior", "apical lateral"]
    assert min(facts["segments"][:6], key=lambda segment: segment["ed_mm"])["name"] == "basal anterior"


def test_without_a_right_ventricle_there_are_means_alone():
    beat = [ring._replace(right=np.zeros_like(ring.right)) for ring in draw_beat()]
    facts = measure_wall(beat, SPACING)
    assert facts["segments"] == []
    assert 6 < facts["mean_ed_mm"] < 8


def test_an_apex_without_a_right_ventricle_borrows_its_septum():
    beat = draw_beat()
    for ring in beat:
        ring.right[5:] = False
    facts = measure_wall(beat, SPACING)
    assert find(facts, "apical septal")["ed_mm"] > 0


def test_one_slice_has_no_thirds():
    assert measure_wall([Ring(*(mask[:1] for mask in ring)) for ring in draw_beat()], SPACING) is None


def test_an_open_base_leaves_its_segment_without_a_figure():
    beat = draw_beat()
    for ring in beat:
        ring.muscle[:3, :108, 120:] = False  # up and to the right
    facts = measure_wall(beat, SPACING)
    assert find(facts, "basal lateral a")["ed_mm"] is None
    assert find(facts, "basal lateral a")["thickening_percent"] is None
    assert find(facts, "basal septal a")["ed_mm"] > 7


def test_a_cine_carries_its_wall():
    full, empty = draw_beat()
    masks = {
        label: np.concatenate([getattr(full, name), getattr(empty, name)])
        for label, name in (("left ventricle", "cavity"), ("myocardium", "muscle"), ("right ventricle", "right"))
    }
    cine = measure_cine(masks, SPACING, 2, turn_affine())
    assert cine["wall"]["anterior_known"]
    assert "wall" not in measure_cine(masks, None, 2)
    masks.pop("right ventricle")
    assert "wall" not in measure_cine(masks, SPACING, 2)
