"""What names in a BIDS data set say."""

from pathlib import Path

import pytest

from hf_mri.data.bids_files import list_images, list_masks, pick, read_name
from hf_mri.modeling.mri_scan_errors import ScanError


def named(name: str, pipeline: str = ""):
    return read_name(Path(name), pipeline)


def test_a_name_says_who_when_and_what():
    file = named("sub-07_ses-2_acq-3d_ce-gadolinium_T1w.nii.gz", "fmriprep")
    assert (file.scan, file.suffix, file.sequence) == ("sub-07/ses-2", "T1w", "ce-*_T1w")
    assert file.kind == "fmriprep/acq-3d_ce-gadolinium_T1w"
    assert named("sub-07_FLAIR.nii").scan == "sub-07"


@pytest.mark.parametrize(
    "name", ["T1w.nii.gz", "sub-01.nii.gz", "ses-1_T1w.nii.gz", "sub-01_T1w.json", "sub_01_T1w.nii"]
)
def test_other_names_are_nobodys(name):
    assert named(name) is None


@pytest.mark.parametrize(
    ("wish", "matches"),
    [
        ("T1w", {"plain", "acq"}),  # not with a contrast agent
        ("acq-*_T1w", {"acq"}),
        ("ce-*_T1w", {"agent"}),
        ("ce-gadolinium_T1w", {"agent"}),
        ("ce-gadoterate_T1w", set()),
        ("FLAIR", set()),
    ],
)
def test_a_wish_names_what_must_be_there(wish, matches):
    files = {
        "plain": named("sub-01_T1w.nii.gz"),
        "acq": named("sub-01_acq-mprage_T1w.nii.gz"),
        "agent": named("sub-01_ce-gadolinium_T1w.nii.gz"),
    }
    assert {name for name, file in files.items() if file.matches(wish)} == matches


def test_a_wish_may_name_the_pipeline():
    assert named("sub-01_dseg.nii.gz", "manual").matches("manual/dseg")
    assert not named("sub-01_dseg.nii.gz", "automatic").matches("manual/dseg")


def test_of_two_that_could_be_meant_neither_is_taken():
    runs = [named(f"sub-01_run-{run}_T1w.nii.gz") for run in (1, 2)]
    with pytest.raises(ScanError, match=r"sub-01 has 2 T1w: run-1_T1w, run-2_T1w; name one with --sequences"):
        pick(runs, "T1w", "--sequences")
    assert pick(runs, "run-2_T1w", "--sequences") is runs[1]


def test_images_and_masks_of_sessions_and_derivatives(tmp_path):
    for name in (
        "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz",
        "sub-01/ses-1/anat/sub-01_ses-1_T1w.json",
        "sub-02/anat/sub-02_T1w.nii.gz",
        "sub-02/anat/sub-02_dseg.nii.gz",
        "derivatives/manual/sub-01/ses-1/anat/sub-01_ses-1_desc-lesion_mask.nii.gz",
        "derivatives/manual/sub-01/ses-1/anat/sub-01_ses-1_desc-preproc_T1w.nii.gz",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert {scan: [file.kind for file in files] for scan, files in list_images(tmp_path).items()} == {
        "sub-01/ses-1": ["T1w"],
        "sub-02": ["T1w"],
    }
    assert {scan: [file.kind for file in files] for scan, files in list_masks(tmp_path).items()} == {
        "sub-01/ses-1": ["manual/desc-lesion_mask"],
        "sub-02": ["dseg"],
    }
