"""What a model knows of itself, in one file beside its weights: which scans it knows, and how good its outlines get.

The file is no part of the weights, and nothing copies it into a model that was trained further: of other weights and
other scans it would tell the wrong things.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from .mri_files import replace_file
from .mri_model_folder import WEIGHTS, hash_weights
from .mri_trust_masks import FEATURES, Confidence
from .mri_trust_scans import KnownScans

logger = logging.getLogger(__name__)

TRUST = "trust.safetensors"
FORMAT = "1"


@dataclass(frozen=True)
class Trust:
    """Either part may be missing."""

    known: KnownScans | None = None
    confidence: Confidence | None = None


def save_trust(folder: str | Path, trust: Trust) -> Path:
    """Write the file beside the weights that it belongs to."""
    tensors: dict[str, np.ndarray] = {}
    facts: dict[str, str] = {"format": FORMAT, "weights": hash_weights(folder)}
    if trust.known:
        known = trust.known
        tensors |= {f"known.{name}": getattr(known, name) for name in ("mean", "scale", "precision")}
        facts["limits"] = json.dumps({"volume": known.volume_limit, "slice": known.slice_limit})
    if trust.confidence:
        tensors["confidence.weights"] = trust.confidence.weights
        facts["confidence_bias"] = repr(trust.confidence.bias)
    stored = {name: np.ascontiguousarray(values, np.float32) for name, values in tensors.items()}
    return replace_file(Path(folder) / TRUST, lambda aside: save_file(stored, str(aside), facts))


def load_trust(folder: str | Path | None) -> Trust:
    """Read what a model knows of itself; nothing where the file is missing, broken, or of other weights."""
    path = None if folder is None else Path(folder) / TRUST
    if path is None or not path.is_file() or not (path.parent / WEIGHTS).is_file():
        return Trust()
    try:
        with safe_open(str(path), "numpy") as stored:
            facts = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        if facts.get("format") != FORMAT or facts.get("weights") != hash_weights(path.parent):
            logger.warning("%s: is about other weights, or from another version, and is not used", path)
            return Trust()
        known = confidence = None
        if "limits" in facts:
            limits = json.loads(facts["limits"])
            mean, scale, precision = (tensors[f"known.{name}"] for name in ("mean", "scale", "precision"))
            if mean.ndim != 1 or scale.shape != mean.shape or precision.shape != 2 * mean.shape:
                raise ValueError("its arrays do not fit each other")
            known = KnownScans(mean, scale, precision, float(limits["volume"]), float(limits["slice"]))
        if "confidence_bias" in facts:
            confidence = Confidence(tensors["confidence.weights"], float(facts["confidence_bias"]))
            if confidence.weights.shape != (FEATURES,):
                raise ValueError(f"its weights are not {FEATURES}")
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        logger.warning("%s: cannot be read (%s) and is not used", path, error)
        return Trust()
    return Trust(known, confidence)
