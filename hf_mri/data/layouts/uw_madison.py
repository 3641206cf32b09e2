"""The UW-Madison set: 16-bit PNG slices whose names carry size and spacing, and run-length masks in `train.csv`."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from hf_mri.data.datasets_table import DatasetEntry
from hf_mri.data.png import read_picture
from hf_mri.data.sources import BadFile, Row, Source, Volume, make_row
from hf_mri.modeling.mri_files import replace_file
from hf_mri.modeling.mri_reading_run_length import decode_run_length, encode_run_length
from hf_mri.modeling.mri_scan_errors import ScanError

# Between slices. Not in the files, and not checked against a source: written from memory of the scanner's protocol.
# Volumes in mL hang on it; the competition's score does not, which counts a step to the next slice as 1.
SLICE_MM = 3.0
_SLICE = re.compile(
    r"slice_(?P<number>\d+)_(?P<width>\d+)_(?P<height>\d+)_(?P<column_mm>\d+\.\d+)_(?P<row_mm>\d+\.\d+)\.png"
)
_COLUMNS = ("id", "class", "segmentation")


def find_volumes(source: Path, entry: DatasetEntry) -> Source:
    """List the days of every case below a folder that holds `train.csv` (or has it beside)."""
    tables = sorted({*source.rglob("train.csv"), *source.parent.glob("train.csv")})
    if not tables:
        raise ScanError(source, "no train.csv in it or beside it", "give the folder that holds train and train.csv")
    masks = read_masks(tables[0], entry)
    days = list_days(source)
    if not days:
        raise ScanError(source, "no caseN/caseN_dayN/scans/slice_*.png in it")
    known = {f"{day}_{path.name[:10]}" for day, paths in days.items() for path in paths}
    lost = len(masks.keys() - known)
    findings = [f"{tables[0].name} lists {lost:,} slices whose image is not there"] if lost else []
    volumes = [
        Volume(name_volume(day), partial(read_day, day, paths, masks, entry)) for day, paths in sorted(days.items())
    ]
    return Source(entry, dict(entry.extra_columns), volumes, findings)


def name_volume(day: str) -> str:
    """case123/day20 of case123_day20."""
    return day.replace("_", "/", 1)


def list_days(source: Path) -> dict[str, list[Path]]:
    """List the slices of every `caseN/caseN_dayN/scans`, in order, by the day's name."""
    days: dict[str, list[Path]] = {}
    for path in sorted(source.rglob("slice_*.png")):
        days.setdefault(path.parent.parent.name, []).append(path)
    return days


def read_spacing(path: Path) -> tuple[float, float, float] | None:
    """Millimeters between rows, columns and slices, as a slice's name has them; None where it has none."""
    name = _SLICE.fullmatch(path.name)
    return None if name is None else (float(name["row_mm"]), float(name["column_mm"]), SLICE_MM)


def read_masks(table: Path, entry: DatasetEntry) -> dict[str, dict[str, str]]:
    """Read `train.csv` as id → class → run-length text.

    Raises:
        ValueError: a column is missing, a class is unknown, or a slice has a class twice.
    """
    masks: dict[str, dict[str, str]] = {}
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        missing = [column for column in _COLUMNS if column not in header]
        if missing:
            raise ScanError(table, f"column {missing[0]!r} is missing", f"it needs {', '.join(_COLUMNS)}")
        places = [header.index(column) for column in _COLUMNS]
        for line in reader:
            if len(line) < len(header):
                raise ScanError(table, f"line {reader.line_num} has {len(line)} of {len(header)} columns")
            name, organ, text = (line[place] for place in places)
            if organ not in entry.label2id:
                raise ScanError(table, f"line {reader.line_num}: class {organ!r} is not {', '.join(entry.label2id)}")
            if organ in masks.setdefault(name, {}):
                raise ScanError(table, f"line {reader.line_num}: {name} has {organ} twice")
            masks[name][organ] = text
    return masks


def read_day(
    day: str, paths: list[Path], masks: dict[str, dict[str, str]], entry: DatasetEntry
) -> Iterator[Row | BadFile]:
    """Read one day's slices in order; organ k is bit k of the mask, so organs may overlap."""
    for index, path in enumerate(paths):
        name = _SLICE.fullmatch(path.name)
        if name is None:
            yield BadFile(str(path), "its name is not slice_NUMBER_WIDTH_HEIGHT_SPACING_SPACING.png")
            continue
        slice_id = f"{day}_slice_{name['number']}"
        read = _read_slice(path, (int(name["height"]), int(name["width"])), masks.get(slice_id), slice_id, entry)
        if isinstance(read, BadFile):
            yield read
            continue
        yield make_row(
            *read,
            patient=day.split("_")[0],
            slice_index=index,
            volume=name_volume(day),
            spacing=read_spacing(path),
            file=str(path),
            day=day.split("_")[-1],
            slice_id=slice_id,
        )


def _read_slice(
    path: Path, shape: tuple[int, int], organs: dict[str, str] | None, slice_id: str, entry: DatasetEntry
) -> tuple[np.ndarray, np.ndarray] | BadFile:
    try:
        image = read_picture(path)
    except ScanError as error:
        return BadFile(error.path, error.explanation)
    if image.ndim != 2 or image.dtype == np.uint8:
        return BadFile(str(path), f"expected 16-bit gray, found {image.dtype} of shape {image.shape}")
    if image.shape != shape:
        found = f"{image.shape[1]}x{image.shape[0]}"
        return BadFile(str(path), f"its name says {shape[1]}x{shape[0]}, the picture is {found}")
    if organs is None:
        return BadFile(str(path), f"{slice_id} is not in train.csv")
    mask = np.zeros(shape, np.uint8)
    for organ, text in organs.items():
        try:
            mask |= decode_run_length(text, *shape).astype(np.uint8) << entry.label2id[organ]
        except ValueError as error:
            return BadFile(str(path), f"{organ} of {slice_id}: {error}")
    return image.astype(np.uint16), mask


def write_submission(path: str | Path, masks: Iterable[tuple[str, np.ndarray]], entry: DatasetEntry) -> None:
    """Write the competition's CSV (`id,class,predicted`).

    Args:
        path: the new file.
        masks: slice ids and masks (H, W) with organ k in bit k, as in the data set.
        entry: the data set's entry of the table.
    """

    def write(aside: Path) -> None:
        with aside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("id", "class", "predicted"))
            for name, mask in masks:
                for index, organ in entry.id2label.items():
                    writer.writerow((name, organ, encode_run_length(mask >> index & 1)))

    replace_file(Path(path), write)
