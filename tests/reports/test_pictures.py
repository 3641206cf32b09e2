"""What is drawn."""

import numpy as np
from PIL import Image

from hf_mri.reports.display import display_size, label_colors, outline, window_reading, window_volume
from hf_mri.reports.pictures import choose_slices, draw_montage, write_overlays
from tests.reports.conftest import make_reading


def test_the_window_keeps_16_bits_apart_that_8_bits_would_merge():
    slices = np.full((2, 8, 8, 1), 30000, np.uint16)
    slices[:, 4:] = 30100  # both would be 117 after a division by 256
    shown = window_volume(slices)
    assert shown.dtype == np.uint8
    assert set(np.unique(shown)) == {0, 255}


def test_of_a_brains_three_channels_flair_is_shown_and_of_another_organs_the_first():
    slices = np.zeros((4, 4, 4, 3), np.uint8)
    slices[:, :2, :, 1] = 200
    for label, shown in (("tumor", 255), ("stomach", 0)):
        reading = make_reading(labels=(label,))
        reading.scan.slices = slices
        assert window_reading(reading)[0, 0, 0] == shown
    assert window_volume(np.zeros((1, 4, 4, 1)))[0].max() == 0, "an empty scan stays black"


def test_a_millimeter_is_as_long_down_as_across():
    # 10 rows of 2 mm and 20 columns of 1 mm are 20 x 20 mm.
    assert display_size(10, 20, (2.0, 1.0, 5.0), longest=100) == (100, 100)
    assert display_size(10, 20, None, longest=100) == (50, 100)


def test_an_outline_lies_around_the_mask_and_not_on_it():
    mask = np.zeros((10, 10), bool)
    mask[3:7, 3:7] = True
    line = outline(mask, (10, 10), line_width=1)
    assert line.any()
    assert not (line & mask).any()
    assert line[2, 4]


def test_overlays_are_colored_where_something_was_found_and_gray_elsewhere(tmp_path):
    written = write_overlays(make_reading(), tmp_path, longest=100)
    assert [path.name for path in written] == ["0001.png", "0002.png", "0003.png", "0004.png"]
    pictures = [np.asarray(Image.open(path)).astype(int) for path in written]
    assert pictures[0].shape == (100, 100, 3)
    colored = [int(np.ptp(picture, axis=2).max()) > 50 for picture in pictures]
    assert colored == [False, True, False, False]


def test_a_montage_holds_every_slice_of_a_small_scan():
    sheet = draw_montage(make_reading(slices=6), tile=50)
    assert sheet.width % 50 == sheet.height % 50 == 0
    assert (sheet.width // 50) * (sheet.height // 50) >= 6


def test_of_many_slices_those_with_findings_are_shown():
    reading = make_reading(phases=30)  # 120 slices, 30 with a finding
    chosen = choose_slices(reading, most=50)
    assert len(chosen) == 50
    assert chosen == sorted(set(chosen))
    assert set(np.flatnonzero(reading.stage == "mask")) <= set(chosen)


def test_labels_keep_their_colors():
    assert label_colors(["a", "b"])["a"] == label_colors(["a", "b", "c"])["a"] != label_colors(["a", "b"])["b"]
