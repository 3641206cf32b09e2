"""`Reading`: what a scan was found to hold, and everything computed from it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image
from scipy.special import expit

from .mri_addresses import delivered, is_address
from .mri_contracts import ReadingFacts, SliceFacts
from .mri_files import folder_aside, replace_file, write_text
from .mri_reading_decisions import (
    THRESHOLDS,
    decide_stage,
    foreground_masks,
    keep_largest_component,
    passes_gate,
    remove_small_components,
    slice_probability,
)
from .mri_reading_measures import measure_cine, measure_slice, measure_volume
from .mri_reading_run_length import encode_run_length
from .mri_scan import Scan
from .mri_scan_geometry import Geometry
from .mri_scan_nifti import write_nifti_file
from .mri_trust_masks import Confidence, describe_evidence, gather_evidence

SCHEMA = "hf_mri.reading/1"
KINDS = ("json", "masks", "nifti", "rle")


@dataclass(repr=False)
class Reading:
    """What a model found in a scan; complete when returned.

    Attributes:
        probability: (S,) tumor (any foreground) by slice.
        stage: (S,) what decided: "gate" rejected it, the segmenter found it "empty", or there is a "mask".
        masks: by label, bool (S, H, W), laid out as the scan's slices.
        spacing: millimeters between rows, columns and slices, or None.
        geometry: the way back to the source's axes.
        doubts: sentences that say why the scan may not be what the model was trained on; then the answer may mean
            nothing.
        novelty: how far the scan lies from those of the training, in units of what passes as known; above 1 there is
            a doubt. None where the model does not know its scans.
        model: id, revision, engine and precision.
        thresholds: those that were applied.
        gate_logit: (S,) logit of tumor from the classifier, or None.
        mask_logit: (S,) logit of the highest foreground probability; NaN where the segmenter did not look; or None.
        foreground_probability: by label, float16 (S, H, W), where the Reader was asked to keep it.
        overlapping: whether labels may overlap.
        finding: what a classifier's probability is about; None where the masks' labels say it.
        scan: what was read.
        evidence: by slice and label, what the segmenter's probabilities say of the outlines, or None.
        judge: what estimates `confidence` from it, or None.
    """

    probability: np.ndarray
    stage: np.ndarray
    masks: dict[str, np.ndarray]
    spacing: tuple[float, float, float | None] | None
    geometry: Geometry
    source: str = "array"
    phases: int = 1
    warnings: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    novelty: float | None = None
    model: dict[str, str | bool | None] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=lambda: dict(THRESHOLDS))
    gate_logit: np.ndarray | None = None
    mask_logit: np.ndarray | None = None
    foreground_probability: dict[str, np.ndarray] | None = None
    overlapping: bool = False
    finding: str | None = None
    scan: Scan | None = field(default=None, repr=False)
    evidence: np.ndarray | None = field(default=None, repr=False)
    judge: Confidence | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        """One line: the arrays would fill the screen."""
        found = int((self.stage == "mask").sum())
        labels = ", ".join(self.masks) or "no masks"
        return f"Reading({self.source!r}: {len(self.stage)} slices, {found} with a mask, {labels})"

    def _repr_html_(self) -> str | None:
        """What a notebook shows: the answer, the pictures and the measures, where the package is installed."""
        pictures = _find_pictures()
        return None if pictures is None else pictures.write_html(self)

    def show(self) -> Any:
        """Show the reading in a notebook: three planes and 3-D with ipyniivue, else as it shows itself."""
        pictures = _find_pictures()
        return self if pictures is None else pictures.show(self)

    @property
    def gate_probability(self) -> np.ndarray | None:
        """(S,) tumor probability from the classifier, which the gate compares with its threshold."""
        return None if self.gate_logit is None else expit(self.gate_logit)

    @property
    def confidence(self) -> float | None:
        """The volume Dice to expect of the outlines, 0 to 1; None without outlines, or where the model cannot tell."""
        if self.judge is None or self.evidence is None:
            return None
        features = describe_evidence(self.evidence)
        return None if features is None else self.judge.estimate(features)

    @property
    def positive(self) -> np.ndarray:
        """(S,) whether each slice is called tumor: never one that the gate has set aside."""
        called = self.probability >= self.thresholds["slice_threshold"]
        return called if self.mask_logit is None else called & (self.stage != "gate")

    def in_source_order(self, label: str) -> np.ndarray:
        """A label's mask in the source's own voxel order: (I, J, K), or (I, J, K, T) of a cine."""
        return self.geometry.to_source(by_phase(self.masks[label], self.phases))

    def unseen(self, gate_threshold: float) -> np.ndarray:
        """Indices of the slices that pass this gate but were never segmented: the model has to look at them."""
        if self.gate_logit is None or self.mask_logit is None:
            return np.zeros(0, np.int64)
        passed = passes_gate(self.gate_logit, gate_threshold, len(self.probability))
        return np.flatnonzero(passed & np.isnan(self.mask_logit))

    def at(self, **thresholds: float) -> Reading:
        """The reading at other thresholds, without the model.

        Args:
            thresholds: any of gate_threshold, slice_threshold, mask_threshold, smallest_lesion, largest_component,
                temperature, mask_weight.

        Raises:
            ValueError: an unknown threshold, or one that needs probabilities that were not kept.
        """
        unknown = set(thresholds) - set(THRESHOLDS)
        if unknown:
            raise ValueError(f"at: unknown {', '.join(sorted(unknown))}; choose among {', '.join(THRESHOLDS)}")
        chosen = self.thresholds | thresholds
        if self.mask_logit is None:
            return replace(self, thresholds=chosen, probability=slice_probability(self.gate_logit, None, chosen))
        passed = passes_gate(self.gate_logit, chosen["gate_threshold"], len(self.probability))
        if len(self.unseen(chosen["gate_threshold"])):
            raise ValueError("at: a lower gate_threshold needs Reader.look_further, or a Reader(…, keep='all')")
        kept = self.foreground_probability
        if kept is not None:
            masks = foreground_masks(kept, chosen["mask_threshold"], self.overlapping)
        elif chosen["mask_threshold"] != self.thresholds["mask_threshold"]:
            raise ValueError("at: another mask_threshold needs a Reader(…, keep='all')")
        elif chosen["smallest_lesion"] < self.thresholds["smallest_lesion"]:
            raise ValueError("at: a lower smallest_lesion needs a Reader(…, keep='all')")
        elif chosen.get("largest_component", False) < self.thresholds.get("largest_component", False):
            raise ValueError("at: all components again need a Reader(…, keep='all')")
        else:
            masks = {label: mask.copy() for label, mask in self.masks.items()}
        for mask in masks.values():
            mask[~passed] = False
            remove_small_components(mask, int(chosen["smallest_lesion"]))
        evidence = self._evidence_of(masks, passed, chosen)
        for mask in masks.values():
            if chosen.get("largest_component"):
                keep_largest_component(mask, self.phases)
        return replace(
            self,
            thresholds=chosen,
            masks=masks,
            evidence=evidence,
            stage=decide_stage(masks, passed),
            probability=slice_probability(self.gate_logit, np.where(passed, self.mask_logit, np.nan), chosen),
        )

    def _evidence_of(
        self, masks: dict[str, np.ndarray], passed: np.ndarray, chosen: dict[str, float]
    ) -> np.ndarray | None:
        """The evidence of other masks: from kept probabilities, or where only the gate moved."""
        if self.judge is None or self.evidence is None:
            return None
        kept = self.foreground_probability
        if kept is None:
            same = all(chosen[name] == self.thresholds[name] for name in ("mask_threshold", "smallest_lesion"))
            return np.where(passed[:, None, None], self.evidence, 0) if same else None
        evidence = np.zeros_like(self.evidence)
        for index in np.flatnonzero(passed):
            pages = {label: mask[index] for label, mask in masks.items()}
            evidence[index] = gather_evidence({label: kept[label][index] for label in pages}, pages)
        return evidence

    def to_dict(self) -> ReadingFacts:
        """The reading as plain numbers, lists and text, ready for JSON; pixels are left out."""
        shape = self.geometry.shape
        columns, rows = shape[self.geometry.axes[2]], shape[self.geometry.axes[1]]
        count = len(self.probability) // self.phases
        gate, positive = self.gate_probability, self.positive
        cine = measure_cine(self.masks, self.spacing, self.phases, self.geometry.slice_affine())
        return {
            "schema": SCHEMA,
            "source": self.source,
            "model": self.model,
            "thresholds": self.thresholds,
            "labels": list(self.masks),
            "finding": self.finding,
            "size": [rows, columns],
            "spacing_mm": list(self.spacing) if self.spacing else None,
            "phases": self.phases,
            "warnings": [*self.warnings, *(cine or {}).get("doubts", [])],
            "doubts": self.doubts,
            "novelty": None if self.novelty is None else round(self.novelty, 3),
            "confidence": None if self.confidence is None else round(self.confidence, 3),
            "slices": [self._slice_dict(index, count, gate, positive) for index in range(len(self.probability))],
            "volumes": [
                {
                    label: measure_volume(mask[phase * count : (phase + 1) * count], self.spacing)
                    for label, mask in self.masks.items()
                }
                for phase in range(self.phases)
            ],
            "cine": cine,
        }

    def _slice_dict(self, index: int, count: int, gate: np.ndarray | None, positive: np.ndarray) -> SliceFacts:
        pages = {label: mask[index] for label, mask in self.masks.items()}
        regions = {label: measure_slice(page, self.spacing) for label, page in pages.items() if page.any()}
        return {
            "index": index % count,
            "phase": index // count,
            "name": slice_name(index),
            "probability": round(float(self.probability[index]), 6),
            "gate_probability": None if gate is None else round(float(gate[index]), 6),
            "stage": str(self.stage[index]),
            "positive": bool(positive[index]),
            "regions": regions,
        }

    def save(self, folder: str | Path, only: Iterable[str] | None = None) -> list[Path | str]:
        """Write the reading; `reading.json` comes last, so that a folder with one is complete.

        Args:
            folder: or address; gets `reading.json`, `masks/LABEL/0001.png`, `LABEL.nii.gz` and `run_lengths.csv`.
            only: of json, masks, nifti, rle; by default all (NIfTI where nibabel is installed).

        Returns:
            What was written.
        """
        kinds = list(KINDS if only is None else only)
        if only is None and find_spec("nibabel") is None:
            kinds.remove("nifti")
        unknown = set(kinds) - set(KINDS)
        if unknown:
            raise ValueError(f"only: unknown {', '.join(sorted(unknown))}; choose among {', '.join(KINDS)}")
        if is_address(folder):
            with delivered(folder, last="reading.json") as local:
                names = [Path(path).relative_to(local).as_posix() for path in self.save(local, kinds)]
            return [f"{str(folder).rstrip('/')}/{name}" for name in names]
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        written: list[Path | str] = []
        if "masks" in kinds:
            written += self._save_masks(folder)
        if "nifti" in kinds:
            written += [self._save_nifti(folder, label) for label in self.masks]
        if "rle" in kinds:
            written.append(write_text(folder / "run_lengths.csv", self._run_lengths()))
        if "json" in kinds:
            written.append(write_text(folder / "reading.json", json.dumps(self.to_dict(), indent=1)))
        return written

    def _save_nifti(self, folder: Path, label: str) -> Path:
        volume = by_phase(self.masks[label], self.phases)
        place = folder / f"{file_name(label)}.nii.gz"
        return replace_file(place, lambda aside: write_nifti_file(aside, volume, self.geometry, self.spacing))

    def _save_masks(self, folder: Path) -> list[Path]:
        """All masks into a folder aside, which then takes its place: one rename instead of one a slice."""
        empty = None
        with folder_aside(folder / "masks") as aside:
            for label, mask in self.masks.items():
                (aside / file_name(label)).mkdir()
                for index, page in enumerate(mask):
                    if page.any():
                        data = encode_mask(page)
                    else:  # most slices: encoded once
                        data = empty = empty or encode_mask(page)
                    (aside / file_name(label) / f"{slice_name(index)}.png").write_bytes(data)
        return sorted((folder / "masks").glob("*/*.png"))

    def _run_lengths(self) -> str:
        sink = io.StringIO()
        writer = csv.writer(sink)
        writer.writerow(["slice", "label", "height", "width", "run_length"])
        for label, mask in self.masks.items():
            for index, page in enumerate(mask):
                writer.writerow([slice_name(index), label, *page.shape, encode_run_length(page)])
        return sink.getvalue()


def _find_pictures() -> ModuleType | None:
    """The package's pictures for notebooks; a model that travels alone answers in words."""
    try:
        return import_module("hf_mri.reports.notebook")
    except ImportError:
        return None


def slice_name(index: int) -> str:
    """The name of a slice in files: counted from 1, as people do."""
    return f"{index + 1:04d}"


def file_name(label: str) -> str:
    """A label as the name of a file."""
    return re.sub(r"[^\w.-]+", "_", label)


def encode_mask(mask: np.ndarray) -> bytes:
    """A mask (H, W) as a PNG of 0 and 255."""
    sink = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(sink, "PNG", compress_level=1)
    return sink.getvalue()


def by_phase(mask: np.ndarray, phases: int) -> np.ndarray:
    """(T * S, H, W) as (S, H, W), or (S, H, W, T) of a cine."""
    if phases == 1:
        return mask
    return np.moveaxis(mask.reshape(phases, -1, *mask.shape[1:]), 0, -1)
