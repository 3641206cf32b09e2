"""The LGG set as Kaggle ships it: `kaggle_3m/PATIENT/PATIENT_N.tif` with `PATIENT_N_mask.tif`."""

from __future__ import annotations

import csv
import filecmp
import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hf_mri.data.datasets_table import DatasetEntry
from hf_mri.data.png import read_picture
from hf_mri.data.sources import BadFile, Row, Source, Volume, make_row
from hf_mri.modeling.mri_scan_errors import ScanError

_SLICE = re.compile(r"(?P<patient>.+)_(?P<number>\d+)\.tiff?", re.IGNORECASE)
_TABLE_COLUMNS = ("patient_id", "image_path", "mask_path", "mask")


class Pair(NamedTuple):
    """One slice: its number in the file name, its image and where its mask should be."""

    number: int
    image: Path
    mask: Path


def find_volumes(source: Path, entry: DatasetEntry) -> Source:
    """List the patients of a folder that holds `kaggle_3m`, of that folder, or of a `data_mask.csv` table."""
    findings: list[str] = []
    if source.is_file():
        pairs = _pairs_of_table(source)
        audit_table(source, findings)
        root = source.parent
    else:
        pairs = (_pair_of(path) for path in sorted(source.rglob("*.tif*")) if _is_image(path))
        root = source
        for table in sorted({*source.rglob("data_mask.csv"), *source.parent.glob("data_mask.csv")}):
            audit_table(table, findings)
    patients = _group_by_patient(pairs, findings)
    if not patients:
        raise ScanError(source, "no PATIENT/PATIENT_N.tif in it", "give the folder that holds kaggle_3m")
    clinical, columns = read_clinical(root, findings)
    extra = {patient: clinical.get(_case_of(patient), dict.fromkeys(columns)) for patient in patients}
    volumes = [Volume(name, partial(read_patient, name, pairs, extra[name])) for name, pairs in patients.items()]
    return Source(entry, {**entry.extra_columns, **dict.fromkeys(columns, "int32")}, volumes, findings)


def read_patient(patient: str, pairs: list[Pair], clinical: dict[str, int | None]) -> Iterator[Row | BadFile]:
    """Read a patient's slices in order, and mark whether a channel only repeats FLAIR in all of them."""
    slices = [(index, pair, _read_pair(pair)) for index, pair in enumerate(pairs)]
    images = [read[0] for _, _, read in slices if not isinstance(read, BadFile)]
    repeats = [bool(images) and all(np.array_equal(i[..., c], i[..., 1]) for i in images) for c in (0, 2)]
    for index, pair, read in slices:
        if isinstance(read, BadFile):
            yield read
            continue
        yield make_row(
            *read,
            patient=patient,
            site=patient.split("_")[1] if patient.startswith("TCGA_") else None,
            slice_index=index,
            volume=patient,
            file=str(pair.image),
            missing_pre=repeats[0],
            missing_post=repeats[1],
            **clinical,
        )


def _read_pair(pair: Pair) -> tuple[np.ndarray, np.ndarray] | BadFile:
    """Read and check one image and its mask."""
    if not pair.mask.exists():
        return BadFile(str(pair.image), f"its mask {pair.mask.name} is missing")
    try:
        image, mask = read_picture(pair.image), read_picture(pair.mask)
    except ScanError as error:
        return BadFile(error.path, error.explanation)
    if image.dtype != np.uint8 or image.ndim != 3:
        return BadFile(str(pair.image), f"expected 8 bits and 3 channels, found {image.dtype} of shape {image.shape}")
    if mask.ndim != 2 or mask.shape != image.shape[:2]:
        return BadFile(str(pair.mask), f"the mask is {mask.shape}, its image {image.shape[:2]}")
    if mask.dtype != np.uint8 or np.bincount(mask.ravel(), minlength=256)[2:255].any():
        return BadFile(str(pair.mask), "the mask holds values other than 0 and 255")
    return image, (mask > 0).astype(np.uint8)


