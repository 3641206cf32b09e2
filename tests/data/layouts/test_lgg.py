"""Importing LGG as Kaggle ships it, and everything that can be wrong with it."""

import csv
import logging
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hf_mri.data.importing import import_dataset
from hf_mri.data.layouts.lgg import audit_table
from hf_mri.data.sources import iterate_rows


@pytest.fixture
def source(lgg_source, tmp_path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(lgg_source, tmp_path / "source"))


def first_pair(source: Path) -> tuple[Path, Path]:
    """An image in the middle of the first patient, and its mask."""
    image = sorted(source.rglob("*_5.tif"))[0]
    return image, image.with_name(f"{image.stem}_mask.tif")


def write_table(path: Path, source: Path, shift: int = 0) -> None:
    """A data_mask.csv whose patient_id is taken from the row `shift` places further down."""
    images = sorted(p for p in source.rglob("*.tif") if not p.stem.endswith("_mask"))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["patient_id", "image_path", "mask_path", "mask"])
        for index, image in enumerate(images):
            patient = images[(index + shift) % len(images)].parent.name
            relative = image.relative_to(source / "kaggle_3m")
            writer.writerow([patient, relative, relative.with_name(f"{image.stem}_mask.tif"), 0])


def test_rows_follow_the_schema(lgg_source):
    rows = list(iterate_rows("lgg", lgg_source))
    assert len({row["patient"] for row in rows}) == 6
    assert [row["slice"] for row in rows[:8]] == list(range(8))
    row = rows[4]
    assert row["image"].shape == (48, 48, 3)
    assert row["image"].dtype == row["mask"].dtype == np.uint8
    assert set(np.unique(row["mask"])) <= {0, 1}
    assert row["label"] == int(row["mask"].any())
    assert row["patient"] == row["volume"]
    assert row["site"] == row["patient"].split("_")[1]
    assert row["spacing"] is row["phase"] is None


def test_slices_are_in_the_order_of_their_numbers_not_of_their_names(source):
    folder = sorted((source / "kaggle_3m").iterdir())[0]
    for suffix in ("", "_mask"):  # slice 3 becomes slice 10: after 8, though its name sorts before
        (folder / f"{folder.name}_3{suffix}.tif").rename(folder / f"{folder.name}_10{suffix}.tif")
    rows = [row for row in iterate_rows("lgg", source) if row["patient"] == folder.name]
    assert [Path(row["file"]).stem.rsplit("_", 1)[1] for row in rows] == ["1", "2", "4", "5", "6", "7", "8", "10"]


def test_the_folder_itself_a_patient_above_it_and_a_zip_give_the_same_rows(lgg_source, tmp_path):
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(lgg_source.rglob("*")):
            packed.write(path, path.relative_to(lgg_source))
    names = [
        [(row["volume"], row["slice"], int(row["image"].sum())) for row in iterate_rows("lgg", place)]
        for place in (lgg_source, lgg_source / "kaggle_3m", archive)
    ]
    assert names[0] == names[1] == names[2]


def test_the_clinical_table_is_joined_by_case(lgg_source):
    with (lgg_source / "kaggle_3m" / "data.csv").open() as file:
        ages = {row["Patient"]: int(row["age_at_initial_pathologic"]) for row in csv.DictReader(file)}
    for row in iterate_rows("lgg", lgg_source):
        assert row["age_at_initial_pathologic"] == ages[row["patient"].rsplit("_", 1)[0]]


def test_a_channel_that_only_repeats_flair_is_marked(source):
    folder = sorted((source / "kaggle_3m").iterdir())[0]
    for path in folder.glob("*.tif"):
        if not path.stem.endswith("_mask"):
            image = np.array(Image.open(path))
            image[..., 2] = image[..., 1]
            image[..., 0] = image[..., 1] // 2
            Image.fromarray(image).save(path)
    marks = {row["patient"]: (row["missing_pre"], row["missing_post"]) for row in iterate_rows("lgg", source)}
    assert marks[folder.name] == (False, True)


def test_a_wrong_table_is_counted_loudly_and_never_split_by(source, tmp_path, caplog):
    write_table(source / "data_mask.csv", source, shift=3)
    with caplog.at_level(logging.WARNING):
        summary = import_dataset("lgg", source, tmp_path / "dataset")
    # Shifted by 3 in 6 patients of 8 slices, the last 3 rows of every patient name the next one.
    assert "patient_id is wrong in 18 of 48 rows" in summary["findings"][0]
    assert "18 of 48" in caplog.text
    assert summary["patients"] == 6


