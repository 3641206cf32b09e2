"""The ACDC set: `patient001/patient001_frame01.nii.gz` with `_gt.nii.gz`, and `Info.cfg`, which names the phases."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hf_mri.data.datasets_table import DatasetEntry
from hf_mri.data.sources import BadFile, Row, Source, Volume, make_row
from hf_mri.data.storable import to_storable
from hf_mri.modeling.mri_scan_errors import ScanError
from hf_mri.modeling.mri_scan_nifti import read_nifti_file

PHASES = ("ED", "ES")


def find_volumes(source: Path, entry: DatasetEntry) -> Source:
    """List the ED and ES volumes of patient folders, of `training` or `testing`, or of the folder above them."""
    infos = sorted(source.rglob("Info.cfg"), key=lambda path: path.parent.name)
    if not infos:
        raise ScanError(source, "no Info.cfg in it", "give the folder that holds training, or patient folders")
    volumes: list[Volume] = []
    folders: dict[str, Path] = {}
    for info in infos:
        patient = info.parent.name
        if patient in folders:
            other = folders[patient].relative_to(source)
            raise ScanError(info.parent, f"{other} holds the same patient", "keep one of them")
        folders[patient] = info.parent
        facts = read_info(info)
        volumes += [Volume(f"{patient}/{p}", partial(read_phase, info.parent, p, facts, entry)) for p in PHASES]
    return Source(entry, dict(entry.extra_columns), volumes, [])


def read_info(path: Path) -> dict[str, Any]:
    """Read `Info.cfg`: `ED`, `ES`, `NbFrame` as whole numbers, `Height` and `Weight`, and `Group`.

    Raises:
        ValueError: a line that is not `key: value`, or ED or ES is missing or no number.
    """
    lines = [line.partition(":") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    facts: dict[str, Any] = {key.strip(): value.strip() for key, _, value in lines}
    try:
        frames = {key: int(facts[key]) for key in PHASES}
        return {
            **frames,
            "group": facts.get("Group"),
            "frames": int(facts["NbFrame"]) if "NbFrame" in facts else None,
            "height": float(facts["Height"]) if "Height" in facts else None,
            "weight": float(facts["Weight"]) if "Weight" in facts else None,
        }
    except KeyError as error:
        raise ScanError(path, f"has no line for {error.args[0]}", "it needs at least ED and ES") from None
    except ValueError as error:
        raise ScanError(path, str(error)) from None


def read_phase(folder: Path, phase: str, facts: dict[str, Any], entry: DatasetEntry) -> Iterator[Row | BadFile]:
    """Read one phase of a patient: its slices, or the one bad file that spoils the volume."""
    patient = folder.name
    stem = folder / f"{patient}_frame{facts[phase]:02d}"
    paths = [_with_ending(stem), _with_ending(stem.with_name(f"{stem.name}_gt"))]
    read = read_pair(*paths, entry)
    if isinstance(read, BadFile):
        yield read
        return
    slices, masks, spacing = read
    for index, (image, mask) in enumerate(zip(slices, masks, strict=True)):
        yield make_row(
            image,
            mask,
            patient=patient,
            slice_index=index,
            volume=f"{patient}/{phase}",
            phase=phase,
            spacing=spacing,
            file=f"{paths[0]} slice {index}",
            frame=facts[phase],
            **{key: facts[key] for key in ("group", "frames", "height", "weight")},
        )


def read_pair(
    image_path: Path, label_path: Path, entry: DatasetEntry
) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float] | None] | BadFile:
    """Read a NIfTI and its labels: slices (S, H, W) uint16, masks (S, H, W) uint8 and spacing."""
    for path in (image_path, label_path):
        if not path.exists():
            return BadFile(str(path), "the file is missing")
    try:
        image, label = (read_nifti_file(path, entry.orientation) for path in (image_path, label_path))
    except ScanError as error:
        return BadFile(error.path, error.explanation)
    if image.slices.shape != label.slices.shape:
        return BadFile(
            str(label_path), f"the labels are {label.slices.shape[:3]}, their image {image.slices.shape[:3]}"
        )
    same_place = np.allclose(image.geometry.affine, label.geometry.affine, atol=1e-3)
    if not same_place or not np.allclose(image.spacing or 0, label.spacing or 0, rtol=1e-3):
        return BadFile(str(label_path), "the labels' affine or spacing differs from their image's")
    values = np.unique(label.slices)
    if not np.isin(values, list(entry.id2label)).all():
        known = f"0 to {max(entry.id2label)}"
        return BadFile(str(label_path), f"labels {', '.join(f'{v:g}' for v in values)} where {known} are known")
    return to_storable(image.slices[..., 0])[0], label.slices[..., 0].astype(np.uint8), image.spacing


def _with_ending(stem: Path) -> Path:
    """The file with one of NIfTI's endings; the publisher's where there is none."""
    plain = stem.with_name(f"{stem.name}.nii")
    return plain if plain.exists() else stem.with_name(f"{stem.name}.nii.gz")
