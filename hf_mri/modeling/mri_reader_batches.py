"""Slices of many scans on their way through the networks: they share batches, and the gate spares the segmenter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.modeling_outputs import SemanticSegmenterOutput

from .mri_engine import Engine
from .mri_reader_windows import Window, find_window, put_back, where_found
from .mri_reading_decisions import (
    foreground_masks,
    highest_foreground_logit,
    passes_gate,
    remove_small_components,
)
from .mri_scan import Scan
from .mri_scan_errors import ScanError
from .mri_trust_masks import gather_evidence

FEW_PHASES = 2  # the ends of a beat are read whole; a cine's time points where the first one shows the organ
KEEP = ("nothing", "passed", "all")


@dataclass(frozen=True)
class Network:
    """What runs, and by which rules: all that a batch needs to know of a reader."""

    engine: Engine
    processor: Any
    foreground: dict[int, str]
    problem_type: str
    overlapping: bool
    thresholds: dict[str, float]
    keep: str
    batch_size: int
    judged: bool  # whether the model can say how good its outlines are


class Work:
    """A scan on its way through the model."""

    def __init__(self, scan: Scan, pixel_values: Tensor, network: Network):
        self.scan, self.pixel_values = scan, pixel_values
        self.warnings: list[str] = []
        self.doubts: list[str] = []
        self.novelty: float | None = None
        count, shape = len(scan.slices), scan.slices.shape[:3]
        self.left = count  # slices without an answer
        # (S,) each, None where the model has no such stage
        self.gate_logit: Any = None if network.engine.gate is None else np.zeros(count, np.float32)
        self.mask_logit: Any = None if network.engine.segment is None else np.full(count, np.nan, np.float32)
        self.passed = np.full(count, network.engine.segment is not None)  # what the gate rejects, it takes out
        self.masks = {label: np.zeros(shape, bool) for label in network.foreground.values()}
        self.evidence = np.zeros((count, len(self.masks), 5), np.float32)  # of each slice, what `gather_evidence` says
        self.window: Window | None = None  # all that is looked at, once the first time point has shown the organ
        self.found: np.ndarray | None = None  # (H, W) of the network's grid: what the first time point shows
        self.foreground_probability = None
        if network.keep != "nothing":
            self.foreground_probability = {label: np.zeros(shape, np.float16) for label in self.masks}

    def __len__(self) -> int:
        return len(self.scan.slices)

    def pixels(self, index: int) -> Tensor:
        """What the segmenter gets of a slice, (C, H, W)."""
        pixels = self.pixel_values[index]
        return pixels if self.window is None else pixels[:, *self.window]


def is_done(work: Work | ScanError) -> bool:
    return isinstance(work, ScanError) or work.left == 0


class Queues:
    """Slices of any scan that wait for the gate or for the segmenter, until they fill a batch of one shape."""

    def __init__(self, network: Network):
        self.network = network
        self.gate: dict[tuple, list[tuple[Work, int]]] = {}
        self.segment: dict[tuple, list[tuple[Work, int]]] = {}

    def add(self, work: Work) -> None:
        """Queue a scan's slices, and run the batches that are full."""
        if self.network.engine.gate is not None:
            _queue(self.gate, work, range(len(work)))
        elif work.scan.phases > FEW_PHASES and self.network.thresholds["largest_component"]:
            self._follow(work)
        else:
            _queue(self.segment, work, range(len(work)))
        self._run(self.network.batch_size)

    def _follow(self, work: Work) -> None:
        """Segment the first time point of one organ, then queue the others where it was found."""
        count = work.scan.slices_per_phase
        work.found = np.zeros(work.pixel_values.shape[-2:], bool)
        _queue(self.segment, work, range(count))
        self._run(1)
        work.window, work.found = find_window(work.found), None
        _queue(self.segment, work, range(count, len(work)))

    def add_to_segment(self, work: Work, indices: Iterable[int]) -> None:
        """Queue some slices of a scan for the segmenter alone."""
        _queue(self.segment, work, indices)
        self._run(self.network.batch_size)

    def flush(self) -> None:
        """Run everything that waits."""
        self._run(1)

    def _run(self, at_least: int) -> None:
        size = self.network.batch_size
        for queue, run in ((self.gate, self._run_gate), (self.segment, self._run_segment)):
            for shape in list(queue):
                while len(queue[shape]) >= at_least:
                    batch, queue[shape] = queue[shape][:size], queue[shape][size:]
                    run(batch)
                if not queue[shape]:
                    del queue[shape]

    def _run_gate(self, batch: list[tuple[Work, int]]) -> None:
        network = self.network
        logits = network.engine.gate(_slices(batch)).float().cpu().numpy()
        tumor = logits[:, 1] - logits[:, 0]
        passed = passes_gate(tumor, network.thresholds["gate_threshold"], len(tumor))
        for (work, index), logit, goes_on in zip(batch, tumor, passed, strict=True):
            work.gate_logit[index] = logit
            work.passed[index] &= goes_on
            if network.engine.segment is not None and (goes_on or network.keep == "all"):
                _queue(self.segment, work, [index])
            else:
                work.left -= 1

    def _run_segment(self, batch: list[tuple[Work, int]]) -> None:
        network = self.network
        logits = network.engine.segment([work.pixels(index) for work, index in batch])
        logits = self._on_whole_slices(batch, logits)
        sizes = [work.scan.slices.shape[1:3] for work, _ in batch]
        pages = [logits]
        if network.processor.size is None:  # slices were padded, and what lies in the padding says nothing of them
            pages = [page[None, :, :height, :width] for page, (height, width) in zip(logits, sizes, strict=True)]
        foreground = list(network.foreground)
        highest = np.concatenate([highest_foreground_logit(page, foreground, network.overlapping) for page in pages])
        probabilities = network.processor.post_process_semantic_segmentation(
            SemanticSegmenterOutput(logits=logits),
            target_sizes=sizes,
            return_probabilities=True,
            problem_type=network.problem_type,
            spacings=[work.scan.spacing for work, _ in batch],
        )
        for (work, index), logit, probability in zip(batch, highest, probabilities, strict=True):
            work.left -= 1
            work.mask_logit[index] = logit
            self._outline(work, index, probability)

    def _on_whole_slices(self, batch: list[tuple[Work, int]], logits: Tensor) -> Tensor:
        """Note where the first time point shows something, and put windows back to where they were taken from."""
        overlapping = self.network.overlapping
        for (work, _), page in zip(batch, logits, strict=True):
            if work.found is not None:
                work.found |= where_found(page[None], overlapping)
        pages = [
            put_back(page, work.window, tuple(work.pixel_values.shape[-2:]), overlapping)
            for (work, _), page in zip(batch, logits, strict=True)
            if work.window is not None
        ]
        return torch.stack(pages) if pages else logits  # a batch holds whole slices or windows, never both

    def _outline(self, work: Work, index: int, probability: Tensor) -> None:
        """Keep a slice's probabilities where they are asked for, and decide its masks where it passed the gate."""
        network = self.network
        if work.foreground_probability is not None:
            probability = probability.half().float()  # what is kept decides, so that `Reading.at` agrees
            for place, label in network.foreground.items():
                work.foreground_probability[label][index] = probability[place].cpu().numpy()
        if not work.passed[index]:
            return  # segmented only to keep its probabilities
        found = {label: probability[place] for place, label in network.foreground.items()}
        masks = foreground_masks(found, network.thresholds["mask_threshold"], network.overlapping)
        for label, mask in masks.items():
            work.masks[label][index] = remove_small_components(mask, int(network.thresholds["smallest_lesion"]))
        if network.judged:
            work.evidence[index] = gather_evidence(found, masks)


def _queue(queue: dict[tuple, list[tuple[Work, int]]], work: Work, indices: Iterable[int]) -> None:
    # A batch holds slices of one size, before and after windows are cut.
    key = (*work.pixel_values.shape[1:], *work.pixels(0).shape[1:])
    queue.setdefault(key, []).extend((work, int(index)) for index in indices)


def _slices(batch: list[tuple[Work, int]]) -> list[Tensor]:
    return [work.pixel_values[index] for work, index in batch]
