"""How fast an import is and how much memory it takes: full LGG size, and phantoms at 1, 4 and 16 times.

Prints JSON. `python benchmarks/import_speed.py [--source FOLDER] [--layout lgg] [--repeats 3]`. Each import runs in a
process of its own, so that its peak memory is its own. Without `--source`, phantoms of the publisher's size are drawn.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FULL_LGG = 3929
PHANTOM_SLICES = 32


def measure_import(layout: str, source: str, dest: str) -> dict:
    """Import once in this process: seconds without start-up, and the largest memory above what start-up took."""
    from hf_mri.data.importing import import_dataset

    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    summary = import_dataset(layout, source, dest)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "patients": summary["patients"],
        "slices": summary["slices"],
        "seconds": seconds,
        "cpu_seconds": cpu,
        "slices_per_second": summary["slices"] / seconds,
        "start_mib": before.ru_maxrss / 1024,
        "peak_mib": after.ru_maxrss / 1024,
    }


def measure_apart(layout: str, source: Path, repeats: int) -> dict:
    """The median of several imports, each in a new process."""
    runs = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--one", layout, str(source), f"{folder}/dataset"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs.append(json.loads(done.stdout))
    return {key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]}


def measure_phantoms(layout: str, patients: list[int], repeats: int, size: int) -> list[dict]:
    """Imports of phantoms with more and more patients."""
    from hf_mri.data.phantoms.draw import draw_phantom

    measured = []
    for count in patients:
        with tempfile.TemporaryDirectory() as folder:
            draw_phantom(layout, f"{folder}/phantom", patients=count, size=size, slices=PHANTOM_SLICES)
            measured.append(measure_apart(layout, Path(folder) / "phantom", repeats))
    return measured


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, help="folder as its publisher ships it")
    parser.add_argument("--layout", default="lgg")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--patients", type=int, nargs="*", default=[10, 40, 160])
    parser.add_argument("--size", type=int, default=256, help="of the phantoms")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure_import(*arguments.one)))
        return
    found = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "repeats": arguments.repeats}
    if arguments.source:
        found["source"] = measure_apart(arguments.layout, arguments.source, arguments.repeats)
        found["full_lgg_seconds"] = round(FULL_LGG / found["source"]["slices_per_second"], 1)
    if arguments.patients:
        phantoms = measure_phantoms(arguments.layout, arguments.patients, arguments.repeats, arguments.size)
        found["phantoms"] = phantoms
        found["memory_last_to_first"] = round(phantoms[-1]["peak_mib"] / phantoms[0]["peak_mib"], 3)
        found["cpu_per_slice_last_to_first"] = round(
            (phantoms[-1]["cpu_seconds"] / phantoms[-1]["slices"])
            / (phantoms[0]["cpu_seconds"] / phantoms[0]["slices"]),
            3,
        )
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
