"""What a person sees of a run: a progress bar, one line an epoch, and pictures that are drawn anew as it goes."""

import os
import time
from pathlib import Path

import psutil
import torch
from accelerate import Accelerator
from tqdm.auto import tqdm

from hf_mri.reports.curves import draw_curves
from hf_mri.training.checkpoints import append_record
from hf_mri.training.examples import draw_examples
from hf_mri.training.schedule import Budget

REDRAW = 30  # seconds at least between two drawings: they must cost a small part of an epoch
TITLES = {
    "volume_dice": "Dice",
    "slice_auc": "ROC AUC by slice",
    "worst_volume_dice": "worst Dice",
    "learning_rate": "learning rate",
}


class RunDisplay:
    """Bar, epoch lines, tracker and pictures of one run; silent on all processes but the first."""

    def __init__(self, accelerator: Accelerator, output: Path, budget: Budget, task: str):
        self.accelerator, self.output, self.budget, self.task = accelerator, output, budget, task
        self.drawn = -REDRAW

    def __enter__(self) -> "RunDisplay":
        if self.accelerator.log_with and not self.accelerator.trackers:
            self.accelerator.init_trackers("hf_mri")
        self.bar = tqdm(
            total=100,
            desc=self.task,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining} {postfix}",
            disable=not self.accelerator.is_main_process,
        )
        return self

    def __exit__(self, *error) -> None:
        self.bar.close()

    def move(self, loss: float, rate: float) -> None:
        """Move the bar."""
        self.bar.n = round(100 * self.budget.share, 1)
        step = self.budget.progress.step
        self.bar.set_postfix_str(
            f"step {step}, loss {loss:.3f}, learning rate {rate:.1e}, {_measure_memory()}", refresh=True
        )

    def report(self, history: list[dict], model, data, processor, task: str) -> None:
        """Write one line, log the record, and redraw curves and examples now and then."""
        if not self.accelerator.is_main_process:
            return
        record = history[-1]
        words = [f"{TITLES.get(key, key)} {value:.4g}" for key, value in record.items() if key not in _UNSAID]
        self.bar.write(f"epoch {record['epoch']:g}, step {record['step']}: {', '.join(words)}")
        append_record(self.output, record)
        self.accelerator.log({key: value for key, value in record.items() if key != "step"}, step=record["step"])
        if time.monotonic() - self.drawn > REDRAW or self.budget.spent:
            draw_curves([history], self.output / "curves.png")
            if len(data.validation):
                draw_examples(model, data, processor, self.accelerator, task, self.output / "examples.png")
            self.drawn = time.monotonic()


_UNSAID = {"epoch", "step", "score"}


def _measure_memory() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB GPU"
    return f"{psutil.Process(os.getpid()).memory_info().rss / 2**30:.1f} GiB"
