"""RESULTS.md and the README's table are made from JSON files alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
START, END = "<!-- benchmarks: written by `python benchmarks/tables.py` -->", "<!-- end of benchmarks -->"


def spread(median: float) -> dict[str, float]:
    return {"median": median, "low": median / 2, "high": median * 2}


def side(times: float) -> dict:
    return {
        "ms_a_slice": spread(50 / times),
        "cpu_ms_a_slice": spread(90 / times),
        "gflop_a_slice": 15.6,
        "share_of_matmul_rate": 0.251,
        "times_reference": spread(times),
    }


INFERENCE = {
    "name": "inference",
    "date": "2026-01-02",
    "form": "moderate",
    "machine": {"processor": "A processor", "cores": 2, "amx": False, "avx512_bf16": True, "load_before": 0.1},
    "versions": {"python": "3.11.0", "torch": "2.15.0"},
    "protocol": "Sides take turns.",
    "figures": {
        "slices": 48,
        "scans": "phantoms",
        "threads": 2,
        "engine": "openvino bfloat16",
        "share_segmented": 0.46,
        "matmul_gflop_per_s": {"fp32": 200, "bf16": 400},
        "sides": {"ours, best": side(16), "smp Unet resnet34, fp32": side(1)},
        "best_peer": "smp Unet resnet34, fp32",
        "ours_times_best_peer": spread(16),
        "fresh_process": {
            name: {"first_masks_s": spread(seconds), "peak_mib": 900}
            for name, seconds in (("imports alone", 4), ("ours, best", 6))
        },
    },
}


def write(folder: Path, *results: dict) -> tuple[str, str]:
    """Run the script over some results; return README and page."""
    (folder / "results").mkdir(exist_ok=True)
    for result in results:
        (folder / "results" / f"{result['name']}.json").write_text(json.dumps(result))
    readme, page = folder / "README.md", folder / "RESULTS.md"
    readme.write_text(f"# Title\n\n{START}\nold\n{END}\n\nAfter.\n")
    page.write_text("")
    command = [sys.executable, str(ROOT / "benchmarks" / "tables.py"), "--results", str(folder / "results")]
    subprocess.run(
        [*command, "--readme", str(readme), "--page", str(page)],
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return readme.read_text(), page.read_text()


def test_a_result_becomes_a_page_and_a_table_with_its_goals(tmp_path):
    readme, page = write(tmp_path, INFERENCE)
    assert readme.startswith(f"# Title\n\n{START}\n| what |")
    assert readme.endswith(f"{END}\n\nAfter.\n")
    what = "Files to masks, times as fast as smp Unet resnet34, fp32"
    assert f"| {what}, without AMX | 15 | 16 (8 to 32) | reached |" in readme
    assert f"| {what}, with AMX | 20 | not measured | not measured |" in readme
    assert "| First masks of a fresh process, over importing the libraries | 1.3 | 1.50 | missed |" in readme
    assert "| Answers lost by the page with up to 64 visitors | 0 | not measured | not measured |" in readme
    assert "2026-01-02, A processor, 2 cores" in readme
    assert "| ours, best | 3.125 (1.5625 to 6.25) |" in page
    assert "Sides take turns." in page


def test_the_goal_of_the_machine_at_hand_counts(tmp_path):
    other = {**INFERENCE, "machine": INFERENCE["machine"] | {"amx": True}}
    readme, _ = write(tmp_path, other)
    assert "with AMX | 20 | 16 (8 to 32) | missed |" in readme
    assert "without AMX | 15 | not measured | not measured |" in readme


def test_a_short_run_is_no_measurement(tmp_path):
    readme, page = write(tmp_path, INFERENCE | {"form": "short"})
    assert "Nothing is measured yet" in readme
    assert page == ""


def test_the_readme_says_what_the_results_say(tmp_path):
    results = [json.loads(path.read_text()) for path in (ROOT / "benchmarks" / "results").glob("*.json")]
    written, _ = write(tmp_path, *results)
    inner = written.partition(START)[2].partition(END)[0]
    assert START + inner + END in (ROOT / "README.md").read_text(encoding="utf-8")
