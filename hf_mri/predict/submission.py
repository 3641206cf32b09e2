"""Masks of the competition's own test folder as the `submission.csv` that its grader takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hf_mri.data.datasets_table import UW_MADISON
from hf_mri.data.layouts.uw_madison import list_days, read_spacing, write_submission
from hf_mri.modeling.mri_reader import Reader
from hf_mri.modeling.mri_scan_errors import ScanError


def submit(model: str | Path, source: str | Path, output: str | Path, engine: str = "auto") -> int:
    """Read every `caseN/caseN_dayN/scans` below a folder and write one line a slice and organ.

    Returns:
        How many slices were read.

    Raises:
        ValueError: the model does not outline the competition's organs, or there are no slices.
    """
    reader = Reader.from_pretrained(model, engine=engine)
    if missing := sorted(set(UW_MADISON.id2label.values()) - set(reader.foreground.values())):
        raise ValueError(f"{model}: does not outline {', '.join(missing)}; train one with --data of uw-madison")
    days = list_days(Path(source))
    if not days:
        raise ScanError(Path(source), "no caseN/caseN_dayN/scans/slice_*.png in it", "give the competition's folder")
    write_submission(output, _read_days(reader, days), UW_MADISON)
    return sum(len(paths) for paths in days.values())


def _read_days(reader: Reader, days: dict[str, list[Path]]) -> Iterator[tuple[str, np.ndarray]]:
    for day, paths in days.items():
        reading = reader(paths, spacing=read_spacing(paths[0]))
        for number, path in enumerate(paths):
            bits = [reading.masks[organ][number] * np.uint8(1 << bit) for bit, organ in UW_MADISON.id2label.items()]
            yield f"{day}_{path.name[:10]}", np.bitwise_or.reduce(bits)
