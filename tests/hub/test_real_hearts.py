"""The published heart model on a few shared patients, where they are present. It was trained on them: no merit."""

import re

import nibabel
import numpy as np
import pytest

from hf_mri import Reader
from hf_mri.hub.model_cards import find_published
from hf_mri.tasks.heart import compute_ejection_fraction

pytestmark = pytest.mark.real_data
STRUCTURES = ("right ventricle", "myocardium", "left ventricle")


@pytest.mark.parametrize("place", [0, 12, 24])
def test_both_phases_are_outlined_and_the_ejection_fraction_is_the_annotators(real_acdc, place):
    patients = sorted((real_acdc / "training").glob("patient*"))
    patient = patients[min(place, len(patients) - 1)]
    reader = Reader.from_pretrained(find_published("acdc-resunet"), device="cpu")
    paths = sorted(patient.glob("*_frame[0-9][0-9].nii.gz"))
    volumes = {}
    for path in paths:
        truth = np.asarray(nibabel.load(re.sub(r"\.nii\.gz$", "_gt.nii.gz", str(path))).dataobj)
        reading = reader(path)
        assert reading.doubts == []
        for value, label in enumerate(STRUCTURES, 1):
            found, drawn = reading.in_source_order(label), truth == value
            assert 2 * (found & drawn).sum() / (found.sum() + drawn.sum()) > 0.8
            volumes.setdefault(label, []).append((drawn.sum(), found.sum()))
    (full, full_found), (empty, empty_found) = volumes["left ventricle"]
    expected = compute_ejection_fraction(full, empty)
    assert compute_ejection_fraction(full_found, empty_found) == pytest.approx(expected, abs=6)
