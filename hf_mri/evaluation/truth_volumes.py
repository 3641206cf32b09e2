"""Volumes with their truth, one at a time, from an imported data set or a publisher's folder."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from hf_mri.data.dataset_folder import assign_splits, load_rows, read_entry, read_summary
from hf_mri.data.datasets_table import LAYOUTS, DatasetEntry
from hf_mri.data.sources import BadFile, Row, open_source, split_mask
from hf_mri.modeling.mri_addresses import fetched, is_address

# Columns that every row has or that say where a slice lies; all others may part the patients in a breakdown.
PLACE_COLUMNS = {
    *("image", "mask", "label", "patient", "slice", "volume", "spacing"),
    *("split", "row", "file", "slice_id", "frame", "frames"),
}


@dataclass
class TruthVolume:
    """One volume as it is stored, with its true masks."""

    patient: str
    volume: str
    images: np.ndarray  # (S, H, W) or (S, H, W, C)
    truth: dict[str, np.ndarray]  # by foreground label, bool (S, H, W)
    spacing: tuple[float, float, float | None] | None
    columns: dict[str, Any]


@dataclass
class TruthSource:
    """What is evaluated: facts for metrics.json, its volumes by name, and how to read some of them."""

    entry: DatasetEntry
    data: dict[str, Any]
    findings: list[str]
    names: list[str]
    read: Callable[[Collection[str]], Iterator[TruthVolume]]

    @property
    def volumes(self) -> Iterator[TruthVolume]:
        """All of them."""
        return self.read(self.names)


@contextmanager
def open_volumes(
    data: str | Path, layout: str | None = None, split: str = "test", protocol: str | None = None
) -> Iterator[TruthSource]:
    """Open an imported data set (one split of it), or with `layout` a publisher's folder (every patient in it).

    Args:
        data: folder of an imported data set, a data set's name on the Hub, or a publisher's folder or zip.
        layout: how the publisher's folder is laid out; None for an imported data set.
        split: which split of a data set is read.
        protocol: split the data set anew under this protocol; None keeps the stored split.

    Raises:
        ValueError: there is nothing to read; says what to give instead.
    """
    if layout is not None:
        with open_source(layout, data) as source:
            units = {volume.name: volume for volume in source.volumes}
            facts = {"name": source.entry.name, "split": "all"}

            def read_units(names: Collection[str]) -> Iterator[TruthVolume]:
                wanted = set(names)
                rows = (row for name, unit in units.items() if name in wanted for row in unit.read())
                return _stack_volumes(rows, source.entry)

            yield TruthSource(source.entry, facts, source.findings, list(units), read_units)
        return
    with fetched(data) if is_address(data) else nullcontext(find_dataset(data)) as folder:
        yield _open_split(folder, data, split, protocol)


def _open_split(folder: Path, data: str | Path, split: str, protocol: str | None) -> TruthSource:
    """One split of an imported data set."""
    summary, entry = read_summary(folder), read_entry(folder)
    facts = {"name": entry.name, "split": split}
    if summary.get("fingerprint"):
        facts["fingerprint"] = summary["fingerprint"]
    rows = assign_splits(folder, protocol)
    if split not in (splits := rows["split"].unique()):
        raise ValueError(f"{data}: has no slices in a split {split!r}; there are: {', '.join(splits)}")

    def read(names: Collection[str]) -> Iterator[TruthVolume]:
        return _stack_volumes(load_rows(folder, split, protocol, volumes=set(names)), entry)

    return TruthSource(entry, facts, [], list(rows[rows["split"] == split]["volume"].unique()), read)


def find_dataset(data: str | Path) -> Path:
    """Find a data set's folder, downloading it where `data` is a name on the Hub."""
    folder = Path(data)
    if (folder / "dataset.json").exists():
        return folder
    if folder.exists():
        raise ValueError(
            f"{data}: not an imported data set; for a publisher's folder give --layout ({', '.join(LAYOUTS)})"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(data), repo_type="dataset"))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise ValueError(f"{data}: no such folder, and no data set of this name can be had from the Hub") from error


def _stack_volumes(rows: Iterator[Row | BadFile], entry: DatasetEntry) -> Iterator[TruthVolume]:
    """Gather consecutive rows of a volume; only one volume is in memory."""
    for _, group in groupby(_refuse_bad_files(rows), key=lambda row: row["volume"]):
        slices = list(group)
        first = slices[0]
        shapes = {np.shape(row["image"]) for row in slices}
        if len(shapes) > 1:
            raise ValueError(f"{first['volume']}: slices of different sizes {sorted(shapes)}; a volume needs one size")
        images = np.stack([row["image"] for row in slices])
        masks = np.stack([row["mask"] for row in slices])
        yield TruthVolume(
            patient=str(first["patient"]),
            volume=str(first["volume"]),
            images=images,
            truth=split_mask(masks, entry),
            spacing=None if first["spacing"] is None else tuple(first["spacing"]),
            columns={name: first[name] for name in first if name not in PLACE_COLUMNS and _is_known(first[name])},
        )


def _refuse_bad_files(rows: Iterator[Row | BadFile]) -> Iterator[Row]:
    for row in rows:
        if isinstance(row, BadFile):
            raise ValueError(str(row))
        yield row


def _is_known(value: Any) -> bool:
    return value is not None and value == value  # NaN is how a table says that it does not know
