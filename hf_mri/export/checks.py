"""How far an exported graph is from its model, and how fast it is."""

import os
import platform
import statistics
import time
from typing import Any

import numpy as np

from hf_mri.export.inputs import Slices
from hf_mri.modeling.mri_engine import Engine, has_fast_bfloat16
from hf_mri.modeling.mri_reader import Reader
from hf_mri.modeling.mri_reading import Reading

# From the model in float32: largest difference of a slice's probability, least Dice between the masks, and most slices
# for which the gate, whose threshold any rounding can cross, decides otherwise. Weights are stored in 16
# bits where float32 stays within its bound so.
BOUNDS = {
    "float32": {"probability": 2e-3, "dice": 0.998, "gate": 0.005},
    "bfloat16": {"probability": 2e-2, "dice": 0.99, "gate": 0.02},
    "int8": {"probability": 2e-2, "dice": 0.99, "gate": 0.02},
}
BATCH = 16
REPEATS = 7


def compare_readings(reader: Reader, engine: Engine, expected: list[Reading]) -> dict[str, float]:
    """Read the same scans with another engine.

    Returns:
        `probability`: the largest difference of a slice's probability, of slices that both gates treat alike. `gate`:
        share of the other slices, whose probability jumps, for the segmenter has its say or not. `dice`: between the
        masks of both, pooled over all slices, of the label that agrees least.
    """
    other = Reader(reader.engine.model, reader.processor, engine=engine, batch_size=BATCH)
    differences, alike, common, total = [], [], {}, {}
    for mine, theirs in zip(expected, other.batch([reading.scan for reading in expected]), strict=True):
        differences.append(np.abs(mine.probability - theirs.probability))
        alike.append((mine.stage == "gate") == (theirs.stage == "gate"))
        for label, mask in mine.masks.items():
            common[label] = common.get(label, 0) + int((mask & theirs.masks[label]).sum())
            total[label] = total.get(label, 0) + int(mask.sum()) + int(theirs.masks[label].sum())
    dice = min((2 * common[label] / total[label] for label in total if total[label]), default=1.0)
    differences, alike = np.concatenate(differences), np.concatenate(alike)
    return {
        "probability": round(float(differences[alike].max(initial=0)), 6),
        "dice": round(dice, 5),
        "gate": round(float(1 - alike.mean()), 5),
    }


def within_bounds(parity: dict[str, float], precision: str) -> bool:
    """Whether an engine's readings are close enough to the model's."""
    bound = BOUNDS[precision]
    return all(parity[name] <= bound[name] for name in ("probability", "gate")) and parity["dice"] >= bound["dice"]


def describe_parity(parity: dict[str, float], precision: str) -> str:
    """Say how far an engine is from the model, and what is allowed."""
    bound = BOUNDS[precision]
    return (
        f"{precision} differ too much from the model: probabilities by {parity['probability']:.2g} (allowed: "
        f"{bound['probability']:.2g}), Dice of the masks {parity['dice']:.4f} (at least {bound['dice']:g}), "
        f"{parity['gate']:.2%} of the slices at the gate (at most {bound['gate']:.2%})"
    )


def time_engines(engines: list[Engine], slices: Slices) -> list[dict[str, Any]]:
    """Median milliseconds a slice of the networks alone, and of both together at the share that passes the gate.

    The engines take turns, so that whatever else the machine does slows all of them alike.
    """
    rounds = [[_time(engine, slices) for engine in engines] for _ in range(1 + REPEATS)][1:]
    results = []
    for engine, times in zip(engines, zip(*rounds, strict=True), strict=True):
        gate, segment = (statistics.median(stage) for stage in zip(*times, strict=True))
        total = gate + segment * (slices.passed if engine.gate else 1)
        results.append(
            {
                "engine": engine.name,
                "precision": engine.precision,
                "gate_ms": round(gate, 3),
                "segment_ms": round(segment, 3),
                "ms_a_slice": round(total, 3),
            }
        )
    return results


def describe_cpu() -> dict[str, Any]:
    """What the times were taken on."""
    return {"cores": os.cpu_count(), "architecture": platform.machine(), "fast_bfloat16": has_fast_bfloat16()}


def _time(engine: Engine, slices: Slices) -> tuple[float, float]:
    """Milliseconds a slice of gate and segmenter for one batch; 0 for what the engine lacks."""
    times = []
    for run, pixels in ((engine.gate, slices.gate[:BATCH]), (engine.segment, slices.segment[:BATCH])):
        start = time.perf_counter()
        if run is not None:
            run(pixels)
        times.append(1000 * (time.perf_counter() - start) / len(pixels))
    return tuple(times)
