"""How far a run is, and the learning rate there: one clock for epochs, steps and minutes."""

import math
import time
from dataclasses import dataclass, field


@dataclass
class Progress:
    """Where a run stands; saved with every checkpoint, so that a resumed run goes on as if nothing had happened."""

    step: int = 0
    elapsed: float = 0.0
    best: float = -math.inf
    best_step: int = 0
    stale: int = 0
    rate_factor: float = 1.0
    history: list = field(default_factory=list)

    def state_dict(self) -> dict:
        """What `accelerate` saves."""
        return dict(vars(self))

    def load_state_dict(self, state: dict) -> None:
        """What `accelerate` restores."""
        vars(self).update(state)


class Budget:
    """The limit of a run, in epochs, steps or minutes, and the share of it that is used."""

    def __init__(self, arguments, steps_per_epoch: int, progress: Progress):
        self.minutes = arguments.max_minutes if not (arguments.max_steps or arguments.epochs) else None
        self.steps = arguments.max_steps or (
            max(1, round(arguments.epochs * steps_per_epoch)) if arguments.epochs else None
        )
        self.progress = progress
        self.before = progress.elapsed
        self.start = time.monotonic()

    def tick(self) -> None:
        """Note the time that has passed, earlier parts of a resumed run included."""
        self.progress.elapsed = self.before + time.monotonic() - self.start

    def share(self) -> float:
        """Return how much of the budget is used, 0 to 1."""
        if self.steps:
            return min(1.0, self.progress.step / self.steps)
        return min(1.0, self.progress.elapsed / (60 * self.minutes))


def rate(share: float, arguments, factor: float = 1.0) -> float:
    """Return the learning rate as a share of its peak: warm-up, then cosine, constant or plateau (`factor`)."""
    if share < arguments.warmup:
        return max(share / arguments.warmup, 1e-3)
    if arguments.schedule == "cosine":
        through = (share - arguments.warmup) / max(1e-9, 1 - arguments.warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, through)))
    return factor if arguments.schedule == "plateau" else 1.0


def note_validation(progress: Progress, score: float, arguments) -> bool:
    """Record a validation's score; return whether it is the best so far. Plateaus lower the rate here."""
    if score > progress.best:
        progress.best, progress.best_step, progress.stale = score, progress.step, 0
        return True
    progress.stale += 1
    if arguments.schedule == "plateau" and progress.stale % max(1, arguments.plateau_patience) == 0:
        progress.rate_factor *= 0.2
    return False
