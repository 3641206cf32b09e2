"""The Parquet files of a data set: its schema as `datasets` expects it, and shards of a size that streams well."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hf_mri.data.datasets_table import DatasetEntry

SHARD_BYTES = 48 * 2**20
ROWS_A_GROUP = 64  # what a viewer or a stream fetches at once

_PICTURE = pa.struct({"bytes": pa.binary(), "path": pa.string()})
_TYPES = {
    "string": pa.string(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
}


def build_schema(entry: DatasetEntry, columns: Mapping[str, str]) -> pa.Schema:
    """The one schema, then the columns of this set; the metadata tells `datasets` what is an image or a class."""
    value = lambda name: {"dtype": name, "_type": "Value"}  # noqa: E731
    features = {
        "image": {"_type": "Image"},
        "mask": {"_type": "Image"},
        "label": {"names": list(entry.slice_labels), "_type": "ClassLabel"},
        "patient": value("string"),
        "site": value("string"),
        "slice": value("int32"),
        "volume": value("string"),
        "phase": value("string"),
        "spacing": {"feature": value("float32"), "_type": "List"},
        **{name: value(kind) for name, kind in columns.items()},
    }
    arrow = {"image": _PICTURE, "mask": _PICTURE, "label": pa.int64(), "spacing": pa.list_(pa.float32())}
    fields = [pa.field(name, arrow.get(name) or _TYPES[feature["dtype"]]) for name, feature in features.items()]
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def write_shards(folder: Path, split: str, batches: Iterable[pa.Table], sizes: list[int]) -> list[Path]:
    """Write one split as `SPLIT-00000-of-0000N.parquet`; `sizes` holds the bytes of each batch, known beforehand."""
    starts = [0]
    size = 0
    for index, more in enumerate(sizes):
        if size and size + more > SHARD_BYTES:
            starts.append(index)
            size = 0
        size += more
    paths = [folder / f"{split}-{i:05d}-of-{len(starts):05d}.parquet" for i in range(len(starts))]
    writer = None
    try:
        for index, batch in enumerate(batches):
            if index in starts:
                if writer is not None:
                    writer.close()
                # PNG can't be packed any further, and a dictionary of pictures would only cost memory.
                writer = pq.ParquetWriter(
                    paths[starts.index(index)], batch.schema, compression="zstd", use_dictionary=["patient", "volume"]
                )
            writer.write_table(batch, row_group_size=ROWS_A_GROUP)
    finally:
        if writer is not None:
            writer.close()
    return paths
