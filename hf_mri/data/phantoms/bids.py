"""Synthetic heads as a BIDS data set: three sequences a subject, and a tumor's mask in `derivatives/manual`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from hf_mri.data.bids_files import BIDS_VERSION, DESCRIPTION
from hf_mri.data.phantoms.lgg import CEREBRUM, CEREBRUM_SLICES, SITES, SIZE, SPACING, draw_head
from hf_mri.data.phantoms.lgg import draw_scan as draw_scan  # the same heads
from hf_mri.data.sources import PHANTOM_MARK
from hf_mri.modeling.mri_scan_geometry import Geometry
from hf_mri.modeling.mri_scan_nifti import write_nifti_file

SEQUENCES = ("T1w", "FLAIR", "ce-gadolinium_T1w")  # in the order of the drawn channels


def write_patients(folder: Path, patients: int, seed: int, size: int | None, slices: int | None) -> dict[str, Any]:
    """Write `sub-001/anat/…` and `derivatives/manual/sub-001/anat/…`; return each subject's tumor in pixels."""
    truth, people = {}, ["participant_id\tsite"]
    side = size or SIZE
    pixel = SPACING[0] * SIZE / side
    spacing = (pixel, pixel, max(SPACING[2], pixel))  # slices lie along the coarsest axis
    for number in range(patients):
        rng = np.random.default_rng([seed, number])
        subject = f"sub-{number + 1:03d}"
        people.append(f"{subject}\t{SITES[int(rng.integers(len(SITES)))]}")
        images, masks = draw_head(rng, side, slices or CEREBRUM_SLICES, CEREBRUM)
        files = {f"{subject}/anat/{subject}_{name}": images[..., at] for at, name in enumerate(SEQUENCES)}
        files[mask := f"derivatives/manual/{subject}/anat/{subject}_label-tumor_mask"] = masks
        for name, volume in files.items():
            path = folder / f"{name}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_nifti_file(path, volume, Geometry((side, side, len(volume))), spacing)
        _write_json(folder / f"{mask}.json", {"Type": "Lesion", "Sources": [f"bids:raw:{next(iter(files))}.nii.gz"]})
        truth[subject] = {"slices": len(images), "lesion_pixels": int(masks.sum())}
    _describe(folder, people)
    return truth


def _describe(folder: Path, people: list[str]) -> None:
    """Write what makes the folders BIDS data sets."""
    name = "Synthetic heads with tumors"
    about = {
        "Name": name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "raw",
        "License": "Apache-2.0",
        "Authors": ["hf_mri"],
    }
    _write_json(folder / DESCRIPTION, about)
    _write_json(
        folder / "derivatives" / "manual" / DESCRIPTION,
        {
            "Name": f"{name}: the tumors as they were drawn",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "hf_mri", "Description": "its phantom generator"}],
            "DatasetLinks": {"raw": "../.."},
        },
    )
    for text, name in (
        ("\n".join(people), "participants.tsv"),
        ("Drawn by hf_mri's phantom generator. No patient was scanned for it.", "README"),
        (PHANTOM_MARK, ".bidsignore"),
    ):
        (folder / name).write_text(f"{text}\n", encoding="utf-8", newline="\n")


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