def test_a_table_beside_the_folder_is_found_and_a_right_one_says_nothing(source):
    write_table(source / "data_mask.csv", source)
    findings: list[str] = []
    assert audit_table(source / "data_mask.csv", findings) == 0
    assert findings == []
    rows = list(iterate_rows("lgg", source / "data_mask.csv"))
    assert len(rows) == 48


def test_a_table_alone_names_its_images_and_a_lost_one(source):
    write_table(source / "data_mask.csv", source)
    first_pair(source)[0].unlink()
    with pytest.raises(ValueError, match=r"data_mask\.csv: .*_5\.tif is neither"):
        list(iterate_rows("lgg", source / "data_mask.csv"))


def test_a_table_without_a_column_is_refused(source):
    (source / "data_mask.csv").write_text("patient_id,image_path,mask\n")
    with pytest.raises(ValueError, match=r"data_mask\.csv: column 'mask_path' is missing"):
        list(iterate_rows("lgg", source))


def test_pairs_found_twice_are_taken_once_and_reported(source, tmp_path):
    shutil.copytree(source / "kaggle_3m", source / "lgg-mri-segmentation" / "kaggle_3m")
    summary = import_dataset("lgg", source, tmp_path / "dataset")
    assert summary["slices"] == 48
    assert "48 pairs were found twice" in summary["findings"][0]


def test_a_name_found_twice_with_other_pixels_is_refused(source):
    shutil.copytree(source / "kaggle_3m", source / "second" / "kaggle_3m")
    image = sorted((source / "second").rglob("*_5.tif"))[0]
    Image.fromarray(255 - np.array(Image.open(image))).save(image)
    with pytest.raises(ValueError, match=r"_5\.tif: differs from"):
        list(iterate_rows("lgg", source))


def _lose_mask(image: Path, mask: Path) -> None:
    mask.unlink()


def _resize_mask(image: Path, mask: Path) -> None:
    Image.fromarray(np.zeros((40, 48), np.uint8)).save(mask)


def _cut_image(image: Path, mask: Path) -> None:
    image.write_bytes(image.read_bytes()[:2000])


def _write_text(image: Path, mask: Path) -> None:
    image.write_text("this is no image")


def _make_deep(image: Path, mask: Path) -> None:
    Image.fromarray(np.zeros((48, 48), np.uint16)).save(image)


def _make_gray_mask(image: Path, mask: Path) -> None:
    Image.fromarray(np.full((48, 48), 90, np.uint8)).save(mask)


def _repeat_slice(image: Path, mask: Path) -> None:
    shutil.copyfile(image, image.with_name(image.name.replace("_5.tif", "_6.tif")))


SPOILED = [
    (_lose_mask, "_5.tif", "mask .* is missing"),
    (_resize_mask, "_5_mask.tif", "the mask is"),
    (_cut_image, "_5.tif", "cannot be decoded"),
    (_write_text, "_5.tif", "cannot be decoded"),
    (_make_deep, "_5.tif", "expected 8 bits and 3 channels"),
    (_make_gray_mask, "_5_mask.tif", "values other than 0 and 255"),
    (_repeat_slice, "_6.tif", "duplicate slice"),
]


@pytest.mark.parametrize(("spoil", "name", "reason"), SPOILED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_bad_file_is_named_and_leaves_nothing_or_is_skipped(source, tmp_path, spoil, name, reason):
    spoil(*first_pair(source))
    with pytest.raises(ValueError, match=rf"{name}: .*{reason}") as caught:
        import_dataset("lgg", source, tmp_path / "dataset")
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]

    summary = import_dataset("lgg", source, tmp_path / "dataset", skip_bad=True)
    assert summary["slices"] == 47
    (bad,) = summary["bad_files"]
    assert bad["path"].startswith("kaggle_3m/")  # from the source's root, so that no machine's folders travel
    assert bad["path"].endswith(name)


def test_a_folder_without_slices_says_what_to_give(tmp_path):
    with pytest.raises(ValueError, match="give the folder that holds kaggle_3m"):
        list(iterate_rows("lgg", tmp_path))
