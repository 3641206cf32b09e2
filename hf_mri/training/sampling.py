"""Which rows a step sees: a pure function of seed, epoch and process, so that a resumed run needs no saved sampler."""

import numpy as np
import torch


def draw_epoch(
    labels: np.ndarray, epoch: int, *, batch_size: int, processes: int, seed: int, positive_share: float = 0.0
) -> np.ndarray:
    """Return the rows of an epoch as (steps, processes, batch_size); the incomplete last step is left out.

    With `positive_share` the rows are drawn with replacement so that this share of them is positive in the mean.
    """
    rng = np.random.default_rng([seed, epoch])
    count = len(labels)
    step = batch_size * processes
    if count == 0:
        raise ValueError("no training rows: the split is empty; look at splits.json, --fold and --empty_slices")
    if positive_share:
        positive = labels > 0
        if not 0 < positive.sum() < count:
            raise ValueError("--positive_share needs both tumor slices and empty ones among the training rows")
        chance = np.where(positive, positive_share / positive.sum(), (1 - positive_share) / (~positive).sum())
        order = rng.choice(count, size=count, replace=True, p=chance)
    else:
        order = rng.permutation(count)
    if count < step:
        # A data set smaller than one step still trains: its rows repeat until the step is full.
        order = np.resize(order, step)
    steps = len(order) // step
    return order[: steps * step].reshape(steps, processes, batch_size)


def keep_empty_slices(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return the rows to train on when only a share of the empty slices is kept, in their order."""
    if not 0 <= share <= 1:
        raise ValueError(f"--empty_slices is {share}; it is a share between 0 (drop them) and 1 (keep them)")
    rng = np.random.default_rng([seed, 1])
    return np.flatnonzero((labels > 0) | (rng.random(len(labels)) < share))


def make_generator(*place: int) -> torch.Generator:
    """Return a generator for one place in a run (seed, step, part, process): the same place draws the same numbers."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0] >> 1))
