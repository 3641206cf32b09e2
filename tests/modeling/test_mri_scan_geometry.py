"""Slices are turned to one orientation, and answers go back to the source's axes."""

from itertools import permutations, product

import nibabel
import numpy as np
import pytest

from hf_mri import read_scan
from hf_mri.modeling.mri_scan_geometry import axis_codes, orientation_letters, plan_geometry
from tests.modeling.phantom_files import head, lps_affine, write_nifti

VOLUME = np.ascontiguousarray(head(dtype=np.int16).transpose(2, 1, 0))  # (column, row, slice), LPS
ALL_48 = ["".join(letters) for axes in permutations(("LR", "PA", "SI")) for letters in product(*axes)]


def turn(codes: str) -> nibabel.Nifti1Image:
    """The same head, stored with its axes in another order and direction, as another scanner might."""
    image = nibabel.Nifti1Image(VOLUME, lps_affine())
    start, end = (nibabel.orientations.axcodes2ornt(c) for c in ("LPS", tuple(codes)))
    return image.as_reoriented(nibabel.orientations.ornt_transform(start, end))


def test_there_are_48_ways_to_store_a_volume():
    assert len(ALL_48) == 48


@pytest.mark.parametrize("codes", ALL_48)
def test_every_way_to_store_a_volume_gives_the_same_slices_and_the_way_back(tmp_path, codes):
    image = turn(codes)
    nibabel.save(image, tmp_path / "head.nii")
    scan = read_scan(tmp_path / "head.nii")

    np.testing.assert_array_equal(scan.slices[..., 0], head(dtype=np.int16))
    assert scan.spacing == (1.25, 1.5, 6.0)
    np.testing.assert_array_equal(scan.geometry.to_source(scan.slices[..., 0]), np.asarray(image.dataobj))
    # The corner pixel lies at the same place in the body, by either affine.
    stored = scan.geometry.to_source(np.arange(VOLUME.size).reshape(scan.slices.shape[:3]))
    corner = [int(axis[0]) for axis in np.where(stored == 0)]
    np.testing.assert_allclose(scan.geometry.slice_affine()[:3, 3], (image.affine @ [*corner, 1])[:3])


def test_slices_run_along_the_coarsest_axis_with_a_warning_where_the_plane_is_another(tmp_path):
    sagittal = np.diag([6.0, -1.0, -1.0, 1.0])  # thick along left-right: columns point right here
    scan = read_scan(write_nifti(tmp_path / "s.nii.gz", VOLUME, sagittal))
    assert scan.slices.shape[0] == VOLUME.shape[0]
    assert scan.warnings == ["the slices are sagittal, the model was trained on axial ones"]
    # Sagittal slices: rows go down the body, columns to the back, slices to the left (so against this source).
    np.testing.assert_array_equal(scan.slices[0, :, :, 0], VOLUME[-1].T)


def test_equally_coarse_axes_follow_the_orientation():
    geometry, _ = plan_geometry((4, 5, 6), (1.0, 1.0, 1.0), np.diag([1.0, 1.0, 1.0, 1.0]), "LPS")
    assert geometry.axes == (2, 1, 0)
    assert geometry.flips == (False, True, True)


def test_as_stored_takes_rows_from_the_second_axis(tmp_path):
    scan = read_scan(write_nifti(tmp_path / "s.nii", VOLUME, np.diag([1.0, 1.0, 6.0, 1.0])), orientation="as stored")
    np.testing.assert_array_equal(scan.slices[..., 0], VOLUME.transpose(2, 1, 0))


def test_oblique_axes_take_the_closest_direction():
    angle = np.deg2rad(30)
    turned = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    assert axis_codes(turned) == "RAS"


@pytest.mark.parametrize("affine", [np.zeros((4, 4)), np.ones((4, 4)), np.full((4, 4), np.nan)])
def test_an_affine_without_three_directions_is_refused(affine):
    with pytest.raises(ValueError, match="affine"):
        axis_codes(affine)


@pytest.mark.parametrize("words", ["LLS", "left", "LP", ""])
def test_unknown_orientation_words_say_what_is_allowed(words):
    with pytest.raises(ValueError, match="as stored"):
        orientation_letters(words)
