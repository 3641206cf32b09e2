"""All folds of a recipe, one after the other, and the figures of their out-of-fold predictions together."""

import json
import subprocess
import sys
from pathlib import Path

from hf_mri.evaluation.evaluate import evaluate_folds
from hf_mri.evaluation.judgment import judge
from hf_mri.reports.evaluation_page import write_report
from hf_mri.reports.worst_pictures import WorstCases
from hf_mri.training.arguments import parse_arguments
from hf_mri.training.checkpoints import list_checkpoints


def run_folds(data: str, output: Path, folds: int, options: list[str]) -> str:
    """Train every fold that is not finished, then judge all patients out of fold.

    Every fold keeps its last weights: the held-out patients judge, so they may choose nothing.

    Args:
        data: Data set folder or Hub id.
        output: Gets `fold-1-of-N/` and so on, each a run folder, and `metrics.json` with a report.
        folds: Number of parts.
        options: Further options of train.py.

    Returns:
        A sentence with the main figures and where the rest stands.
    """
    check_options(options)
    for fold in range(1, folds + 1):
        folder = output / f"fold-{fold}-of-{folds}"
        if not (folder / "bundle").exists():
            command = [sys.executable, "-m", "hf_mri.training.train", *options, "--select", "last"]
            command += ["--data", data, "--fold", f"{fold}/{folds}", "--output_dir", str(folder)]
            if list_checkpoints(folder / "checkpoints"):
                command += ["--resume", "true"]
            found = subprocess.run(command, check=False)
            if found.returncode:
                raise ValueError(
                    f"{folder}: training ended with exit code {found.returncode}; mend what it said and start the "
                    "same command again, finished folds are kept"
                )
    bundle = json.loads((output / f"fold-1-of-{folds}" / "bundle" / "metrics.json").read_text(encoding="utf-8"))
    worst = WorstCases()
    facts = {"data": {"name": bundle["data"]["name"]}, "model": bundle["model"]}
    metrics = evaluate_folds(output, observe=worst.consider, **facts)
    write_report(metrics, worst.sort(), output)
    said = " ".join([describe(metrics), *judge(metrics)])
    return f"{said} All figures: {output / 'metrics.json'}, {output / 'report.html'}"


def check_options(options: list[str]) -> None:
    """Refuse options by which the held-out patients would choose what they are to judge.

    Raises:
        ValueError: says which option, and why.
    """
    arguments = parse_arguments(options)
    given = {
        "--early_stopping": arguments.early_stopping > 0,
        "--schedule plateau": arguments.schedule == "plateau",
        "--select best": "--select" in options and arguments.select == "best",
    }
    for option in [name for name, chosen in given.items() if chosen]:
        raise ValueError(
            f"{option}: looks at the held-out fold, whose figures would flatter; leave it out, every fold keeps its "
            "last weights"
        )


def describe(metrics: dict) -> str:
    """Return the headline of out-of-fold figures in one line."""
    words = [f"{metrics['data']['patients']} patients, each read by a model that had not seen it."]
    for label, scores in metrics.get("segmentation", {}).items():
        dice = scores["volume_dice"]
        interval = " to ".join(f"{value:.3f}" for value in dice.get("ci95", []))
        words.append(f"{label}: volume Dice {dice['mean']:.3f}{f' ({interval})' if interval else ''},")
        words.append(f"median {dice['median']:.3f}, worst {dice['min']:.3f}.")
    slices = metrics.get("classification", {})
    named = [f"{name} {slices[key]:.3f}" for name, key in (("AUC", "roc_auc"), ("F1", "f1")) if key in slices]
    if named:
        words.append(f"Slices: {', '.join([*named, 'accuracy ' + format(slices['accuracy'], '.3f')])}.")
    return " ".join(words)
