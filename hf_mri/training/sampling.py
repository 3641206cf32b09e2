"""Which rows a step sees: a pure function of seed, epoch and process, so that a resumed run needs no saved sampler."""

import numpy as np
import torch

BLOCK = 16  # volumes


def draw_epoch(
    labels: np.ndarray,
    epoch: int,
    batch_size: int,
    parts: int = 1,
    processes: int = 1,
    seed: int = 0,
    positive_share: float = 0.0,
    volumes: np.ndarray | None = None,
) -> np.ndarray:
    """Draw the rows of one epoch.

    Args:
        labels: 0 or 1 for each training row.
        epoch: Number of the epoch; each has its own order.
        batch_size: Rows of one forward pass.
        parts: Batches gathered into one step.
        processes: Processes that share a step.
        seed: Of the run.
        positive_share: Share of positive rows, drawn with replacement; 0 takes every row once.
        volumes: Of the rows, where those that are fetched together shall come together; None mixes all.

    Returns:
        Positions in `labels`, (steps, parts, processes, batch_size). The incomplete last step is left out.
    """
    rng = np.random.default_rng([seed, epoch])
    count, step = len(labels), batch_size * parts * processes
    if count == 0:
        raise ValueError("no training rows: look at the split, --fold, --max_patients and --empty_slices")
    if positive_share:
        positive = labels > 0
        if not 0 < positive.sum() < count:
            raise ValueError("--positive_share needs both positive slices and empty ones among the training rows")
        chance = np.where(positive, positive_share / positive.sum(), (1 - positive_share) / (~positive).sum())
        order = rng.choice(count, size=count, replace=True, p=chance)
    else:
        order = rng.permutation(count)
    if volumes is not None:
        order = gather_blocks(order, volumes, rng)
    if count < step:  # a data set smaller than one step still trains: its rows repeat until the step is full
        order = np.resize(order, step)
    steps = len(order) // step
    return order[: steps * step].reshape(steps, parts, processes, batch_size)


def gather_blocks(order: np.ndarray, volumes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bring the rows of `BLOCK` volumes together, block after block; within a block the order stays as drawn."""
    names, volume = np.unique(volumes, return_inverse=True)
    block = rng.permutation(len(names)) // BLOCK
    return order[np.argsort(block[volume[order]], kind="stable")]


def make_generator(*place: int) -> torch.Generator:
    """Return a generator for one place in a run (seed, step, part, process): the same place draws the same numbers."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0] >> 1))
