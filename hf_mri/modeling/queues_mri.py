"""Slices of many scans on their way through the networks: they share batches, and the gate spares the segmenter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor
from transformers.modeling_outputs import SemanticSegmenterOutput

from .decision_mri import (
    foreground_masks,
    highest_foreground_logit,
    passes_gate,
    remove_small_components,
    thresholds_of,
)
from .geometry_mri import ScanError
from .scan_mri import Scan

if TYPE_CHECKING:
    from .reader_mri import Reader


class Work:
    """A scan on its way through the model."""

    def __init__(self, scan: Scan, pixel_values: Tensor, warnings: list[str], reader: Reader):
        self.scan, self.pixel_values, self.warnings = scan, pixel_values, warnings
        count, shape = len(scan.slices), scan.slices.shape[:3]
        self.left = count  # slices without an answer
        self.gate_logit = None if reader.engine.gate is None else np.zeros(count, np.float32)
        self.mask_logit = None if reader.engine.segment is None else np.full(count, np.nan, np.float32)
        self.masks = {label: np.zeros(shape, bool) for label in reader.foreground.values()}
        self.foreground_probability = None
        if reader.keep_probabilities:
            self.foreground_probability = {label: np.zeros(shape, np.float16) for label in self.masks}

    def __len__(self) -> int:
        return len(self.scan.slices)


def is_done(work: Work | ScanError) -> bool:
    return isinstance(work, ScanError) or work.left == 0


class Queues:
    """Slices of any scan that wait for the gate or for the segmenter, until they fill a batch of one shape."""

    def __init__(self, reader: Reader):
        self.reader = reader
        self.thresholds = thresholds_of(reader.config)
        self.gate: dict[tuple, list[tuple[Work, int]]] = {}
        self.segment: dict[tuple, list[tuple[Work, int]]] = {}

    def add(self, work: Work) -> None:
        """Queue a scan's slices, and run the batches that are full."""
        first = self.segment if self.reader.engine.gate is None else self.gate
        shape = tuple(work.pixel_values.shape[1:])
        first.setdefault(shape, []).extend((work, index) for index in range(len(work)))
        self._run(self.reader.batch_size)

    def flush(self) -> None:
        """Run everything that waits."""
        self._run(1)

    def _run(self, at_least: int) -> None:
        for queue, run in ((self.gate, self._run_gate), (self.segment, self._run_segment)):
            for shape in list(queue):
                while len(queue[shape]) >= at_least:
                    batch, queue[shape] = (
                        queue[shape][: self.reader.batch_size],
                        queue[shape][self.reader.batch_size :],
                    )
                    run(batch, shape)
                if not queue[shape]:
                    del queue[shape]

    def _run_gate(self, batch: list[tuple[Work, int]], shape: tuple) -> None:
        reader = self.reader
        logits = reader.engine.gate(_slices(batch)).float().cpu().numpy()
        tumor = logits[:, 1] - logits[:, 0]
        passed = passes_gate(tumor, self.thresholds["gate_threshold"], len(tumor))
        for (work, index), logit, goes_on in zip(batch, tumor, passed, strict=True):
            work.gate_logit[index] = logit
            if reader.engine.segment is not None and (goes_on or reader.keep_probabilities is True):
                self.segment.setdefault(shape, []).append((work, index))
            else:
                work.left -= 1

    def _run_segment(self, batch: list[tuple[Work, int]], shape: tuple) -> None:
        reader = self.reader
        logits = reader.engine.segment(_slices(batch))
        sizes = [work.scan.slices.shape[1:3] for work, _ in batch]
        pages = [logits]
        if reader.processor.size is None:  # slices were padded, and what lies in the padding says nothing of them
            pages = [page[None, :, :height, :width] for page, (height, width) in zip(logits, sizes, strict=True)]
        foreground = list(reader.foreground)
        highest = np.concatenate([highest_foreground_logit(page, foreground, reader.overlapping) for page in pages])
        probabilities = reader.processor.post_process_semantic_segmentation(
            SemanticSegmenterOutput(logits=logits),
            target_sizes=sizes,
            return_probabilities=True,
            problem_type=reader.config.problem_type,
            spacings=[work.scan.spacing for work, _ in batch],
        )
        for (work, index), logit, probability in zip(batch, highest, probabilities, strict=True):
            work.left -= 1
            work.mask_logit[index] = logit
            if work.foreground_probability is not None:
                probability = probability.half().float()  # what is kept decides, so that `Reading.at` agrees
                for place, label in reader.foreground.items():
                    work.foreground_probability[label][index] = probability[place].cpu().numpy()
            if work.gate_logit is not None and not passes_gate(
                work.gate_logit[index : index + 1], self.thresholds["gate_threshold"], 1
            ):
                continue  # segmented only to keep its probabilities
            found = {label: probability[place] for place, label in reader.foreground.items()}
            for label, mask in foreground_masks(found, self.thresholds["mask_threshold"], reader.overlapping).items():
                work.masks[label][index] = remove_small_components(mask, self.thresholds["smallest_lesion"])


def _slices(batch: list[tuple[Work, int]]) -> list[Tensor]:
    return [work.pixel_values[index] for work, index in batch]
