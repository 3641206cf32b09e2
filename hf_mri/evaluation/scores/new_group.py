"""What a new hospital may see: the mean of so many new patients, and how often one of them is badly outlined."""

import numpy as np

from hf_mri.evaluation.scores.bootstrap import LEVELS, RESAMPLES, SEED

PATIENTS = 20
POOR = 0.6  # a Dice below it helps nobody


def expect_new_group(values: np.ndarray, patients: int = PATIENTS) -> dict[str, float | int | list[float]] | None:
    """Say what the mean of a new group is likely to be; None with too few patients to draw a group from.

    The interval of a mean tells how well the mean of all patients is known. A hospital sees the mean of its own few,
    which scatters more.

    Args:
        values: a score of each patient.
        patients: of the new group.

    Returns:
        `patients`, the 95 % `range` of a group's mean, and `share_below`, the share of patients below `POOR`.
    """
    values = np.asarray(values, float)
    if len(values) < patients:
        return None
    groups = np.random.default_rng(SEED).choice(values, (RESAMPLES, patients))
    low, high = np.percentile(groups.mean(axis=1), LEVELS)
    return {"patients": patients, "range": [float(low), float(high)], "share_below": float((values < POOR).mean())}
