"""How the benchmarks measure: turns, ratios, exponents, and results that name no place on a machine."""

import argparse
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def measuring(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import measuring

    return measuring


def test_sides_take_turns_after_a_round_that_does_not_count(measuring):
    ran = []
    times = measuring.take_turns({name: lambda name=name: ran.append(name) for name in "AB"}, rounds=2)
    assert "".join(ran) == "AB" + "BA" + "AB"
    assert [len(times[name]["wall"]) for name in "AB"] == [2, 2]


def test_a_ratio_is_of_medians_and_spreads_over_neighbors_in_time(measuring):
    assert measuring.compare([8, 10, 30], [1, 2, 3]) == {"median": 5.0, "low": 5.0, "high": 10.0}


def test_a_fresh_process_tells_its_time_its_memory_and_its_last_line(measuring):
    ran = measuring.run_apart(["-c", "kept = bytearray(200_000_000); print('{\"said\": 1}')"])
    assert ran["said"] == {"said": 1}
    assert ran["seconds"] > 0
    assert ran["peak_mib"] > 150
    with pytest.raises(RuntimeError, match="ended with 3"):
        measuring.run_apart(["-c", "raise SystemExit(3)"])


def test_a_result_names_no_place_on_this_machine(measuring, tmp_path):
    options = argparse.Namespace(form="short", settings={}, output=tmp_path)
    measuring.write_result("good", options, {}, "Some  words.", {"ms": 3})
    assert json.loads((tmp_path / "good.json").read_text())["protocol"] == "Some words."
    with pytest.raises(ValueError, match="names no place"):
        measuring.write_result("bad", options, {}, "", {"data": str(Path.home() / "patients")})
    assert not (tmp_path / "bad.json").exists()


def test_an_exponent_is_the_slope_of_the_logarithms(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import growth

    points = [{"slices": count, "seconds": 0.1 * count**1.5, "peak_mib": 400} for count in (10, 40, 160)]
    assert growth.fit_exponent(points, "seconds") == 1.5
    assert growth.fit_exponent(points, "peak_mib") == 0
