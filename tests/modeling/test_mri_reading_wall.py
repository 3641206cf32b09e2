"""The thickness of drawn walls, which is known."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from hf_mri.modeling.mri_reading_wall import ANGLES, RAYS, Ring, trace_slice, trace_wall
from tests.modeling.hearts import SPACING, draw_ring, taper


@pytest.mark.parametrize("wall", [4.0, 8.0, 15.0])
def test_a_drawn_wall_is_measured_to_a_third_of_a_millimeter(wall):
    traced = trace_wall(draw_ring(wall=wall), SPACING)
    for thickness, truth in zip(traced.thickness, np.array_split(wall * taper(), 3), strict=True):
        assert thickness.mean() == pytest.approx(truth.mean(), abs=0.33)
        assert thickness.std(axis=1).max() < 0.75  # half a pixel, ray by ray


def test_the_apex_may_come_first():
    ring = draw_ring()
    there, back = trace_wall(ring, SPACING), trace_wall(Ring(*(mask[::-1] for mask in ring)), SPACING)
    np.testing.assert_array_equal(there.thickness[0], back.thickness[0])


def draw_ellipse(long: float, wide: float, spacing=(1.0, 1.0), size: int = 160) -> np.ndarray:
    y, x = np.ogrid[:size, :size]
    return np.hypot((x - 80) * spacing[1] / long, (y - 80) * spacing[0] / wide) <= 1


def test_what_a_ray_gains_by_its_slant_is_taken_off():
    # The muscle within 8 mm of an oval cavity, measured at right angles; a ray alone would meet up to 12 % more.
    cavity = draw_ellipse(34, 20)
    muscle = (distance_transform_edt(~cavity) <= 8.25) & ~cavity
    thickness, _ = trace_slice(cavity, muscle, np.zeros_like(cavity), (1.0, 1.0))
    assert thickness.mean() == pytest.approx(8, abs=0.25)
    assert np.abs(thickness - 8).max() < 1.2


def test_pixels_need_not_be_square():
    cavity, outer = draw_ellipse(20, 20, (0.8, 1.6)), draw_ellipse(28, 28, (0.8, 1.6))
    thickness, _ = trace_slice(cavity, outer & ~cavity, np.zeros_like(cavity), (0.8, 1.6))
    assert thickness.mean() == pytest.approx(8, abs=0.2)


def test_an_open_ring_costs_only_the_rays_that_pass_there():
    cavity, outer = draw_ellipse(20, 20), draw_ellipse(28, 28)
    muscle = outer & ~cavity
    muscle[:, 95:] &= np.arange(160)[:, None] > 90  # the outflow tract, top right
    thickness, _ = trace_slice(cavity, muscle, np.zeros_like(cavity), (1.0, 1.0))
    assert 10 < np.isnan(thickness).sum() < 30
    closed = np.abs(ANGLES - np.pi / 2) < 1
    assert thickness[closed].mean() == pytest.approx(8, abs=0.3)


@pytest.mark.parametrize("direction", [np.pi, 0.3, -1.2])
def test_the_septum_lies_where_the_right_ventricle_does(direction):
    for begin, width in trace_wall(draw_ring(septum=direction), SPACING).septa[:2]:
        assert np.cos(begin + width / 2 - direction) > 0.995
        assert 70 < np.degrees(width) < 180


def test_odd_masks_have_no_wall_or_no_septum():
    ring = draw_ring()
    nothing = np.zeros_like(ring.cavity)
    assert trace_wall(Ring(nothing, nothing, nothing), SPACING) is None
    assert trace_wall(Ring(ring.cavity, nothing, ring.right), SPACING) is None
    assert trace_wall(Ring(*(mask[:1] for mask in ring)), SPACING) is None
    assert trace_wall(ring._replace(right=nothing), SPACING).septa == [None] * 3
    one_pixel = nothing.copy()
    one_pixel[:, 0, 0] = True
    assert np.isfinite(trace_wall(ring._replace(muscle=one_pixel), SPACING).thickness[0]).sum() < RAYS / 10
