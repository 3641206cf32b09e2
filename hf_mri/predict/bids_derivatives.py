"""Readings as a BIDS derivative: `sub-01/anat/sub-01_desc-hfmri_dseg.nii.gz`, its labels, its measures."""

import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hf_mri.data.bids_files import BIDS_VERSION, DESCRIPTION, BidsFile, is_bids, read_name
from hf_mri.modeling.mri_files import write_text
from hf_mri.modeling.mri_reading import Reading, by_phase
from hf_mri.modeling.mri_scan_errors import ScanError
from hf_mri.modeling.mri_scan_nifti import write_nifti_file
from hf_mri.predict.scan_list import Source
from hf_mri.reports.headline import write_finding
from hf_mri.storage.outputs import RECORD
from hf_mri.tasks.registry import find_task

OURS = "desc-hfmri"
NOT_BIDS = (RECORD, "summary.parquet", ".summary/")  # what a run notes beside


def describe_derivative(folder: Path, source: Source, model: str) -> None:
    """Write what makes a folder a BIDS derivative of the data set that a scan belongs to."""
    root = _root_of(_files_of(source)[0])
    about = json.loads((root / DESCRIPTION).read_text(encoding="utf-8")) if is_bids(root) else {}
    name, link = about.get("Name", root.name), _link(root, about, folder)
    folder.mkdir(parents=True, exist_ok=True)
    description: dict[str, Any] = {
        "Name": f"{name}: outlines by {Path(model).name}",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "hf_mri", "Version": version("hf_mri"), "Description": f"model {Path(model).name}"}],
    }
    if link:
        description |= {"SourceDatasets": [link], "DatasetLinks": {"raw": next(iter(link.values()))}}
    write_text(folder / DESCRIPTION, json.dumps(description, indent=1) + "\n")
    write_text(folder / ".bidsignore", "\n".join(NOT_BIDS) + "\n")
    readme = (
        f"Outlines and measures by {Path(model).name}, a model of hf_mri, of: {name}.\n\n"
        "Research and teaching only: no diagnosis, no treatment may rest on them.\n"
    )
    write_text(folder / "README", readme)


def name_folder(source: Source) -> str:
    """The folder of a scan in a derivative: `sub-01`, or `sub-01/ses-02`."""
    return _files_of(source)[0].scan


def write_derivative(reading: Reading, source: Source, folder: Path) -> None:
    """Write the masks of one scan, on the grid of its first sequence, and their sidecar.

    Labels that exclude each other are values of one `dseg`, which a TSV names; labels that may overlap are masks.

    Args:
        folder: of the scan, which gets a folder of the images' kind, as `anat`.
    """
    if not reading.masks:
        raise ValueError(
            f"{name_folder(source)}: this model outlines nothing, and BIDS takes outlines; use --only json"
        )
    files = _files_of(source)
    place, stem = folder / files[0].path.parent.name, _common_name(files)
    place.mkdir()
    if reading.overlapping:
        for label, mask in reading.masks.items():
            word = "".join(letter for letter in label if letter.isalnum())
            _write_volume(place / f"{stem}_label-{word}_{OURS}_mask.nii.gz", mask, reading)
        sidecar = place / f"{stem}_{OURS}_mask.json"  # of all of them: what it does not name, it holds for
    else:
        values = np.zeros(next(iter(reading.masks.values())).shape, np.uint8)
        for index, mask in enumerate(reading.masks.values(), 1):
            values[mask] = index
        _write_volume(place / f"{stem}_{OURS}_dseg.nii.gz", values, reading)
        write_text(place / f"{stem}_{OURS}_dseg.tsv", _name_labels(reading.masks))
        sidecar = place / f"{stem}_{OURS}_dseg.json"
    facts = reading.to_dict()
    sources = [f"bids:raw:{file.path.relative_to(_root_of(file)).as_posix()}" for file in files]
    about = {
        "Description": write_finding(facts),
        "Manual": False,
        "Sources": sources,
        "SpatialReference": sources[0],
        "Reading": facts,
    }
    write_text(sidecar, json.dumps(about, indent=1) + "\n")


def _write_volume(path: Path, values: np.ndarray, reading: Reading) -> None:
    write_nifti_file(path, by_phase(values, reading.phases), reading.geometry, reading.spacing)


def _name_labels(labels: Mapping[str, Any]) -> str:
    known = find_task(labels).labels
    rows = [
        f"{index}\t{label}\t{known[label].color if label in known else 'n/a'}" for index, label in enumerate(labels, 1)
    ]
    return "\n".join(["index\tname\tcolor", *rows]) + "\n"


def _common_name(files: list[BidsFile]) -> str:
    """What the names of all sequences say, without what a description of ours replaces."""
    entities = dict(files[0].entities)
    for key, value in files[0].entities.items():
        if key in ("desc", "label") or any(file.entities.get(key) != value for file in files):
            del entities[key]
    return "_".join(f"{key}-{value}" for key, value in entities.items())


def _files_of(source: Source) -> list[BidsFile]:
    """What the names of a scan's files say.

    Raises:
        ScanError: one is not named as BIDS wants it.
    """
    places = list(source.values()) if isinstance(source, dict) else [source]
    files = []
    for place in places:
        file = read_name(Path(place))
        if file is None:
            raise ScanError(str(place), "is not named by the rules of BIDS", "--only bids takes BIDS data sets")
        files.append(file)
    return files


def _root_of(file: BidsFile) -> Path:
    """The data set's folder: above the subject's."""
    return file.path.parents[2 if "ses" not in file.entities else 3]


def _link(root: Path, about: dict[str, Any], folder: Path) -> dict[str, str]:
    """Where the scans lie: above their derivative, or where they were published; other folders are not told."""
    if folder.resolve().is_relative_to(root.resolve()):
        return {"URL": Path(os.path.relpath(root.resolve(), folder.resolve())).as_posix()}
    doi = about.get("DatasetDOI", "").removeprefix("doi:")
    return {"DOI": f"doi:{doi}"} if doi else {}
