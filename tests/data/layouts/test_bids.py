"""Importing BIDS data sets."""

import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from hf_mri.data.dataset_folder import read_entry
from hf_mri.data.importing import import_dataset
from hf_mri.data.phantoms.draw import draw_phantom
from hf_mri.data.sources import iterate_rows
from hf_mri.modeling.mri_scan_errors import ScanError

AFFINE = np.diag([-1.0, -1.0, 5.0, 1.0])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """Three drawn subjects."""
    folder = tmp_path_factory.mktemp("drawn") / "bids"
    draw_phantom("bids", folder, patients=3, size=32, slices=4)
    return folder


@pytest.fixture
def source(drawn, tmp_path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(drawn, tmp_path / "bids"))


def save(path: Path, values: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    """Write a NIfTI, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, affine), path)
    return path


def write_scan(root: Path, scan: str = "sub-01", values=(0, 1), name: str = "dseg") -> Path:
    """Write a FLAIR and its mask beside it; return the mask's path."""
    folder, stem = root / scan / "anat", scan.replace("/", "_")
    mask = np.zeros((8, 8, 3), np.uint8)
    for index, value in enumerate(values):
        mask[index] = value
    noise = np.random.default_rng(len(scan)).integers(0, 900, mask.shape).astype(np.int16)
    save(folder / f"{stem}_FLAIR.nii.gz", noise)
    return save(folder / f"{stem}_{name}.nii.gz", mask)


def test_three_sequences_become_the_channels_and_the_tumor_its_label(source, tmp_path):
    summary = import_dataset("bids", source, tmp_path / "data", sequences=("T1w", "FLAIR", "ce-*_T1w"))
    entry = read_entry(tmp_path / "data")
    assert entry.channels == ("T1w", "FLAIR", "ce-*_T1w")
    assert entry.id2label == {0: "background", 1: "tumor"}
    assert (summary["name"], summary["patients"], summary["slices"]) == ("bids-phantom", 3, 12)
    row = next(iterate_rows("bids", source, sequences=("T1w", "FLAIR", "ce-*_T1w")))
    flair = np.asarray(nibabel.load(source / "sub-001/anat/sub-001_FLAIR.nii.gz").dataobj)
    assert np.array_equal(row["image"][..., 1], flair[:, :, 0].T)
    assert row["spacing"] == pytest.approx([0.9 * 8] * 3)
    assert row["site"] in ("PA", "PB", "PC")


def test_one_channel_is_flair_where_nobody_chose_and_that_is_said(source, tmp_path):
    summary = import_dataset("bids", source, tmp_path / "data")
    assert read_entry(tmp_path / "data").channels == ("FLAIR",)
    assert summary["findings"] == ["the channel is FLAIR; --sequences takes one or three of FLAIR, T1w, ce-*_T1w"]


def test_a_sequence_that_only_some_have_is_not_chosen_and_if_asked_for_a_bad_file(source):
    (source / "sub-002/anat/sub-002_FLAIR.nii.gz").unlink()
    assert next(iterate_rows("bids", source))["image"].ndim == 2  # T1w
    with pytest.raises(ScanError, match="sub-002 has this mask, but no FLAIR"):
        list(iterate_rows("bids", source, sequences=["FLAIR"]))


def test_sessions_are_volumes_of_one_patient_and_people_have_site_and_group_only(tmp_path):
    for session in ("ses-1", "ses-2"):
        write_scan(tmp_path, f"sub-01/{session}")
    (tmp_path / "participants.tsv").write_text("participant_id\tsite\tgroup\tage\nsub-01\tA\tn/a\t40\n")
    rows = list(iterate_rows("bids", tmp_path))
    assert [(row["patient"], row["volume"], row["slice"]) for row in rows[::3]] == [
        ("sub-01", "sub-01/ses-1", 0),
        ("sub-01", "sub-01/ses-2", 0),
    ]
    assert (rows[0]["site"], rows[0]["group"], "age" in rows[0]) == ("A", None, False)


@pytest.mark.parametrize("place", ["sub-01/anat/sub-01_dseg.tsv", "dseg.tsv"])
def test_a_table_names_the_values_wherever_bids_allows_it(tmp_path, place):
    write_scan(tmp_path, values=(0, 10, 49))
    (tmp_path / "dseg.tsv").write_text("index\tname\n1\tother\n")
    (tmp_path / place).write_text("index\tname\n0\tbackground\n10\tthalamus\n49\tputamen\n")
    summary = import_dataset("bids", tmp_path, tmp_path / "data", protocol="all")
    assert summary["id2label"] == {"0": "background", "1": "thalamus", "2": "putamen"}
    rows = list(iterate_rows("bids", tmp_path))
    assert [list(np.unique(row["mask"])) for row in rows] == [[0, 1, 2]] * 3


def test_a_table_of_another_description_names_nothing(tmp_path):
    write_scan(tmp_path, values=(0, 1), name="desc-a_dseg")
    (tmp_path / "desc-b_dseg.tsv").write_text("index\tname\n1\tother\n")
    import_dataset("bids", tmp_path, tmp_path / "data", protocol="all")
    assert read_entry(tmp_path / "data").id2label == {0: "background", 1: "lesion"}


def test_values_without_a_name_are_refused_and_labels_name_them(tmp_path):
    mask = write_scan(tmp_path, values=(0, 1, 2))
    with pytest.raises(ScanError, match=rf"{mask.name}: holds 0, 1, 2; name its values in a dseg.tsv"):
        list(iterate_rows("bids", tmp_path))
    assert next(iterate_rows("bids", tmp_path, labels=["core", "edema"]))["mask"].max() == 2


def test_several_masks_are_a_question(source):
    for subject in ("sub-001", "sub-002", "sub-003"):
        other = source / f"derivatives/bet/{subject}/anat/{subject}_desc-brain_mask.nii.gz"
        other.parent.mkdir(parents=True)
        shutil.copy(source / f"derivatives/manual/{subject}/anat/{subject}_label-tumor_mask.nii.gz", other)
    kinds = "bet/desc-brain_mask, manual/label-tumor_mask"
    with pytest.raises(ScanError, match=f"has several kinds of masks: {kinds}; choose one with --masks"):
        list(iterate_rows("bids", source))
    assert len(list(iterate_rows("bids", source, masks="label-tumor_mask"))) == 12
    with pytest.raises(ScanError, match=f"no mask is dseg; name one of {kinds} with --masks"):
        list(iterate_rows("bids", source, masks="dseg"))


@pytest.mark.parametrize("spoil", ["shape", "place"])
def test_sequences_on_other_grids_are_refused_with_the_fix(source, spoil):
    path = source / "sub-001/anat/sub-001_T1w.nii.gz"
    image = nibabel.load(path)
    values, affine = np.asarray(image.dataobj), image.affine.copy()
    if spoil == "shape":
        values = values[:-1]
    else:
        affine[0, 3] += 7
    save(path, values, affine)
    words = "has slices of shape" if spoil == "shape" else "lies elsewhere than its mask"
    with pytest.raises(ScanError, match=rf"sub-001_T1w.nii.gz: {words}.*; resample both to one grid first") as caught:
        list(iterate_rows("bids", source, sequences=("T1w", "FLAIR", "ce-*_T1w")))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda root: shutil.rmtree(root / "derivatives"), "no sub-\\*/anat/\\*_dseg.nii.gz or \\*_mask.nii.gz in it"),
        (
            lambda root: (root / "participants.tsv").write_text("subject\n"),
            "participants.tsv: column 'participant_id'",
        ),
    ],
)
def test_what_is_no_data_set_of_masks_is_said(source, spoil, words):
    spoil(source)
    with pytest.raises(ScanError, match=words):
        list(iterate_rows("bids", source))


def test_two_channels_are_refused(source):
    with pytest.raises(ScanError, match="T1w, FLAIR are 2 channels; name one sequence or three"):
        list(iterate_rows("bids", source, sequences=["T1w", "FLAIR"]))
