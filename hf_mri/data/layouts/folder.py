"""Any images with masks: PNG, TIFF, NIfTI, DICOM; paired by name, or by a metadata.csv."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hf_mri.data.datasets_table import DatasetEntry
from hf_mri.data.sources import BadFile, Row, Source, Volume, make_row
from hf_mri.data.storable import to_storable
from hf_mri.modeling.mri_scan import Scan, read_scan
from hf_mri.modeling.mri_scan_errors import ScanError
from hf_mri.modeling.mri_scan_files import number_order

ENDINGS = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".nii", ".nii.gz", ".dcm")
MASK_WORDS = ("mask", "masks", "label", "labels", "gt", "seg")
_METADATA = ("patient", "site", "volume", "phase", "slice")


class Pair(NamedTuple):
    """One image file, its mask file, and what a metadata.csv says about them."""

    image: Path
    mask: Path
    about: dict[str, str]


def find_volumes(
    source: Path,
    entry: DatasetEntry,
    labels: Sequence[str] = ("lesion",),
    spacing: tuple[float, float, float] | None = None,
) -> Source:
    """Pair images with masks and sort them into volumes.

    A `metadata.csv` names the pairs (`file_name`, `mask_file_name`) and may say `patient`, `site`, `volume`, `phase`,
    `slice`; its other columns are kept as text. Without it, the mask of `X.png` is `X_mask.png` beside it, or `X.png`
    in a folder called `masks` beside the images' folder. The patient is then the name of the folder, or in one flat
    folder the file's name without its number (`P7_012.png` is patient P7).

    Args:
        source: the folder.
        entry: the table's entry for this layout, which the images found complete.
        labels: names of the mask's values 1, 2, …; masks of 0 and 255 have one label.
        spacing: millimeters between rows, columns and slices, for files that do not say.
    """
    table = source / "metadata.csv"
    pairs = _pairs_of_table(table) if table.exists() else _pairs_by_name(source)
    if not pairs:
        raise ScanError(source, "no image with a mask of the same name (or NAME_mask), and no metadata.csv")
    names = dict(enumerate(["background", *labels]))
    channels = _count_channels(pairs[0])
    entry = replace(
        entry, id2label=names, channels=("MR",) if channels == 1 else tuple(f"MR {i + 1}" for i in range(channels))
    )
    more = [column for column in pairs[0].about if column not in _METADATA]
    volumes: dict[str, list[Pair]] = {}
    for pair in sorted(pairs, key=lambda pair: (_volume_of(pair, source), number_order(pair.image))):
        volumes.setdefault(_volume_of(pair, source), []).append(pair)
    return Source(
        entry,
        dict.fromkeys(more, "string"),
        [
            Volume(name, partial(read_volume, name, members, source, entry, spacing))
            for name, members in volumes.items()
        ],
        [],
    )


def read_volume(
    volume: str,
    pairs: list[Pair],
    source: Path,
    entry: DatasetEntry,
    spacing: tuple[float, float, float] | None = None,
) -> Iterator[Row | BadFile]:
    """Read the files of one volume: one slice a file, or several from a NIfTI."""
    index = 0
    reads = [_read_pair(pair, entry) for pair in pairs]
    stored = _store_alike([read[0].slices for read in reads if not isinstance(read, BadFile)])
    for pair, read in zip(pairs, reads, strict=True):
        if isinstance(read, BadFile):
            index += 1
            yield read
            continue
        scan, masks = read
        slices = next(stored)
        about = dict(pair.about)
        given = {key: about.pop(key, None) or None for key in _METADATA}
        for offset, (image, mask) in enumerate(zip(slices, masks, strict=True)):
            yield make_row(
                image[..., 0] if image.shape[-1] == 1 else image,
                mask,
                patient=given["patient"] or _patient_of(pair.image, source),
                site=given["site"],
                phase=given["phase"],
                slice_index=int(given["slice"]) + offset if given["slice"] else index,
                volume=volume,
                spacing=_full_spacing(scan) or spacing,
                file=str(pair.image),
                **about,
            )
            index += 1


def _store_alike(scans: list[np.ndarray]) -> Iterator[np.ndarray]:
    """The files of one volume as they are stored: where values are rescaled, all by the same rule."""
    if scans:
        values, _ = to_storable(np.concatenate([slices.ravel() for slices in scans]))
        ends = np.cumsum([slices.size for slices in scans])
        yield from (part.reshape(s.shape) for part, s in zip(np.split(values, ends[:-1]), scans, strict=True))


def _read_pair(pair: Pair, entry: DatasetEntry) -> tuple[Scan, np.ndarray] | BadFile:
    """Read and check one image file and its mask: the scan, and masks (S, H, W) of label indices."""
    if not pair.mask.exists():
        return BadFile(str(pair.image), f"its mask {pair.mask.name} is missing")
    try:
        scan, mask = (read_scan(path, orientation=entry.orientation) for path in (pair.image, pair.mask))
    except ScanError as error:
        return BadFile(error.path, error.explanation)
    if mask.slices.shape[:3] != scan.slices.shape[:3]:
        return BadFile(str(pair.mask), f"the mask is {mask.slices.shape[:3]}, its image {scan.slices.shape[:3]}")
    affines = (scan.geometry.affine, mask.geometry.affine)
    if None not in [a if a is None else 0 for a in affines] and not np.allclose(*affines, atol=1e-3):
        return BadFile(str(pair.mask), "the mask's affine differs from its image's")
    if scan.slices.shape[-1] != entry.num_channels:
        return BadFile(str(pair.image), f"has {scan.slices.shape[-1]} channels, the first image {entry.num_channels}")
    values = mask.slices[..., 0]
    found = np.unique(values)
    if len(entry.id2label) == 2 and np.isin(found, (0, 255)).all():
        return scan, (values > 0).astype(np.uint8)
    if not np.isin(found, list(entry.id2label)).all():
        shown = ", ".join(f"{value:g}" for value in found[:6])
        return BadFile(str(pair.mask), f"the mask holds {shown}; name its labels 1, 2, … with --labels")
    return scan, values.astype(np.uint8)


def _pairs_by_name(source: Path) -> list[Pair]:
    files = {path for path in source.rglob("*") if path.is_file() and path.name.lower().endswith(ENDINGS)}
    images = sorted(path for path in files if not _is_mask(path, source))
    return [Pair(path, _mask_of(path, files, source), {}) for path in images]


def _pairs_of_table(table: Path) -> list[Pair]:
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        for column in ("file_name", "mask_file_name"):
            if column not in (reader.fieldnames or ()):
                raise ScanError(table, f"column {column!r} is missing", "it needs file_name and mask_file_name")
        rows = list(reader)
    root = table.parent
    return [Pair(root / row.pop("file_name"), root / row.pop("mask_file_name"), row) for row in rows]


def _is_mask(path: Path, source: Path) -> bool:
    return bool(re.search(r"_(mask|label|gt|seg)$", _stem(path))) or any(
        part.lower() in MASK_WORDS for part in path.relative_to(source).parts[:-1]
    )


def _mask_of(image: Path, files: set[Path], source: Path) -> Path:
    """The mask that belongs to an image; where there is none, the name that it should have."""
    stem = _stem(image)
    beside = [
        image.with_name(f"{stem}_{word}{ending}") for word in ("mask", "label", "gt", "seg") for ending in ENDINGS
    ]
    parents = [image.parent, *image.parent.parents]
    for parent in parents[: parents.index(source) + 1]:
        inner = image.relative_to(parent).parent
        places = [parent / word / inner for word in MASK_WORDS]
        if parent != source:  # images/P1/x.png and masks/P1/x.png
            places += [parent.parent / word / inner for word in MASK_WORDS]
        beside += [
            place / f"{name}{ending}" for place in places for name in (stem, f"{stem}_mask") for ending in ENDINGS
        ]
    return next((path for path in beside if path in files), beside[0])


def _stem(path: Path) -> str:
    return re.sub(r"\.(nii\.gz|[^.]+)$", "", path.name, flags=re.IGNORECASE)


def _patient_of(image: Path, source: Path) -> str:
    """The folder that an image lies in; in a flat folder the file's name without its number."""
    folders = [
        part for part in image.relative_to(source).parts[:-1] if part.lower() not in ("images", "image", "scans")
    ]
    return folders[0] if folders else re.sub(r"[_\- ]*(slice)?[_\- ]*\d+$", "", _stem(image)) or _stem(image)


def _volume_of(pair: Pair, source: Path) -> str:
    """Single slices of a patient form one volume; a file of many slices is one by itself."""
    if pair.about.get("volume"):
        return pair.about["volume"]
    patient = pair.about.get("patient") or _patient_of(pair.image, source)
    patient = f"{patient}/{pair.about['phase']}" if pair.about.get("phase") else patient
    whole = pair.image.name.lower().endswith((".nii", ".nii.gz"))
    return f"{patient}/{_stem(pair.image)}" if whole and _stem(pair.image) != patient else patient


def _count_channels(pair: Pair) -> int:
    count = read_scan(pair.image).slices.shape[-1]
    if count not in (1, 3):
        raise ScanError(pair.image, f"has {count} channels", "a slice has 1 or 3")
    return count


def _full_spacing(scan: Scan) -> tuple[Any, Any, Any] | None:
    """Spacing where all three lengths are known."""
    return scan.spacing if scan.spacing and None not in scan.spacing else None
