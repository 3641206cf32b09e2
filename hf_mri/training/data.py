"""The data of one run: rows, who trains and who validates, and the facts that the record of the run keeps."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from hf_mri.data.audit import audit_splits
from hf_mri.data.dataset_folder import is_shard, list_shards, read_entry, read_summary, read_table
from hf_mri.data.datasets_table import DatasetEntry
from hf_mri.data.empty_slices import choose_rows
from hf_mri.data.png import decode_picture
from hf_mri.data.row_groups import RowGroups, open_shard
from hf_mri.data.sources import split_mask
from hf_mri.data.splits import SPLITS, make_folds, split_patients
from hf_mri.modeling.mri_addresses import fetch, is_address, name_of_address, reaching, shown_address
from hf_mri.training.arguments import TrainingArguments
from hf_mri.training.examples import choose_examples
from hf_mri.training.rows import Rows
from hf_mri.training.slice_cache import load_rows
from hf_mri.training.streamed_rows import StreamedRows

SHARED_COLUMNS = {"label", "patient", "slice", "volume", "spacing", "stored_split", "pixels", "picture", "split"}


@dataclass
class Table:
    """An imported data set: its rows without pictures, and where the pictures are."""

    folder: Path | str  # or an address
    entry: DatasetEntry
    fingerprint: str
    frame: pd.DataFrame
    shards: list[Path | str]

    @cached_property
    def groups(self) -> RowGroups:
        """The rows by their numbers."""
        return RowGroups(self.shards)

    def pictures(self):
        """Yield (image, mask) bytes of every row, in the order of the frame; memory stays flat."""
        for shard in self.shards:
            with open_shard(shard) as file:
                for batch in file.iter_batches(batch_size=64, columns=["image", "mask"]):
                    for row in batch.to_pylist():
                        yield row["image"]["bytes"], row["mask"]["bytes"]

    def pictures_of(self, index: np.ndarray) -> list[tuple[bytes, bytes]]:
        """Return (image, mask) bytes of some rows."""
        return [(row["image"]["bytes"], row["mask"]["bytes"]) for row in self.groups.take(index, ["image", "mask"])]

    def masks(self, index: np.ndarray) -> np.ndarray:
        """Read the stored masks (S, H, W) of one volume's rows, at the data set's own size."""
        return np.stack([decode_picture(row["mask"]["bytes"]) for row in self.groups.take(index, ["mask"])])


def open_table(data: str | None, streaming: bool = False) -> Table:
    """Open a data set folder, or fetch one from the Hub by its id or from an address; `streaming` leaves it there."""
    if not data:
        raise ValueError(
            "--data is missing: name a data set folder or Hub id; `hf-mri data import lgg SOURCE data/lgg` makes one "
            "from the publisher's files, `hf-mri data phantom lgg FOLDER --patients 12` draws synthetic ones to import"
        )
    if is_address(data) or (streaming and _is_hub_id(data)):
        return open_remote_table(data if is_address(data) else f"hf://datasets/{data}", streaming)
    folder = Path(data)
    if _is_hub_id(data):
        from huggingface_hub import snapshot_download

        try:
            folder = Path(snapshot_download(data, repo_type="dataset"))
        except OSError:
            raise ValueError(
                f"{data}: no such folder, and no data set of this name can be had from the Hub; make one with "
                "`hf-mri data import LAYOUT SOURCE DEST`"
            ) from None
    shards = list_shards(folder)
    return Table(folder, read_entry(folder), read_summary(folder)["fingerprint"], read_table(folder, shards), shards)


def _is_hub_id(data: str) -> bool:
    return not Path(data).exists() and data.count("/") == 1


def open_remote_table(address: str, streaming: bool) -> Table:
    """Open a data set at an address: its columns are fetched, its pictures only when they are asked for."""
    address = address.rstrip("/")
    if not streaming:
        raise ValueError(f"--data {shown_address(address)}: give --streaming to train from an address")
    with tempfile.TemporaryDirectory(prefix="hf_mri_table_") as folder:
        for name in ("dataset.json", "audit.json"):
            fetch(f"{address}/{name}", Path(folder, name))
        with reaching(f"{address}/data") as (store, path):
            found = [name_of_address(file) for file in store.find(path)]
        shards = [f"{address}/data/{name}" for split in SPLITS for name in sorted(found) if is_shard(name, split)]
        summary = read_summary(folder)
        return Table(address, read_entry(folder), summary["fingerprint"], read_table(folder, shards), shards)


@dataclass
class TrainingData:
    """Rows, and the row numbers that train and validate."""

    table: Table
    rows: Rows
    training: np.ndarray
    validation: np.ndarray

    @property
    def entry(self) -> DatasetEntry:
        """The data set's entry in the table of data sets."""
        return self.table.entry

    @property
    def fingerprint(self) -> str:
        """What tells this data set from any other."""
        return self.table.fingerprint

    def make_labels(self, task: str, masks: torch.Tensor, index: np.ndarray) -> torch.Tensor:
        """Turn augmented one-hot masks (B, L, H, W) into what the model's loss takes."""
        if task == "classify":
            # The slice keeps its label although the change may push a lesion's last pixels out of the field.
            return torch.from_numpy(self.rows.labels[index]).to(masks.device)
        if self.rows.overlapping:
            return (masks > 0.5).float()
        return masks.argmax(dim=1)

    def truth(self, index: np.ndarray) -> np.ndarray:
        """Return the foreground masks of some rows, bool (S, L, H, W)."""
        masks = self.rows.one_hot(index, torch.device("cpu"))
        return (masks if self.rows.overlapping else masks[:, 1:]).numpy() > 0.5

    def stored_truth(self, index: np.ndarray) -> np.ndarray:
        """Return the foreground masks of one volume at the data set's own size, bool (S, L, H, W)."""
        return np.stack([*split_mask(self.table.masks(index), self.entry).values()], axis=1)

    @cached_property
    def shown(self) -> np.ndarray:
        """The validation rows that a run draws to show how it goes."""
        sizes = np.zeros(len(self.rows), int)
        for index in self.rows.volumes_of(self.validation):
            sizes[index] = (self.rows.masks_of(index) > 0).sum((1, 2)).cpu()
        labels, patients = self.rows.labels[self.validation], self.rows.patients[self.validation]
        return self.validation[choose_examples(labels, patients, sizes[self.validation])]

    def facts(self, row: int) -> dict:
        """Return what is known of a row's volume: patient, volume, spacing, and the columns that breakdowns use."""
        found = self.table.frame.iloc[row]
        columns = {name: _plain(found[name]) for name in found.index if name not in SHARED_COLUMNS}
        spacing = found["spacing"]
        return {
            "patient": str(found["patient"]),
            "volume": str(found["volume"]),
            "spacing": None if spacing is None else tuple(float(value) for value in spacing),
            **columns,
        }

    def patients_by_split(self) -> dict[str, list[str]]:
        """Return the patients that trained and those that validated."""
        return {
            "train": sorted(set(self.rows.patients[self.training])),
            "validation": sorted(set(self.rows.patients[self.validation])),
        }

    def sites(self) -> dict[str, int]:
        """Return how many training patients each site gave."""
        frame = self.table.frame.iloc[self.training]
        return {str(site): int(count) for site, count in frame.groupby("site")["patient"].nunique().items()}

    def refuse_seen(self, hashes: list[str], model: str | None) -> None:
        """Raise ValueError where weights that training starts from have seen patients that are to judge it."""
        seen = self.table.frame.iloc[self.validation]
        patients = sorted(set(seen.loc[seen["pixels"].isin(set(hashes)) & seen["picture"].map(np.any), "patient"]))
        if patients:
            raise ValueError(
                f"--from {model}: was trained on {len(patients)} of the {seen['patient'].nunique()} validation "
                f"patients ({patients[0]} for one), whose figures would flatter; train on everybody with "
                "--protocol all, or take a model that has not seen them"
            )

    def image_hashes(self) -> list[str]:
        """Return the hashes of the training slices, by which an evaluation recognizes them under another name."""
        frame = self.table.frame.iloc[self.training]
        return sorted(
            {pixels for pixels, picture in zip(frame["pixels"], frame["picture"], strict=True) if picture.any()}
        )


