"""How long an evaluation takes, report included, and how its memory grows with the patients; prints JSON.

    python benchmarks/evaluate_speed.py [--model BUNDLE] [--slices 800] [--repeats 3]

Scans are phantoms in the LGG layout. Each run is a process of its own; time is taken inside it, imports apart. Without
`--model` a two-stage model of 4.4 million parameters with random weights does all of its work, and its answer is then
replaced by what is bright: random masks of a third of every picture would make the distances the benchmark.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SLICES = 36  # of a patient


def make_stand_in():
    """A Reader with the work of two MobileNetV2 stages and the answers of a threshold."""
    import torch

    from hf_mri import (
        MriImageProcessor,
        Reader,
        ResUNetConfig,
        ResUNetForSemanticSegmentation,
        SliceClassifierConfig,
        SliceClassifierForImageClassification,
        TwoStageForSemanticSegmentation,
    )

    torch.manual_seed(0)
    classifier = SliceClassifierForImageClassification(SliceClassifierConfig(backbone="mobilenetv2_100"))
    segmenter = ResUNetForSemanticSegmentation(
        ResUNetConfig(backbone="mobilenetv2_100", decoder_channels=(128, 96, 64, 48, 32))
    )
    model = TwoStageForSemanticSegmentation.from_stages(classifier, segmenter)
    processor = MriImageProcessor(image_mean=[0.0] * 3, image_std=[1.0] * 3)
    reader = Reader(model, processor)
    gate, segment = reader.engine.gate, reader.engine.segment

    def gate_by_brightness(pixel_values):
        logits = 0 * gate(pixel_values).float()
        share = (torch.stack([*pixel_values])[:, 1] > 0.75).float().mean(dim=(1, 2))
        logits[:, 1] += 400 * (share - 0.02)
        return logits

    def segment_by_brightness(pixel_values):
        logits = 0 * segment(pixel_values).float()
        logits[:, 1] += 40 * (torch.stack([*pixel_values])[:, 1] - 0.75)
        return logits

    reader.engine.gate, reader.engine.segment = gate_by_brightness, segment_by_brightness
    return reader


def measure(data: str, output: str, model: str | None) -> dict:
    """Evaluate once in this process."""
    started = time.perf_counter()
    import torch

    from hf_mri.evaluation.evaluate import evaluate_model
    from hf_mri.reports.evaluation_page import write_report
    from hf_mri.reports.worst_pictures import WorstCases

    torch.set_num_threads(2)
    reader = model or make_stand_in()
    ready, used = time.perf_counter(), time.process_time()
    worst = WorstCases()
    metrics = evaluate_model(reader, data, layout="lgg", observe=worst.consider)
    write_report(metrics, worst.sort(), output)
    return {
        "imports_s": round(ready - started, 2),
        "evaluation_s": round(time.perf_counter() - ready, 2),
        "cpu_s": round(time.process_time() - used, 2),
        "reading_s": round(metrics["engine"]["seconds"], 2),
        "reading_without_gate_s": round(metrics["gate"]["seconds_without"], 2),
        "slices": metrics["data"]["slices"],
        "patients": metrics["data"]["patients"],
        "precision": metrics["engine"]["precision"],
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def run_apart(arguments: list[str]) -> dict:
    """Run `measure` in a fresh process and read its answer."""
    command = [sys.executable, __file__, "--measure", *arguments]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(found.stdout.splitlines()[-1])


def main() -> None:
    """Make phantoms, evaluate them some times, then fewer of them for the growth of memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder of a two-stage bundle; by default a stand-in")
    parser.add_argument("--slices", type=int, default=800)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", nargs=2, metavar=("DATA", "OUTPUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure, options.model)))
        return
    from hf_mri.data.phantoms.draw import draw_phantom

    extra = ["--model", options.model] if options.model else []
    with tempfile.TemporaryDirectory() as folder:
        patients = max(4, round(options.slices / SLICES))
        full, quarter = Path(folder) / "full", Path(folder) / "quarter"
        draw_phantom("lgg", full, patients=patients, slices=SLICES)
        for place in sorted((full / "kaggle_3m").glob("*/"))[: max(3, patients // 4)]:
            shutil.copytree(place, quarter / "kaggle_3m" / place.name)
        runs = [
            run_apart([str(full), str(Path(folder) / f"out-{repeat}"), *extra]) for repeat in range(options.repeats)
        ]
        fewer = run_apart([str(quarter), str(Path(folder) / "out-quarter"), *extra])
    seconds = statistics.median(run["evaluation_s"] for run in runs)
    print(
        json.dumps(
            {
                "model": options.model or "stand-in",
                "slices": runs[0]["slices"],
                "evaluation_s_median": seconds,
                "evaluation_s_per_800_slices": round(800 * seconds / runs[0]["slices"], 1),
                "peak_mb": {runs[0]["patients"]: runs[0]["peak_mb"], fewer["patients"]: fewer["peak_mb"]},
                "runs": runs,
                "machine": {
                    "cpus": os.cpu_count(),
                    "load_at_end": os.getloadavg()[0],
                    "processor": platform.processor() or platform.machine(),
                },
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
