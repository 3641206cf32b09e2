"""A reading in a notebook."""

import re
import sys

import numpy as np
import pytest

from hf_mri.modeling.mri_reading import Reading
from hf_mri.modeling.mri_scan import read_scan


@pytest.fixture
def reading() -> Reading:
    scan = read_scan(np.random.default_rng(0).integers(0, 900, (6, 32, 40)).astype(np.int16), 1, spacing=(2, 2, 5))
    mask = np.zeros((6, 32, 40), bool)
    mask[2:4, 8:18, 10:20] = True
    found = mask.any((1, 2))
    return Reading(
        probability=np.where(found, 0.9, 0.1),
        stage=np.where(found, "mask", "empty"),
        masks={"tumor": mask},
        spacing=scan.spacing,
        geometry=scan.geometry,
        doubts=["This is <noise>."],
        scan=scan,
    )


def test_a_notebook_shows_answer_pictures_and_measures_and_the_doubt_first(reading):
    text = reading._repr_html_()
    assert "Tumor in 2 of 6 slices, 4.0 mL" in text
    assert "data:image/jpeg;base64," in text
    assert "<td>3 to 4</td>" in text
    assert text.index("Doubtful. This is &lt;noise&gt;.") < text.index("Tumor in")
    assert not re.search(r'(src|href)="(?!data:)', text)


def test_the_widget_holds_the_scan_and_its_mask_where_they_lie(reading):
    pytest.importorskip("ipyniivue")
    nibabel = pytest.importorskip("nibabel")
    scan, found = reading.show().volumes
    stored = nibabel.Nifti1Image.from_bytes(scan.data)
    np.testing.assert_array_equal(reading.geometry.to_slices(np.asarray(stored.dataobj)), reading.scan.slices[..., 0])
    assert stored.header.get_zooms() == (2, 2, 5)
    mask = nibabel.Nifti1Image.from_bytes(found.data)
    np.testing.assert_array_equal(reading.geometry.to_slices(np.asarray(mask.dataobj)), reading.masks["tumor"])


def test_without_the_widget_the_reading_shows_itself(reading, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipyniivue", None)
    monkeypatch.setattr("hf_mri.reports.notebook.find_spec", lambda name: None)
    assert reading.show() is reading


def test_without_the_package_a_notebook_gets_the_one_line(reading, monkeypatch):
    monkeypatch.setitem(sys.modules, "hf_mri.reports.notebook", None)
    assert reading._repr_html_() is None
    assert reading.show() is reading
