"""Seconds from a fresh process to the first reading, against importing torch, transformers and timm alone.

    python benchmarks/cold_start.py

Both sides take turns in fresh processes; the first turn fills the file cache and does not count. Prints JSON.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hf_mri.commands.demo import draw_patient, find_bundle

IMPORTS = "import torch, transformers, timm"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=str(find_bundle()), help="bundle; by default the project's own")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        scan = draw_patient(Path(scratch) / "scan")
        times: dict[str, list[float]] = {"reading": [], "imports": []}
        for number in range(1 + arguments.rounds):
            read = ["-m", "hf_mri.commands.app", "predict", str(scan), "--model", arguments.model, "--only", "json"]
            commands = {"reading": [*read, "--output", f"{scratch}/{number}"], "imports": ["-c", IMPORTS]}
            for name, command in commands.items():
                start = time.perf_counter()
                subprocess.run([sys.executable, *command], check=True, capture_output=True)
                if number:
                    times[name].append(time.perf_counter() - start)
    medians = {name: round(statistics.median(values), 2) for name, values in times.items()}
    print(json.dumps({"seconds": medians, "ratio": round(medians["reading"] / medians["imports"], 2)}, indent=1))


if __name__ == "__main__":
    main()
