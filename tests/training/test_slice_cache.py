import io

import numpy as np
import pytest
import torch
from PIL import Image

from hf_mri.data.png import decode_picture
from hf_mri.training.arguments import TrainingArguments
from hf_mri.training.data import load_training_data, open_table
from hf_mri.training.models import build_processor


@pytest.mark.parametrize("neighbors", [0, 1])
def test_rows_are_what_the_processor_makes_of_the_volume(phantom, tmp_path, neighbors):
    table = open_table(str(phantom))
    arguments = TrainingArguments(image_size=40, neighbors=neighbors, rows_cache=str(tmp_path))
    processor = build_processor(arguments, table.entry)
    data = load_training_data(table, processor, arguments, progress=False)
    volume = data.rows.volumes_of(data.validation)[0]
    pictures = [np.asarray(Image.open(io.BytesIO(image))) for image, _ in table.pictures()]
    expected = processor([pictures[row] for row in volume], volume_ids=[0] * len(volume), return_tensors="pt")
    images, _ = data.rows.batch(volume, torch.device("cpu"))
    # Rows are kept as half floats: steps of 1/2048 at 1, twice that after the division by a deviation of 0.5.
    torch.testing.assert_close(processor.normalize(images), expected["pixel_values"], atol=1.1e-3, rtol=0)


def test_rows_at_one_spacing(heart_phantom, tmp_path):
    table = open_table(str(heart_phantom))
    options = {"image_size": 48, "pixel_spacing": 4.0, "rows_cache": str(tmp_path)}
    arguments = TrainingArguments(**options)
    data = load_training_data(table, build_processor(arguments, table.entry), arguments, progress=False)
    stored = [decode_picture(mask) for _, mask in table.pictures()]
    # 64 pixels of 5 mm are 80 of 4 mm, of which the middle 48 stay; the heart keeps its size in mm2.
    heart = np.array([np.count_nonzero(mask == 3) * 25 for mask in stored])
    seen = np.array([np.count_nonzero(mask == 3) * 16 for mask in data.rows.masks.numpy()])
    assert heart.max() > 1000
    np.testing.assert_allclose(seen, heart, atol=150, rtol=0.1)
    other = TrainingArguments(**options | {"pixel_spacing": 5.0})
    load_training_data(table, build_processor(other, table.entry), other, progress=False)
    assert len(list(tmp_path.glob("*-images.npy"))) == 2  # kept apart


def test_a_second_run_maps_the_file_of_the_first(phantom, tmp_path, monkeypatch):
    table = open_table(str(phantom))
    arguments = TrainingArguments(image_size=40, rows_cache=str(tmp_path))
    processor = build_processor(arguments, table.entry)
    first = load_training_data(table, processor, arguments, progress=False)
    monkeypatch.setattr("hf_mri.training.slice_cache._decode", lambda *_: pytest.fail("decoded again"))
    second = load_training_data(table, processor, arguments, progress=False)
    assert torch.equal(first.rows.images, second.rows.images)
    assert not list(tmp_path.glob(".writing*"))


def test_overlapping_labels_come_as_one_channel_each(overlapping_phantom, tmp_path):
    table = open_table(str(overlapping_phantom))
    arguments = TrainingArguments(image_size=48, rows_cache=str(tmp_path))
    data = load_training_data(table, build_processor(arguments, table.entry), arguments, progress=False)
    truth = data.truth(np.arange(len(data.rows)))
    assert truth.shape[1] == 3
    assert (truth.sum(axis=1) > 1).any(), "the phantom's organs overlap somewhere"


def test_folds_predict_every_patient_once(phantom, tmp_path):
    table = open_table(str(phantom))
    held = []
    for fold in (1, 2, 3, 4):
        arguments = TrainingArguments(fold=f"{fold}/4", image_size=40, rows_cache=str(tmp_path))
        data = load_training_data(table, build_processor(arguments, table.entry), arguments, progress=False)
        split = data.patients_by_split()
        assert not set(split["train"]) & set(split["validation"])
        assert len(split["train"]) + len(split["validation"]) == 16
        held += split["validation"]
    assert len(held) == len(set(held)) == 16


@pytest.mark.parametrize(
    ("options", "message"),
    [({"fold": "6/5"}, "i runs from 1 to 5"), ({"fold": "two"}, "is not i/k"), ({"empty_slices": 2.0}, "from 0 to 1")],
)
def test_impossible_splits_say_what_is_possible(phantom, tmp_path, options, message):
    table = open_table(str(phantom))
    arguments = TrainingArguments(**options, image_size=40, rows_cache=str(tmp_path))
    with pytest.raises(ValueError, match=message):
        load_training_data(table, build_processor(arguments, table.entry), arguments, progress=False)


def test_missing_data_names_the_command_that_makes_some():
    with pytest.raises(ValueError, match="hf-mri data import lgg"):
        open_table(None)
    with pytest.raises(ValueError, match="hf-mri data import"):
        open_table("no/such/folder")


def test_a_label_outside_the_table_is_named(phantom, tmp_path, monkeypatch):
    table = open_table(str(phantom))
    monkeypatch.setattr(
        "hf_mri.training.slice_cache.decode_picture", lambda data: _relabel(np.asarray(Image.open(io.BytesIO(data))))
    )
    arguments = TrainingArguments(image_size=40, rows_cache=str(tmp_path))
    with pytest.raises(ValueError, match=r"volume TCGA\S+ has the mask value 7, .* labels background, tumor"):
        load_training_data(table, build_processor(arguments, table.entry), arguments, progress=False)
    assert not list(tmp_path.glob("*.npy"))


def _relabel(picture: np.ndarray) -> np.ndarray:
    return picture if picture.ndim == 3 else np.where(picture > 0, 7, 0).astype(np.uint8)
