"""The lowest volumes with the slices that explain them, for the report."""

import heapq
from dataclasses import dataclass, field

import numpy as np

from hf_mri.evaluation.cases import Case, CaseRow
from hf_mri.evaluation.scores.pixels import FN, FP
from hf_mri.evaluation.worst import SHOWN
from hf_mri.reports.display import window_volume
from hf_mri.tasks.registry import find_task

SLICES_SHOWN = 4


@dataclass(order=True)
class Picture:
    """The slices of one low volume that explain it best."""

    rank: tuple[float, int]  # the negative Dice, so that a heap drops the best; then the order of arrival
    row: CaseRow = field(compare=False)
    slices: list[int] = field(compare=False)
    gray: np.ndarray = field(compare=False)  # uint8 (K, H, W), windowed with the whole volume
    truth: dict[str, np.ndarray] = field(compare=False)  # by label, bool (K, H, W)
    predicted: dict[str, np.ndarray] = field(compare=False)


class WorstCases:
    """Keeps the pictures of the lowest few volumes while all go by, so memory does not grow with the patients."""

    def __init__(self, shown: int = SHOWN) -> None:
        self.shown = shown
        self.heap: list[Picture] = []
        self.seen = 0

    def consider(self, case: Case, row: CaseRow) -> None:
        """Keep the case if it is among the lowest so far."""
        self.seen += 1
        if case.images is None or case.predicted is None:
            return
        rank = (-row.mean_dice, -self.seen)
        if len(self.heap) == self.shown and rank < self.heap[0].rank:
            return
        slices = choose_slices(row)
        images = case.images if case.images.ndim == 4 else case.images[..., None]
        picture = Picture(
            rank=rank,
            row=row,
            slices=slices,
            gray=window_volume(images, find_task(case.truth).shown_channel(images.shape[-1]))[slices],
            truth={label: mask[slices] for label, mask in case.truth.items()},
            predicted={label: mask[slices] for label, mask in case.predicted.items()},
        )
        (heapq.heappush if len(self.heap) < self.shown else heapq.heappushpop)(self.heap, picture)

    def sort(self) -> list[Picture]:
        """The kept pictures, worst first."""
        return sorted(self.heap, reverse=True)


def choose_slices(row: CaseRow, number: int = SLICES_SHOWN) -> list[int]:
    """Choose the slices with the most wrong pixels, in their order in the volume."""
    wrong = sum(part.counts[:, FP] + part.counts[:, FN] for part in row.labels.values())
    return sorted(int(index) for index in np.argsort(-wrong, kind="stable")[:number])
