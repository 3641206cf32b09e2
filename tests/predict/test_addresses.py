"""Scans and readings at addresses: what `s3://` and `hf://` are to a hospital, `memory://` is to a test."""

import io
import json

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hf_mri import Reader
from hf_mri.modeling.mri_addresses import fetched
from hf_mri.modeling.mri_scan_errors import ScanError
from hf_mri.predict import predicting as predict_module
from hf_mri.predict.predicting import predict
from hf_mri.predict.scan_list import find_scans
from tests.reports.conftest import write_scan


@pytest.fixture
def store():
    """An empty store in memory."""
    store = fsspec.filesystem("memory")
    yield store
    store.rm("/", recursive=True)
    store.pseudo_dirs[:] = [""]


@pytest.fixture
def archive(store, tmp_path):
    """Three scans of a folder at an address."""
    for seed, name in enumerate(("a", "b", "c")):
        store.put(str(write_scan(tmp_path / name, seed)) + "/", f"/archive/{name}/", recursive=True)
    return "memory://archive"


def read_all(store, address):
    return {path: store.cat_file(path) for path in store.find(address)}


def test_a_reader_takes_an_address_as_it_takes_a_path(model, archive, tmp_path):
    reader = Reader.from_pretrained(model)
    near, far = reader(tmp_path / "a"), reader(f"{archive}/a")
    assert far.source == near.source == "a"
    np.testing.assert_allclose(far.probability, near.probability, atol=1e-4)
    single = reader(f"{archive}/a/slice_1.tif")
    assert len(single.probability) == 1


def test_predict_reads_from_and_writes_to_addresses(model, store, archive, tmp_path):
    scans = find_scans([f"{archive}/*"])
    assert scans == [f"memory:///archive/{name}" for name in "abc"]
    outcome = predict(scans, str(model), "memory://out", only=["json", "masks"])
    assert outcome.read == [f"memory://out/{name}" for name in "abc"]
    facts = json.loads(store.cat_file("/out/b/reading.json"))
    assert facts["source"] == "b"
    with Image.open(io.BytesIO(store.cat_file("/out/b/masks/tumor/0001.png"))) as page:
        assert np.asarray(page).sum() / 255 == facts["slices"][0]["regions"]["tumor"]["area_pixels"]
    rows = pq.read_table(io.BytesIO(store.cat_file("/out/summary.parquet"))).to_pylist()
    assert [row["scan"] for row in rows] == ["a", "b", "c"]
    assert rows[1]["tumor_voxels"] == facts["volumes"][0]["tumor"]["voxels"]


def test_what_is_done_at_an_address_is_not_done_again(model, store, archive, monkeypatch):
    scans = find_scans([f"{archive}/*"])
    predict(scans, str(model), "memory://out", only=["json"])
    before = read_all(store, "/out")
    monkeypatch.setattr(predict_module, "Reader", None)  # nothing is left to read
    assert len(predict(scans, str(model), "memory://out", only=["json"]).skipped) == 3
    assert read_all(store, "/out") == before


def test_a_scan_whose_way_to_the_address_broke_is_read_again(model, store, archive, monkeypatch):
    put, scans = type(store).put_file, find_scans([f"{archive}/*"])

    def break_off(self, local, remote, *args, **kwargs):
        if remote.endswith("b/reading.json"):
            raise OSError("connection lost")
        return put(self, local, remote, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "put_file", break_off)
        outcome = predict(scans, str(model), "memory://out", only=["json", "rle"])
    assert list(outcome.failed) == ["b"]
    assert "connection lost" in outcome.failed["b"]
    again = predict(scans, str(model), "memory://out", only=["json", "rle"])
    assert (again.read, len(again.skipped)) == (["memory://out/b"], 2)
    assert store.exists("/out/b/reading.json")


def test_an_address_that_leads_nowhere_is_told_in_one_line(model):
    reader = Reader.from_pretrained(model)
    with pytest.raises(ScanError, match=r"memory://none/x: no such file or folder; check the address"):
        reader("memory://none/x")
    with pytest.raises(ScanError, match=r"nosuch://x: is no address that can be read \(Protocol not known"):
        reader("nosuch://x")


def test_a_name_at_an_address_cannot_lead_out_of_its_folder(model, store, archive, monkeypatch):
    find = type(store).find

    def list_evil(self, path, *args, **kwargs):
        return [*find(self, path, *args, **kwargs), f"{path}/../../escaped.tif"]

    monkeypatch.setattr(type(store), "find", list_evil)
    with pytest.raises(ScanError, match="holds a name that leads out of its folder"):
        Reader.from_pretrained(model)(f"{archive}/a")


def test_a_broken_scan_at_an_address_is_named_by_its_address(model, store, archive):
    store.pipe({"/archive/a/slice_2.tif": b"broken", "/archive/x.nii.gz": b"broken"})
    reader = Reader.from_pretrained(model)
    with pytest.raises(ScanError) as told:
        reader(f"{archive}/a")
    assert str(told.value).startswith(f"{archive}/a/slice_2.tif: ")
    with pytest.raises(ScanError) as told:
        reader(f"{archive}/x.nii.gz")
    assert str(told.value).startswith(f"{archive}/x.nii.gz: ")


def test_an_address_that_ends_in_dots_is_copied_into_its_own_folder(store):
    store.pipe("/odd/../a.png", b"x")
    with fetched("memory://odd/..") as local:
        assert local.name == "copy"
