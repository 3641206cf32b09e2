"""Volumes through the Reader, portion by portion: cases for the evaluation, and the time that reading them took."""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from hf_mri.evaluation.cases import Case
from hf_mri.evaluation.truth_volumes import TruthVolume
from hf_mri.modeling.mri_model_folder import WEIGHTS, hash_weights
from hf_mri.modeling.mri_reading_decisions import slice_probability
from hf_mri.modeling.mri_trust_masks import describe_evidence

# Volumes are read in portions of about this many slices: enough to fill batches, little enough to stay flat.
PORTION = 128


class Stopwatch:
    """Seconds that the reading took, and that it takes with every slice segmented."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.seconds_without: float | None = None


def _portions(volumes: Iterator[TruthVolume], slices: int = PORTION) -> Iterator[list[TruthVolume]]:
    """Gather volumes until there are enough slices to fill batches."""
    portion: list[TruthVolume] = []
    for volume in volumes:
        portion.append(volume)
        if sum(len(part.images) for part in portion) >= slices:
            yield portion
            portion = []
    if portion:
        yield portion


def read_cases(
    reader: Any, volumes: Iterator[TruthVolume], clock: Stopwatch, finish: Callable[[dict], dict] | None
) -> Iterator[Case]:
    """Read volumes portion by portion, with the gate and, for its comparison, without."""
    two_stages = reader.engine.gate is not None and reader.engine.segment is not None
    open_reader = reader.with_thresholds(gate_threshold=0.0)
    if two_stages:
        clock.seconds_without = 0.0
    warm = False
    for portion in _portions(volumes):
        scans = [_make_scan(reader, volume) for volume in portion]
        if not warm:  # the first batches of a process pay for memory and code that the others find ready
            list(islice(open_reader.batch(scans), 1))
            warm = True
        start = time.perf_counter()
        readings = list(reader.batch(scans))
        clock.seconds += time.perf_counter() - start
        without: list[Any] = [None] * len(readings)
        if two_stages:
            start = time.perf_counter()
            without = list(open_reader.batch(scans))
            clock.seconds_without += time.perf_counter() - start
        for volume, reading, ungated in zip(portion, readings, without, strict=True):
            yield _make_case(volume, reading, ungated, finish)


def _make_scan(reader: Any, volume: TruthVolume) -> Any:
    """Hand a stored volume to the Reader as an array (S, H, W, C)."""
    images = volume.images if volume.images.ndim == 4 else volume.images[..., None]
    spacing = None if volume.spacing is None else [step for step in volume.spacing if step is not None]
    return reader.read_scan(images, spacing=spacing if spacing and len(spacing) > 1 else None)


def _make_case(volume: TruthVolume, reading: Any, ungated: Any, finish: Callable[[dict], dict] | None) -> Case:
    """Put a reading beside its truth."""
    predicted = reading.masks or None
    masks_without = None if ungated is None else ungated.masks
    if finish:
        predicted = predicted and finish(predicted)
        masks_without = masks_without and finish(masks_without)
    decision = reading.positive
    if predicted:
        decision = np.any([mask.any(axis=(1, 2)) for mask in predicted.values()], axis=0)
    return Case(
        patient=volume.patient,
        volume=volume.volume,
        truth=volume.truth,
        decision=decision,
        probability=reading.probability,
        thresholds=reading.thresholds,
        predicted=predicted,
        spacing=volume.spacing,
        gate_probability=None if ungated is None else slice_probability(reading.gate_logit, None, reading.thresholds),
        passed=None if ungated is None else reading.stage != "gate",
        ungated=masks_without,
        columns=volume.columns,
        evidence=None if reading.evidence is None else describe_evidence(reading.evidence),
        confidence=reading.confidence,
        doubts=reading.doubts,
        images=volume.images,
    )


def describe_model(reader: Any) -> dict[str, Any]:
    name = reader.config.name_or_path
    described = {
        "name": Path(name).resolve().name if Path(name).exists() else name,
        "model_type": reader.config.model_type,
        "problem_type": reader.config.problem_type,
    }
    network = getattr(reader.engine, "model", None)
    if network is not None:
        described["parameters"] = sum(parameter.numel() for parameter in network.parameters())
    return described


def identify_reader(reader: Any) -> tuple[Any, ...]:
    """What makes a reader's answers: its weights and its settings."""
    name = reader.config.name_or_path
    weights = hash_weights(name) if name and (Path(name) / WEIGHTS).is_file() else (name, reader.revision)
    return weights, reader.thresholds, reader.engine.name, reader.engine.precision, reader.flips


def describe_engine(reader: Any, seconds: float, slices: int) -> dict[str, Any]:
    import torch

    return {
        "name": reader.engine.name,
        "precision": reader.engine.precision,
        "device": reader.engine.device,
        **({"flips": True} if reader.flips else {}),
        "threads": torch.get_num_threads(),
        "seconds": seconds,
        "slices_per_second": slices / seconds if seconds else 0.0,  # a killed run takes its time with it
    }
