"""Several scans among dropped files are told apart, and never read as one."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hf_mri import Reader
from hf_mri.page.choices import tell_apart
from hf_mri.page.uploads import list_scans, read_upload
from tests.page.conftest import HEART, _save_segmenter
from tests.page.scans import _save_dicoms


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "heart"
    _save_segmenter(folder, HEART, "single_label_classification")
    return Reader.from_pretrained(folder)


def save_slices(folder: Path, *names: str) -> list[Path]:
    """Write slices that hold their own number."""
    for number, name in enumerate(names):
        Image.fromarray(np.full((40, 40), number, np.uint8)).save(folder / name)
    return [folder / name for name in names]


@pytest.mark.parametrize(
    ("names", "scans"),
    [
        (["anna_1.png", "anna_2.png", "bert_1.png"], ["anna_1 to anna_2: 2 images", "bert_1: 1 image"]),
        (["a_10.png", "a_9.png", "a_9_mask.png"], ["a_9 to a_10: 2 images"]),
        (["p1_s1.png", "p2_s1.png", "p1_s2.png"], ["p1_s1 to p1_s2: 2 images", "p2_s1: 1 image"]),
        (
            ["slice_0001_40_40_1.50_1.50.png", "slice_0002_40_40_1.50_1.50.png"],
            ["slice_0001_40_40_1.50_1.50 to slice_0002_40_40_1.50_1.50: 2 images"],
        ),
        (["one.png", "two.png"], ["one: 1 image", "two: 1 image"]),
    ],
)
def test_slices_belong_together_by_their_names(tmp_path, names, scans):
    assert [choice.say() for choice in tell_apart(save_slices(tmp_path, *names))] == scans


def test_dicoms_of_two_patients_are_two_scans_whose_names_are_not_told(reader, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (3, 40, 40)).astype(np.uint8)
    archives = []
    for number in (1, 2):
        (tmp_path / f"patient{number}").mkdir()
        archives.append(_save_dicoms(tmp_path / f"patient{number}" / "scan.zip", noise[: number + 1]))
    uploads = list(map(str, archives))
    titles = [title for title, _ in list_scans(reader, uploads)]
    assert titles == ["Series ?: 2 images", "Series ?: 3 images"]
    assert all(picture for _, picture in list_scans(reader, uploads))
    with pytest.raises(ValueError, match=r"^These files are 2 scans: choose one \(1 is Series \?: 2 images; 2 is"):
        read_upload(reader, uploads)
    assert len(read_upload(reader, uploads, number=1).slices) == 3
    with pytest.raises(ValueError, match="There is no scan 3"):
        read_upload(reader, uploads, number=2)


def test_patients_of_one_archive_are_told_apart(reader, tmp_path):
    slices = save_slices(tmp_path, "anna_1.png", "anna_2.png", "bert_1.png")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in slices:
            archive.write(path, path.name)
    assert [title for title, _ in list_scans(reader, [str(tmp_path / "all.zip")])] == [
        "anna_1 to anna_2: 2 images",
        "bert_1: 1 image",
    ]
    assert read_upload(reader, [str(tmp_path / "all.zip")], number=1).slices.max() == 2


def test_a_scan_too_large_for_the_page_is_refused_by_its_header(reader, tmp_path):
    import gzip

    import nibabel

    header = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)).header
    header["dim"][1:4] = 1200, 1200, 600
    (tmp_path / "bomb.nii.gz").write_bytes(gzip.compress(bytes(header.binaryblock) + bytes(1000)))
    with pytest.raises(ValueError, match=r"^bomb\.nii\.gz: .*\.$") as told:
        read_upload(reader, [str(tmp_path / "bomb.nii.gz")])
    assert "ends after" not in str(told.value)
