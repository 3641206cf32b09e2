"""Rows that are fetched while training are those that a cache would hold, and nothing of them is stored."""

import fsspec
import numpy as np
import pytest
import torch

from hf_mri.modeling.mri_scan_errors import ScanError
from hf_mri.training import streamed_rows
from hf_mri.training.arguments import TrainingArguments
from hf_mri.training.data import load_training_data, open_table
from hf_mri.training.models import build_processor

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def address(phantom):
    """The drawn data set in a store."""
    fsspec.filesystem("memory").put(str(phantom), "/drawn", recursive=True)
    return "memory://drawn"


def load(data, folder, **options):
    """The training data of a place."""
    arguments = TrainingArguments(image_size=40, rows_cache=str(folder), **options)
    table = open_table(str(data), arguments.streaming)
    return load_training_data(table, build_processor(arguments, table.entry), arguments, progress=False)


@pytest.mark.parametrize("neighbors", [0, 1])
def test_every_row_is_what_the_cache_holds(phantom, address, tmp_path, neighbors):
    cached = load(phantom, tmp_path, neighbors=neighbors).rows
    streamed = load(address, tmp_path / "none", neighbors=neighbors, streaming=True).rows
    order = np.random.default_rng(0).permutation(len(cached))
    for one, other in zip(cached.batch(order, CPU), streamed.batch(order, CPU), strict=True):
        assert torch.equal(one, other)
    assert not (tmp_path / "none").exists()


def test_opening_fetches_no_pictures_and_an_epoch_each_volume_once(address, tmp_path, monkeypatch):
    fetched = []
    fetch = streamed_rows.StreamedRows._fetch
    monkeypatch.setattr(
        streamed_rows.StreamedRows, "_fetch", lambda rows, volume: fetched.append(volume) or fetch(rows, volume)
    )
    data = load(address, tmp_path, streaming=True)
    assert not fetched
    for volume in data.rows.volumes_of(data.training):
        data.rows.expect(volume)
        data.rows.batch(volume, CPU)
    assert sorted(fetched) == sorted(set(data.rows.volumes[data.training]))


def test_few_volumes_are_in_memory(address, tmp_path, monkeypatch):
    monkeypatch.setattr(streamed_rows, "MOST_VOLUMES", 2)
    rows = load(address, tmp_path, streaming=True).rows
    rows.batch(np.arange(len(rows)), CPU)  # more at once than may stay
    assert len(rows._held) == 2


def test_training_from_an_address_ends_in_a_bundle_and_leaves_no_cache(train, address, tmp_path):
    run = train(task="segment", data=address, streaming=True, max_steps=3)
    assert (run / "bundle" / "model.safetensors").is_file()
    assert not (tmp_path / "rows").exists()


def test_an_address_needs_the_option_and_a_wrong_one_is_named(address):
    with pytest.raises(ValueError, match="--data memory://drawn: give --streaming"):
        open_table(address)
    with pytest.raises(ScanError, match=r"memory://nothing/dataset\.json: no such file"):
        open_table("memory://nothing", streaming=True)
