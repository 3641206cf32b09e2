"""BIDS: `sub-01[/ses-01]/anat/sub-01_FLAIR.nii.gz`, with masks in `derivatives/*/sub-01/anat` or beside the images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from hf_mri.data.bids_files import BidsFile, list_images, list_masks, pick, read_table
from hf_mri.data.datasets_table import DatasetEntry
from hf_mri.data.sources import BadFile, Row, Source, Volume, make_row
from hf_mri.data.storable import to_storable
from hf_mri.modeling.mri_scan import Scan, read_scan
from hf_mri.modeling.mri_scan_errors import ScanError
from hf_mri.modeling.mri_scan_files import innermost

PREFERRED = ("FLAIR", "T1w", "T2w")  # as the one channel, where nobody chose


def find_volumes(
    source: Path,
    entry: DatasetEntry,
    sequences: Sequence[str] = (),
    masks: str | None = None,
    labels: Sequence[str] = (),
) -> Source:
    """Pair the sequences of every scan that has a mask with it.

    Args:
        source: the data set's folder.
        entry: the table's entry for this layout, which what is found completes.
        sequences: one or three, which become the channels: `FLAIR`, `acq-3d_T1w`, `ce-*_T1w`.
        masks: which of a scan's masks, where it has several: `dseg`, `desc-lesion_mask`, `manual/dseg`.
        labels: names of the mask's values 1, 2, …, where no `dseg.tsv` names them.
    """
    root = source if any(source.glob("sub-*")) else innermost(source)
    images, wish = list_images(root), masks
    found = {scan: files for scan, files in list_masks(root).items() if scan in images}
    if not found:
        raise ScanError(source, "no sub-*/anat/*_dseg.nii.gz or *_mask.nii.gz in it or in its derivatives")
    wish = wish or _only_kind(source, found)
    chosen = {scan: mask for scan, files in found.items() if (mask := pick(files, wish, "--masks"))}
    if not chosen:
        raise ScanError(source, f"no mask is {wish}", f"name one of {', '.join(_list_kinds(found))} with --masks")
    findings = []
    if not sequences:
        sequences, findings = _choose_sequence(source, {scan: images[scan] for scan in chosen})
    if len(sequences) not in (1, 3):
        given = ", ".join(sequences)
        raise ScanError(
            source, f"{given} are {len(sequences)} channels", "name one sequence or three, one may come twice"
        )
    names = {scan: _name_values(mask, root, labels) for scan, mask in chosen.items()}
    known = dict.fromkeys(name for values in names.values() for name in values.values())
    entry = replace(entry, id2label=dict(enumerate(["background", *known])), channels=tuple(sequences))
    people = _read_people(root / "participants.tsv")
    volumes = []
    for scan, mask in chosen.items():
        files = [pick(images[scan], sequence, "--sequences") for sequence in sequences]
        about = people.get(scan.partition("/")[0], {})
        volumes.append(Volume(scan, partial(read_volume, scan, files, mask, names[scan], about, entry)))
    return Source(entry, dict(entry.extra_columns), volumes, findings)


def read_volume(
    scan: str,
    files: Sequence[BidsFile | None],
    mask: BidsFile,
    names: dict[int, str],
    about: dict[str, str | None],
    entry: DatasetEntry,
) -> Iterator[Row | BadFile]:
    """Read the sequences and the mask of one scan, which must lie on one grid."""
    paths = [file.path for file in files if file is not None]
    if len(paths) < len(files):
        missing = [name for name, file in zip(entry.channels, files, strict=True) if file is None]
        yield BadFile(str(mask.path), f"{scan} has this mask, but no {', '.join(missing)}")
        return
    try:
        scans = [read_scan(path, orientation=entry.orientation) for path in paths]
        outlines = read_scan(mask.path, orientation=entry.orientation)
    except ScanError as error:
        yield BadFile(error.path, error.explanation)
        return
    for path, image in zip(paths, scans, strict=True):
        if reason := _compare_grids(image, outlines):
            yield BadFile(str(path), reason)
            return
    stored = _index_labels(outlines.slices[..., 0], mask, names, entry)
    if isinstance(stored, BadFile):
        yield stored
        return
    channels = [to_storable(image.slices[..., 0])[0] for image in scans]
    slices = np.stack(channels, axis=-1) if len(channels) > 1 else channels[0]
    for index, (image, page) in enumerate(zip(slices, stored, strict=True)):
        yield make_row(
            image,
            page,
            patient=scan.partition("/")[0],
            slice_index=index,
            volume=scan,
            spacing=scans[0].spacing,
            file=f"{paths[0]} slice {index}",
            **about,
        )


def _only_kind(source: Path, found: dict[str, list[BidsFile]]) -> str:
    kinds = _list_kinds(found)
    if len(kinds) > 1:
        raise ScanError(source, f"has several kinds of masks: {', '.join(kinds)}", "choose one with --masks")
    return kinds[0]


def _list_kinds(found: dict[str, list[BidsFile]]) -> list[str]:
    return sorted({file.kind for files in found.values() for file in files})


def _choose_sequence(source: Path, images: dict[str, list[BidsFile]]) -> tuple[list[str], list[str]]:
    """Choose the one channel where nobody did: a sequence that every scan has. The second list says so."""
    counts = Counter(sequence for files in images.values() for sequence in {file.sequence for file in files})
    order = [*PREFERRED, *sorted(counts.keys() - set(PREFERRED))]
    common = [sequence for sequence in order if counts[sequence] == len(images)]
    if not common:
        have = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        raise ScanError(
            source, f"no sequence is in all {len(images)} scans with masks ({have})", "name it with --sequences"
        )
    others = ", ".join(sorted(counts))
    return common[:1], [f"the channel is {common[0]}; --sequences takes one or three of {others}"] * (len(counts) > 1)


def _name_values(mask: BidsFile, root: Path, labels: Sequence[str]) -> dict[int, str]:
    """Name the values of a mask: by hand, by its `dseg.tsv`, or by the name of a `…_mask`."""
    if labels:
        return dict(enumerate(labels, 1))
    if mask.suffix == "mask":
        return {1: mask.entities.get("label") or mask.entities.get("desc") or "lesion"}
    table = _find_table(mask, root)
    if table is None:
        return {1: "lesion"}
    try:
        values = {int(row["index"]): row["name"] for row in read_table(table, ("index", "name"))}
    except ValueError as error:
        raise ScanError(table, f"its indices are no whole numbers ({error})") from None
    return {value: name for value, name in sorted(values.items()) if value}


def _find_table(mask: BidsFile, root: Path) -> Path | None:
    """Find the nearest TSV, in a mask's folder or above, whose name asks for nothing that the mask's does not say."""
    for folder in mask.path.parents:
        for path in sorted(folder.glob("*dseg.tsv"), key=lambda path: -len(path.name)):
            asked = path.name.removesuffix(".tsv").split("_")[:-1]
            if set(asked) <= set(mask.path.name.split("_")):
                return path
        if folder == root:
            return None
    return None


def _compare_grids(image: Scan, outlines: Scan) -> str:
    """Say why an image and a mask do not lie on each other; nothing where they do."""
    if image.phases > 1:
        return f"has {image.phases} time points; give volumes"
    if image.slices.shape[-1] > 1:
        return "has colors; give a gray volume"
    fix = "resample both to one grid first, or choose other --sequences"
    if image.slices.shape[:3] != outlines.slices.shape[:3]:
        return f"has slices of shape {image.slices.shape[:3]}, its mask of {outlines.slices.shape[:3]}; {fix}"
    if not np.allclose(image.geometry.affine, outlines.geometry.affine, atol=1e-2):
        return f"lies elsewhere than its mask; {fix}"
    return ""


def _index_labels(
    values: np.ndarray, mask: BidsFile, names: dict[int, str], entry: DatasetEntry
) -> np.ndarray | BadFile:
    """A mask's values as indices of the data set's labels."""
    found = np.unique(values)
    if mask.suffix == "mask" and len(found[found != 0]) <= 1:  # 1, or 255
        found, values = found != 0, values != 0
    if not np.isin(found, [0, *names]).all():
        shown = ", ".join(f"{value:g}" for value in found[:6])
        return BadFile(str(mask.path), f"holds {shown}; name its values in a dseg.tsv, or 1, 2, … with --labels")
    stored = np.zeros(values.shape, np.uint8)
    for value, name in names.items():
        stored[values == value] = entry.label2id[name]
    return stored


def _read_people(table: Path) -> dict[str, dict[str, str | None]]:
    """Site and group by subject, as far as participants.tsv says them; nothing else of a person is taken."""
    if not table.is_file():
        return {}
    people = {}
    for row in read_table(table, ("participant_id",)):
        facts = {key.lower(): value for key, value in row.items() if key}
        people[row["participant_id"]] = {key: facts.get(key) or None for key in ("site", "group")}
    return people
