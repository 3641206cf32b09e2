"""One upload to a Hub, and the same data set back."""

import hashlib

import datasets
import numpy as np
import pytest
from huggingface_hub import HfApi, constants

from hf_mri.data.card import write_card
from hf_mri.data.dataset_folder import load_rows, read_entry, read_summary
from hf_mri.data.importing import import_dataset
from hf_mri.hub.pushing import push_dataset


def test_it_comes_back_identical_whole_and_streamed(lgg_dataset, loopback_hub, tmp_path, run_apart):
    url = push_dataset(lgg_dataset, "ada/heads")
    assert "/commit/" in url
    info = HfApi().dataset_info("ada/heads")
    assert info.private
    assert len(HfApi().list_repo_commits("ada/heads", repo_type="dataset")) == 2  # made, then one upload

    rows = list(load_rows(lgg_dataset, "train"))
    program = """
        import sys, hashlib, datasets, numpy as np
        for streaming in (False, True):
            slices = datasets.load_dataset("ada/heads", split="train", streaming=streaming)
            for row in slices:
                pixels = np.array(row["image"]).tobytes() + np.array(row["mask"]).tobytes()
                print(streaming, row["volume"], row["slice"], row["label"], hashlib.sha256(pixels).hexdigest())
    """
    printed = run_apart(program, **loopback_hub.environment("hf_writer")).split("\n")

    for streaming in ("False", "True"):
        expected = [
            f"{streaming} {row['volume']} {row['slice']} {row['label']} "
            + hashlib.sha256(row["image"].tobytes() + row["mask"].tobytes()).hexdigest()
            for row in rows
        ]
        assert [line for line in printed if line.startswith(streaming)] == expected


def test_a_second_push_replaces_every_shard(lgg_source, loopback_hub, tmp_path):
    for seed in (0, 1):
        import_dataset("lgg", lgg_source, tmp_path / f"{seed}", seed=seed)
        push_dataset(tmp_path / f"{seed}", "ada/heads", private=False)
    files = HfApi().list_repo_files("ada/heads", repo_type="dataset")
    assert sorted(file for file in files if file.endswith("parquet")) == sorted(
        f"data/{path.name}" for path in (tmp_path / "1" / "data").iterdir()
    )
    assert not HfApi().dataset_info("ada/heads").private


def test_a_license_that_forbids_it_is_refused_unless_the_flag_says_so(tmp_path, loopback_hub):
    from PIL import Image

    rng = np.random.default_rng(0)
    for patient in "abc":
        (tmp_path / "source" / patient).mkdir(parents=True)
        Image.fromarray(rng.integers(0, 255, (16, 16)).astype(np.uint8)).save(tmp_path / "source" / patient / "1.png")
        Image.fromarray(np.eye(16, dtype=np.uint8)).save(tmp_path / "source" / patient / "1_mask.png")
    import_dataset("folder", tmp_path / "source", tmp_path / "dataset")
    with pytest.raises(ValueError, match="--allow-redistribution"):
        push_dataset(tmp_path / "dataset", "ada/mine")
    assert not HfApi().repo_exists("ada/mine", repo_type="dataset")
    push_dataset(tmp_path / "dataset", "ada/mine", allow_redistribution=True)
    assert HfApi().repo_exists("ada/mine", repo_type="dataset")


def test_a_hub_out_of_reach_is_one_plain_sentence(lgg_dataset, loopback_hub, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(OSError, match="the Hub cannot be reached"):
        push_dataset(lgg_dataset, "ada/heads")


def test_the_card_says_what_is_in_it(lgg_dataset):
    card = (lgg_dataset / "README.md").read_text()
    summary = read_summary(lgg_dataset)
    assert "license: apache-2.0" in card
    assert "path: data/train-*.parquet" in card
    for split, counts in summary["splits"].items():
        assert f"| {split} | {counts['patients']} | {counts['volumes']} | {counts['slices']} |" in card
    assert "No patient was scanned" in card
    assert "0 = background, 1 = tumor" in card


def test_the_card_of_a_leaky_split_says_so(lgg_dataset, tmp_path):
    splits = {"passed": False, "patients": ["P1", "P2"], "exact": 0, "near": 7}
    write_card(
        tmp_path,
        read_entry(lgg_dataset),
        read_summary(lgg_dataset),
        {"splits": splits, "findings": [], "bad_files": []},
    )
    assert "This split leaks: 2 patients, 0 equal and 7 nearly equal pictures" in (tmp_path / "README.md").read_text()


def test_the_card_is_one_that_the_hub_accepts(lgg_dataset):
    from huggingface_hub import DatasetCard

    data = DatasetCard.load(lgg_dataset / "README.md").data
    assert data.license == "apache-2.0"
    assert [split["split"] for split in data.configs[0]["data_files"]] == ["train", "validation", "test"]
    assert datasets.load_dataset_builder(str(lgg_dataset)).config.name == "default"
