"""Intervals by bootstrap over patients: most figures are ratios of sums, so resampling is one matrix product."""

import numpy as np

RESAMPLES = 2000
SEED = 20190502
MIN_PATIENTS = 3
LEVELS = (2.5, 97.5)


def draw_weights(patients: int, resamples: int = RESAMPLES, seed: int = SEED) -> np.ndarray:
    """Draw how often each patient occurs in each resample, as (resamples, patients)."""
    return np.random.default_rng(seed).multinomial(patients, np.full(patients, 1 / patients), size=resamples)


def sum_by_patient(values: np.ndarray, patient_index: np.ndarray, patients: int) -> np.ndarray:
    """Sum values (N,) or (N, K) over the patients that they belong to, as (patients,) or (patients, K)."""
    sums = np.zeros((patients, *np.shape(values)[1:]))
    np.add.at(sums, patient_index, values)
    return sums


def resample_ratio(weights: np.ndarray, numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Compute sum(numerator) / sum(denominator) in every resample; NaN where a resample holds nothing to divide by."""
    below = weights @ denominator
    return np.divide(weights @ numerator, below, out=np.full(len(weights), np.nan), where=below > 0)


def resample_median(values: np.ndarray, resamples: int = RESAMPLES, seed: int = SEED) -> np.ndarray:
    """Compute the median of patients' values in every resample."""
    drawn = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    return np.median(values[drawn], axis=1)


def find_interval(samples: np.ndarray, patients: int) -> list[float] | None:
    """Find the 95 % percentile interval of a resampled figure; None with too few patients to say anything."""
    kept = samples[np.isfinite(samples)]
    if patients < MIN_PATIENTS or len(kept) < len(samples) / 2:
        return None
    return [float(value) for value in np.percentile(kept, LEVELS)]
