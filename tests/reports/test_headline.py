"""The sentence that sums a reading up."""

import numpy as np

from hf_mri.reports.headline import write_headline
from tests.reports.conftest import make_reading


def test_a_tumor_is_counted_and_measured():
    # 3 x 4 pixels of 2 mm² on a slice of 5 mm: 0.12 mL. Corner to corner 3 * 2 mm down, 4 * 1 mm across: 7.2 mm.
    assert write_headline(make_reading().to_dict()) == "Tumor in 1 of 4 slices, 0.12 mL, largest diameter 7 mm."


def test_without_spacing_pixels_are_counted():
    reading = make_reading()
    reading.spacing = None
    # Corner to corner of 3 x 4 pixels: 5.
    assert write_headline(reading.to_dict()) == "Tumor in 1 of 4 slices, 12 pixels, largest diameter 5 pixels."


def test_nothing_found_is_said():
    reading = make_reading()
    reading.masks["tumor"][:] = False
    reading.probability = np.full(4, 0.1)
    assert write_headline(reading.to_dict()) == "No tumor in 4 slices."


def test_several_labels_are_named_with_their_volumes():
    reading = make_reading(labels=("large_bowel", "stomach"))
    assert write_headline(reading.to_dict()) == "Large bowel 0.12 mL; no stomach."


def test_a_cine_gives_the_ejection_fraction():
    reading = make_reading(phases=2, labels=("left ventricle",))
    reading.masks["left ventricle"][5, 2:4] = False  # 4 of 12 pixels are left in the second phase: 67 % ejected
    text = write_headline(reading.to_dict())
    assert (
        text
        == "Left ventricle: ejection fraction 67 % (end diastole 0.12 mL, end systole 0.04 mL, stroke volume 0.08 mL)."
    )


def test_a_doubt_comes_first():
    reading = make_reading()
    reading.doubts = ["The scan looks strange."]
    assert write_headline(reading.to_dict()).startswith(
        "Doubtful: The scan looks strange. The model's answer all the same: Tumor in 1 of 4 slices"
    )
