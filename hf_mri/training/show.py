"""What a person sees of a run: a progress bar, one line an epoch, and curves that are drawn anew as it goes."""

import os
import time
from pathlib import Path

import psutil
import torch
from accelerate import Accelerator
from tqdm.auto import tqdm

from hf_mri.training.checkpoints import append_record
from hf_mri.training.schedule import Budget, Progress

REDRAW = 20  # seconds at least between two drawings of the curves


class RunDisplay:
    """Bar, epoch lines, tracker and curves of one run; silent on all processes but the first."""

    def __init__(self, accelerator: Accelerator, output: Path, budget: Budget, steps_per_epoch: int, name: str):
        self.accelerator, self.output, self.budget = accelerator, output, budget
        self.steps_per_epoch = steps_per_epoch
        self.drawn = 0.0
        self.bar = tqdm(
            total=100,
            desc=name,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining} {postfix}",
            disable=not accelerator.is_main_process,
        )
        if accelerator.trackers == [] and accelerator.log_with:
            accelerator.init_trackers(output.name)

    def show(self, loss: float, rate: float) -> None:
        """Move the bar."""
        self.bar.n = round(100 * self.budget.share(), 1)
        self.bar.set_postfix_str(
            f"step {self.budget.progress.step}, loss {loss:.3f}, rate {rate:.1e}, {_memory()}", refresh=True
        )

    def epoch(self, record: dict, progress: Progress) -> None:
        """Write one line, log the record, and redraw the curves now and then."""
        if not self.accelerator.is_main_process:
            return
        words = [f"{key} {value:.4g}" for key, value in record.items() if key not in {"score", "epoch", "step"}]
        self.bar.write(f"epoch {record['epoch']:g} (step {record['step']}): {', '.join(words)}")
        append_record(self.output, record)
        if self.accelerator.trackers:
            self.accelerator.log({k: v for k, v in record.items() if k != "step"}, step=record["step"])
        if time.monotonic() - self.drawn > REDRAW:
            self._draw(progress)

    def close(self) -> None:
        """Finish the bar; the curves show the whole run."""
        if self.accelerator.is_main_process:
            self._draw(self.budget.progress)
        self.bar.close()

    def _draw(self, progress: Progress) -> None:
        from hf_mri.training.curves import draw_curves

        draw_curves(progress.history, self.output / "curves.png")
        self.drawn = time.monotonic()


def _memory() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB GPU"
    return f"{psutil.Process(os.getpid()).memory_info().rss / 2**30:.1f} GiB"
