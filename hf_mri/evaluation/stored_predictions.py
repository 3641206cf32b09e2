"""Out-of-fold predictions on disk: one small file a volume, written by training and read one at a time."""

import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hf_mri.modeling.mri_files import replace_file

# One byte a pixel: steps of 1/16 between -7.94 and 7.94, that is probabilities from 0.0004 to 0.9996. What lies beyond
# decides no threshold, and a background cut at one value compresses to almost nothing.
LOGIT_STEPS, LARGEST = 16, 127
FORMAT = 1
OVERLAPPING = "multi_label_classification"


@dataclass
class StoredCase:
    """What a model said about one volume before any threshold, and the truth; S slices, L foreground labels."""

    patient: str
    volume: str
    labels: tuple[str, ...]
    problem_type: str
    truth: np.ndarray  # bool (S, L, H, W)
    mask_logit: np.ndarray | None  # float (S, L, H, W) as `to_mask_logit` gives them; None for a classifier
    gate_logit: np.ndarray | None  # float (S,), logit of P(tumor) from the classifier; None for a segmenter
    slices: np.ndarray  # int (S,), position in the volume
    spacing: tuple[float, float, float] | None = None  # (row, column, slice) in mm
    columns: dict[str, Any] = field(default_factory=dict)  # site, phase, group, fold, clinical columns
    peak_logit: np.ndarray | None = None  # float (S,), highest mask logit; taken from mask_logit where not given

    def __post_init__(self) -> None:
        """Check the shapes against each other, so that a wrong array is refused where it was made."""
        if self.truth.ndim != 4 or self.truth.shape[1] != len(self.labels):
            raise ValueError(
                f"{self.volume}: truth has shape {self.truth.shape}, expected (slices, {len(self.labels)} labels, "
                "height, width)"
            )
        if self.mask_logit is None and self.gate_logit is None:
            raise ValueError(f"{self.volume}: neither mask_logit nor gate_logit is given, one of them is needed")
        if self.mask_logit is not None:
            if self.mask_logit.shape != self.truth.shape:
                raise ValueError(
                    f"{self.volume}: mask_logit has shape {self.mask_logit.shape}, the truth {self.truth.shape}; "
                    "resize the logits to the truth's size first"
                )
            if self.peak_logit is None:
                self.peak_logit = _find_peak(np.asarray(self.mask_logit, np.float32), self.problem_type)
        for name in ("gate_logit", "slices", "peak_logit"):
            values = getattr(self, name)
            if values is not None and np.shape(values) != (len(self.truth),):
                raise ValueError(f"{self.volume}: {name} has shape {np.shape(values)}, expected ({len(self.truth)},)")


def to_mask_logit(logits: np.ndarray, problem_type: str) -> np.ndarray:
    """Turn a segmenter's logits (S, labels, H, W) into one logit a foreground label.

    One label a pixel: the label against the background. Overlapping labels: as they are.
    """
    return logits if problem_type == OVERLAPPING else logits[:, 1:] - logits[:, :1]


def _find_peak(mask_logit: np.ndarray, problem_type: str) -> np.ndarray:
    """Find the logit (against everything else) of each slice's highest foreground probability, as (S,)."""
    if problem_type != OVERLAPPING and mask_logit.shape[1] > 1:
        # The label's share against the background and the other labels: its winner is the largest of them.
        best = mask_logit.max(axis=1, keepdims=True)
        others = np.exp(mask_logit - best).sum(axis=1, keepdims=True) - 1 + np.exp(-best)
        mask_logit = -np.log(np.maximum(others, 1e-30))
    return mask_logit.max(axis=(1, 2, 3))


