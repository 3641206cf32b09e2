"""How two ways to measure the same quantity agree: correlation, bias and limits of agreement (Bland and Altman)."""

import numpy as np

# 1.96 standard deviations of the differences to either side of the bias hold 95 % of them.
LIMIT = 1.96


def measure_agreement(truth: np.ndarray, measured: np.ndarray) -> dict[str, float | list[float]]:
    """Compare measured with true values (N,); what N is too small for is absent."""
    difference = np.asarray(measured, float) - np.asarray(truth, float)
    agreement: dict[str, float | list[float]] = {
        "bias": float(difference.mean()),
        "mean_absolute_error": float(np.abs(difference).mean()),
    }
    if len(difference) > 1:
        spread = LIMIT * float(difference.std(ddof=1))
        agreement["limits"] = [agreement["bias"] - spread, agreement["bias"] + spread]
    if len(difference) > 2 and np.std(truth) > 0 and np.std(measured) > 0:
        agreement["r"] = float(np.corrcoef(truth, measured)[0, 1])
    return agreement
