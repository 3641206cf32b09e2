"""Rows of an evaluation on disk until its report is there: a killed run loses nothing, and processes can share it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import quote

import numpy as np

from hf_mri.evaluation.cases import CaseRow, LabelRow
from hf_mri.evaluation.read_cases import Stopwatch
from hf_mri.evaluation.scores.lesions import LesionCounts
from hf_mri.evaluation.scores.surfaces import SurfaceScores
from hf_mri.evaluation.training_overlap import Seen
from hf_mri.storage.outputs import Output
from hf_mri.storage.processes import Share

FOLDER = ".rows"
TIMES = "times"
ARRAYS = {field.name for field in fields(CaseRow) if "ndarray" in str(field.type)}
LABEL_ARRAYS = {field.name for field in fields(LabelRow) if "ndarray" in str(field.type)}


@dataclass(frozen=True)
class Collected:
    """The rows of an evaluation, in the order of its volumes."""

    rows: list[CaseRow]
    seen: dict[str, Seen]
    clock: Stopwatch
    slices: int  # that were read in the clock's time


class KeptRows:
    """The rows of one evaluation in its output.

    Args:
        output: of the evaluation.
        settings: whatever makes its rows what they are; rows of other settings are not taken for these.
        names: of all volumes.
        share: this process's.
    """

    def __init__(self, output: Output, settings: Any, names: Sequence[str], share: Share) -> None:
        key = hashlib.sha256(repr((settings, list(names))).encode()).hexdigest()[:16]
        self.output, self.names, self.share = output, list(names), share
        self.folder = f"{FOLDER}/{key}"

    def missing(self) -> list[str]:
        """This process's volumes that have no row yet."""
        there = self.output.list(self.folder)
        return [name for name in self.share.of(self.names) if self._file(name) not in there]

    def add(self, row: CaseRow, seen: Seen | None) -> None:
        """Keep a volume's row."""
        content = {"row": asdict(row), "seen": seen}
        self.output.write(f"{self.folder}/{self._file(row.volume)}", json.dumps(content, default=_to_plain).encode())

    def note_time(self, own: Collected) -> None:
        """Keep what this process's reading took, unless it found nothing left to read."""
        if not own.rows:
            return
        clock = own.clock
        times = {"seconds": clock.seconds, "seconds_without": clock.seconds_without, "slices": own.slices}
        name = f"{self.folder}/{TIMES}-{self.share.rank + 1}-of-{self.share.count}"
        self.output.write(name, json.dumps(times).encode())

    def collect(self) -> Collected | None:
        """All rows; None where some are missing still, or another process has collected them already."""
        there = self.output.list(self.folder)
        files = {name: self._file(name) for name in self.names}
        if not set(files.values()) <= there:
            return None
        contents = {name: self.output.read(f"{self.folder}/{file}") for name, file in files.items()}
        times = [self.output.read(f"{self.folder}/{file}") for file in sorted(there) if file.startswith(f"{TIMES}-")]
        if None in contents.values() or None in times:
            return None
        rows = {name: json.loads(content or b"") for name, content in contents.items()}
        took = [json.loads(content or b"") for content in times]
        clock = Stopwatch()
        clock.seconds = sum(part["seconds"] for part in took)
        without = [part["seconds_without"] for part in took if part["seconds_without"] is not None]
        clock.seconds_without = sum(without) if without else None
        return Collected(
            rows=[_to_row(content["row"]) for content in rows.values()],
            seen={name: Seen(*content["seen"]) for name, content in rows.items() if content["seen"]},
            clock=clock,
            slices=sum(part["slices"] for part in took),
        )

    def _file(self, name: str) -> str:
        return f"{quote(name, safe='')}.json"


def _to_plain(value: Any) -> Any:
    """What json does not know: arrays and numbers of numpy, and days."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def _to_row(plain: dict[str, Any]) -> CaseRow:
    labels = {label: _to_label_row(part) for label, part in plain["labels"].items()}
    spacing = plain["spacing"] and tuple(plain["spacing"])
    return CaseRow(**(_with_arrays(plain, ARRAYS) | {"labels": labels, "spacing": spacing}))


def _to_label_row(plain: dict[str, Any]) -> LabelRow:
    parts = {"surfaces": SurfaceScores(**plain["surfaces"]), "lesions": LesionCounts(**plain["lesions"])}
    return LabelRow(**(_with_arrays(plain, LABEL_ARRAYS) | parts))


def _with_arrays(plain: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: np.asarray(value) if name in names and value is not None else value for name, value in plain.items()}
