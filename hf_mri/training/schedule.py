"""How far a run is, and the learning rate there: one clock for epochs, steps and minutes."""

import math
import time
from dataclasses import dataclass, field

import torch

from hf_mri.training.arguments import TrainingArguments


@dataclass
class Progress:
    """Where a run stands; saved with every checkpoint, so that a resumed run goes on as if nothing had happened."""

    step: int = 0
    elapsed: float = 0.0
    best: float = -math.inf
    best_step: int = 0
    stale: int = 0  # validations since the best one
    rate_factor: float = 1.0  # what plateaus have left of the learning rate
    history: list[dict] = field(default_factory=list)

    def state_dict(self) -> dict:
        """What `accelerate` saves."""
        return dict(vars(self))

    def load_state_dict(self, state: dict) -> None:
        """What `accelerate` restores."""
        vars(self).update(state)


class Budget:
    """The limit of a run, in steps, epochs or minutes, and the share of it that is used."""

    def __init__(self, arguments: TrainingArguments, epoch_steps: int, progress: Progress):
        self.progress = progress
        self.minutes = None if arguments.max_steps or arguments.epochs else arguments.max_minutes
        self.steps = arguments.max_steps
        if not self.steps and arguments.epochs:
            self.steps = max(1, round(arguments.epochs * epoch_steps))
        self.before = progress.elapsed
        self.start = time.monotonic()

    def tick(self) -> None:
        """Note the time that has passed, earlier parts of a resumed run included."""
        self.progress.elapsed = self.before + time.monotonic() - self.start

    @property
    def share(self) -> float:
        """How much of the budget is used, 0 to 1."""
        if self.steps:
            return min(1.0, self.progress.step / self.steps)
        return min(1.0, self.progress.elapsed / (60 * self.minutes))

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return self.share >= 1


def find_rate(share: float, arguments: TrainingArguments, plateau_factor: float = 1.0) -> float:
    """Return the learning rate as a share of its peak: warm-up, then cosine, constant or plateau."""
    if share < arguments.warmup:
        return max(share / arguments.warmup, 1e-3)
    if arguments.schedule == "cosine":
        through = (share - arguments.warmup) / max(1e-9, 1 - arguments.warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, through)))
    return plateau_factor if arguments.schedule == "plateau" else 1.0


def set_rates(
    optimizer: torch.optim.Optimizer, arguments: TrainingArguments, share: float, progress: Progress
) -> float:
    """Give each group its rate for this step; return the heads'."""
    factor = find_rate(share, arguments, progress.rate_factor)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
    return arguments.learning_rate * factor


def note_validation(progress: Progress, score: float, arguments: TrainingArguments) -> bool:
    """Record a validation's score; return whether it is the best so far. Plateaus lower the rate here."""
    if score > progress.best:
        progress.best, progress.best_step, progress.stale = score, progress.step, 0
        return True
    progress.stale += 1
    if progress.stale % max(1, arguments.plateau_patience) == 0:
        progress.rate_factor *= 0.2
    return False
