"""What the benchmarks share: three forms, sides that take turns, processes of their own, one JSON each.

Importing this must stay cheap: fresh processes are timed with it.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PEERS = {"segmentation_models_pytorch": "segmentation-models-pytorch", "monai": "monai"}


def read_options(
    description: str, forms: dict[str, dict], extend: Callable[[argparse.ArgumentParser], None] | None = None
) -> argparse.Namespace:
    """Read the command line; `options.form` is one of `forms`, `options.settings` what it says."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--short", action="store_true", help="seconds, with tiny models: does it still run?")
    length.add_argument("--long", action="store_true", help="the whole of it, on a quiet machine")
    parser.add_argument(
        "--output", type=Path, help="folder of JSON and plot; benchmarks/results, of a short run out/benchmarks"
    )
    parser.add_argument("--measure", help=argparse.SUPPRESS)  # JSON: what a process of its own is to do
    if extend:
        extend(parser)
    options = parser.parse_args()
    options.form = "short" if options.short else "long" if options.long else "moderate"
    options.settings = forms[options.form]
    options.output = options.output or (ROOT / "out" / "benchmarks" if options.short else RESULTS)
    return options


def run_benchmark(
    name: str,
    description: str,
    forms: dict[str, dict],
    measure: Callable[[argparse.Namespace, Path], dict],
    extend: Callable[[argparse.ArgumentParser], None] | None = None,
    measure_apart: Callable[[dict], dict | None] | None = None,
) -> tuple[Path, dict] | None:
    """Measure as the command line says and write the JSON; return where the plot goes, and the figures.

    Args:
        name: of the benchmark and its files.
        description: the script's docstring; its third paragraph is the protocol.
        forms: settings of the short, the moderate and the long form.
        measure: takes the options and a folder to work in.
        extend: adds options.
        measure_apart: what a process of its own does; its JSON goes to the one that started it, and None is returned.
    """
    options = read_options(description, forms, extend)
    if options.measure:
        if (found := measure_apart(json.loads(options.measure))) is not None:
            print(json.dumps(found))
        return None
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as scratch:
        figures = measure(options, Path(scratch))
    path = write_result(name, options, machine, description.split("\n\n")[2], figures)
    return path.with_suffix(".svg"), figures


def take_turns(sides: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Run the sides A B, B A, A B, …, after a round that warms up; return wall and CPU seconds of each run."""
    times: dict[str, dict[str, list[float]]] = {name: {"wall": [], "cpu": []} for name in sides}
    for number in range(rounds + 1):
        for name in list(sides) if number % 2 == 0 else list(reversed(sides)):
            start, cpu = time.perf_counter(), time.process_time()
            sides[name]()
            if number:
                times[name]["wall"].append(time.perf_counter() - start)
                times[name]["cpu"].append(time.process_time() - cpu)
    return times


def describe(values: list[float], digits: int = 3) -> dict[str, float]:
    """The median with the lowest and the highest value."""
    return {
        "median": round(statistics.median(values), digits),
        "low": round(min(values), digits),
        "high": round(max(values), digits),
    }


def compare(slow: list[float], fast: list[float]) -> dict[str, float]:
    """How many times as fast: the ratio of the medians, and the spread of the ratios of neighbors in time."""
    ratios = [one / other for one, other in zip(slow, fast, strict=True)]
    ratio = statistics.median(slow) / statistics.median(fast)
    return {"median": round(ratio, 2), "low": round(min(ratios), 2), "high": round(max(ratios), 2)}


def run_apart(command: list[str], **environment: str) -> dict[str, Any]:
    """Run a fresh Python process; return its seconds, its peak memory, when it began, and its last line of JSON."""
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    began, start = time.time(), time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths, **environment},
        text=True,
    )
    written = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)[:300]}: ended with {process.returncode}; its message is above")
    said = [line for line in written.splitlines() if line.startswith("{")]
    return {
        "began": began,
        "seconds": seconds,
        "peak_mib": round(used.ru_maxrss / 1024),
        "said": json.loads(said[-1]) if said else None,
    }


def describe_machine() -> dict[str, Any]:
    """The processor, what it is fast at, its cores, and how busy it is."""
    flags = set()
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = value.strip()
            elif key.strip() == "flags":
                flags = set(value.split())
    except OSError:
        pass
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "amx": "amx_bf16" in flags,
        "avx512_bf16": "avx512_bf16" in flags,
        "load_before": round(os.getloadavg()[0], 2),
    }


def list_versions() -> dict[str, str]:
    """The versions of what was measured."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("hf_mri", "torch", "transformers", "timm", "openvino", "numpy", *PEERS.values()):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_result(name: str, options: argparse.Namespace, machine: dict, protocol: str, figures: dict) -> Path:
    """Write `NAME.json` aside, then rename it; nothing in it may name a place on this machine."""
    result = {
        "name": name,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "form": options.form,
        "machine": machine | {"load_after": round(os.getloadavg()[0], 2)},
        "versions": list_versions(),
        "protocol": " ".join(protocol.split()),
        "settings": options.settings,
        "figures": figures,
    }
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    for place in (Path.home(), ROOT, sys.prefix):
        if str(place) in text:
            raise ValueError(f"{name}.json would hold {place}: a result names no place on a machine")
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / f"{name}.json"
    aside = path.with_suffix(".writing")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
    print(text, end="")
    return path
