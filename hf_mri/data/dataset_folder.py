"""Read a data set that was imported: its table of rows, its slices, and who trains or tests under any protocol."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from hf_mri.data.audit import audit_splits, unpack_hashes
from hf_mri.data.datasets_table import DatasetEntry, get_dataset_entry
from hf_mri.data.png import decode_picture
from hf_mri.data.row_groups import open_shard
from hf_mri.data.sources import Row
from hf_mri.data.splits import SPLITS, split_patients
from hf_mri.modeling.mri_addresses import name_of_address

logger = logging.getLogger(__name__)


def read_summary(dataset: str | Path) -> dict[str, Any]:
    """Read `dataset.json`.

    Raises:
        ValueError: the folder is no imported data set; says how to make one.
    """
    path = Path(dataset) / "dataset.json"
    if not path.exists():
        filled = path.parent.is_dir() and any(path.parent.iterdir())
        places = f"{dataset} DEST` and name DEST" if filled else f"SOURCE {dataset}`"
        raise ValueError(f"{dataset}: not an imported data set; make one with `hf-mri data import LAYOUT {places}")
    return json.loads(path.read_text(encoding="utf-8"))


def read_entry(dataset: str | Path) -> DatasetEntry:
    """The entry of the table that the data set was imported under, with the labels and channels that were found."""
    summary = read_summary(dataset)
    names = {int(index): label for index, label in summary["id2label"].items()}
    return replace(get_dataset_entry(summary["name"]), id2label=names, channels=tuple(summary["channels"]))


def list_shards(dataset: str | Path) -> list[Path]:
    """The Parquet files in the order of the rows: train, validation, test."""
    read_summary(dataset)
    files = sorted((Path(dataset) / "data").glob("*.parquet"))
    shards = [path for split in SPLITS for path in files if is_shard(path.name, split)]
    if not shards:
        raise ValueError(f"{dataset}: no Parquet files in its folder `data`; import it again")
    return shards


def is_shard(name: str, split: str) -> bool:
    """Return whether a file's name is that of a Parquet file of a split."""
    return name.startswith(f"{split}-") and name.endswith(".parquet")


def read_table(dataset: str | Path, shards: Sequence[Path | str] | None = None) -> pd.DataFrame:
    """All rows without their pictures: the columns, `stored_split`, and the hashes `pixels` and `picture`.

    The index is the row's number in the order of the files, which is what `load_rows` counts by as well.

    Args:
        dataset: folder of an imported data set.
        shards: its Parquet files, where they lie elsewhere.
    """
    parts = []
    for shard in list_shards(dataset) if shards is None else shards:
        with open_shard(shard) as file:
            columns = [name for name in file.schema_arrow.names if name not in ("image", "mask")]
            rows = file.read(columns).to_pandas()
        parts.append(rows.assign(stored_split=_name_of(shard).split("-")[0]))
    rows = pd.concat(parts, ignore_index=True)
    hashes = unpack_hashes(json.loads((Path(dataset) / "audit.json").read_text(encoding="utf-8"))["rows"])
    if not (hashes["volume"].equals(rows["volume"]) and (hashes["slice"] == rows["slice"]).all()):
        raise ValueError(f"{dataset}: audit.json does not belong to these Parquet files; import the data set again")
    return rows.assign(pixels=hashes["pixels"], picture=hashes["picture"])


def _name_of(shard: Path | str) -> str:
    return shard.name if isinstance(shard, Path) else name_of_address(shard)


def assign_splits(dataset: str | Path, protocol: str | None = None, seed: int | None = None) -> pd.DataFrame:
    """The table of rows with the column `split`, audited: always the same answer for the same question.

    Args:
        dataset: folder of an imported data set.
        protocol: see `split_patients`; None is the split that the files are stored in.
        seed: None is the seed of the import.

    Raises:
        ValueError: a patient or a picture stands on both sides (`slices-leaky` warns instead).
    """
    summary = read_summary(dataset)
    rows = read_table(dataset)
    seed = summary["seed"] if seed is None else seed
    if protocol is None or (protocol, seed) == (summary["protocol"], summary["seed"]):
        protocol, rows["split"] = summary["protocol"], rows["stored_split"]
    else:
        rows["split"] = split_patients(rows, protocol, seed)
    audit_splits(rows, leak_allowed=protocol == "slices-leaky")
    return rows


def load_rows(
    dataset: str | Path,
    split: str | None = None,
    protocol: str | None = None,
    seed: int | None = None,
    volumes: Collection[str] | None = None,
) -> Iterator[Row]:
    """Read slices one by one, `image` and `mask` as arrays, with their `row` number; memory stays flat.

    Args:
        dataset: folder of an imported data set.
        split: `train`, `validation` or `test`; None reads all.
        protocol, seed: see `assign_splits`.
        volumes: only these; the pictures of others are not decoded. None reads all.
    """
    splits = assign_splits(dataset, protocol, seed)["split"]
    number = 0
    for shard in list_shards(dataset):
        for batch in pq.ParquetFile(shard).iter_batches(batch_size=64):
            for row in batch.to_pylist():
                if split in (None, splits[number]) and (volumes is None or row["volume"] in volumes):
                    yield row | {
                        "image": decode_picture(row["image"]["bytes"]),
                        "mask": decode_picture(row["mask"]["bytes"]),
                        "split": splits[number],
                        "row": number,
                    }
                number += 1
