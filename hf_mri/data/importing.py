"""From a publisher's folder to a data set: read, encode, hash, split by patient, audit, describe, then rename."""

from __future__ import annotations

import itertools
import json
import logging
import os
from collections import deque
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from rich.console import Console
from rich.progress import track

from hf_mri.data.audit import audit_splits, pack_hashes
from hf_mri.data.card import write_card
from hf_mri.data.empty_slices import choose_rows, read_share
from hf_mri.data.hashes import describe_picture, hash_pixels
from hf_mri.data.parquet_files import build_schema, write_shards
from hf_mri.data.png import encode_png
from hf_mri.data.sources import BadFile, Row, Source, Volume, open_source
from hf_mri.data.splits import FOLDS, SPLITS, check_protocol, make_folds, split_patients
from hf_mri.modeling.mri_addresses import delivered
from hf_mri.modeling.mri_files import folder_aside
from hf_mri.storage.places import Place, as_place, exists, join

logger = logging.getLogger(__name__)


def import_dataset(
    layout: str,
    source: str | Path,
    dest: str | Path,
    *,
    protocol: str = "hold-out",
    seed: int = 0,
    empty: str = "keep",
    skip_bad: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    progress: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Import a publisher's folder or zip as a data set that `datasets.load_dataset(dest)` opens.

    Everything is written beside `dest` and renamed at the end, so a broken import leaves nothing that looks whole.

    Args:
        layout: one of `hf_mri.data.datasets_table.LAYOUTS`.
        source: the folder, zip or table as the publisher ships it, or the address of one.
        dest: the new folder, a Hub data set repository file for file; or an address that gets the same.
        protocol: the split that the files are stored in, see `split_patients`.
        seed: of the split and of the empty slices that are kept.
        empty: slices without foreground in training: `keep`, `drop`, or the share to keep such as `0.25`.
        skip_bad: list bad files in `audit.json` and go on, instead of stopping at the first.
        overwrite: replace `dest` if it holds a data set already.
        workers: threads that read and encode; by default one a core.
        progress: show a progress bar.
        options: what only one layout takes (`folder`: `labels`, `spacing`; `bids`: `labels`, `sequences`, `masks`).

    Returns:
        What `dataset.json` holds, with `findings` and `bad_files`.
    """
    check_protocol(protocol)
    read_share(empty)
    _check_dest(as_place(dest), overwrite)
    with delivered(dest, last="dataset.json", replace=True) as place, folder_aside(place) as folder:
        (folder / "data").mkdir()
        with open_source(layout, source, **options) as opened:
            for finding in opened.findings:
                logger.warning(finding)
            with closing(Spool(folder.with_name("spool.arrow"), build_schema(opened.entry, opened.columns))) as spool:
                _fill(spool, opened, skip_bad, workers or os.cpu_count() or 1, progress)
        rows = spool.rows()
        if rows.empty:
            raise ValueError(f"{source}: no slice could be read")
        rows["split"] = split_patients(rows, protocol, seed)
        kept = rows[choose_rows(rows, empty, seed) | (rows["split"] != "train")]
        kept = kept.sort_values(["split", "volume", "slice"], key=_by_split).reset_index(drop=True)
        spool.write_splits(folder / "data", kept)
        summary = _describe(opened, kept, protocol, seed, empty)
        audit = {
            "splits": audit_splits(kept, leak_allowed=protocol == "slices-leaky"),
            "findings": opened.findings,
            "bad_files": [bad._asdict() for bad in spool.bad_files],
            "rows": pack_hashes(kept),
        }
        _write_json(folder / "dataset.json", summary)
        _write_json(folder / "splits.json", _manifest(kept, protocol, seed))
        _write_json(folder / "audit.json", audit)
        write_card(folder, opened.entry, summary, audit)
    if spool.bad_files:
        logger.warning("%d bad files were skipped; audit.json lists them", len(spool.bad_files))
    return {**summary, "findings": audit["findings"], "bad_files": audit["bad_files"], "audit": audit["splits"]}


class Spool:
    """Encoded rows on disk in the order they came, and in memory only what the split needs to know about them."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self.schema = schema
        self.bad_files: list[BadFile] = []
        self._known: list[dict[str, Any]] = []
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._sink, schema)
        self._batches = 0

    def add(self, encoded: list[dict[str, Any]]) -> None:
        """Store the rows of one volume."""
        if not encoded:
            return
        columns = {name: [row.get(name) for row in encoded] for name in self.schema.names}
        self._writer.write_batch(pa.RecordBatch.from_pydict(columns, self.schema))
        for offset, row in enumerate(encoded):
            known = {key: value for key, value in row.items() if key not in ("image", "mask")}
            size = len(row["image"]["bytes"]) + len(row["mask"]["bytes"])
            self._known.append({**known, "batch": self._batches, "offset": offset, "bytes": size})
        self._batches += 1

    def rows(self) -> pd.DataFrame:
        """Everything but the pictures, one line a slice."""
        self.close()
        return pd.DataFrame(self._known)

    def close(self) -> None:
        """Close the file: Windows removes none that is open."""
        if not self._sink.closed:
            self._writer.close()
            self._sink.close()

    def write_splits(self, folder: Path, rows: pd.DataFrame) -> None:
        """Write the rows in their order as Parquet shards, split by split, one volume in memory at a time."""
        with pa.OSFile(str(self.path)) as file:  # not mapped: a mapped file would count as this process's memory
            reader = pa.ipc.open_file(file)
            for split in SPLITS:
                chosen = rows[rows["split"] == split]
                runs = [run for _, run in chosen.groupby((chosen["batch"] != chosen["batch"].shift()).cumsum())]
                if not runs:
                    continue
                batches = (
                    pa.Table.from_batches([reader.get_batch(int(run["batch"].iloc[0])).take(pa.array(run["offset"]))])
                    for run in runs
                )
                write_shards(folder, split, batches, [int(run["bytes"].sum()) for run in runs])


