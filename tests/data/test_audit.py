"""What leaks across a split is found, and what does not is left alone."""

import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hf_mri.data.audit import audit_splits, pack_hashes, unpack_hashes
from hf_mri.data.dataset_folder import assign_splits
from hf_mri.data.hashes import describe_picture, hash_pixels
from hf_mri.data.importing import import_dataset
from hf_mri.data.phantoms.lgg import draw_head


@pytest.fixture(scope="module")
def heads() -> list[np.ndarray]:
    """The slices of four synthetic heads, of the publisher's size: how far a pixel is depends on it."""
    return [draw_head(np.random.default_rng(seed), size=256, slices=5)[0] for seed in range(4)]


def tabulate(pictures: list[tuple[str, str, np.ndarray]]) -> pd.DataFrame:
    """A table of rows from (patient, split, image)."""
    rows = pd.DataFrame(
        [(patient, patient, split) for patient, split, _ in pictures], columns=["patient", "volume", "split"]
    )
    rows["slice"] = rows.groupby("volume").cumcount()
    rows["pixels"] = [hash_pixels(image) for *_, image in pictures]
    rows["picture"] = [describe_picture(image) for *_, image in pictures]
    return rows


def as_rows(heads: list[np.ndarray], extra: np.ndarray | None = None) -> pd.DataFrame:
    """Two heads train, two test; `extra` is put into a test patient."""
    pictures = [(f"P{n}", "train" if n < 2 else "test", image) for n, head in enumerate(heads) for image in head]
    return tabulate(pictures + ([] if extra is None else [("P3", "test", extra)]))


def test_different_patients_raise_no_alarm(heads):
    report = audit_splits(as_rows(heads))
    assert report == {"passed": True, "patients": [], "exact": 0, "near": 0, "examples": []}


def test_a_patient_on_both_sides_is_named(heads):
    rows = as_rows(heads)
    rows.loc[rows.index[-1], "patient"] = "P0"
    with pytest.raises(ValueError, match="the split leaks: 1 patients"):
        audit_splits(rows)


def test_the_same_picture_on_both_sides_is_found(heads):
    with pytest.raises(ValueError, match=r"1 exact and 0 near .*P0/3 \(train\) = P3/5 \(test\)"):
        audit_splits(as_rows(heads, heads[0][3]))


def _as_jpeg(image: np.ndarray) -> np.ndarray:
    packed = io.BytesIO()
    Image.fromarray(image).save(packed, "jpeg", quality=80)
    return np.array(Image.open(packed))


@pytest.mark.parametrize(
    "change",
    [
        _as_jpeg,
        lambda image: np.clip(image * 1.2 + 8, 0, 255).astype(np.uint8),
        lambda image: (image * 0.7).astype(np.uint8),
        lambda image: np.roll(image, 1, axis=1),
        lambda image: np.roll(image, -1, axis=0),
        lambda image: image.astype(np.uint16) * 250,
        lambda image: np.array(Image.fromarray(image).resize((240, 240))),
    ],
    ids=["jpeg", "brighter", "darker", "moved right", "moved up", "16 bits", "smaller"],
)
def test_a_changed_copy_in_another_patient_is_found(heads, change):
    for source in (1, 3):  # slices of the base and of the middle
        with pytest.raises(ValueError, match=rf"0 exact and 1 near .*P0/{source} \(train\) ~ P3/5 \(test\)"):
            audit_splits(as_rows(heads, change(heads[0][source])))


@pytest.mark.parametrize("blank", [np.zeros((256, 256, 3), np.uint8), np.eye(256, dtype=np.uint8)])
def test_slices_with_next_to_nothing_in_them_do_not_count(heads, blank):
    rows = as_rows(heads, blank)
    again = tabulate([("P0", "train", blank)]).assign(slice=99)
    assert audit_splits(pd.concat([rows, again], ignore_index=True))["passed"]


def test_the_leaky_protocol_reports_instead_of_failing(lgg_dataset, caplog):
    rows = assign_splits(lgg_dataset, "slices-leaky")
    assert "the split leaks" in caplog.text
    report = audit_splits(rows, leak_allowed=True)
    assert not report["passed"]
    assert len(report["patients"]) == 10


def test_a_copied_patient_stops_the_import_and_the_training(lgg_source, tmp_path):
    source = Path(shutil.copytree(lgg_source, tmp_path / "source"))
    names = sorted(path.name for path in (source / "kaggle_3m").iterdir() if path.is_dir())
    for number in range(1, 7):  # under another name and number: only pixels can tell
        for suffix in ("", "_mask"):
            copy = source / "kaggle_3m" / "TCGA_PD_9999_20000101" / f"TCGA_PD_9999_20000101_{number}{suffix}.tif"
            copy.parent.mkdir(exist_ok=True)
            shutil.copy(source / "kaggle_3m" / names[0] / f"{names[0]}_{number}{suffix}.tif", copy)
    with pytest.raises(ValueError, match="exact"):
        import_dataset("lgg", source, tmp_path / "dataset", protocol="leave-one-site-out PD")
    assert not (tmp_path / "dataset").exists()

    # Dealt to the same side, the copies do no harm; another split of the same data set does.
    import_dataset("lgg", source, tmp_path / "dataset", protocol="all")
    with pytest.raises(ValueError, match="exact"):
        assign_splits(tmp_path / "dataset", "leave-one-site-out PD")


def test_hashes_survive_the_file(heads):
    rows = as_rows(heads, np.zeros((256, 256, 3), np.uint8))
    back = unpack_hashes(pack_hashes(rows))
    assert all(np.array_equal(a, b) for a, b in zip(rows["picture"], back["picture"], strict=True))
    assert back["pixels"].tolist() == rows["pixels"].tolist()


def test_equal_pixels_in_another_depth_are_not_called_equal():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert hash_pixels(image) == hash_pixels(image.copy())
    assert hash_pixels(image) != hash_pixels(image.astype(np.uint16))
    assert hash_pixels(image) != hash_pixels(image.reshape(4, 16))
