"""Read one scan or thousands, and write what is asked for of each, whole or not at all."""

import logging
import os
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformers.utils.logging import disable_progress_bar

from hf_mri.modeling.mri_files import folder_aside
from hf_mri.modeling.mri_model_folder import find_folder
from hf_mri.modeling.mri_reader import Reader, best_device
from hf_mri.modeling.mri_reading import KINDS, Reading
from hf_mri.modeling.mri_scan_errors import ScanError
from hf_mri.predict.scan_list import Job, Source, identify_model, plan_jobs, read_record, write_record
from hf_mri.reports.dicom_seg import write_dicom_seg
from hf_mri.reports.pictures import draw_montage, write_overlays
from hf_mri.reports.reading_page import write_html

logger = logging.getLogger(__name__)

PICTURE_KINDS = ("overlays", "montage", "html")
ALL_KINDS = (*KINDS, *PICTURE_KINDS)
DICOM_SEG = "dicom-seg"  # carries the patient's data of its images, so never without being asked for
WRITERS = 2  # threads that write while the model runs


@dataclass
class Outcome:
    """What became of the scans of a run."""

    read: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def predict(
    sources: Sequence[Source],
    model: str,
    output: Path,
    only: Iterable[str] | None = None,
    engine: str = "auto",
    batch_size: int = 16,
    spacing: tuple[float, ...] | None = None,
    series: str | None = None,
    flips: bool = False,
    name: str | None = None,
    reader: Reader | None = None,
) -> Outcome:
    """Read scans and write `output/SCAN/…`.

    A scan that was read before, unchanged, by the same model with the same settings, is not read again. A scan that
    fails is reported, and the others go on. Under `accelerate launch` each process takes its share.

    Args:
        only: Of json, masks, nifti, rle, overlays, montage, html, by default all of these; and of dicom-seg.
        engine: What runs the networks: "auto", "torch" or "openvino".
        spacing: Millimeters between rows, columns and slices, where the files do not say.
        series: Of several DICOM series, the one to read.
        flips: Read each slice and its mirror image, and average.
        name: What outputs call the scan (further ones NAME-2, NAME-3, …) instead of its file's or folder's name.
        reader: The model where it is loaded already; `engine`, `batch_size` and `flips` are then its own.
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
    outcome, todo = Outcome(), []
    rank, processes = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    for job in plan_jobs(sources, output, name)[rank::processes]:
        wanted = _missing_outputs(job, settings, kinds)
        if wanted:
            todo.append((job, wanted))
        else:
            outcome.skipped.append(job.folder)
    if not todo:
        return outcome
    disable_progress_bar()  # of loading weights: this run has its own
    options = {name: value for name, value in (("spacing", spacing), ("series", series)) if value is not None}
    reader = reader or Reader.from_pretrained(
        model, device=_own_device(), revision=revision, engine=engine, batch_size=batch_size, flips=flips
    )
    output.mkdir(parents=True, exist_ok=True)
    with _progress_bar() as progress, ThreadPoolExecutor(WRITERS) as pool:
        bar = progress.add_task("reading", total=len(todo), slices=0)
        writing: deque[tuple[Job, Reading, Future]] = deque()

        def collect(job: Job, reading: Reading, future: Future) -> None:
            try:
                outcome.read.append(future.result())
            except (ValueError, OSError, ImportError) as error:
                _report(progress, outcome, job, error)
            progress.update(bar, advance=1, slices=progress.tasks[bar].fields["slices"] + len(reading.probability))

        readings = reader.batch([job.source for job, _ in todo], errors="yield", **options)
        for (job, wanted), reading in zip(todo, readings, strict=True):
            if isinstance(reading, ScanError):
                _report(progress, outcome, job, reading)
                progress.advance(bar)
                continue
            if name is not None:
                reading = replace(reading, source=job.folder.name)
            writing.append((job, reading, pool.submit(write_reading, job, reading, wanted, settings)))
            while len(writing) > WRITERS:  # bounds the readings in memory
                collect(*writing.popleft())
        while writing:
            collect(*writing.popleft())
    return outcome


def write_reading(job: Job, reading: Reading, kinds: Iterable[str], settings: dict[str, str]) -> Path:
    """Write a reading into a folder aside, which then takes its place."""
    kinds = list(kinds)
    with folder_aside(job.folder) as aside:
        if "overlays" in kinds:
            write_overlays(reading, aside / "overlays")
        if "montage" in kinds:
            draw_montage(reading).save(aside / "montage.png")
        if "html" in kinds:
            write_html(reading, aside / "report.html")
        if DICOM_SEG in kinds:
            write_dicom_seg(reading, aside)
        reading.save(aside, only=[kind for kind in kinds if kind in KINDS])
        write_record(aside, job, settings, kinds)
    return job.folder


def _check_kinds(only: Iterable[str] | None) -> list[str]:
    if only is None:
        if find_spec("nibabel") is None:
            logger.warning('no NIfTI is written: it needs nibabel; pip install "hf_mri[medical]"')
        return [kind for kind in ALL_KINDS if kind != "nifti" or find_spec("nibabel") is not None]
    kinds = list(dict.fromkeys(only))
    known = (*ALL_KINDS, DICOM_SEG)
    unknown = [kind for kind in kinds if kind not in known]
    if unknown or not kinds:
        raise ValueError(f"--only: unknown {', '.join(unknown) or 'nothing'}; choose among {', '.join(known)}")
    if "nifti" in kinds and find_spec("nibabel") is None:
        raise ImportError('--only nifti: needs nibabel; pip install "hf_mri[medical]"')
    if DICOM_SEG in kinds and find_spec("highdicom") is None:
        raise ImportError('--only dicom-seg: needs highdicom; pip install "hf_mri[medical]"')
    return kinds


def _find_revision(model: str) -> str | None:
    """The commit that a model on the Hub has now, or has in the cache without a network; None for a folder."""
    return None if Path(model).is_dir() else find_folder(model).name


def _missing_outputs(job: Job, settings: dict[str, str], kinds: list[str]) -> list[str]:
    """What to write for a scan: nothing where all is there; what is there of the same reading is kept."""
    record = read_record(job.folder)
    if record is None or record["scan"] != job.scan or record["settings"] != settings:
        return kinds
    if set(kinds) <= set(record["outputs"]):
        return []
    return [kind for kind in (*ALL_KINDS, DICOM_SEG) if kind in kinds or kind in record["outputs"]]


def _own_device() -> str:
    """The GPU of this process where several share the work."""
    device = best_device()
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and "LOCAL_RANK" in os.environ else device


def _progress_bar() -> Progress:
    console = Console(stderr=True)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("scans, {task.fields[slices]} slices"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _report(progress: Progress, outcome: Outcome, job: Job, error: Exception) -> None:
    """Say in one line, which no terminal's width breaks, why a scan failed."""
    message = " ".join(str(error).split()) or type(error).__name__
    outcome.failed[job.folder.name] = message
    progress.console.print(f"hf-mri: {message}", markup=False, highlight=False, soft_wrap=True)
