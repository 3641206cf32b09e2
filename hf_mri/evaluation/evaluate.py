"""Evaluation: a model over a data set, a run's stored predictions, or any cases; one computation behind all three."""

import json
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from hf_mri.evaluation.cases import Case, CaseRow, reduce_case
from hf_mri.evaluation.contracts import Metrics
from hf_mri.evaluation.kept_rows import Collected, KeptRows
from hf_mri.evaluation.protocols import (
    BUDA_NOTE,
    BUDA_THRESHOLDS,
    PROTOCOLS,
    STORED_PROTOCOLS,
    prepare_like_buda,
    score_like_buda,
)
from hf_mri.evaluation.read_cases import Stopwatch, describe_engine, describe_model, identify_reader, read_cases
from hf_mri.evaluation.stored_predictions import load_cases
from hf_mri.evaluation.summary import summarize_rows
from hf_mri.evaluation.threshold_table import tabulate_case
from hf_mri.evaluation.thresholds import apply_thresholds, choose_from_tables
from hf_mri.evaluation.training_overlap import SeenCheck, read_training
from hf_mri.evaluation.trust import estimate_out_of_fold
from hf_mri.evaluation.truth_volumes import TruthVolume, open_volumes
from hf_mri.evaluation.worst import choose_worst
from hf_mri.storage.outputs import open_output
from hf_mri.storage.places import as_place
from hf_mri.storage.processes import own_share

Progress = Callable[[int], None]
Observer = Callable[[Case, CaseRow], None]  # sees each volume with its scores, as the pictures of the worst ones need


def evaluate_predictions(
    cases: Iterable[Case], protocol: str, observe: Observer | None = None, **facts: Any
) -> Metrics:
    """Evaluate predictions that are already there.

    Args:
        cases: volumes with truth and prediction; each is reduced at once, so an iterator costs no memory.
        protocol: name of the protocol.
        observe: called with each volume and its scores, such as `hf_mri.reports.WorstCases().consider`.
        **facts: `data`, `model`, `engine`, `seen`, `notes`, `classes`: see `summarize_rows`.

    Returns:
        What metrics.json holds.
    """
    rows = [_reduce(case, observe) for case in cases]
    return summarize_rows(rows, protocol=protocol, **facts)


def evaluate_model(
    model: Any,
    data: str | Path,
    *,
    layout: str | None = None,
    split: str = "test",
    protocol: str = "patients",
    observe: Observer | None = None,
    allow_seen: bool = False,
    progress: Progress | None = None,
    kept_in: str | Path | None = None,
    **reader_options: Any,
) -> Metrics | None:
    """Read every volume of a data set as `predict` would, and judge the readings.

    Args:
        model: a bundle's folder, its name on the Hub, or a `Reader`.
        data: an imported data set, or with `layout` a publisher's folder, of which every patient is evaluated.
        layout: one of `hf_mri.data.datasets_table.LAYOUTS`.
        split: of a data set.
        protocol: `patients`, `slices-leaky` or `buda`.
        observe: called with each volume and its scores, such as `hf_mri.reports.WorstCases().consider`. Of volumes
            that an earlier run or another process read, only the lowest are shown to it.
        allow_seen: mark patients that the model was trained on instead of failing.
        progress: called with the number of slices after each portion.
        kept_in: folder or address that keeps each volume's scores until all are there, so that a killed run goes on,
            and several processes (accelerate, torchrun, SLURM) share the volumes.
        **reader_options: of `Reader.from_pretrained`: engine, precision, device, flips, trust_remote_code.

    Returns:
        What metrics.json holds; None where other processes are still reading.

    Raises:
        ValueError: unknown protocol, nothing to read, or a patient that the model has seen.
    """
    if protocol not in PROTOCOLS or protocol in STORED_PROTOCOLS:
        raise ValueError(f"protocol {protocol!r} does not read scans; choose among patients, slices-leaky, buda")
    from hf_mri.modeling.mri_reader import Reader

    reader = model if isinstance(model, Reader) else Reader.from_pretrained(model, **reader_options)
    if protocol == "buda":
        reader = reader.with_thresholds(**BUDA_THRESHOLDS)
    training = read_training(reader.config.name_or_path, reader.revision)
    seen = SeenCheck(training, allowed=allow_seen or protocol == "slices-leaky")
    notes = [BUDA_NOTE] if protocol == "buda" else []
    if training is None:
        notes.append(
            "The model does not say whom it was trained on: nobody can tell whether these patients are new to it."
        )
    stored = protocol if protocol == "slices-leaky" else None
    with open_volumes(data, layout, split, stored) as source:
        kept = None
        if kept_in is not None:
            settings = (identify_reader(reader), source.data, split, protocol)
            kept = KeptRows(open_output(as_place(kept_in)), settings, source.names, own_share())

        def judge(names: Collection[str], clock: Stopwatch) -> Iterator[CaseRow]:
            prepare = prepare_like_buda if protocol == "buda" else lambda volume: volume
            volumes = map(prepare, _checked(source.read(names), seen))
            for case in read_cases(reader, volumes, clock, finish=score_like_buda if protocol == "buda" else None):
                yield _reduce(case, observe)

        clock, rows = Stopwatch(), []
        for row in judge(source.names if kept is None else kept.missing(), clock):
            rows.append(row)
            if kept is not None:
                kept.add(row, seen.found.get(row.volume))
            if progress:
                progress(len(row.truth))
        collected = Collected(rows, seen.found, clock, sum(len(row.truth) for row in rows))
        if kept is not None:
            kept.note_time(collected)
            if (everything := kept.collect()) is None:
                return None
            unobserved = choose_worst(everything.rows) - {row.volume for row in rows}
            if observe and unobserved:
                deque(judge(unobserved, Stopwatch()), maxlen=0)
            collected = everything
            seen.found = collected.seen
        return summarize_rows(
            collected.rows,
            protocol=protocol,
            data=source.data,
            model=describe_model(reader),
            engine=describe_engine(reader, collected.clock.seconds, collected.slices),
            seconds_without_gate=collected.clock.seconds_without,
            seen=seen.report(),
            notes=notes + source.findings,
            classes=source.entry.slice_labels,
        )


