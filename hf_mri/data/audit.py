"""The audit: no patient and no picture may stand on both sides of a split."""

from __future__ import annotations

import base64
import itertools
import logging
from typing import Any

import numpy as np
import pandas as pd

from hf_mri.data.splits import SPLITS

logger = logging.getLogger(__name__)

# Cosine of two near hashes. Among 2,840 real slices the most alike pair of different patients reaches 0.973; a copy
# that is moved by one pixel stays above 0.987.
NEAR = 0.98
_BLOCK = 2048
_EXAMPLES = 20


def audit_splits(rows: pd.DataFrame, *, leak_allowed: bool = False) -> dict[str, Any]:
    """Compare the sides of a split: patients, exact and near duplicate pictures.

    Args:
        rows: the columns `patient`, `volume`, `slice`, `split`, `pixels` (exact hash) and `picture` (near hash, int8).
        leak_allowed: report what leaks instead of failing (the protocol `slices-leaky`).

    Returns:
        `passed`, the `patients` on both sides, how many `exact` and `near` duplicate pictures, and `examples`.

    Raises:
        ValueError: something leaks and may not.
    """
    sides = rows.groupby("patient")["split"].nunique()
    patients = sorted(map(str, sides.index[sides > 1]))
    counted = rows[np.array([picture.any() for picture in rows["picture"]], bool)]
    exact = _find_exact(counted)
    near = _find_near(counted)
    report = {
        "passed": not (patients or exact or near),
        "patients": patients,
        "exact": len(exact),
        "near": len(near),
        "examples": (exact + near)[:_EXAMPLES],
    }
    if report["passed"]:
        return report
    message = (
        f"the split leaks: {len(patients)} patients, {len(exact)} exact and {len(near)} near duplicate pictures stand "
        f"on both sides (first: {(exact + near + patients)[0]})"
    )
    if not leak_allowed:
        raise ValueError(message + "; split by patient, and put copies of a picture on one side")
    logger.warning(message)
    return report


def _find_exact(rows: pd.DataFrame) -> list[str]:
    """Pictures with the same pixels in different splits."""
    shared = rows.groupby("pixels")["split"].transform("nunique") > 1
    return [
        " = ".join(_name(row) for _, row in same.iterrows()) for _, same in rows[shared].groupby("pixels", sort=True)
    ]


def _find_near(rows: pd.DataFrame) -> list[str]:
    """Pairs of pictures of different splits, pixels unequal, whose near hashes point the same way."""
    sides = [rows[rows["split"] == split] for split in SPLITS]
    pairs = []
    for left, right in itertools.combinations([side for side in sides if len(side)], 2):
        vectors = _unit(right["picture"]).T
        for start in range(0, len(left), _BLOCK):
            block = left.iloc[start : start + _BLOCK]
            for a, b in zip(*np.nonzero(_unit(block["picture"]) @ vectors > NEAR), strict=True):
                if block["pixels"].iloc[a] != right["pixels"].iloc[b]:
                    pairs.append(f"{_name(block.iloc[a])} ~ {_name(right.iloc[b])}")
    return pairs


def _name(row: pd.Series) -> str:
    return f"{row['volume']}/{row['slice']} ({row['split']})"


def _unit(pictures: pd.Series) -> np.ndarray:
    vectors = np.stack(pictures.to_list()).astype(np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def pack_hashes(rows: pd.DataFrame) -> dict[str, list[Any]]:
    """Hashes by row, as `audit.json` keeps them."""
    return {
        "volume": rows["volume"].to_list(),
        "slice": rows["slice"].to_list(),
        "pixels": rows["pixels"].to_list(),
        "picture": [
            base64.b85encode(picture.tobytes()).decode() if picture.any() else "" for picture in rows["picture"]
        ],
    }


def unpack_hashes(packed: dict[str, list[Any]], size: int = 512) -> pd.DataFrame:
    """Read back what `pack_hashes` wrote."""
    rows = pd.DataFrame(packed)
    blank = np.zeros(size, np.int8)
    rows["picture"] = [np.frombuffer(base64.b85decode(p), np.int8) if p else blank for p in rows["picture"]]
    return rows
