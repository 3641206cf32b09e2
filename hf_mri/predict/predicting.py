"""Read one scan or thousands, and write what is asked for of each, whole or not at all."""

import json
import logging
import os
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformers.utils.logging import disable_progress_bar

from hf_mri.modeling.mri_files import write_text
from hf_mri.modeling.mri_model_folder import find_folder
from hf_mri.modeling.mri_reader import Reader, best_device
from hf_mri.modeling.mri_reading import KINDS, Reading
from hf_mri.modeling.mri_scan_errors import ScanError
from hf_mri.predict.bids_derivatives import describe_derivative, name_folder, write_derivative
from hf_mri.predict.bids_sources import open_data_sets
from hf_mri.predict.scan_list import Job, Source, describe_work, identify_model, plan_jobs
from hf_mri.predict.summary import Row, describe_failure, describe_reading, write_summary
from hf_mri.reports.dicom_seg import write_dicom_seg
from hf_mri.reports.pictures import draw_montage, write_overlays
from hf_mri.reports.reading_page import write_html
from hf_mri.storage.outputs import RECORD, LocalOutput, Output, open_output
from hf_mri.storage.places import Place
from hf_mri.storage.processes import own_share

logger = logging.getLogger(__name__)

PICTURE_KINDS = ("overlays", "montage", "html")
ALL_KINDS = (*KINDS, *PICTURE_KINDS)
BIDS = "bids"  # in the place of all others: the output is then a BIDS derivative
DICOM_SEG = "dicom-seg"  # carries the patient's data of its images, so never without being asked for
WRITERS = 2  # threads that write while the model runs


@dataclass
class Outcome:
    """What became of the scans of a run, or of this process's share of them.

    Attributes:
        read: Folders of the scans that were read.
        skipped: Folders of those that were read before.
        failed: Why others could not be read, by name.
        summary: The table about all scans; None while other processes are still reading.
        rows: What stands in it.
    """

    read: list[Place] = field(default_factory=list)
    skipped: list[Place] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    summary: Place | None = None
    rows: list[Row] = field(default_factory=list)


def predict(
    sources: Sequence[Source],
    model: str,
    output: Place,
    only: Iterable[str] | None = None,
    engine: str = "auto",
    batch_size: int = 16,
    spacing: tuple[float, ...] | None = None,
    series: str | None = None,
    flips: bool = False,
    name: str | None = None,
    reader: Reader | None = None,
    sequences: Sequence[str] | None = None,
) -> Outcome:
    """Read scans and write `output/SCAN/…`, and `output/summary.parquet` with a row a scan.

    A scan that was read before, unchanged, by the same model with the same settings, is not read again. A scan that
    fails is reported, and the others go on. Of several processes (accelerate, torchrun, SLURM) each takes a share.

    Args:
        sources: Paths or addresses, or one of these a channel; a BIDS data set's folder stands for its scans.
        output: A folder, or an address.
        only: Of json, masks, nifti, rle, overlays, montage, html, by default all of these; and of dicom-seg. Or bids
            alone: the output is then a BIDS derivative.
        engine: What runs the networks: "auto", "torch" or "openvino".
        spacing: Millimeters between rows, columns and slices, where the files do not say.
        series: Of several DICOM series, the one to read.
        flips: Read each slice and its mirror image, and average.
        name: What outputs call the scan (further ones NAME-2, NAME-3, …) instead of its file's or folder's name.
        reader: The model where it is loaded already; `engine`, `batch_size` and `flips` are then its own.
        sequences: Of BIDS data sets, the files that become the channels, as `T1w` or `ce-*_T1w`; None are those that
            the model was trained on.
    """
    kinds = _check_kinds(only)
    revision = reader.revision if reader else _find_revision(model)
    settings = {
        "model": identify_model(model, revision),
        "engine": engine,
        "spacing": repr(spacing),
        "series": repr(series),
        "flips": repr(reader.flips if reader else flips),
    }
    store, share = open_output(output), own_share()
    sources = open_data_sets(sources, model, sequences, revision)
    if BIDS in kinds:
        if not isinstance(store, LocalOutput) or name is not None:
            raise ValueError("--only bids: needs a folder of this machine as output, and no --name")
        settings["layout"] = BIDS
        jobs = plan_jobs(sources, store, fixed=name_folder)
        describe_derivative(store.folder, sources[0], model)
    else:
        jobs = plan_jobs(sources, store, name)
    outcome, todo, rows = Outcome(), [], []
    for job in share.of(jobs):
        record = store.record(job.name)
        wanted = _missing_outputs(record, job, settings, kinds)
        if wanted:
            todo.append((job, wanted))
        else:
            outcome.skipped.append(store.place(job.name))
            rows.append((record or {}).get("summary") or {"scan": job.name, "status": "read"})
    if todo:
        options = {name: value for name, value in (("spacing", spacing), ("series", series)) if value is not None}
        disable_progress_bar()  # of loading weights: this run has its own
        reader = reader or Reader.from_pretrained(
            model, device=_own_device(), revision=revision, engine=engine, batch_size=batch_size, flips=flips
        )
        with _progress_bar(shown=share.rank == 0) as progress:
            rows += _read_all(reader, todo, store, settings, options, outcome, progress, renamed=name is not None)
    if written := write_summary(store, jobs, rows, share):
        outcome.summary, outcome.rows = written
    return outcome


