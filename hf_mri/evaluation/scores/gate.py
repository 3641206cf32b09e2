"""The two stages together: what the gate lost, what it saved, and the same reading without it."""

import numpy as np

from hf_mri.evaluation.cohort import Cohort
from hf_mri.evaluation.scores.classification import score_classification, score_decided
from hf_mri.evaluation.scores.segmentation import score_briefly


def summarize_gate(
    cohort: Cohort,
    classes: tuple[str, str],
    seconds: float | None = None,
    seconds_without: float | None = None,
) -> dict:
    """Summarize the gate of a two-stage model.

    Args:
        cohort: volumes with gate probabilities.
        classes: names of a negative and a positive slice.
        seconds: time of the reading.
        seconds_without: time of the same reading with every slice segmented.
    """
    truth, passed, area = (cohort.join(name) for name in ("truth", "passed", "truth_pixels"))
    probability = cohort.join("gate_probability")
    summary: dict = {
        "threshold": float(np.median([row.thresholds["gate_threshold"] for row in cohort.rows])),
        "slices": len(truth),
        "rejected": int((~passed).sum()),
        "slices_saved": float((~passed).mean()),
        "positive_slices": int(truth.sum()),
        "positive_slices_lost": int((truth & ~passed).sum()),
    }
    if area.any():
        summary["area_lost"] = float(area[~passed].sum() / area.sum())
    if seconds and seconds_without:
        summary |= {
            "seconds": seconds,
            "seconds_without": seconds_without,
            "time_saved": 1 - seconds / seconds_without,
        }
    if all(row.ungated_decision is not None for row in cohort.rows):
        summary["without"] = {
            "segmentation": {label: score_briefly(cohort, label, ungated=True) for label in cohort.labels},
            "classification": score_decided(truth, cohort.join("ungated_decision")),
        }
    decision = cohort.join("gate_decision")
    summary["classifier"] = {
        "slice_threshold": float(np.median([row.thresholds["slice_threshold"] for row in cohort.rows])),
        **score_classification(truth, decision, probability, cohort.slice_patient, cohort.weights, classes),
    }
    return summary
