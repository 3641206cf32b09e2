"""How far a model's own estimate of its outlines can be believed, and how many scans it doubted."""

from typing import Any

import numpy as np
from scipy import stats

from hf_mri.evaluation.cases import CaseRow

SET_ASIDE = (0.0, 0.05, 0.1, 0.2, 0.3)
WORST, LEAST = 0.1, 0.2  # of the worst tenth, how many are in the least confident fifth


def summarize_confidence(rows: list[CaseRow]) -> dict[str, Any]:
    """Compare the estimated Dice with the true one over the volumes that have an estimate; nothing below three."""
    judged = [row for row in rows if row.confidence is not None]
    if len(judged) < 3:
        return {}
    confidence = np.array([row.confidence for row in judged])
    dice = np.array([row.mean_dice for row in judged])
    worst = set(np.argsort(dice)[: max(1, round(WORST * len(dice)))])
    least = set(np.argsort(confidence)[: max(1, round(LEAST * len(dice)))])
    order = np.argsort(-confidence)
    kept = {share: dice[order[: len(dice) - int(share * len(dice))]] for share in SET_ASIDE}
    return {
        "volumes": len(judged),
        "rank_correlation": float(stats.spearmanr(confidence, dice).statistic) if np.ptp(dice) else None,
        "mean_absolute_error": float(np.abs(confidence - dice).mean()),
        "worst": len(worst),
        "least_confident": len(least),
        "worst_among_least_confident": len(worst & least),
        "retention": [
            {"set_aside": share, "dice": float(values.mean()), "lowest": float(values.min())}
            for share, values in kept.items()
        ],
    }


def summarize_doubts(rows: list[CaseRow]) -> dict[str, Any]:
    """Count the volumes whose reading began with a doubt; nothing where nobody could doubt."""
    known = [row for row in rows if row.doubts is not None]
    if not known:
        return {}
    doubted = [row.volume for row in known if row.doubts]
    return {"volumes": len(known), "doubted": len(doubted), "share": len(doubted) / len(known), "which": doubted}
