"""Evaluation: a model over a data set, a run's stored predictions, or any cases; one computation behind all three."""

import copy
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from hf_mri.evaluation.cases import Case, CaseRow, reduce_case
from hf_mri.evaluation.predictions import load_cases
from hf_mri.evaluation.protocols import (
    BUDA_NOTE,
    BUDA_THRESHOLDS,
    PROTOCOLS,
    STORED_PROTOCOLS,
    prepare_like_buda,
    score_like_buda,
)
from hf_mri.evaluation.seen import SeenCheck, read_training
from hf_mri.evaluation.summary import summarize_rows
from hf_mri.evaluation.threshold_table import tabulate_case
from hf_mri.evaluation.thresholds import apply_thresholds, choose_from_tables
from hf_mri.evaluation.volumes import TruthVolume, open_volumes
from hf_mri.evaluation.worst import WorstCases
from hf_mri.modeling.reading_mri import slice_probability

logger = logging.getLogger(__name__)

# Volumes are read in portions of about this many slices: enough to fill batches, little enough to stay flat.
PORTION = 128

Progress = Callable[[int], None]


def evaluate_predictions(
    cases: Iterable[Case], protocol: str, output: str | Path | None = None, **facts: Any
) -> dict[str, Any]:
    """Evaluate predictions that are already there.

    Args:
        cases: volumes with truth and prediction; each is reduced at once, so an iterator costs no memory.
        protocol: name of the protocol.
        output: folder for metrics.json, report.html and plots; None writes nothing.
        **facts: `data`, `model`, `engine`, `seen`, `notes`, `classes`: see `summarize_rows`.

    Returns:
        What metrics.json holds.
    """
    worst = WorstCases()
    rows = [_reduce(case, worst) for case in cases]
    return _write(summarize_rows(rows, protocol=protocol, **facts), worst, output)


def evaluate_model(
    model: Any,
    data: str | Path,
    *,
    layout: str | None = None,
    split: str = "test",
    protocol: str = "patients",
    output: str | Path | None = None,
    allow_seen: bool = False,
    progress: Progress | None = None,
    **reader_options: Any,
) -> dict[str, Any]:
    """Read every volume of a data set as `predict` would, and judge the readings.

    Args:
        model: a bundle's folder, its name on the Hub, or a `Reader`.
        data: an imported data set, or with `layout` a publisher's folder, of which every patient is evaluated.
        layout: `lgg`, `acdc`, `uw-madison` or `folder`.
        split: of a data set.
        protocol: `patients`, `slices-leaky` or `buda`.
        output: folder for metrics.json, report.html and plots; None writes nothing.
        allow_seen: mark patients that the model was trained on instead of failing.
        progress: called with the number of slices after each portion.
        **reader_options: of `Reader.from_pretrained`: engine, dtype, device, trust_remote_code.

    Raises:
        ValueError: unknown protocol, nothing to read, or a patient that the model has seen.
    """
    if protocol not in PROTOCOLS or protocol in STORED_PROTOCOLS:
        raise ValueError(f"protocol {protocol!r} does not read scans; choose among patients, slices-leaky, buda")
    from hf_mri.modeling.reader_mri import Reader

    reader = copy.copy(model) if isinstance(model, Reader) else Reader.from_pretrained(model, **reader_options)
    if protocol == "buda":
        reader.config = _with_thresholds(reader.config, **BUDA_THRESHOLDS)
    training = read_training(reader.config.name_or_path)
    seen = SeenCheck(training, allowed=allow_seen or protocol == "slices-leaky")
    notes = [BUDA_NOTE] if protocol == "buda" else []
    if training is None:
        notes.append(
            "The model does not say whom it was trained on: nobody can tell whether these patients are new to it."
        )
    worst, clock = WorstCases(), Stopwatch()
    stored = protocol if protocol == "slices-leaky" else None
    with open_volumes(data, layout, split, stored) as source:
        notes += source.findings
        prepare = prepare_like_buda if protocol == "buda" else lambda volume: volume
        volumes = map(prepare, _checked(source.volumes, seen))
        cases = _read_cases(reader, volumes, clock, finish=score_like_buda if protocol == "buda" else None)
        rows = []
        for case in cases:
            rows.append(_reduce(case, worst))
            if progress:
                progress(len(case.probability))
        metrics = summarize_rows(
            rows,
            protocol=protocol,
            data=source.data,
            model=_describe_model(reader),
            engine=_describe_engine(reader, clock.seconds, sum(len(row.truth) for row in rows)),
            seconds_without_gate=clock.seconds_without,
            seen=seen.report(),
            notes=notes,
            classes=source.entry.slice_labels,
        )
    return _write(metrics, worst, output)


def evaluate_folds(
    run: str | Path, protocol: str = "cross-validation", output: str | Path | None = None, **facts: Any
) -> dict[str, Any]:
    """Judge a run's out-of-fold predictions; each fold's thresholds are chosen on the other folds.

    Args:
        run: folder with `fold-1-of-N/predictions`.
        protocol: `cross-validation` or `leave-one-site-out`.
        output: folder for metrics.json, report.html and plots; None writes nothing.
        **facts: `data`, `model`, `notes`, `classes`: see `summarize_rows`.
    """
    if protocol not in STORED_PROTOCOLS:
        raise ValueError(f"protocol {protocol!r} takes no run of folds; choose among {', '.join(STORED_PROTOCOLS)}")
    tables = [tabulate_case(case) for case in load_cases(run)]
    folds = list(dict.fromkeys(table.fold for table in tables))
    thresholds = {fold: choose_from_tables([table for table in tables if table.fold != fold]) for fold in folds}

    def judge() -> Iterator[Case]:
        for case in load_cases(run):
            yield from apply_thresholds([case], thresholds[case.columns["fold"]])

    note = (
        "Out-of-fold predictions: every patient was read by a model that had not seen it, with thresholds that were "
        "chosen on the other folds."
    )
    facts["notes"] = [note, *facts.get("notes", [])]
    return evaluate_predictions(judge(), protocol, output, **facts)


