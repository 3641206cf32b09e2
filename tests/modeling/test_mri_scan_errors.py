"""Errors of reading: parts for programs, one line for people."""

import pickle

import pytest
from PIL import Image

from hf_mri import ScanError, read_scan
from hf_mri.modeling.mri_scan_errors import MissingLibraryError


def test_an_error_has_its_parts_and_is_one_line():
    error = ScanError("a.nii", "is too short", "get it again")
    assert (error.path, error.reason, error.fix) == ("a.nii", "is too short", "get it again")
    assert str(error) == "a.nii: is too short; get it again"
    assert str(ScanError("scan", "the list is empty")) == "scan: the list is empty"
    assert str(error.named("b.zip: a.nii")) == "b.zip: a.nii: is too short; get it again"


def test_an_error_travels_between_processes():
    error = pickle.loads(pickle.dumps(ScanError("a.nii", "is too short", "get it again")))
    assert str(error) == "a.nii: is too short; get it again"


def test_a_missing_library_names_the_command():
    error = MissingLibraryError("a.dcm", "DICOM", "pydicom")
    assert str(error) == "a.dcm: DICOM needs pydicom: pip install pydicom"
    assert (error.path, error.reason) == ("a.dcm", "DICOM needs pydicom: pip install pydicom")


@pytest.mark.parametrize("name", ["two\nlines.png", "a\u2028b.png", "tab\there.png"])
def test_a_line_break_in_a_name_gives_no_second_line(tmp_path, name):
    Image.new("L", (4, 4)).save(tmp_path / "whole.png")
    (tmp_path / name).write_bytes((tmp_path / "whole.png").read_bytes()[:30])
    with pytest.raises(ScanError) as caught:
        read_scan(tmp_path / name)
    assert str(caught.value).isprintable()
    assert caught.value.path == str(tmp_path / name)  # the part is the name itself