def _fill(spool: Spool, source: Source, skip_bad: bool, workers: int, progress: bool) -> None:
    """Read and encode volumes in threads, a few ahead of the writer so that memory stays flat."""
    seen: set[tuple[str, int]] = set()
    # Closed here, by this thread: left to the garbage collector, it might be closed by one of its own threads.
    with closing(_encode_ahead(source.volumes, workers)) as volumes:
        words = f"Importing {source.entry.name}"
        console = Console(stderr=True)
        for encoded in track(volumes, words, total=len(source.volumes), console=console, disable=not progress):
            good = []
            for row in encoded:
                if not isinstance(row, BadFile) and (row["volume"], row["slice"]) in seen:
                    row = BadFile(row["file"], f"slice {row['slice']} of {row['volume']} was read already")
                if isinstance(row, BadFile):
                    if not skip_bad:
                        raise ValueError(f"{source.name(row)}: {row.reason} (--skip-bad goes on without)")
                    spool.bad_files.append(source.locate(row))
                    continue
                seen.add((row["volume"], row["slice"]))
                good.append(row)
            spool.add(good)


def _encode_ahead(volumes: list[Volume], workers: int) -> Generator[list[dict[str, Any] | BadFile], None, None]:
    with ThreadPoolExecutor(workers) as pool:
        waiting = iter(volumes)
        running = deque(pool.submit(_encode_volume, v) for v in itertools.islice(waiting, workers + 1))
        try:
            while running:
                yield running.popleft().result()
                running.extend(pool.submit(_encode_volume, v) for v in itertools.islice(waiting, 1))
        finally:
            pool.shutdown(cancel_futures=True)


def _encode_volume(volume: Volume) -> list[dict[str, Any] | BadFile]:
    """Read a volume and encode its slices; a slice whose pixels repeat an earlier one's is bad."""
    encoded: list[dict[str, Any] | BadFile] = []
    first: dict[str, Row] = {}
    for row in volume.read():
        if isinstance(row, BadFile):
            encoded.append(row)
            continue
        image, mask, file = row["image"], row["mask"], row["file"]
        exact, near = hash_pixels(image), describe_picture(image)
        twin = first.setdefault(exact, row)
        if twin is not row and near.any():
            encoded.append(BadFile(file, f"duplicate slice: the same pixels as {Path(twin['file']).name}"))
            continue
        name = f"{row['volume'].replace('/', '_')}_{row['slice']:04d}"
        encoded.append(
            row
            | {
                "image": {"bytes": encode_png(image), "path": f"{name}.png"},
                "mask": {"bytes": encode_png(mask), "path": f"{name}_mask.png"},
                "pixels": exact,
                "mask_pixels": hash_pixels(mask),
                "picture": near,
            }
        )
    return encoded


def _by_split(column: pd.Series) -> pd.Series:
    return column.map(SPLITS.index) if column.name == "split" else column


def _describe(source: Source, rows: pd.DataFrame, protocol: str, seed: int, empty: str) -> dict[str, Any]:
    """What `dataset.json` says: what was imported, by which code, and a fingerprint of every pixel and patient."""
    content = sorted(zip(rows["volume"], rows["slice"], rows["pixels"], rows["mask_pixels"], strict=True))
    counts = {
        split: {
            "patients": side["patient"].nunique(),
            "volumes": side["volume"].nunique(),
            "slices": len(side),
            "positive": int(side["label"].sum()),
        }
        for split, side in rows.groupby("split")
    }
    return {
        "name": source.entry.name,
        "layout": source.entry.layout,
        "id2label": {str(index): label for index, label in source.entry.id2label.items()},
        "channels": list(source.entry.channels),
        "columns": source.columns,
        "patients": rows["patient"].nunique(),
        "volumes": rows["volume"].nunique(),
        "slices": len(rows),
        "splits": {split: counts[split] for split in SPLITS if split in counts},
        "protocol": protocol,
        "seed": seed,
        "empty": empty,
        "fingerprint": hash_pixels(np.frombuffer(json.dumps(content).encode(), np.uint8)),
        "versions": {"hf_mri": version("hf_mri"), "numpy": np.__version__, "pyarrow": pa.__version__},
    }


def _manifest(rows: pd.DataFrame, protocol: str, seed: int) -> dict[str, Any]:
    """Which patients are where, for the stored split and for cross-validation."""
    patients = rows.groupby("split")["patient"].unique()
    folds = make_folds(rows, FOLDS, seed) if rows["patient"].nunique() >= FOLDS else []
    return {
        "protocol": protocol,
        "seed": seed,
        "patients": {split: sorted(patients.get(split, [])) for split in SPLITS},
        "folds": folds,
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _check_dest(dest: Place, overwrite: bool) -> None:
    """Refuse to write into a folder that holds something, unless it is a data set that may be replaced."""
    if not exists(dest) or (isinstance(dest, Path) and dest.is_dir() and not any(dest.iterdir())):
        return
    if not overwrite:
        raise ValueError(f"{dest}: is there already; give --overwrite, or another folder")
    if not exists(join(dest, "dataset.json")):
        raise ValueError(f"{dest}: is not a data set that was imported before, so it is not overwritten")