def load_training_data(table: Table, processor, arguments: TrainingArguments, progress: bool) -> TrainingData:
    """Split by the arguments, audit the split for leaks, and decode the rows."""
    frame = table.frame.copy()
    frame["split"] = assign_split(frame, arguments)
    audit_splits(frame, leak_allowed=arguments.protocol == "slices-leaky")
    train = frame["split"] == "train"
    if arguments.max_patients:
        names = np.random.default_rng(arguments.seed).permutation(sorted(set(frame.loc[train, "patient"])))
        train &= frame["patient"].isin(names[: arguments.max_patients])
    train &= choose_rows(frame, arguments.empty_slices, arguments.seed)
    return TrainingData(
        table=table,
        rows=StreamedRows(table, processor)
        if arguments.streaming
        else load_rows(table, processor, arguments.rows_cache, progress),
        training=np.flatnonzero(train),
        validation=np.flatnonzero(frame["split"] == "validation"),
    )


def assign_split(frame: pd.DataFrame, arguments: TrainingArguments) -> pd.Series:
    """Say for every row whether it trains, validates, or is left alone.

    `--fold i/k` validates on the i-th of k parts and trains on all others: together the folds predict every patient
    once. `--protocol all` trains on everybody.
    """
    if arguments.fold:
        try:
            fold, folds = (int(part) for part in arguments.fold.split("/"))
        except ValueError:
            raise ValueError(f"--fold {arguments.fold!r} is not i/k, such as 1/5") from None
        if not 1 <= fold <= folds:
            raise ValueError(f"--fold {arguments.fold}: i runs from 1 to {folds}")
        held = set(make_folds(frame, folds, seed=0)[fold - 1])
        return pd.Series(np.where(frame["patient"].isin(held), "validation", "train"), frame.index)
    if arguments.protocol == "all":
        return pd.Series("train", frame.index)
    if arguments.protocol == "stored":
        return frame["stored_split"]
    return split_patients(frame, arguments.protocol, arguments.seed)


def _plain(value):
    if isinstance(value, np.generic):
        value = value.item()
    return None if value is None or (isinstance(value, float) and np.isnan(value)) else value
