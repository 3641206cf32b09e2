"""Importing ACDC as its publisher ships it."""

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from hf_mri.data.importing import import_dataset
from hf_mri.data.layouts.acdc import read_info
from hf_mri.data.sources import iterate_rows


@pytest.fixture
def source(acdc_source, tmp_path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(acdc_source, tmp_path / "source"))


def label_file(source: Path) -> Path:
    """The ED labels of the first patient."""
    return source / "training" / "patient001" / "patient001_frame01_gt.nii.gz"


def test_slices_keep_phase_volume_spacing_and_group(acdc_source):
    rows = list(iterate_rows("acdc", acdc_source))
    assert len({row["patient"] for row in rows}) == 5
    assert len({row["volume"] for row in rows}) == 10
    row = rows[0]
    assert (row["volume"], row["phase"], row["slice"]) == ("patient001/ED", "ED", 0)
    assert row["spacing"] == pytest.approx([320 / 48, 320 / 48, 10])
    assert row["group"] == "NOR"
    assert row["image"].dtype == np.uint16
    assert {int(v) for r in rows for v in np.unique(r["mask"])} == {0, 1, 2, 3}


def test_volumes_in_milliliters_are_those_that_were_drawn(acdc_source):
    truth = json.loads((acdc_source / "PHANTOM.json").read_text())["truth"]
    milliliters: dict[tuple, float] = {}
    for row in iterate_rows("acdc", acdc_source):
        key = (row["patient"], row["phase"])
        milliliters[key] = milliliters.get(key, 0) + (row["mask"] == 3).sum() * np.prod(row["spacing"]) / 1000
    for patient, facts in truth.items():
        assert milliliters[patient, "ED"] == pytest.approx(facts["left"]["edv_ml"], abs=0.01)
        assert milliliters[patient, "ES"] == pytest.approx(facts["left"]["esv_ml"], abs=0.01)


@pytest.mark.parametrize("below", ["training", "training/patient002"])
def test_any_folder_of_the_tree_will_do(acdc_source, below):
    rows = list(iterate_rows("acdc", acdc_source / below))
    assert {row["patient"] for row in rows} >= {"patient002"}


def test_image_and_mask_lie_as_in_the_file(acdc_source):
    row = next(iter(iterate_rows("acdc", acdc_source)))
    stored = nibabel.load(label_file(acdc_source).with_name("patient001_frame01.nii.gz"))
    assert np.array_equal(row["image"], np.asarray(stored.dataobj)[:, :, 0].T)  # a NIfTI's first axis are the columns


def _lose(path: Path) -> None:
    path.unlink()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def _crop(path: Path) -> None:
    image = nibabel.load(path)
    nibabel.save(image.slicer[:-2], path)


def _move(path: Path) -> None:
    image = nibabel.load(path)
    affine = image.affine.copy()
    affine[0, 3] += 40
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), affine, image.header), path)


def _add_label(path: Path) -> None:
    image = nibabel.load(path)
    data = np.array(image.dataobj)
    data[0, 0, 0] = 7
    nibabel.save(nibabel.Nifti1Image(data, image.affine, image.header), path)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_lose, "missing"),
        (_cut, "cannot be decoded|ends"),
        (_crop, "the labels are"),
        (_move, "affine or spacing"),
        (_add_label, "labels 0, .*7 where 0 to 3 are known"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_bad_volume_is_named_or_skipped_as_a_whole(source, tmp_path, spoil, reason):
    spoil(label_file(source))
    with pytest.raises(ValueError, match=rf"patient001_frame01_gt\.nii\.gz: .*({reason})"):
        import_dataset("acdc", source, tmp_path / "dataset")
    summary = import_dataset("acdc", source, tmp_path / "dataset", skip_bad=True)
    assert (summary["patients"], summary["volumes"]) == (5, 9)
    assert len(summary["bad_files"]) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [("ED: 1\n", "no line for ES"), ("ED: one\nES: 2\n", "invalid literal"), ("", "no line for ED")],
)
def test_an_info_file_without_phases_is_refused(tmp_path, text, reason):
    (tmp_path / "Info.cfg").write_text(text)
    with pytest.raises(ValueError, match=rf"Info\.cfg: .*{reason}"):
        read_info(tmp_path / "Info.cfg")


def test_a_patient_in_two_folders_is_refused(source):
    shutil.copytree(source / "training" / "patient001", source / "testing" / "patient001")
    with pytest.raises(ValueError, match="holds the same patient"):
        list(iterate_rows("acdc", source))