def _read_all(
    reader: Reader,
    todo: Sequence[tuple[Job, list[str]]],
    store: Output,
    settings: dict[str, str],
    options: dict[str, Any],
    outcome: Outcome,
    progress: Progress,
    renamed: bool,
) -> list[Row]:
    """Read scans one after another, while threads write those before; a row a scan."""
    rows: list[Row] = []
    bar = progress.add_task("reading", total=len(todo), slices=0)
    writing: deque[tuple[Job, int, Future]] = deque()

    def fail(job: Job, error: Exception) -> None:
        message = " ".join(str(error).split()) or type(error).__name__
        outcome.failed[job.name] = message
        rows.append(describe_failure(job.name, getattr(error, "explanation", message)))
        # One line, which no terminal's width breaks.
        progress.console.print(f"hf-mri: {message}", markup=False, highlight=False, soft_wrap=True)

    def collect(job: Job, slices: int, future: Future) -> None:
        try:
            rows.append(future.result())
            outcome.read.append(store.place(job.name))
        except (ValueError, OSError, ImportError) as error:
            fail(job, error)
        progress.update(bar, advance=1, slices=progress.tasks[bar].fields["slices"] + slices)

    with ThreadPoolExecutor(WRITERS) as pool:
        readings = reader.batch([job.source for job, _ in todo], errors="yield", **options)
        for (job, wanted), reading in zip(todo, readings, strict=True):
            if isinstance(reading, ScanError):
                fail(job, reading)
                progress.advance(bar)
                continue
            if renamed:
                reading = replace(reading, source=job.name)
            future = pool.submit(write_reading, store, job, reading, wanted, settings)
            writing.append((job, len(reading.probability), future))
            while len(writing) > WRITERS:  # bounds the readings in memory
                collect(*writing.popleft())
        while writing:
            collect(*writing.popleft())
    return rows


def write_reading(store: Output, job: Job, reading: Reading, kinds: Iterable[str], settings: dict[str, str]) -> Row:
    """Write a reading into a folder aside, which then takes its place; return its row of the summary."""
    kinds, row = list(kinds), describe_reading(job.name, reading)
    with store.fill(job.name, begun=describe_work(job, settings, [], {})) as aside:
        if "overlays" in kinds:
            write_overlays(reading, aside / "overlays")
        if "montage" in kinds:
            draw_montage(reading).save(aside / "montage.png")
        if "html" in kinds:
            write_html(reading, aside / "report.html")
        if DICOM_SEG in kinds:
            write_dicom_seg(reading, aside)
        if BIDS in kinds:
            write_derivative(reading, job.source, aside)
        reading.save(aside, only=[kind for kind in kinds if kind in KINDS])
        write_text(aside / RECORD, json.dumps(describe_work(job, settings, kinds, row)))
    return row


def _check_kinds(only: Iterable[str] | None) -> list[str]:
    if only is None:
        if find_spec("nibabel") is None:
            logger.warning('no NIfTI is written: it needs nibabel; pip install "hf_mri[medical]"')
        return [kind for kind in ALL_KINDS if kind != "nifti" or find_spec("nibabel") is not None]
    kinds = list(dict.fromkeys(only))
    known = (*ALL_KINDS, DICOM_SEG, BIDS)
    unknown = [kind for kind in kinds if kind not in known]
    if unknown or not kinds:
        raise ValueError(f"--only: unknown {', '.join(unknown) or 'nothing'}; choose among {', '.join(known)}")
    if BIDS in kinds and len(kinds) > 1:
        raise ValueError("--only bids: stands alone, since the output is then a BIDS data set")
    volumes = [kind for kind in kinds if kind in ("nifti", BIDS)]
    if volumes and find_spec("nibabel") is None:
        raise ImportError(f'--only {volumes[0]}: needs nibabel; pip install "hf_mri[medical]"')
    if DICOM_SEG in kinds and find_spec("highdicom") is None:
        raise ImportError('--only dicom-seg: needs highdicom; pip install "hf_mri[medical]"')
    return kinds


def _find_revision(model: str) -> str | None:
    """The commit that a model on the Hub has now, or has in the cache without a network; None for a folder."""
    return None if Path(model).is_dir() else find_folder(model).name


def _missing_outputs(record: dict[str, Any] | None, job: Job, settings: dict[str, str], kinds: list[str]) -> list[str]:
    """What to write for a scan: nothing where all is there; what is there of the same reading is kept."""
    if record is None or record["scan"] != job.scan or record["settings"] != settings or not record["outputs"]:
        return kinds
    if set(kinds) <= set(record["outputs"]):
        return []
    return [kind for kind in (*ALL_KINDS, DICOM_SEG, BIDS) if kind in kinds or kind in record["outputs"]]


def _own_device() -> str:
    """The GPU of this process where several share the work."""
    device = best_device()
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and "LOCAL_RANK" in os.environ else device


def _progress_bar(shown: bool) -> Progress:
    console = Console(stderr=True)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("scans, {task.fields[slices]} slices"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal))
