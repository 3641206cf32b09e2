"""Each benchmark runs in its short form: tiny models, phantoms, no figure that means anything."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.timeout(900),  # each starts several processes, and a busy machine takes a minute for one
    pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks read memory and processor from /proc"),
]
PEERS = find_spec("segmentation_models_pytorch") and find_spec("monai")


def run_short(name: str, output: Path) -> dict:
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), "--short", "--output", str(output)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    text = (output / f"{name}.json").read_text(encoding="utf-8")
    assert str(ROOT) not in text
    assert str(output.parent) not in text
    result = json.loads(text)
    assert result["name"] == name
    assert result["form"] == "short"
    assert result["versions"]["torch"]
    assert result["protocol"]
    assert (output / f"{name}.svg").read_text().startswith("<?xml")
    return result["figures"]


def need_peers() -> None:
    if not PEERS:
        pytest.skip('the peers are missing: pip install "hf_mri[bench]"')


def test_inference_counts_time_memory_and_the_share_of_the_machines_rate(tmp_path):
    figures = run_short("inference", tmp_path)
    ours = figures["sides"]["ours, best"]
    assert figures["slices"] == 4
    assert figures["share_segmented"] == 1.0  # the tiny model's gate lets everything pass
    assert ours["ms_a_slice"]["median"] > 0
    assert 0 < ours["share_of_matmul_rate"] < 1
    assert ours["gflop_a_slice"] > figures["sides"]["ours, best, no gate"]["gflop_a_slice"]
    fresh = figures["fresh_process"]["ours, best"]
    assert fresh["peak_mib"] > 100
    need_peers()
    reference = figures["sides"]["smp Unet resnet34, fp32"]
    assert reference["times_reference"]["median"] == 1
    assert figures["ours_times_best_peer"]["median"] > 0


def test_training_runs_in_one_and_in_two_processes(tmp_path):
    figures = run_short("training", tmp_path)
    for found in (figures["1 process"], figures["2 processes"]):
        assert found["sides"]["ours"]["slices_per_s"]["median"] > 0
        assert 0 <= found["sides"]["ours"]["waiting"] < 1
    need_peers()
    assert figures["1 process"]["sides"]["smp Unet mobilenet_v2, fp32"]["ours_times_this"]["median"] > 0


def test_budget_judges_ours_and_a_peer_on_the_same_patients(tmp_path):
    sides = run_short("budget", tmp_path)["lgg-phantom (phantoms)"]["sides"]
    ours, peer = sides["ours, from scratch"], sides["U-Net of the LGG paper, from scratch"]
    assert ours["patients"] == peer["patients"] > 0
    assert 0 <= peer["dice"]["worst"] <= peer["dice"]["mean"] <= 1


def test_serving_loses_nothing(tmp_path):
    figures = run_short("serving", tmp_path)
    for door in ("page", "handler"):
        assert [found["lost"] for found in figures[door]["slices"].values()] == [0, 0]
        assert figures[door]["volumes"]["times_as_fast_at_once"]["median"] > 0


def test_growth_fits_an_exponent_to_every_work(tmp_path):
    figures = run_short("growth", tmp_path)
    assert set(figures) == {"import", "training epoch", "predict", "evaluate"}
    for found in figures.values():
        assert [point["slices"] for point in found["points"]] == [12, 24]
        assert found["points"][0]["peak_mib"] > 0
        assert -2 < found["exponents"]["seconds"] < 3


def test_an_archive_is_read_once_whatever_is_killed(tmp_path):
    figures = run_short("archive", tmp_path)
    assert figures["scans"] == figures["in_the_summary"] == 40
    assert 20 <= figures["read_before_the_kill"] <= 40
    assert figures["read_twice"] == figures["failed"] == 0
    assert figures["mib_early"] > 0
