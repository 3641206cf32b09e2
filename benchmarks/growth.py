"""How time and memory grow with the data: import, an epoch of training, predict, evaluate.

    python benchmarks/growth.py [--short | --long] [--model BUNDLE]

Phantom patients at 1, 4 and 16 times, each measurement in a fresh process, the imports of its libraries apart. The
exponent is the slope of the straight line through the logarithms: 1 is in proportion, 0 is flat. Memory is the most
that the process itself held (files that are mapped into memory do not count). The long form adds 50,000 slices once
and compares their memory with that of the slices of the last step.
"""

import argparse
import json
import math
import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from measuring import run_apart, run_benchmark
from scans import draw_scans, find_model

FORMS = {
    "short": {"patients": [3, 6], "slices": 4, "size": 64, "rounds": 1, "once": 0},
    "moderate": {"patients": [4, 16, 64], "slices": 16, "size": 64, "rounds": 1, "once": 0},
    "long": {"patients": [10, 40, 160], "slices": 32, "size": 128, "rounds": 3, "once": 50_000},
}
ONCE_SIZE = 64  # pixels of the many slices
WORK = ("import", "training epoch", "predict", "evaluate")
MOST = 1.05


def do_import(task: dict) -> None:
    """A publisher's folder to a data set."""
    from hf_mri.data.importing import import_dataset

    import_dataset("lgg", task["scans"], task["data"])


def do_train(task: dict) -> None:
    """One epoch of a tiny segmenter, from the decoding of the slices to the finished bundle."""
    from hf_mri.training.arguments import TrainingArguments
    from hf_mri.training.train import main as train

    arguments = TrainingArguments(
        data=task["data"],
        output_dir=task["out"],
        rows_cache=task["out"] + "-cache",
        backbone=None,
        decoder_channels=[8, 8],
        image_size=64,
        epochs=1,
        pretrained="none",
        batch_size=8,
    )
    train(arguments)


def do_predict(task: dict) -> None:
    """Every scan to its reading and masks on disk."""
    from hf_mri.data.phantoms.draw import find_phantoms
    from hf_mri.predict.predicting import predict

    outcome = predict(find_phantoms(Path(task["scans"])), task["model"], Path(task["out"]), only=["json", "masks"])
    if outcome.failed:
        raise ValueError(str(outcome.failed)[:300])


def do_evaluate(task: dict) -> None:
    """Every scan judged, with intervals, pictures of the worst, and the report."""
    from hf_mri.evaluation.evaluate import evaluate_model
    from hf_mri.reports.evaluation_page import write_report
    from hf_mri.reports.worst_pictures import WorstCases

    worst = WorstCases()
    metrics = evaluate_model(task["model"], task["scans"], layout="lgg", observe=worst.consider)
    write_report(metrics, worst.sort(), Path(task["out"]))


DOING = dict(zip(WORK, (do_import, do_train, do_predict, do_evaluate), strict=True))


@contextmanager
def watch_memory():
    """Look at this process's own memory, mapped files left out, twenty times a second; give the most in MiB."""
    most, over = [0.0], threading.Event()

    def look() -> None:
        while True:
            found = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
            most[0] = max(most[0], int(found["RssAnon"].split()[0]) / 1024)
            if over.wait(0.05):
                return

    watching = threading.Thread(target=look)
    watching.start()
    try:
        yield most
    finally:
        over.set()
        watching.join()


def measure_apart(task: dict) -> dict:
    """Do one work, or in the short form all, in this process; its libraries are imported before the clock starts."""
    import torch

    import hf_mri.data.importing
    import hf_mri.evaluation.evaluate
    import hf_mri.predict.predicting
    import hf_mri.reports.evaluation_page
    import hf_mri.reports.worst_pictures
    import hf_mri.training.train  # noqa: F401

    torch.set_num_threads(os.cpu_count())
    found = {}
    for work, out in task["works"].items():
        with watch_memory() as most:
            start, cpu = time.perf_counter(), time.process_time()
            DOING[work](task | {"out": out})
            seconds, used = time.perf_counter() - start, time.process_time() - cpu
        found[work] = {"seconds": round(seconds, 3), "cpu_seconds": round(used, 3), "peak_mib": round(most[0])}
    return found


def measure_amount(scratch: Path, patients: int, shape: dict, model: str, rounds: int, apart: bool) -> dict[str, dict]:
    """Do all works on so many patients, each in a fresh process; the quickest of some rounds counts."""
    place = scratch / f"{patients}-{shape['size']}"
    draw_scans(place / "scans", patients, **shape)
    found: dict[str, list[dict]] = {work: [] for work in WORK}
    for number in range(rounds):
        outs = {work: str(place / f"{work}-{number}".replace(" ", "-")) for work in WORK}
        task = {"scans": str(place / "scans"), "data": str(place / f"data-{number}"), "model": model}
        for works in [{work: out} for work, out in outs.items()] if apart else [outs]:
            said = run_apart([__file__, "--measure", json.dumps(task | {"works": works})])["said"]
            for work in works:
                found[work].append(said[work])
    return {
        work: {"slices": patients * shape["slices"]} | {key: min(run[key] for run in runs) for key in runs[0]}
        for work, runs in found.items()
    }


def fit_exponent(points: list[dict], key: str) -> float:
    """The slope of the line through the logarithms of slices and figure."""
    x = [math.log(point["slices"]) for point in points]
    y = [math.log(max(point[key], 1e-3)) for point in points]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)
    return round(slope, 3)


def measure(options: argparse.Namespace, scratch: Path) -> dict:
    """All amounts, then the exponents."""
    settings = options.settings
    model = str(find_model(options.model, options.model is None, scratch, 64))
    shape = {"slices": settings["slices"], "size": settings["size"]}
    apart = options.form != "short"  # a process of its own costs ten seconds
    amounts = [
        measure_amount(scratch, patients, shape, model, settings["rounds"], apart) for patients in settings["patients"]
    ]
    figures = {}
    for work in WORK:
        points = [amount[work] for amount in amounts]
        figures[work] = {
            "points": points,
            "exponents": {key: fit_exponent(points, key) for key in ("seconds", "cpu_seconds", "peak_mib")},
        }
    if settings["once"]:
        many = math.ceil(settings["once"] / settings["slices"])
        few = settings["patients"][-1]
        shape["size"] = ONCE_SIZE
        pair = [measure_amount(scratch / "once", patients, shape, model, 1, apart) for patients in (few, many)]
        figures["once"] = {work: [found[work] for found in pair] for work in WORK}
    return figures


def main() -> None:
    """Measure, write JSON and plot."""

    def extend(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--model", help="bundle that predicts and is evaluated; by default a tiny one")

    found = run_benchmark("growth", __doc__, FORMS, measure, extend, measure_apart)
    if found is None:
        return
    path, figures = found
    from plots import draw_lines

    lines = {work: [(point["slices"], point["seconds"]) for point in figures[work]["points"]] for work in WORK}
    draw_lines(path, "Time by the amount of data", "slices", "seconds", lines)


if __name__ == "__main__":
    main()
