"""Ten thousand scans through `hf-mri predict`: throughput, memory, and a kill in the middle.

    python benchmarks/archive.py [--short | --long] [--model BUNDLE]

Small phantom scans, each a folder of slices on disk, read by the command to JSON and masks. The command is killed
(SIGKILL) when half of the scans are there, then called again; what was read must not be read again. Memory is what the
command itself held, looked at as the run goes: after a twentieth of the scans, at the kill, and at the end.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from measuring import ROOT, run_benchmark
from scans import draw_scans, find_model

FORMS = {
    "short": {"scans": 40, "slices": 2, "size": 32, "drawn": 4},
    "moderate": {"scans": 2_000, "slices": 4, "size": 64, "drawn": 20},
    "long": {"scans": 10_000, "slices": 4, "size": 64, "drawn": 50},
}


def lay_out(folder: Path, settings: dict) -> Path:
    """So many scans, each a folder of its own; pictures are drawn for some of them and linked for the others."""
    drawn = draw_scans(folder / "drawn", settings["drawn"], settings["slices"], settings["size"])
    archive = folder / "archive"
    for number in range(settings["scans"]):
        place = archive / f"scan{number:05d}"
        place.mkdir(parents=True)
        for path in drawn[number % len(drawn)].glob("*.tif"):
            os.link(path, place / path.name)
    return archive


def start(archive: Path, model: str, out: Path) -> subprocess.Popen:
    """Start the command."""
    command = [sys.executable, "-m", "hf_mri", "predict", f"{archive}/*", "--model", model, "--output", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([*command, "--only", "json,masks"], env=environment, stdout=subprocess.PIPE, text=True)


def count_read(out: Path) -> int:
    """How many scans are there."""
    try:
        return sum(not entry.name.startswith(".") and entry.is_dir() for entry in os.scandir(out))
    except FileNotFoundError:
        return 0


def hold_memory(process: subprocess.Popen) -> float:
    """MiB that a process holds now, mapped files left out; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024
    except (OSError, StopIteration):
        return 0.0


def watch(process: subprocess.Popen, out: Path, goal: int) -> list[tuple[float, int, float]]:
    """Second, scans read and MiB, about four times a second, until so many are read or the process has ended."""
    began, seen = time.perf_counter(), []
    while process.poll() is None:
        seen.append((time.perf_counter() - began, count_read(out), hold_memory(process)))
        if seen[-1][1] >= goal:
            break
        time.sleep(0.25)
    return seen


def measure(options: argparse.Namespace, scratch: Path) -> dict:
    """Lay out, read half, kill, go on, count."""
    settings = options.settings
    model = str(find_model(options.model, options.model is None, scratch, settings["size"]))
    archive, out = lay_out(scratch, settings), scratch / "out"
    wanted = settings["scans"]
    killed = start(archive, model, out)
    first = watch(killed, out, wanted // 2)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    there = {path: path.stat().st_mtime_ns for path in out.glob("*/reading.json")}
    resumed = start(archive, model, out)
    second = watch(resumed, out, wanted + 1)
    printed = resumed.communicate()[0]
    if resumed.returncode:
        raise RuntimeError(f"hf-mri predict ended with {resumed.returncode} after the kill: {printed}")
    read_twice = sum(path.stat().st_mtime_ns != time_of for path, time_of in there.items())
    import pyarrow.parquet as pq

    table = pq.read_table(out / "summary.parquet", columns=["scan", "status", "slices"])
    reading = [sample for sample in first if sample[1] > 0]
    seconds, scans = reading[-1][0] - reading[0][0], reading[-1][1] - reading[0][1]
    early = [mib for _, count, mib in first if count >= wanted // 20][:1] or [first[-1][2]]
    return {
        "scans": wanted,
        "read_before_the_kill": len(there),
        "read_twice": read_twice,
        "in_the_summary": table.num_rows,
        "failed": sum(status != "read" for status in table["status"].to_pylist()),
        "scans_a_second": round(scans / seconds, 1) if seconds else None,
        "slices_a_second": round(scans * settings["slices"] / seconds, 1) if seconds else None,
        "mib_early": round(early[0]),
        "mib_at_the_kill": round(reading[-1][2]),
        "mib_at_the_end": round(max(mib for _, _, mib in second[-8:])),
        "samples": [
            [round(second, 1), count, round(mib)] for second, count, mib in first[:: max(1, len(first) // 100)]
        ],
    }


def main() -> None:
    """Measure, write JSON and plot."""

    def extend(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--model", help="bundle that reads; by default a tiny one")

    found = run_benchmark("archive", __doc__, FORMS, measure, extend)
    if found is None:
        return
    path, figures = found
    from plots import draw_lines

    lines = {"MiB": [(count, mib) for _, count, mib in figures["samples"] if count]}
    draw_lines(path, "Memory of the command by scans read", "scans", "MiB", lines)


if __name__ == "__main__":
    main()
