"""Rows of a data set by their numbers, wherever its Parquet files lie: only the groups that hold them are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from hf_mri.modeling.mri_addresses import is_address, reaching


@contextmanager
def open_shard(shard: Path | str, metadata: pq.FileMetaData | None = None) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file of this machine or of an address; what goes wrong at an address becomes one line."""
    if not is_address(shard):
        with pq.ParquetFile(shard, metadata=metadata) as file:
            yield file
        return
    with reaching(str(shard)) as (store, path), store.open(path, "rb", cache_type="none") as handle:
        yield pq.ParquetFile(handle, metadata=metadata)


class _Group(NamedTuple):
    shard: int
    number: int  # within the shard


class RowGroups:
    """The groups of rows of some Parquet files, whose rows are numbered through."""

    def __init__(self, shards: Sequence[Path | str]):
        self.shards = list(shards)
        self._metadata = []
        self._groups: list[_Group] = []
        sizes = []
        for at, shard in enumerate(self.shards):
            with open_shard(shard) as file:
                self._metadata.append(file.metadata)
            for number in range(self._metadata[at].num_row_groups):
                self._groups.append(_Group(at, number))
                sizes.append(self._metadata[at].row_group(number).num_rows)
        self._starts = np.cumsum([0, *sizes])

    def take(self, index: np.ndarray, columns: Sequence[str]) -> list[dict[str, Any]]:
        """Return some columns of some rows, in the order of `index`."""
        index = np.asarray(index)
        groups = np.searchsorted(self._starts, index, side="right") - 1
        found: dict[int, dict[str, Any]] = {}
        for group in np.unique(groups):
            wanted = index[groups == group]
            at, number = self._groups[group]
            with open_shard(self.shards[at], self._metadata[at]) as file:
                table = file.read_row_group(number, columns=list(columns))
            rows = table.take(wanted - self._starts[group]).to_pylist()
            found |= dict(zip(wanted.tolist(), rows, strict=True))
        return [found[row] for row in index.tolist()]
