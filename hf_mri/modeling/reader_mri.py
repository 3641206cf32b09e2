"""`Reader`: a scan in, a reading out; many scans in, batches shared between them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import snapshot_download
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForSemanticSegmentation,
    PreTrainedModel,
)

from .appearance_mri import describe_doubts
from .config_checks_mri import BACKGROUND, MULTI_LABEL
from .decision_mri import decide_stage, keep_largest_component, passes_gate, slice_probability, thresholds_of
from .engine_mri import Engine, MirroringEngine, load_engine
from .geometry_mri import ScanError
from .queues_mri import Queues, Work, is_done
from .reading_mri import Reading
from .scan_mri import Scan, read_scan

BESIDE_WEIGHTS = ["config.json", "export.json", "openvino/*", "onnx/*"]  # graphs for faster engines
READ_AHEAD = 3  # batches of slices that are read before the model asks for them


class Reader:
    """Reads scans with one model.

    Args:
        model: a slice classifier, a segmenter, or both in one (two stages).
        processor: the model's `MriImageProcessor`.
        engine: "auto", "torch", or an engine object.
        dtype: "auto" computes in 16 bits where the device is fast at it.
        batch_size: slices that go through the model at once.
        keep_probabilities: True segments every slice and keeps the probability of each pixel, so that `Reading.at` can
            move any threshold; "segmented" keeps those of slices that pass the gate, and `look_further` adds others.
        flips: read each slice and its mirror image, and average: twice the time, answers that are a little steadier.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        processor: Any,
        engine: str | Engine = "auto",
        dtype: str | torch.dtype = "auto",
        batch_size: int = 16,
        keep_probabilities: bool | str = False,
        folder: str | Path | None = None,
        flips: bool = False,
    ):
        if batch_size < 1:
            raise ValueError(f"batch_size {batch_size}: must be at least 1")
        if keep_probabilities not in (True, False, "segmented"):
            raise ValueError(f"keep_probabilities {keep_probabilities!r}: must be True, False or 'segmented'")
        self.config = model.config
        self.revision = getattr(model.config, "_commit_hash", None)
        self.processor = processor
        if isinstance(engine, str):
            engine = load_engine(model, engine, dtype, folder or self.config.name_or_path or None)
        self.engine = MirroringEngine(engine) if flips else engine
        self.flips = flips
        self.batch_size = batch_size
        self.keep_probabilities = keep_probabilities
        self.overlapping = self.config.problem_type == MULTI_LABEL
        self.foreground = {}
        if self.engine.segment is not None:  # with one label a pixel, label 0 is the background, whatever its name
            first = 0 if self.overlapping else 1
            labels = {index: self.config.id2label[index] for index in range(first, len(self.config.id2label))}
            self.foreground = {index: label for index, label in labels.items() if label != BACKGROUND}

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        device: str | torch.device | None = None,
        trust_remote_code: bool = False,
        revision: str | None = None,
        **options: Any,
    ) -> Reader:
        """Load a model with its processor from a folder or the Hub.

        Args:
            device: where to compute; the GPU if there is one.
            trust_remote_code: run the code beside the weights, where this package is not installed.
            **options: of `Reader`: engine, dtype, batch_size, keep_probabilities, flips.
        """
        folder = find_folder(name_or_path, revision)
        if folder != Path(name_or_path):  # one commit for code, weights and graphs, whatever is pushed meanwhile
            revision = folder.name
        where = {"trust_remote_code": trust_remote_code, "revision": revision}
        config = AutoConfig.from_pretrained(name_or_path, **where)
        auto = AutoModelForSemanticSegmentation
        if config.model_type == "mri_slice_classifier":
            auto = AutoModelForImageClassification
        model = auto.from_pretrained(name_or_path, **where)
        processor = AutoImageProcessor.from_pretrained(name_or_path, **where)
        reader = cls(model.to(device or best_device()), processor, folder=folder, **options)
        reader.revision = revision
        return reader

    def read_scan(self, source: Any, **options: Any) -> Scan:
        """`read_scan` with the channels and the orientation that the model was trained with."""
        processor = self.processor
        return read_scan(
            source, **{"num_channels": processor.num_channels, "orientation": processor.orientation} | options
        )

    def __call__(self, source: Any, **options: Any) -> Reading:
        """Read one scan.

        Args:
            source: whatever `read_scan` takes, or a `Scan`.
            **options: of `read_scan`: spacing, series.
        """
        return next(self.batch([self.read_scan(source, **options)]))

    def batch(self, scans: Iterable[Any], errors: str = "raise", **options: Any) -> Iterator[Reading | ScanError]:
        """Read many scans, in order; the next ones are read and decoded while the model runs.

        Args:
            errors: "raise" stops at the first scan that fails; "yield" puts its ScanError in its place.
            **options: of `read_scan`, for every scan.
        """
        if errors not in ("raise", "yield"):
            raise ValueError(f"errors {errors!r}: must be 'raise' or 'yield'")
        waiting: deque[Work | ScanError] = deque()
        queues = Queues(self)
        for work in self._read_ahead(scans, options):
            if isinstance(work, ScanError) and errors == "raise":
                raise work
            waiting.append(work)
            if isinstance(work, Work):
                queues.add(work)
            if sum(len(work) for work in waiting if isinstance(work, Work)) > READ_AHEAD * self.batch_size:
                queues.flush()  # bounds what waits for a batch to fill up
            while waiting and is_done(waiting[0]):
                yield self._finish(waiting.popleft())
        queues.flush()
        while waiting:
            yield self._finish(waiting.popleft())

    def look_further(self, reading: Reading, gate_threshold: float) -> Reading:
        """Segment the slices that another gate threshold lets in and that were not segmented yet, and only these.

        Args:
            reading: of this model, with its scan and with kept probabilities.
            gate_threshold: the threshold of the reading that comes back.
        """
        unseen = reading.unseen(gate_threshold)
        if len(unseen):
            if reading.foreground_probability is None or reading.scan is None:
                raise ValueError("look_further: needs a reading of a Reader(…, keep_probabilities='segmented')")
            work = self._prepare(reading.scan, {})
            work.gate_logit, work.mask_logit = reading.gate_logit, reading.mask_logit.copy()
            work.foreground_probability = {
                label: kept.copy() for label, kept in reading.foreground_probability.items()
            }
            queues = Queues(self)
            queues.segment[tuple(work.pixel_values.shape[1:])] = [(work, int(index)) for index in unseen]
            queues.flush()
            reading = replace(reading, mask_logit=work.mask_logit, foreground_probability=work.foreground_probability)
        return reading.at(gate_threshold=gate_threshold)

    def _read_ahead(self, scans: Iterable[Any], options: dict[str, Any]) -> Iterator[Work | ScanError]:
        """Prepare scans in threads, a few batches of slices ahead of the model."""
        futures: deque[Future] = deque()
        sources = iter(scans)
        ahead = 2  # scans; more once it shows that they are single slices, so that memory stays flat
        pool = ThreadPoolExecutor(max_workers=max(1, min(4, os.cpu_count() or 1)))
        try:
            while True:
                futures.extend(
                    pool.submit(self._prepare, source, options)
                    for source in islice(sources, max(0, ahead - len(futures)))
                )
                if not futures:
                    return
                work = futures.popleft().result()
                if isinstance(work, Work):
                    ahead = max(2, READ_AHEAD * self.batch_size // len(work))
                yield work
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _prepare(self, source: Any, options: dict[str, Any]) -> Work | ScanError:
        """Read one scan and make it ready for the model."""
        try:
            scan = self.read_scan(source, **options)
            slices, warnings = self._match_channels(scan)
        except ScanError as error:
            return error
        except ImportError as error:  # a library for this format is missing: the others can still be read
            return ScanError(str(error))
        count = scan.slices_per_phase
        volume_ids = [index // count for index in range(len(slices))]
        try:
            batch = self.processor(
                list(slices),
                volume_ids=volume_ids,
                spacings=[scan.spacing] * len(slices),
                share_neighbors=True,
                return_tensors="pt",
            )
        except ValueError as error:
            return ScanError(f"{scan.source}: {error}")
        warnings += self._warn_of_spacing(scan) + describe_doubts(scan.slices)
        return Work(scan, batch["pixel_values"], warnings, self)

    def _warn_of_spacing(self, scan: Scan) -> list[str]:
        """Say that a scan without spacing is taken to be on the model's grid, where the model has one."""
        wanted = getattr(self.processor, "pixel_spacing", None)
        if wanted is None or scan.spacing is not None:
            return []
        return [
            f"the scan does not say its pixel spacing: taken as {wanted:g} mm, the model's own; give the spacing, or "
            "expect worse outlines"
        ]

    def _match_channels(self, scan: Scan) -> tuple[np.ndarray, list[str]]:
        """Repeat a gray scan for a model of several channels, and take one channel where all are the same."""
        wanted, slices = self.processor.num_channels, scan.slices
        given = slices.shape[-1]
        if given == wanted:
            return slices, []
        if given == 1:
            return np.repeat(slices, wanted, axis=-1), [
                f"the scan has one channel, the model {wanted}: repeated; expect less than with all {wanted}"
            ]
        if wanted == 1 and bool((slices == slices[..., :1]).all()):
            return slices[..., :1], []
        raise ScanError(
            f"{scan.source}: has {given} channels, the model takes {wanted}; give the channels of its training"
        )

    def _finish(self, work: Work | ScanError) -> Reading | ScanError:
        if isinstance(work, ScanError):
            return work
        scan, thresholds = work.scan, thresholds_of(self.config)
        passed = passes_gate(work.gate_logit, thresholds["gate_threshold"], len(work))
        if self.engine.segment is None:
            passed[:] = False
        mask_logit = None if work.mask_logit is None else np.where(passed, work.mask_logit, np.nan)
        if thresholds["largest_component"]:
            for mask in work.masks.values():
                keep_largest_component(mask, scan.phases)
        return Reading(
            probability=slice_probability(work.gate_logit, mask_logit, thresholds),
            stage=decide_stage(work.masks, passed),
            masks=work.masks,
            spacing=scan.spacing,
            geometry=scan.geometry,
            source=scan.source,
            phases=scan.phases,
            warnings=[*scan.warnings, *work.warnings],
            model={
                "id": self.config.name_or_path or None,
                "revision": self.revision,
                "engine": self.engine.name,
                "precision": self.engine.precision,
                **({"flips": True} if self.flips else {}),
            },
            thresholds=thresholds,
            gate_logit=work.gate_logit,
            mask_logit=work.mask_logit,
            foreground_probability=work.foreground_probability,
            overlapping=self.overlapping,
            scan=scan,
        )


def find_folder(name_or_path: str | Path, revision: str | None = None) -> Path:
    """Return a model's folder; of a model on the Hub the cached one, named by its commit, with exported graphs."""
    folder = Path(name_or_path)
    if folder.is_dir():
        if not (folder / "config.json").exists():
            fix = f"give {folder / 'bundle'}" if (folder / "bundle").is_dir() else "give a folder with config.json"
            raise OSError(f"{name_or_path}: holds no model; {fix}")
        return folder
    if folder.is_absolute() or len(folder.parts) != 2:
        raise OSError(f"{name_or_path}: no such folder; give one that holds a model, or a Hub id such as user/model")
    return Path(snapshot_download(str(name_or_path), revision=revision, allow_patterns=BESIDE_WEIGHTS))


def best_device() -> str:
    """The fastest device of this machine."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