def save_case(folder: str | Path, case: StoredCase) -> Path:
    """Write one volume's predictions into a fold's `predictions` folder, whole or not at all."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    meta = {
        "format": FORMAT,
        "patient": case.patient,
        "volume": case.volume,
        "labels": list(case.labels),
        "problem_type": case.problem_type,
        "shape": list(case.truth.shape),
        "spacing": None if case.spacing is None else [float(value) for value in case.spacing],
        "columns": case.columns,
    }
    arrays = {
        "meta": np.array(json.dumps(meta)),
        "truth": np.packbits(case.truth),
        "slices": np.asarray(case.slices, np.int32),
    }
    if case.mask_logit is not None:
        steps = np.clip(np.rint(np.asarray(case.mask_logit, np.float32) * LOGIT_STEPS), -LARGEST, LARGEST)
        if case.problem_type != OVERLAPPING:
            # Only the most probable label can win a pixel; the cut must not make two labels equal.
            best = case.mask_logit.argmax(axis=1, keepdims=True)
            steps = np.where(np.arange(len(case.labels))[:, None, None] == best, steps, -LARGEST - 1)
        arrays["mask_logit"] = steps.astype(np.int8)
        arrays["peak_logit"] = np.asarray(case.peak_logit, np.float32)
    if case.gate_logit is not None:
        arrays["gate_logit"] = np.asarray(case.gate_logit, np.float32)
    path = folder / f"{case.volume.replace('/', '__')}.npz"
    return replace_file(path, lambda aside: np.savez_compressed(aside, **arrays))


def load_case(path: str | Path) -> StoredCase:
    """Read one volume's predictions back; logits come as float32 in steps of 1/16."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        meta = json.loads(str(arrays["meta"]))
        if meta["format"] != FORMAT:
            raise ValueError(f"format {meta['format']}, expected {FORMAT}")
    except (KeyError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path}: not a file of stored predictions ({error}); write it anew with save_case"
        ) from error
    shape = tuple(meta["shape"])
    truth = np.unpackbits(arrays["truth"], count=int(np.prod(shape))).astype(bool).reshape(shape)
    mask_logit = arrays.get("mask_logit")
    return StoredCase(
        patient=meta["patient"],
        volume=meta["volume"],
        labels=tuple(meta["labels"]),
        problem_type=meta["problem_type"],
        truth=truth,
        mask_logit=None if mask_logit is None else mask_logit.astype(np.float32) / LOGIT_STEPS,
        gate_logit=arrays.get("gate_logit"),
        slices=arrays["slices"],
        spacing=None if meta["spacing"] is None else tuple(meta["spacing"]),
        columns=meta["columns"],
        peak_logit=arrays.get("peak_logit"),
    )


def find_cases(run: str | Path) -> dict[str, list[Path]]:
    """The stored predictions of a run by fold folder, in order; a run whose folds are not all there is refused."""
    run = Path(run)
    folds = sorted(run.glob("fold-*-of-*/predictions"), key=lambda folder: _fold_number(folder.parent.name))
    if not folds:
        raise ValueError(
            f"{run}: no fold-1-of-N/predictions folder; it must be the run folder of a finished cross-validation"
        )
    counts = sorted({int(folder.parent.name.rsplit("-", 1)[1]) for folder in folds})
    if len(counts) > 1:
        raise ValueError(
            f"{run}: holds folds of {counts[0]} and of {counts[1]}: patients would be judged twice; move one set away"
        )
    expected = counts[0]
    present = {_fold_number(folder.parent.name) for folder in folds}
    missing = sorted(set(range(1, expected + 1)) - present)
    if missing:
        raise ValueError(
            f"{run}: fold {missing[0]} of {expected} has no predictions; finish the cross-validation first"
        )
    cases = {folder.parent.name: sorted(folder.glob("*.npz")) for folder in folds}
    empty = [name for name, paths in cases.items() if not paths]
    if empty:
        raise ValueError(f"{run / empty[0]}: its predictions folder is empty; run this fold again")
    return cases


def load_cases(run: str | Path) -> Iterator[StoredCase]:
    """All out-of-fold cases of a run, one in memory at a time; each carries its fold in `columns["fold"]`."""
    for fold, paths in find_cases(run).items():
        for path in paths:
            case = load_case(path)
            case.columns["fold"] = fold
            yield case


def _fold_number(name: str) -> int:
    """The 2 of `fold-2-of-5`."""
    return int(name.split("-")[1])