def evaluate_folds(
    run: str | Path,
    protocol: str = "cross-validation",
    observe: Observer | None = None,
    largest_component: bool | None = None,
    **facts: Any,
) -> Metrics:
    """Judge a run's out-of-fold predictions; each fold's thresholds are chosen on the other folds.

    Args:
        run: folder with `fold-1-of-N/predictions`.
        protocol: `cross-validation` or `leave-one-site-out`.
        observe: called with each volume and its scores, such as `hf_mri.reports.WorstCases().consider`.
        largest_component: keep only the largest 3-D component of a label; None does as the folds' models do.
        **facts: `data`, `model`, `notes`, `classes`: see `summarize_rows`.
    """
    if protocol not in STORED_PROTOCOLS:
        raise ValueError(f"protocol {protocol!r} takes no run of folds; choose among {', '.join(STORED_PROTOCOLS)}")
    if largest_component is None:
        largest_component = read_largest_component(run)
    tables = [tabulate_case(case, largest_component) for case in load_cases(run)]
    folds = list(dict.fromkeys(table.fold for table in tables))
    thresholds = {
        fold: choose_from_tables([table for table in tables if table.fold != fold])
        | {"largest_component": largest_component}
        for fold in folds
    }

    def judge() -> Iterator[Case]:
        for case in load_cases(run):
            yield from apply_thresholds([case], thresholds[case.columns["fold"]])

    note = (
        "Out-of-fold predictions: every patient was read by a model that had not seen it, with thresholds that were "
        "chosen on the other folds."
    )
    facts["notes"] = [note, *facts.get("notes", [])]
    rows = estimate_out_of_fold([_reduce(case, observe) for case in judge()])
    return summarize_rows(rows, protocol=protocol, **facts)


def read_largest_component(run: str | Path) -> bool:
    """Whether the models of a run's folds keep only the largest component, as their bundles say."""
    configs = [
        json.loads(path.read_text(encoding="utf-8")) for path in Path(run).glob("fold-*-of-*/bundle/config.json")
    ]
    found = {bool((config.get("segmenter") or config).get("largest_component")) for config in configs}
    if len(found) > 1:
        raise ValueError(f"{run}: only some folds keep the largest component; train all folds with the same options")
    return found.pop() if found else False


def _reduce(case: Case, observe: Observer | None) -> CaseRow:
    row = reduce_case(case)
    if observe is not None:
        observe(case, row)
    return row


def _checked(volumes: Iterator[TruthVolume], seen: SeenCheck) -> Iterator[TruthVolume]:
    for volume in volumes:
        seen.check(volume)
        yield volume
