"""Importing UW-Madison: 16 bits, run-lengths, organs that overlap."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hf_mri.data.datasets_table import UW_MADISON
from hf_mri.data.importing import import_dataset
from hf_mri.data.layouts.uw_madison import write_submission
from hf_mri.data.sources import iterate_rows
from hf_mri.modeling.mri_reading_run_length import decode_run_length


@pytest.fixture
def source(uw_source, tmp_path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(uw_source, tmp_path / "source"))


def edit_table(source: Path, edit) -> None:
    """Rewrite train.csv line by line."""
    table = source / "train.csv"
    table.write_text("".join(edit(line) for line in table.read_text().splitlines(keepends=True)))


def test_slices_keep_their_bits_spacing_and_overlaps(uw_source):
    rows = list(iterate_rows("uw-madison", uw_source))
    truth = json.loads((uw_source / "PHANTOM.json").read_text())["truth"]
    assert rows[0]["image"].dtype == np.uint16
    assert max(int(row["image"].max()) for row in rows) > 255
    assert rows[0]["spacing"] == pytest.approx([8.31, 8.31, 3.0])  # 399 mm in 48 pixels, as the file names round it
    for index, organ in UW_MADISON.id2label.items():
        assert sum(int((row["mask"] >> index & 1).sum()) for row in rows) == sum(day[organ] for day in truth.values())
    assert any(((row["mask"] & (row["mask"] - 1)) > 0).any() for row in rows)  # two bits in one pixel


def test_volumes_are_days_and_patients_are_cases(uw_source):
    rows = list(iterate_rows("uw-madison", uw_source))
    assert {row["patient"] for row in rows} == {"case001", "case002", "case003", "case004"}
    assert all(row["volume"] == f"{row['patient']}/{row['day']}" for row in rows)
    assert all(row["slice_id"].startswith(f"{row['patient']}_{row['day']}_slice_") for row in rows)


def test_a_submission_repeats_train_csv(uw_source, tmp_path):
    rows = iterate_rows("uw-madison", uw_source)
    write_submission(tmp_path / "submission.csv", ((row["slice_id"], row["mask"]) for row in rows), UW_MADISON)
    with (tmp_path / "submission.csv").open() as file:
        written = {(row["id"], row["class"]): row["predicted"] for row in csv.DictReader(file)}
    with (uw_source / "train.csv").open() as file:
        truth = {(row["id"], row["class"]): row["segmentation"] for row in csv.DictReader(file)}
    assert written == truth
    assert decode_run_length(max(truth.values(), key=len), 48, 48).any()


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda line: line.replace("segmentation", "mask"), "column 'segmentation' is missing"),
        (lambda line: line.replace("stomach", "liver"), "class 'liver' is not"),
        (lambda line: line * (2 if "slice_0003,stomach" in line else 1), "has stomach twice"),
        (lambda line: line.split(",")[0] + "\n" if "slice_0003,stomach" in line else line, "of 3 columns"),
    ],
)
def test_a_bad_table_is_refused(source, edit, reason):
    edit_table(source, edit)
    with pytest.raises(ValueError, match=rf"train\.csv: .*{reason}"):
        list(iterate_rows("uw-madison", source))


def _run_beyond(source: Path, image: Path) -> None:
    key = f"{image.parent.parent.name}_slice_0003,stomach,"
    edit_table(source, lambda line: f"{key}2300 50\n" if line.startswith(key) else line)


def _forget_rows(source: Path, image: Path) -> None:
    key = f"{image.parent.parent.name}_slice_0003,"
    edit_table(source, lambda line: "" if line.startswith(key) else line)


def _make_shallow(source: Path, image: Path) -> None:
    Image.fromarray(np.zeros((48, 48), np.uint8)).save(image)


def _make_small(source: Path, image: Path) -> None:
    Image.fromarray(np.zeros((40, 48), np.uint16)).save(image)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_run_beyond, "stomach of .* runs beyond the image of 48x48"),
        (_forget_rows, "case.* is not in train.csv"),
        (_make_shallow, "expected 16-bit gray"),
        (_make_small, "its name says 48x48, the picture is 48x40"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_bad_slice_is_named_or_skipped(source, tmp_path, spoil, reason):
    image = sorted(source.rglob("slice_0003_*.png"))[0]
    spoil(source, image)
    with pytest.raises(ValueError, match=rf"{image.name}: {reason}"):
        import_dataset("uw-madison", source, tmp_path / "dataset")
    summary = import_dataset("uw-madison", source, tmp_path / "dataset", skip_bad=True)
    assert len(summary["bad_files"]) == 1


def test_rows_without_an_image_are_reported(source, tmp_path):
    sorted(source.rglob("slice_0003_*.png"))[0].unlink()
    summary = import_dataset("uw-madison", source, tmp_path / "dataset")
    assert "lists 1 slices whose image is not there" in summary["findings"][0]