class Stopwatch:
    """Seconds that the reading took, and that it takes with every slice segmented."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.seconds_without: float | None = None


def _reduce(case: Case, worst: WorstCases) -> CaseRow:
    row = reduce_case(case)
    worst.consider(case, row)
    return row


def _checked(volumes: Iterator[TruthVolume], seen: SeenCheck) -> Iterator[TruthVolume]:
    for volume in volumes:
        seen.check(volume)
        yield volume


def _portions(volumes: Iterator[TruthVolume], slices: int = PORTION) -> Iterator[list[TruthVolume]]:
    """Gather volumes until there are enough slices to fill batches."""
    portion: list[TruthVolume] = []
    for volume in volumes:
        portion.append(volume)
        if sum(len(part.images) for part in portion) >= slices:
            yield portion
            portion = []
    if portion:
        yield portion


def _read_cases(
    reader: Any, volumes: Iterator[TruthVolume], clock: Stopwatch, finish: Callable[[dict], dict] | None
) -> Iterator[Case]:
    """Read volumes portion by portion, with the gate and, for its comparison, without."""
    two_stages = reader.engine.gate is not None and reader.engine.segment is not None
    open_reader = copy.copy(reader)
    if two_stages:
        open_reader.config = _with_thresholds(reader.config, gate_threshold=0.0)
        clock.seconds_without = 0.0
    warm = False
    for portion in _portions(volumes):
        scans = [_make_scan(reader, volume) for volume in portion]
        if not warm:  # the first batches of a process pay for memory and code that the others find ready
            list(islice(open_reader.batch(scans), 1))
            warm = True
        start = time.perf_counter()
        readings = list(reader.batch(scans))
        clock.seconds += time.perf_counter() - start
        without: list[Any] = [None] * len(readings)
        if two_stages:
            start = time.perf_counter()
            without = list(open_reader.batch(scans))
            clock.seconds_without += time.perf_counter() - start
        for volume, reading, ungated in zip(portion, readings, without, strict=True):
            yield _make_case(volume, reading, ungated, finish)


def _make_scan(reader: Any, volume: TruthVolume) -> Any:
    """Hand a stored volume to the Reader as an array (S, H, W, C)."""
    images = volume.images if volume.images.ndim == 4 else volume.images[..., None]
    spacing = None if volume.spacing is None else [step for step in volume.spacing if step is not None]
    return reader.read_scan(images, spacing=spacing if spacing and len(spacing) > 1 else None)


def _make_case(volume: TruthVolume, reading: Any, ungated: Any, finish: Callable[[dict], dict] | None) -> Case:
    """Put a reading beside its truth."""
    predicted = reading.masks or None
    masks_without = None if ungated is None else ungated.masks
    if finish:
        predicted = predicted and finish(predicted)
        masks_without = masks_without and finish(masks_without)
    decision = reading.positive
    if predicted:
        decision = np.any([mask.any(axis=(1, 2)) for mask in predicted.values()], axis=0)
    return Case(
        patient=volume.patient,
        volume=volume.volume,
        truth=volume.truth,
        decision=decision,
        probability=reading.probability,
        thresholds=reading.thresholds,
        predicted=predicted,
        spacing=volume.spacing,
        gate_probability=None if ungated is None else slice_probability(reading.gate_logit, None, reading.thresholds),
        passed=None if ungated is None else reading.stage != "gate",
        ungated=masks_without,
        columns=volume.columns,
        images=volume.images,
    )


def _with_thresholds(config: Any, **thresholds: float) -> Any:
    """A copy of a config with other thresholds; those that it does not have are left out."""
    changed = copy.deepcopy(config)
    for name, value in thresholds.items():
        if hasattr(changed, name):
            setattr(changed, name, value)
    return changed


def _describe_model(reader: Any) -> dict[str, Any]:
    name = reader.config.name_or_path
    described = {
        "name": Path(name).resolve().name if Path(name).exists() else name,
        "model_type": reader.config.model_type,
        "problem_type": reader.config.problem_type,
    }
    network = getattr(reader.engine, "model", None)
    if network is not None:
        described["parameters"] = sum(parameter.numel() for parameter in network.parameters())
    return described


def _describe_engine(reader: Any, seconds: float, slices: int) -> dict[str, Any]:
    import torch

    return {
        "name": reader.engine.name,
        "precision": reader.engine.precision,
        "device": reader.engine.device,
        "threads": torch.get_num_threads(),
        "seconds": seconds,
        "slices_per_second": slices / seconds,
    }


def _write(metrics: dict[str, Any], worst: WorstCases, output: str | Path | None) -> dict[str, Any]:
    if output is not None:
        from hf_mri.evaluation.report import write_report

        write_report(metrics, worst.sort(), Path(output))
    return metrics
