"""A cine's later time points are looked at where the first one shows the organ, with the same outcome."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hf_mri import MriImageProcessor, Reader, ResUNetConfig
from hf_mri.modeling.mri_reader_windows import MARGIN, STEP, find_window, put_back
from hf_mri.modeling.mri_scan import Scan
from hf_mri.modeling.mri_scan_geometry import Geometry

SIDE = 256


class ThresholdEngine:
    """Outlines what is brighter than a half, pixel by pixel, and counts the pixels it is shown."""

    name, precision, device, gate = "threshold", "float32", "cpu", None

    def __init__(self):
        self.shown = []

    def segment(self, slices):
        pixels = torch.stack(list(slices))
        self.shown += [pixels[0, 0].numel()] * len(pixels)
        return torch.cat([0.5 - pixels, pixels - 0.5], dim=1) * 40


def make_reader(**changes):
    engine = ThresholdEngine()
    settings = {"image_size": SIDE, "num_channels": 1, "smallest_lesion": 0, "largest_component": True, **changes}
    config = ResUNetConfig(id2label={0: "background", 1: "heart"}, **settings)
    config.name_or_path = ""
    size = {"height": SIDE, "width": SIDE}
    processor = MriImageProcessor(
        size=size, num_channels=1, window="fixed", intensity_range=(0, 1), image_mean=[0.0], image_std=[1.0]
    )
    return Reader(SimpleNamespace(config=config), processor, engine=engine), engine


def draw_cine(phases, middle=(90, 150), beat=6):
    """A disc that shrinks and moves a little from one time point to the next, over three slices."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    pages = [
        np.hypot(rows - middle[0] - phase % 3, columns - middle[1]) < 30 - beat * (phase % 2) - depth
        for phase in range(phases)
        for depth in range(3)
    ]
    slices = np.stack(pages).astype(np.float32)[..., None]
    return Scan(slices, (1.0, 1.0, 8.0), Geometry((SIDE, SIDE, len(slices))), "cine", phases=phases)


def test_later_time_points_are_looked_at_in_a_window_with_the_same_outcome():
    cine = draw_cine(phases=4)
    reader, engine = make_reader()
    reading = reader(cine)
    np.testing.assert_array_equal(reading.masks["heart"], cine.slices[..., 0] > 0.5)
    assert engine.shown[:3] == [SIDE * SIDE] * 3
    assert set(engine.shown[3:]) == {128 * 128}
    assert (reading.probability > 0.99).all()


@pytest.mark.parametrize(
    ("phases", "changes"), [(2, {}), (4, {"largest_component": False})], ids=["a beat's two ends", "scattered lesions"]
)
def test_other_scans_are_looked_at_whole(phases, changes):
    reader, engine = make_reader(**changes)
    reader(draw_cine(phases))
    assert set(engine.shown) == {SIDE * SIDE}


def test_where_the_first_time_point_shows_nothing_all_is_looked_at():
    cine = draw_cine(phases=4)
    cine.slices[:3] = 0
    reader, engine = make_reader()
    reading = reader(cine)
    assert set(engine.shown) == {SIDE * SIDE}
    assert reading.masks["heart"][3:].any()


def test_two_cines_share_batches_and_keep_their_windows():
    reader, _ = make_reader()
    cines = [draw_cine(4), draw_cine(5, middle=(190, 60))]
    for cine, reading in zip(cines, reader.batch(cines), strict=True):
        np.testing.assert_array_equal(reading.masks["heart"], cine.slices[..., 0] > 0.5)


@pytest.mark.parametrize("place", [(0, 0), (100, 200), (255, 255), (3, 128)])
def test_a_window_holds_what_was_found_with_a_margin_and_lies_in_the_slice(place):
    found = np.zeros((SIDE, SIDE), bool)
    found[max(0, place[0] - 20) : place[0] + 1, max(0, place[1] - 20) : place[1] + 1] = True
    for side, at in zip(find_window(found), place, strict=True):
        assert 0 <= side.start <= max(0, at - 20 - MARGIN + STEP)
        assert min(SIDE, at + 1 + MARGIN) <= side.stop <= SIDE
        assert (side.stop - side.start) % STEP == 0


def test_a_window_that_would_save_little_is_none():
    assert find_window(np.zeros((SIDE, SIDE), bool)) is None
    assert find_window(np.ones((SIDE, SIDE), bool)) is None


@pytest.mark.parametrize("overlapping", [False, True])
def test_beyond_a_window_is_background(overlapping):
    window = (slice(32, 96), slice(64, 160))
    whole = put_back(torch.full((3, 64, 96), 7.0), window, (SIDE, SIDE), overlapping)
    assert (whole[:, *window] == 7).all()
    assert whole[1:, 0, 0].max() < -10
    assert (whole[0, 0, 0] > 10) == (not overlapping)
