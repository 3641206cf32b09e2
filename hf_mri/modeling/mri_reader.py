"""`Reader`: a scan in, a reading out; many scans in, batches shared between them."""

from __future__ import annotations

import copy
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import torch
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForSemanticSegmentation,
    PreTrainedModel,
)

from .mri_engine import Engine, MirroringEngine, TorchEngine
from .mri_engine_choice import load_engine
from .mri_model_checks import BACKGROUND, MULTI_LABEL
from .mri_model_folder import find_folder
from .mri_model_weights import has_weights_of
from .mri_reader_attention import find_attention_of_scan
from .mri_reader_batches import KEEP, Network, Queues, Work, is_done
from .mri_reading import Reading
from .mri_reading_decisions import decide_stage, keep_largest_component, slice_probability, thresholds_of
from .mri_scan import Scan, read_scan
from .mri_scan_doubts import describe_doubts
from .mri_scan_errors import MissingLibraryError, ScanError
from .mri_trust import load_trust
from .mri_trust_scans import choose_slices, describe_slices

READ_AHEAD = 3  # batches of slices that are read before the model asks for them


class Reader:
    """Reads scans with one model.

    Args:
        model: a slice classifier, a segmenter, or both in one (two stages).
        processor: the model's `MriImageProcessor`.
        engine: "auto", "torch", or an engine object.
        precision: "auto" computes in 16 bits where the device is fast at it; or "float32", "bfloat16", "float16".
        batch_size: slices that go through the model at once.
        keep: the probability of each pixel, so that `Reading.at` can move thresholds: of "all" slices, which are then
            all segmented, of those that "passed" the gate (`look_further` adds others), or of "nothing".
        flips: read each slice and its mirror image, and average: twice the time, answers that are a little steadier.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        processor: Any,
        engine: str | Engine = "auto",
        precision: str | torch.dtype = "auto",
        batch_size: int = 16,
        keep: str = "nothing",
        folder: str | Path | None = None,
        flips: bool = False,
    ):
        if batch_size < 1:
            raise ValueError(f"batch_size {batch_size}: must be at least 1")
        if keep not in KEEP:
            raise ValueError(f"keep {keep!r}: must be one of {', '.join(KEEP)}")
        self.config = model.config
        self.revision = getattr(model.config, "_commit_hash", None)
        self.processor = processor
        folder = folder or self.config.name_or_path or None
        if folder is not None and not has_weights_of(model, folder):
            folder = None  # trained since it was loaded: what lies there is about another model
        if isinstance(engine, str):
            engine = load_engine(model, engine, precision, folder)
        self.gate = getattr(model, "gate", None)  # with an engine of one's own only the config is asked for
        self.trust = load_trust(folder)
        self.engine = MirroringEngine(engine) if flips else engine
        self.flips = flips
        self.batch_size = batch_size
        self.keep = keep
        self._other_thresholds: dict[str, float] = {}
        self.overlapping = self.config.problem_type == MULTI_LABEL
        self.foreground = {}
        if self.engine.segment is not None:  # with one label a pixel, label 0 is the background, whatever its name
            first = 0 if self.overlapping else 1
            labels = {index: self.config.id2label[index] for index in range(first, len(self.config.id2label))}
            self.foreground = {index: label for index, label in labels.items() if label != BACKGROUND}

    def with_thresholds(self, **thresholds: float) -> Reader:
        """The same reader, engine included, with other thresholds; those that its model does not have are left out."""
        other = copy.copy(self)
        known = {name: value for name, value in thresholds.items() if hasattr(self.config, name)}
        other._other_thresholds = self._other_thresholds | known
        return other

    @property
    def thresholds(self) -> dict[str, float]:
        """Those of the model's config, or those that were given in their place."""
        return thresholds_of(self.config) | self._other_thresholds

    @property
    def _network(self) -> Network:
        return Network(
            engine=self.engine,
            processor=self.processor,
            foreground=self.foreground,
            problem_type=self.config.problem_type,
            overlapping=self.overlapping,
            thresholds=self.thresholds,
            keep=self.keep,
            batch_size=self.batch_size,
            judged=self.trust.confidence is not None,
        )

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
            **options: of `Reader`: engine, precision, batch_size, keep, flips.
        """
        folder = find_folder(name_or_path, revision)
        if folder != Path(name_or_path):  # one commit for code, weights and graphs, whatever is pushed meanwhile
            revision = folder.name
        where = {"trust_remote_code": trust_remote_code, "revision": revision}
        config = AutoConfig.from_pretrained(name_or_path, **where)
        auto = AutoModelForSemanticSegmentation if config.has_masks else AutoModelForImageClassification
        model = auto.from_pretrained(name_or_path, **where)
        processor = AutoImageProcessor.from_pretrained(name_or_path, **where)
        reader = cls(model.to(device or best_device()), processor, folder=folder, **options)
        if isinstance(reader.engine, TorchEngine):
            reader.engine.own_model()
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

    @overload
    def batch(self, scans: Iterable[Any], errors: Literal["raise"] = "raise", **options: Any) -> Iterator[Reading]: ...

    @overload
    def batch(
        self, scans: Iterable[Any], errors: Literal["yield"], **options: Any
    ) -> Iterator[Reading | ScanError]: ...

    def batch(self, scans: Iterable[Any], errors: str = "raise", **options: Any) -> Iterator[Any]:
        """Read many scans, in order; the next ones are read and decoded while the model runs.

        Args:
            errors: "raise" stops at the first scan that fails; "yield" puts its ScanError in its place.
            **options: of `read_scan`, for every scan.
        """
        if errors not in ("raise", "yield"):
            raise ValueError(f"errors {errors!r}: must be 'raise' or 'yield'")
        waiting: deque[Work | ScanError] = deque()
        queues = Queues(self._network)
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
            if reading.foreground_probability is None or reading.scan is None or reading.mask_logit is None:
                raise ValueError("look_further: needs a reading of a Reader(…, keep='passed')")
            work = self.prepare(reading.scan)
            work.gate_logit, work.mask_logit = reading.gate_logit, reading.mask_logit.copy()
            work.foreground_probability = {
                label: kept.copy() for label, kept in reading.foreground_probability.items()
            }
            queues = Queues(self._network)
            queues.add_to_segment(work, unseen)
            queues.flush()
            reading = replace(reading, mask_logit=work.mask_logit, foreground_probability=work.foreground_probability)
        return reading.at(gate_threshold=gate_threshold)

    def attention(self, reading: Reading) -> np.ndarray:
        """Where the gate looked: (S, H, W) on the scan's grid, from 0 to the gate's probability of each slice.

        Args:
            reading: of this model, with its scan.

        Raises:
            ValueError: the model has no gate, or one without feature maps.
        """
        if self.gate is None:
            raise ValueError("attention: this model has no gate, its outlines show what it saw")
        if reading.scan is None:
            raise ValueError("attention: needs a reading that holds its scan, as `Reader` returns it")
        return find_attention_of_scan(self.gate, self.processor, self.prepare(reading.scan), self.batch_size)

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
        """Read one scan and make it ready for the model; what cannot be read comes back as its error."""
        try:
            return self.prepare(self.read_scan(source, **options))
        except ScanError as error:
            return error
        except MissingLibraryError as error:  # scans of other formats can still be read
            return ScanError(error.path or "scan", error.reason)

    def prepare(self, scan: Scan) -> Work:
        """Make a scan ready for the model: `pixel_values` and what was noticed on the way.

        Raises:
            ScanError: it does not suit the model.
        """
        slices = self._match_channels(scan)
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
            raise ScanError(scan.source, str(error)) from error
        work = Work(scan, batch["pixel_values"], self._network)
        work.warnings = self._warn_of_spacing(scan)
        work.doubts = describe_doubts(scan, self.processor.num_channels, self.config.id2label.values())
        work.novelty = self._measure_novelty(work)
        if work.novelty is not None and work.novelty > 1:
            work.doubts.append(
                f"The slices look unlike those that the model was trained on ({work.novelty:.1f} times as far as they "
                "lie from each other at most)."
            )
        return work

    def _measure_novelty(self, work: Work) -> float | None:
        """How far the scan lies from those of the training; None where the model does not know them."""
        if self.trust.known is None:
            return None
        chosen = choose_slices(work.scan.slices_per_phase)
        features = describe_slices(self.processor.middle_slices(work.pixel_values[chosen]))
        if features.shape[1] != len(self.trust.known.mean):
            return None
        return self.trust.known.measure(features)

    def _warn_of_spacing(self, scan: Scan) -> list[str]:
        """Say that a scan without spacing is taken to be on the model's grid, where the model has one."""
        wanted = getattr(self.processor, "pixel_spacing", None)
        if wanted is None or scan.spacing is not None:
            return []
        return [
            f"the scan does not say its pixel spacing: taken as {wanted:g} mm, the model's own; give the spacing, or "
            "expect worse outlines"
        ]

    def _match_channels(self, scan: Scan) -> np.ndarray:
        """Repeat a gray scan for a model of several channels, and take one channel where all are the same."""
        wanted, slices = self.processor.num_channels, scan.slices
        given = slices.shape[-1]
        if given == wanted:
            return slices
        if given == 1:
            return np.repeat(slices, wanted, axis=-1)
        if wanted == 1 and bool((slices == slices[..., :1]).all()):
            return slices[..., :1]
        reason = f"has {given} channels, the model takes {wanted}"
        raise ScanError(scan.source, reason, "give the channels of its training")

    def _finish(self, work: Work | ScanError) -> Reading | ScanError:
        if isinstance(work, ScanError):
            return work
        scan, thresholds, passed = work.scan, self.thresholds, work.passed
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
            doubts=work.doubts,
            novelty=work.novelty,
            evidence=work.evidence if self.trust.confidence else None,
            judge=self.trust.confidence,
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
            finding=self.config.id2label[1] if self.engine.segment is None else None,
            scan=scan,
        )


def best_device() -> str:
    """The fastest device that was tried: Apple's GPU ("mps") was not, and is taken only by its name."""
    return "cuda" if torch.cuda.is_available() else "cpu"
