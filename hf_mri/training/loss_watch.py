"""The losses of the last steps, looked at now and then, and the stop where one is not a number."""

from pathlib import Path

import numpy as np
import torch

from hf_mri.training.checkpoints import append_record
from hf_mri.training.rows import Rows

LOOK_EVERY = 20  # batches between two looks: each look waits for the GPU


class LossWatch:
    """Keeps losses on the device until somebody looks, with the rows that they came from."""

    def __init__(self, rows: Rows, output: Path):
        self.rows, self.output = rows, output
        self.waiting: list[tuple[torch.Tensor, np.ndarray]] = []
        self.looked_at: list[float] = []

    def note(self, loss: torch.Tensor, index: np.ndarray) -> None:
        """Keep one batch's loss and rows."""
        self.waiting.append((loss.detach(), index))

    @property
    def full(self) -> bool:
        """Whether it is time for a look."""
        return len(self.waiting) >= LOOK_EVERY

    def check(self) -> float:
        """Return the mean loss since the last look.

        Raises:
            ValueError: a loss is not a number; names the slices. Nothing after them was saved.
        """
        values = torch.stack([loss for loss, _ in self.waiting]).float().cpu().numpy()
        for value, (_, index) in zip(values, self.waiting, strict=True):
            if not np.isfinite(value):
                append_record(self.output, {"error": f"loss is {value}", "rows": [int(row) for row in index]})
                names = ", ".join(
                    sorted(f"{self.rows.volumes[row]} slice {self.rows.positions[row]}" for row in index)
                )
                raise ValueError(
                    f"{self.output}: the loss is {value} at a batch of {names}; the last good checkpoint is kept: "
                    "look at these slices, lower --learning_rate, or use --mixed_precision no"
                )
        self.waiting.clear()
        self.looked_at.extend(values.tolist())
        return float(values.mean())

    def mean_since_validation(self) -> float:
        """Return the mean loss since this was last asked."""
        mean = float(np.mean(self.looked_at))
        self.looked_at.clear()
        return mean
