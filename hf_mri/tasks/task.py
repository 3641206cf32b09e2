"""What can be known about an organ, as plain data and functions of plain data. One file an organ fills it in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

Agree = Callable[[np.ndarray, np.ndarray], dict[str, Any]]  # truth and measured (N,) → bias, limits, r, …


@dataclass(frozen=True)
class Label:
    """One thing that is outlined."""

    color: str  # `#rrggbb`
    code: tuple[str, str] | None = None  # category and type in SNOMED CT, by their names in pydicom's dictionary


class Measure(NamedTuple):
    """One number about one label of one scan."""

    name: str
    value: float
    unit: str


class ScanExample(NamedTuple):
    """One scan to click on the page."""

    name: str  # of its file
    title: str
    slices: np.ndarray  # (S, H, W), (S, H, W, C) or (T, S, H, W)
    shown: np.ndarray  # (H, W), on its button


class Table(NamedTuple):
    """A table of figures for page and card; a cell is text, a number, an interval [low, high] or None."""

    header: tuple[str, ...]
    rows: list[list[Any]]


class Agreement(NamedTuple):
    """A plot of one measure of every patient against the truth."""

    measure: str  # its key in `per_patient`, where [truth, predicted] stand
    quantity: str  # on the axis
    caption: str

    @property
    def name(self) -> str:
        """Of the plot, in the report and of its file."""
        return f"{self.measure}_agreement"


@dataclass(frozen=True)
class OwnScores:
    """What an evaluation scores of this organ alone, and how page and card show it."""

    key: str  # in metrics.json
    title: str
    # The rows of an evaluation, one a volume (`hf_mri.evaluation.cases.CaseRow`) → what stands under the key, or None.
    score: Callable[[list[Any], Agree], dict[str, Any] | None]
    tables: Callable[[dict[str, Any]], list[Table]]
    tiles: Callable[[dict[str, Any]], list[tuple[str, float]]] = lambda found: []
    agreements: tuple[Agreement, ...] = ()

    @property
    def anchor(self) -> str:
        """Where the page has it."""
        return self.title.split()[0].lower()


@dataclass(frozen=True)
class Task:
    """One organ: what is looked for in it, in which words, and what is measured beyond the common."""

    name: str
    title: str
    finding: str  # what the probability of a slice is about
    body_part: str = ""  # as DICOM's Body Part Examined spells it
    labels: Mapping[str, Label] = field(default_factory=dict)  # as `id2label` spells them
    sequences: tuple[str, ...] = ()  # the channels in the order that models take; empty where there is but one
    main_sequence: str | None = None  # the one to show
    stand_in: str | None = None  # the one that publishers repeat where another was not scanned
    phantom: str = "lgg"  # the layout that synthetic scans are drawn in; every model can read a head
    pick_examples: Callable[[np.ndarray, Any], list[ScanExample]] | None = None  # from a phantom's slices and masks
    # A reading's JSON → its own measures by label, the one that matters first.
    measure: Callable[[dict[str, Any]], dict[str, list[Measure]]] = lambda reading: {}
    # A reading's JSON → what research makes of its measures, in one sentence that says so; None where it says nothing.
    remark: Callable[[dict[str, Any]], str | None] = lambda reading: None
    # A cine's JSON → the time points that count: a short name → what it means, and its index.
    find_moments: Callable[[dict[str, Any]], dict[str, tuple[str, int]]] = lambda cine: {}
    # Truth and prediction of one label, bool (S, H, W) → a number for `scores`, which find it as the label's `own`.
    compare_masks: Callable[[np.ndarray, np.ndarray], float] | None = None
    scores: tuple[OwnScores, ...] = ()

    @property
    def slice_labels(self) -> tuple[str, str]:
        """Names of a negative and a positive slice."""
        return f"no {self.finding}", self.finding

    def count(self, labels: list[str]) -> int:
        """How many of a model's labels belong to this organ."""
        return sum(label in self.labels or label == self.finding for label in labels)

    def shown_channel(self, channels: int) -> int:
        """Which channel of a scan to show; the first where its channels are not this organ's sequences."""
        return self._channel_of(self.main_sequence, channels) or 0

    def stand_in_channel(self, channels: int) -> int | None:
        """Which channel stands in for one that was not scanned; None where none does."""
        return self._channel_of(self.stand_in, channels)

    def _channel_of(self, sequence: str | None, channels: int) -> int | None:
        return self.sequences.index(sequence) if sequence and channels == len(self.sequences) else None
