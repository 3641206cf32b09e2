"""What an import leaves on disk: a whole data set, or nothing."""

import json
import os
import shutil
from pathlib import Path

import datasets
import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel

from hf_mri.data import importing as module
from hf_mri.data import parquet_files
from hf_mri.data.dataset_folder import assign_splits, load_rows, read_entry, read_summary, read_table
from hf_mri.data.importing import import_dataset
from hf_mri.data.phantoms.draw import make_phantom
from hf_mri.data.sources import iterate_rows
from hf_mri.modeling.mri_scan_errors import ScanError

COLUMNS = ["image", "mask", "label", "patient", "site", "slice", "volume", "phase", "spacing"]


@pytest.mark.parametrize(
    ("layout", "source"), [("lgg", "lgg_source"), ("acdc", "acdc_source"), ("uw-madison", "uw_source")]
)
def test_load_dataset_opens_it_with_one_schema(layout, source, tmp_path, request):
    source = request.getfixturevalue(source)
    import_dataset(layout, source, tmp_path / "dataset")
    loaded = datasets.load_dataset(str(tmp_path / "dataset"), cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == {"train", "validation", "test"}
    entry = read_entry(tmp_path / "dataset")
    assert entry.name == f"{layout}-phantom"
    stored = {}
    for part in loaded.values():
        assert part.column_names == [*COLUMNS, *read_summary(tmp_path / "dataset")["columns"]]
        assert part.features["label"] == ClassLabel(names=list(entry.slice_labels))
        stored |= {(row["volume"], row["slice"]): row for row in part}
    raw = {(row["volume"], row["slice"]): row for row in iterate_rows(layout, source)}
    assert stored.keys() == raw.keys()
    for key, row in raw.items():
        assert np.array_equal(np.array(stored[key]["image"]), row["image"])
        assert np.array_equal(np.array(stored[key]["mask"]), row["mask"])
        assert all(stored[key][name] == pytest.approx(row[name]) for name in ("label", "patient", "phase", "spacing"))


def test_rows_come_back_split_by_split_in_the_tables_order(lgg_dataset):
    table = read_table(lgg_dataset)
    rows = list(load_rows(lgg_dataset))
    assert [row["row"] for row in rows] == list(range(len(table))) == table.index.tolist()
    assert [row["volume"] for row in rows] == table["volume"].tolist()
    test = list(load_rows(lgg_dataset, "test"))
    assert {row["patient"] for row in test} == set(table.loc[table["stored_split"] == "test", "patient"])
    assert len({row["split"] for row in test}) == 1


def test_the_manifest_lists_every_patient_once(lgg_dataset):
    manifest = json.loads((lgg_dataset / "splits.json").read_text())
    table = read_table(lgg_dataset)
    for split, patients in manifest["patients"].items():
        assert sorted(set(table.loc[table["stored_split"] == split, "patient"])) == patients
    assert sorted(patient for fold in manifest["folds"] for patient in fold) == sorted(set(table["patient"]))


def test_the_same_import_twice_gives_the_same_bytes(lgg_source, tmp_path):
    for name in ("one", "two"):
        import_dataset("lgg", lgg_source, tmp_path / name, workers=1 if name == "one" else 3)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert files == sorted(
        path.relative_to(tmp_path / "two") for path in (tmp_path / "two").rglob("*") if path.is_file()
    )
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_the_fingerprint_tells_pixels_and_masks_apart(lgg_source, tmp_path):
    from PIL import Image

    first = import_dataset("lgg", lgg_source, tmp_path / "one")["fingerprint"]
    other = Path(shutil.copytree(lgg_source, tmp_path / "source"))
    mask = sorted(other.rglob("*_4_mask.tif"))[0]
    pixels = np.array(Image.open(mask))
    pixels[0, 0] ^= 255
    Image.fromarray(pixels).save(mask)
    assert import_dataset("lgg", other, tmp_path / "two")["fingerprint"] != first
    assert import_dataset("lgg", lgg_source, tmp_path / "three", seed=4)["fingerprint"] == first


def test_large_sets_are_cut_into_shards_of_one_size(lgg_source, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_files, "SHARD_BYTES", 60_000)
    import_dataset("lgg", lgg_source, tmp_path / "dataset")
    shards = sorted((tmp_path / "dataset" / "data").glob("train-*.parquet"))
    assert [path.name for path in shards] == [
        f"train-{i:05d}-of-{len(shards):05d}.parquet" for i in range(len(shards))
    ]
    assert len(shards) > 1
    assert sum(pq.ParquetFile(path).metadata.num_rows for path in shards) == sum(
        1 for _ in load_rows(tmp_path / "dataset", "train")
    )


def test_an_import_that_breaks_leaves_the_old_data_set_and_nothing_else(lgg_source, tmp_path, monkeypatch):
    import_dataset("lgg", lgg_source, tmp_path / "dataset")
    before = {path: path.read_bytes() for path in (tmp_path / "dataset").rglob("*") if path.is_file()}

    def fail(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr(module, "write_card", fail)
    with pytest.raises(OSError, match="No space left"):
        import_dataset("lgg", lgg_source, tmp_path / "dataset", overwrite=True, seed=9)
    with pytest.raises(OSError, match="No space left"):
        import_dataset("lgg", lgg_source, tmp_path / "other")
    assert {path: path.read_bytes() for path in (tmp_path / "dataset").rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


def test_the_old_data_set_comes_back_where_the_new_one_cannot_take_its_place(lgg_source, tmp_path, monkeypatch):
    import_dataset("lgg", lgg_source, tmp_path / "dataset")
    before = (tmp_path / "dataset" / "dataset.json").read_bytes()
    replace = os.replace

    def fail(source, target):
        if Path(source).name == "new":  # the finished folder, set aside
            raise OSError("Device or resource busy")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="busy"):
        import_dataset("lgg", lgg_source, tmp_path / "dataset", overwrite=True, seed=9)
    assert (tmp_path / "dataset" / "dataset.json").read_bytes() == before


def test_only_a_data_set_is_overwritten_and_only_when_asked(lgg_source, tmp_path):
    import_dataset("lgg", lgg_source, tmp_path / "dataset")
    with pytest.raises(ValueError, match="give --overwrite"):
        import_dataset("lgg", lgg_source, tmp_path / "dataset")
    import_dataset("lgg", lgg_source, tmp_path / "dataset", overwrite=True, seed=3)
    assert read_summary(tmp_path / "dataset")["seed"] == 3

    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work")
    with pytest.raises(ValueError, match="not overwritten"):
        import_dataset("lgg", lgg_source, tmp_path / "thesis", overwrite=True)


def test_empty_training_slices_are_dropped_but_none_that_judge(lgg_source, tmp_path):
    import_dataset("lgg", lgg_source, tmp_path / "all")
    import_dataset("lgg", lgg_source, tmp_path / "dropped", empty="drop")
    everything, dropped = read_table(tmp_path / "all"), read_table(tmp_path / "dropped")
    train = dropped["stored_split"] == "train"
    assert dropped.loc[train, "label"].eq(1).all()
    assert train.sum() == (everything["stored_split"].eq("train") & everything["label"].eq(1)).sum()
    assert (~train).sum() == everything["stored_split"].ne("train").sum()


def test_a_folder_for_evaluation_keeps_everybody_in_test(lgg_source, tmp_path):
    summary = import_dataset("lgg", lgg_source, tmp_path / "dataset", protocol="all")
    assert list(summary["splits"]) == ["test"]
    assert assign_splits(tmp_path / "dataset")["split"].eq("test").all()


@pytest.mark.parametrize(
    ("layout", "source", "reason"),
    [("dicom", ".", "no layout is called 'dicom'"), ("lgg", "nowhere", "no such file or folder")],
)
def test_arguments_that_make_no_sense(tmp_path, layout, source, reason):
    with pytest.raises(ValueError, match=reason):
        import_dataset(layout, tmp_path / source, tmp_path / "dataset")


def test_a_folder_that_is_no_data_set_shows_the_command(tmp_path):
    with pytest.raises(ValueError, match="hf-mri data import LAYOUT SOURCE"):
        read_table(tmp_path)


def test_hashes_of_another_import_are_noticed(tmp_path):
    folders = [make_phantom("lgg", tmp_path / str(n), patients=n, size=32, slices=4) for n in (3, 4)]
    shutil.copy(folders[0] / "audit.json", folders[1] / "audit.json")
    with pytest.raises(ValueError, match=r"audit\.json does not belong"):
        read_table(folders[1])


@pytest.mark.parametrize("typo", [{"protocol": "holdout"}, {"empty": "dorp"}, {"empty": 1.5}])
def test_a_typo_is_answered_before_anything_is_read(lgg_source, tmp_path, monkeypatch, typo):
    monkeypatch.setattr("hf_mri.data.importing.open_source", lambda *_, **__: pytest.fail("was read"))
    with pytest.raises(ValueError, match=str(next(iter(typo.values())))):
        import_dataset("lgg", lgg_source, tmp_path / "dataset", **typo)
    assert not (tmp_path / "dataset").exists()


def test_a_folder_of_images_is_no_data_set_and_is_not_named_as_its_place(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(ValueError, match=f"import LAYOUT SOURCE {tmp_path}/images`"):
        read_summary(tmp_path / "images")
    (tmp_path / "images" / "a.png").touch()
    with pytest.raises(ValueError, match=f"import LAYOUT {tmp_path}/images DEST` and name DEST"):
        read_summary(tmp_path / "images")


def test_addresses_are_sources_and_destinations(tmp_path, lgg_source):
    store = fsspec.filesystem("memory")
    try:
        store.put(f"{lgg_source}/", "/shelf/raw/", recursive=True)
        near = import_dataset("lgg", lgg_source, tmp_path / "near")
        far = import_dataset("lgg", "memory://shelf/raw", "memory://shelf/set")
        assert far["fingerprint"] == near["fingerprint"]
        store.pipe_file("/shelf/set/data/train-00007-of-00008.parquet", b"left by an earlier import")
        with pytest.raises(ValueError, match=r"memory://shelf/set: is there already; give --overwrite"):
            import_dataset("lgg", "memory://shelf/raw", "memory://shelf/set")
        import_dataset("lgg", "memory://shelf/raw", "memory://shelf/set", overwrite=True)
        files = {path.removeprefix("/shelf/set/") for path in store.find("/shelf/set")}
        assert files == {path.relative_to(tmp_path / "near").as_posix() for path in (tmp_path / "near").rglob("*.*")}
        with pytest.raises(ScanError, match=r"memory://shelf/none: no such file or folder"):
            import_dataset("lgg", "memory://shelf/none", tmp_path / "other")
    finally:
        store.rm("/", recursive=True)
