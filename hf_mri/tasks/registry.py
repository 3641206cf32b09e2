"""Which organs are known. A new one: its own file, and its name in `TASKS`."""

from collections.abc import Iterable
from typing import Any

from hf_mri.tasks.abdomen import ABDOMEN
from hf_mri.tasks.brain_tumor import BRAIN_TUMOR
from hf_mri.tasks.heart import HEART
from hf_mri.tasks.task import OwnScores, Task

TASKS: list[Task] = [BRAIN_TUMOR, HEART, ABDOMEN]


def register(task: Task) -> Task:
    """Make an organ known to readings, reports, evaluations, cards and the page of this process."""
    TASKS[:] = [*(known for known in TASKS if known.name != task.name), task]
    return task


def find_task(labels: Iterable[str]) -> Task:
    """Find the organ that most of a model's labels (or a classifier's answers) belong to.

    Labels that no organ knows get a neutral task: it speaks their own words and measures nothing special.
    """
    words = list(labels)
    best = max(TASKS, key=lambda task: task.count(words))
    return best if best.count(words) else _make_neutral(words)


def find_scores(metrics: dict[str, Any]) -> list[tuple[OwnScores, dict[str, Any]]]:
    """List what an evaluation holds beyond the common, each with how to show it."""
    return [(own, metrics[own.key]) for own in list_scores() if own.key in metrics]


def list_scores() -> list[OwnScores]:
    """List the scores of all organs."""
    return [own for task in TASKS for own in task.scores]


def _make_neutral(labels: list[str]) -> Task:
    words = [label.replace("_", " ") for label in labels if label != "background" and not label.startswith("no ")]
    return Task("other", ", ".join(words).capitalize(), words[0] if len(words) == 1 else "finding")