def _is_image(path: Path) -> bool:
    return not path.stem.endswith("_mask") and _SLICE.fullmatch(path.name) is not None


def _pair_of(image: Path) -> Pair:
    number = int(_SLICE.fullmatch(image.name)["number"])
    return Pair(number, image, image.with_name(f"{image.stem}_mask{image.suffix}"))


def _group_by_patient(pairs: Iterator[Pair], findings: list[str]) -> dict[str, list[Pair]]:
    """Sort pairs by folder name and number; a pair that is found again elsewhere is taken once."""
    patients: dict[str, dict[int, Pair]] = {}
    twice = 0
    for pair in pairs:
        slices = patients.setdefault(pair.image.parent.name, {})
        first = slices.setdefault(pair.number, pair)
        if first is pair:
            continue
        if first.image != pair.image and not filecmp.cmp(first.image, pair.image, shallow=False):
            other = os.path.relpath(first.image, pair.image.parent)
            raise ScanError(pair.image, f"differs from {other}, which has the same name", "keep one of them")
        twice += 1
    if twice:
        findings.append(f"{twice} pairs were found twice and taken once (the Kaggle zip holds the tree twice)")
    return {patient: [slices[n] for n in sorted(slices)] for patient, slices in sorted(patients.items())}


def _pairs_of_table(table: Path) -> Iterator[Pair]:
    """The pairs that a `data_mask.csv` lists; its paths are relative to it or to a kaggle_3m beside it."""
    roots = [table.parent, *sorted(path for path in table.parent.rglob("kaggle_3m") if path.is_dir())]
    for row in _read_table(table):
        image = next((root / row["image_path"] for root in roots if (root / row["image_path"]).exists()), None)
        if image is None:
            raise ScanError(table, f"{row['image_path']} is neither beside it nor in a kaggle_3m beside it")
        match = _SLICE.fullmatch(image.name)
        if match is None:
            raise ScanError(table, f"{row['image_path']} is not named PATIENT_N.tif")
        yield Pair(int(match["number"]), image, image.parent / Path(row["mask_path"]).name)


def audit_table(table: Path, findings: list[str]) -> int:
    """Count the rows of a `data_mask.csv` whose patient_id is not the folder of their image, and say so."""
    rows = _read_table(table)
    wrong = sum(row["patient_id"] != Path(row["image_path"]).parent.name for row in rows)
    if wrong:
        findings.append(
            f"{table.name}: patient_id is wrong in {wrong:,} of {len(rows):,} rows (it names another patient than the "
            "image's folder); splitting by it would leak patients, so the folder's name is used"
        )
    return wrong


def _read_table(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [column for column in _TABLE_COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise ScanError(table, f"column {missing[0]!r} is missing", f"it needs {', '.join(_TABLE_COLUMNS)}")
        return list(reader)


def read_clinical(root: Path, findings: list[str]) -> tuple[dict[str, dict[str, int | None]], list[str]]:
    """Read the clinical `data.csv`, all of whose columns are numbers: case → column → number or None."""
    table = next(iter(sorted({*root.rglob("data.csv"), *root.parent.glob("data.csv")})), None)
    if table is None:
        findings.append("no data.csv: the clinical columns are left out")
        return {}, []
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if "Patient" not in (reader.fieldnames or ()):
            raise ScanError(table, "column 'Patient' is missing")
        columns = [column for column in reader.fieldnames if column != "Patient"]
        try:
            cases = {row["Patient"]: {c: int(row[c]) if row[c] else None for c in columns} for row in reader}
        except (ValueError, TypeError) as error:
            raise ScanError(table, f"not a table of whole numbers ({error})") from None
    return cases, columns


def _case_of(patient: str) -> str:
    """`TCGA_CS_4941_19960909` is case `TCGA_CS_4941` in data.csv."""
    return re.sub(r"_\d{8}$", "", patient)
