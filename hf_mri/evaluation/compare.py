"""Models side by side: the same patients, paired differences, and bootstrap intervals of these over patients."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from hf_mri.evaluation.figures import MISSING, SLICE_FIGURES, format_figure, format_interval
from hf_mri.evaluation.metrics_file import read_metrics
from hf_mri.evaluation.scores.bootstrap import MIN_PATIENTS, draw_weights, find_interval, resample_ratio
from hf_mri.evaluation.scores.classification import score_decisions
from hf_mri.evaluation.scores.pixels import compute_dice
from hf_mri.evaluation.scores.ranking import Ranking
from hf_mri.modeling.mri_files import write_text

Cases = dict[str, list[dict[str, Any]]]  # patient → volumes


def compare_files(paths: list[str | Path], output: str | Path | None = None) -> dict[str, Any]:
    """Compare evaluations with the first of them.

    Args:
        paths: two or more metrics.json, or folders that hold one.
        output: JSON file that gets the comparison.

    Returns:
        `patients` (those that all share), `notes`, and `figures`: figure → one entry an evaluation with `value` and,
        from the second on, `difference` and its paired `ci95`.

    Raises:
        ValueError: fewer than two files, or no patient in common.
    """
    if len(paths) < 2:
        raise ValueError("compare needs two metrics.json or more; give the base first")
    evaluations = [read_metrics(path) for path in paths]
    by_patient = [_group_by_patient(metrics) for metrics in evaluations]
    shared = [patient for patient in by_patient[0] if all(patient in cases for cases in by_patient)]
    if not shared:
        raise ValueError(f"{paths[1]}: shares no patient with {paths[0]}; compare evaluations of the same data")
    weights = draw_weights(len(shared))
    figures = [_compute_figures([cases[patient] for patient in shared], weights) for cases in by_patient]
    comparison: dict[str, Any] = {
        "models": _name_models(evaluations, paths),
        "patients": len(shared),
        "notes": _list_notes(evaluations, by_patient, shared),
        "figures": {name: _pair(name, figures, len(shared)) for name in _order_names(figures)},
    }
    if output is not None:
        text = json.dumps(comparison, indent=1, ensure_ascii=False)
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        write_text(Path(output), text + "\n")
    return comparison


def format_table(comparison: dict[str, Any]) -> str:
    """Write a comparison as a plain table; a star marks a difference whose interval leaves out zero."""
    header = ["figure", *comparison["models"]]
    rows = [header]
    for name, entries in comparison["figures"].items():
        row = [name]
        for entry in entries:
            text = MISSING if entry is None else format_figure(entry["value"])
            if entry and "difference" in entry:
                text += f" ({entry['difference']:+.3f}"
                if "ci95" in entry:
                    low, high = entry["ci95"]
                    text += f", {format_interval(entry['ci95'])}" + ("*" if low > 0 or high < 0 else "")
                text += ")"
            row.append(text)
        rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    interval = "with its paired 95 % interval, * where it leaves out zero"
    if comparison["patients"] < MIN_PATIENTS:
        interval = f"without an interval, since fewer than {MIN_PATIENTS} patients tell nothing of others"
    end = [
        f"{comparison['patients']} patients that all were judged on; in parentheses the difference from "
        f"{comparison['models'][0]} {interval}.",
        *comparison["notes"],
    ]
    return "\n".join([*lines, "", *end])


def _group_by_patient(metrics: dict[str, Any]) -> Cases:
    cases: Cases = {}
    for case in metrics["cases"]:
        cases.setdefault(case["patient"], []).append(case)
    return cases


def _compute_figures(patients: list[list[dict]], weights: np.ndarray) -> dict[str, tuple[float, np.ndarray]]:
    """Each figure with its value in every resample; all evaluations use the same resamples, which pairs them."""
    figures: dict[str, tuple[float, np.ndarray]] = {}
    ones = np.ones(len(patients))
    for label in patients[0][0].get("labels", {}):
        tables = [[case["labels"][label] for case in cases] for cases in patients]
        dice = np.array([np.mean([table["dice"] for table in volumes]) for volumes in tables])
        figures[f"{label}: Dice per patient"] = (float(dice.mean()), resample_ratio(weights, dice, ones))
        counts = np.array([np.sum([table["counts"] for table in volumes], axis=0) for volumes in tables])
        figures[f"{label}: Dice pooled"] = (float(compute_dice(counts.sum(axis=0))), compute_dice(weights @ counts))
        distances = [[table["hd95"] for table in volumes if "hd95" in table] for volumes in tables]
        total, number = (np.array([float(f(values)) for values in distances]) for f in (sum, len))
        if number.any():
            figures[f"{label}: HD95"] = (total.sum() / number.sum(), resample_ratio(weights, total, number))
    truth, decision, probability = (
        [np.concatenate([case[name] for case in cases]) for cases in patients]
        for name in ("truth", "decision", "probability")
    )
    confusion = np.array([_count_decisions(*pair) for pair in zip(truth, decision, strict=True)])
    point, samples = score_decisions(confusion.sum(axis=0)[None]), score_decisions(weights @ confusion)
    for name in ("accuracy", "precision", "recall", "f1"):
        if np.isfinite(point[name][0]):
            figures[f"slices: {SLICE_FIGURES[name]}"] = (float(point[name][0]), samples[name])
    every = np.concatenate(truth)
    if 0 < every.sum() < len(every):
        index = np.repeat(np.arange(len(patients)), [len(values) for values in truth])
        ranking = Ranking.sort(every > 0, np.concatenate(probability))
        area = ranking.compute_areas(np.ones((1, len(every))))[0][0]
        figures[f"slices: {SLICE_FIGURES['roc_auc']}"] = (float(area), ranking.resample_areas(weights, index)[0])
    return figures


def _count_decisions(truth: np.ndarray, decision: np.ndarray) -> list[float]:
    truth, decision = truth > 0, decision > 0
    pairs = (truth & decision, ~truth & decision, truth & ~decision, ~truth & ~decision)
    return [float(pair.sum()) for pair in pairs]


def _pair(name: str, figures: list[dict], patients: int) -> list[dict[str, Any] | None]:
    """One figure of every evaluation; from the second on with its difference from the first."""
    base = figures[0].get(name)
    entries: list[dict[str, Any] | None] = []
    for place, found in enumerate(figures):
        if name not in found:
            entries.append(None)
            continue
        value, samples = found[name]
        entry: dict[str, Any] = {"value": value}
        if place and base is not None:
            entry["difference"] = value - base[0]
            interval = find_interval(samples - base[1], patients)
            entry |= {"ci95": interval} if interval else {}
        entries.append(entry)
    return entries


def _order_names(figures: list[dict]) -> list[str]:
    return list(dict.fromkeys(name for found in figures for name in found))


def _name_models(evaluations: list[dict], paths: list[str | Path]) -> list[str]:
    """The models' names; where two are alike, the folders that the files lie in."""
    names = [metrics["model"].get("name", "") for metrics in evaluations]
    if all(names) and len(set(names)) == len(names):
        return names
    folders = [path if Path(path).is_dir() else Path(path).parent for path in paths]
    return [Path(folder).resolve().name for folder in folders]


def _list_notes(evaluations: list[dict], by_patient: list[Cases], shared: list[str]) -> list[str]:
    notes = []
    most = max(len(cases) for cases in by_patient)
    if most > len(shared):
        notes.append(f"Patients that not all were judged on are left out: {most - len(shared)} or fewer a file.")
    protocols = {metrics["protocol"] for metrics in evaluations}
    if len(protocols) > 1:
        notes.append(
            f"The protocols differ ({', '.join(sorted(protocols))}): the figures are not comparable as they are."
        )
    if any(metrics["seen_in_training"] for metrics in evaluations):
        notes.append("At least one model was trained on some of these patients: its figures flatter.")
    return notes
