"""RESULTS.md and the README's table, written from the JSON files of the benchmarks.

    python benchmarks/tables.py [--results FOLDER] [--page FILE] [--readme FILE]

A figure that no benchmark has measured on such a machine is `not measured`; short runs are no measurements.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from measuring import RESULTS, ROOT

from hf_mri.hub.markdown import put_between, table
from hf_mri.modeling.mri_files import write_text

START, END = "<!-- benchmarks: written by `python benchmarks/tables.py` -->", "<!-- end of benchmarks -->"
NOTHING = "Nothing is measured yet: `make bench` does it."
REFERENCE = "smp Unet resnet34, fp32"
OURS = "ours, best"
FLAT = 1.1  # the memory of 50,000 slices over that of a part of them


class Claim(NamedTuple):
    """One line of the README's table; no `value` where nothing was measured."""

    what: str
    goal: str = "–"
    value: str | None = None
    reached: bool | None = None

    @property
    def row(self) -> list[str]:
        """The cells."""
        said = {None: "–", True: "reached", False: "missed"}[self.reached]
        return [self.what, self.goal, self.value or "not measured", said if self.value else "not measured"]


def read_results(folder: Path) -> dict[str, Any]:
    """The results by name, without those of short runs."""
    found = {}
    for name in TABULATE:
        path = folder / f"{name}.json"
        if path.is_file():
            result = json.loads(path.read_text(encoding="utf-8"))
            if result["form"] != "short":
                found[name] = result
    return found


def say(figure: dict[str, float], unit: str = "") -> str:
    """A median with its spread."""
    return f"{figure['median']:g}{unit} ({figure['low']:g} to {figure['high']:g})"


def list_claims(results: dict[str, Any]) -> Iterator[Claim]:
    """What the README says: every claim with its goal."""
    yield from claim_inference(results.get("inference"))
    yield from claim_training(results.get("training"))
    yield from claim_budget(results.get("budget"))
    yield from claim_serving(results.get("serving"))
    yield from claim_growth(results.get("growth"))
    yield from claim_archive(results.get("archive"))


def claim_inference(result: dict | None) -> Iterator[Claim]:
    """Files to masks."""
    what = f"Files to masks, times as fast as {REFERENCE}"
    sides = result["figures"]["sides"] if result else {}
    for goal, amx in ((20, True), (15, False)):
        words = f"{what}, {'with' if amx else 'without'} AMX"
        if REFERENCE in sides and result["machine"]["amx"] == amx:
            ratio = sides[OURS]["times_reference"]
            yield Claim(words, f"{goal}", say(ratio), ratio["median"] >= goal)
        else:
            yield Claim(words, f"{goal}")
    if "best_peer" in (result or {}).get("figures", {}):
        figures = result["figures"]
        yield Claim(
            f"Files to masks, times as fast as the fastest peer ({figures['best_peer']})",
            value=say(figures["ours_times_best_peer"]),
        )
    if result:
        fresh = result["figures"]["fresh_process"]
        start = fresh[OURS]["first_masks_s"]["median"] / fresh["imports alone"]["first_masks_s"]["median"]
        yield Claim(
            "First masks of a fresh process, over importing the libraries", "1.3", f"{start:.2f}", start <= 1.3
        )


def claim_training(result: dict | None) -> Iterator[Claim]:
    """Slices a second."""
    on_gpu = None
    for words, found in (result["figures"] if result else {}).items():
        for name, side in found["sides"].items():
            if name.endswith("fp32"):
                yield Claim(f"Training, times as fast as {name}, {words}", value=say(side["ours_times_this"]))
        if found["hardware"] != "CPU":
            on_gpu = found["share_of_synthetic_rate"]
    what = "Training on a GPU, share of the rate with one batch again and again"
    yield Claim(what, "0.8", say(on_gpu) if on_gpu else None, on_gpu["median"] >= 0.8 if on_gpu else None)


def claim_budget(result: dict | None) -> Iterator[Claim]:
    """Dice after so many minutes."""
    measured = {name: found for name, found in (result["figures"] if result else {}).items() if "phantoms" not in name}
    for name in ("lgg", "acdc"):
        sides = measured.get(name, {}).get("sides", {})
        for start in ("from scratch", "from ImageNet"):
            peers = {side: found for side, found in sides.items() if start in side and not side.startswith("ours")}
            what = f"Mean Dice of held-out patients, {name}, {start}"
            if not peers:
                yield Claim(what, "above the best peer")
                continue
            best = max(peers, key=lambda side: peers[side]["dice"]["mean"])
            ours, theirs = sides[f"ours, {start}"]["dice"]["mean"], peers[best]["dice"]["mean"]
            minutes = f"{measured[name]['minutes']:g} minutes"
            value = f"{ours:.3f} against {theirs:.3f} ({best.rsplit(', ', 1)[0]}) after {minutes}"
            yield Claim(what, "above the best peer", value, ours > theirs)


def claim_serving(result: dict | None) -> Iterator[Claim]:
    """Visitors."""
    for door in ("page", "handler"):
        lost = f"Answers lost by the {door} with up to 64 visitors"
        faster = f"16 volumes at once, times as fast as one after another, {door}"
        if not result:
            yield Claim(lost, "0")
            yield Claim(faster, "above 1")
            continue
        found = result["figures"][door]
        count = found["volumes"]["lost"] + sum(one["lost"] for one in found["slices"].values())
        ratio = found["volumes"]["times_as_fast_at_once"]
        yield Claim(lost, "0", str(count), count == 0)
        yield Claim(faster, "above 1", say(ratio), ratio["median"] > 1)


def claim_growth(result: dict | None) -> Iterator[Claim]:
    """Exponents, and the memory of very many slices."""
    for words, key in (("time", "seconds"), ("memory", "peak_mib")):
        what = f"Exponent of {words} over 1, 4, 16 times the data, the largest of import, training, predict, evaluate"
        if not result:
            yield Claim(what, "1.05")
            continue
        exponents = {work: found["exponents"][key] for work, found in result["figures"].items() if work != "once"}
        worst = max(exponents, key=exponents.get)
        yield Claim(what, "1.05", f"{exponents[worst]:g} ({worst})", exponents[worst] <= 1.05)
    once = (result or {}).get("figures", {}).get("once")
    what = "Memory of 50,000 slices, over that of a part of them"
    if not once:
        yield Claim(what, f"{FLAT:g}")
        return
    ratios = {work: many["peak_mib"] / few["peak_mib"] for work, (few, many) in once.items()}
    worst = max(ratios, key=ratios.get)
    yield Claim(what, f"{FLAT:g}", f"{ratios[worst]:.2f} ({worst})", ratios[worst] <= FLAT)


def claim_archive(result: dict | None) -> Iterator[Claim]:
    """Nothing lost, nothing read twice, memory flat."""
    lost, flat = (
        "Scans of an archive lost or read twice after a kill in the middle",
        "Memory of `predict` at the end, over that after a twentieth of the scans",
    )
    if not result:
        yield Claim(lost, "0")
        yield Claim(flat, f"{FLAT:g}")
        return
    figures = result["figures"]
    wrong = figures["read_twice"] + figures["failed"] + figures["scans"] - figures["in_the_summary"]
    yield Claim(lost, "0", f"{wrong} of {figures['scans']:,}", wrong == 0)
    ratio = figures["mib_at_the_end"] / figures["mib_early"]
    yield Claim(flat, f"{FLAT:g}", f"{ratio:.2f}", ratio <= FLAT)


def tabulate_inference(figures: dict) -> Iterator[str]:
    """Every side, and what fresh processes take."""
    header = ["", "ms a slice", "CPU ms a slice", f"times {REFERENCE}", "GFLOP a slice", "share of the matmul rate"]
    rows = [
        [
            name,
            say(side["ms_a_slice"]),
            say(side["cpu_ms_a_slice"]),
            say(side["times_reference"]) if "times_reference" in side else "–",
            f"{side['gflop_a_slice']:g}",
            f"{side['share_of_matmul_rate']:.1%}",
        ]
        for name, side in figures["sides"].items()
    ]
    yield table(header, rows)
    rate = figures["matmul_gflop_per_s"]
    yield (
        f"{figures['slices']} slices of {figures['scans']}, {figures['share_segmented']:.0%} of them segmented; ours "
        f"runs {figures['engine']}; {figures['threads']} threads. Matrix products reach {rate['fp32']:g} GFLOP/s in "
        f"fp32 and {rate['bf16']:g} in bf16."
    )
    fresh = [
        [name, say(found["first_masks_s"]), f"{found['peak_mib']:g}"]
        for name, found in figures["fresh_process"].items()
    ]
    yield table(["a fresh process", "seconds to the first scan's masks", "peak memory, MiB"], fresh)


def tabulate_training(figures: dict) -> Iterator[str]:
    """Every side, by processes."""
    rows = [
        [
            f"{name}, {words}",
            say(side["slices_per_s"]),
            f"{side['waiting']:.1%}",
            say(side["ours_times_this"]) if "ours_times_this" in side else "–",
        ]
        for words, found in figures.items()
        for name, side in found["sides"].items()
    ]
    yield table(["", "slices a second", "waiting for data", "ours is so many times as fast"], rows)


def tabulate_budget(figures: dict) -> Iterator[str]:
    """Every side, by data set."""
    rows = [
        [
            f"{name}, {found['minutes']:g} min",
            side,
            str(judged["patients"]),
            f"{judged['dice']['mean']:.3f}"
            + (" ({:.3f} to {:.3f})".format(*judged["ci95"]) if judged["ci95"] else ""),
            f"{judged['dice']['median']:.3f}",
            f"{judged['dice']['worst']:.3f}",
        ]
        for name, found in figures.items()
        for side, judged in found["sides"].items()
    ]
    yield table(["data", "side", "patients", "mean volume Dice (95 %)", "median", "worst"], rows)


def tabulate_serving(figures: dict) -> Iterator[str]:
    """Visitors with slices, then with volumes."""
    doors = ("page", "handler")
    rows = [
        [
            f"{door}, {count} visitors",
            str(one["lost"]),
            f"{one['median_s']}",
            f"{one['p95_s']}",
            f"{one['slices_per_s']}",
        ]
        for door in doors
        for count, one in figures[door]["slices"].items()
    ]
    yield table(["single slices", "lost", "median s", "95 % within s", "slices a second"], rows)
    rows = [
        [
            f"{door}, {found['visitors']} visitors",
            say(found["one_after_another_s"]),
            say(found["at_once_s"]),
            say(found["times_as_fast_at_once"]),
        ]
        for door in doors
        for found in [figures[door]["volumes"]]
    ]
    yield table(["whole volumes", "one after another, s", "at once, s", "times as fast at once"], rows)
    if figures.get("browser"):
        rows = [[name, say(found)] for name, found in figures["browser"].items()]
        yield table(["one visitor, from the drop to the picture", "s"], rows)


def tabulate_growth(figures: dict) -> Iterator[str]:
    """Every amount, and the exponents."""
    works = [work for work in figures if work != "once"]
    rows = []
    for work in works:
        exponents = figures[work]["exponents"]
        points = [*figures[work]["points"], *figures.get("once", {}).get(work, [])]
        rows += [
            [work, f"{at['slices']}", f"{at['seconds']:g}", f"{at['cpu_seconds']:g}", f"{at['peak_mib']:g}"]
            for at in points
        ]
        rows.append(
            [f"{work}, exponent", "", *(f"{exponents[key]:g}" for key in ("seconds", "cpu_seconds", "peak_mib"))]
        )
    yield table(["", "slices", "s", "CPU s", "peak memory, MiB"], rows)


def tabulate_archive(figures: dict) -> Iterator[str]:
    """What was counted."""
    words = {
        "scans": "scans",
        "read_before_the_kill": "read before the kill",
        "read_twice": "read again after it",
        "failed": "failed",
        "scans_a_second": "scans a second",
        "slices_a_second": "slices a second",
        "mib_early": "MiB after a twentieth",
        "mib_at_the_kill": "MiB at the kill",
        "mib_at_the_end": "MiB at the end of the second run",
    }
    yield table(["", ""], [[said, f"{figures[key]:g}"] for key, said in words.items() if figures[key] is not None])


TABULATE = {
    "inference": tabulate_inference,
    "training": tabulate_training,
    "budget": tabulate_budget,
    "serving": tabulate_serving,
    "growth": tabulate_growth,
    "archive": tabulate_archive,
}


def write_page(results: dict[str, Any], folder: Path, page: Path) -> str:
    """RESULTS.md: every result with its date, machine and protocol."""
    parts = ["# Benchmarks", "Written by `python benchmarks/tables.py` from the JSON files beside it; not by hand."]
    parts.append(table(["what", "goal", "measured", "goal reached"], [claim.row for claim in list_claims(results)]))
    for name, result in results.items():
        machine = result["machine"]
        units = [words for key, words in (("amx", "AMX"), ("avx512_bf16", "AVX-512 bf16")) if machine[key]]
        versions = ", ".join(f"{library} {version}" for library, version in result["versions"].items())
        parts += [
            f"## {name}",
            f"{result['date']}, {result['form']} form, {machine['processor']}, {machine['cores']} cores "
            f"({', '.join(units) or 'no 16-bit units'}), load before {machine['load_before']:g}; {versions}.",
            result["protocol"],
            *TABULATE[name](result["figures"]),
        ]
        plot = (folder / f"{name}.svg").resolve()
        if plot.is_file() and plot.is_relative_to(page.resolve().parent):
            parts.append(f"![{name}]({plot.relative_to(page.resolve().parent).as_posix()})")
    return "\n\n".join(parts) + "\n"


def write_table(results: dict[str, Any]) -> str:
    """The README's table."""
    if not results:
        return NOTHING
    dates = sorted(result["date"] for result in results.values())
    machine = next(iter(results.values()))["machine"]
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    claims = table(["what", "goal", "measured", "goal reached"], [claim.row for claim in list_claims(results)])
    more = "Everything: [benchmarks/RESULTS.md](benchmarks/RESULTS.md)."
    return f"{claims}\n\n{when}, {machine['processor']}, {machine['cores']} cores. {more}"


def main() -> None:
    """Write both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=ROOT / "benchmarks" / "RESULTS.md")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    options = parser.parse_args()
    results = read_results(options.results)
    if results:
        write_text(options.page, write_page(results, options.results, options.page))
    readme = options.readme.read_text(encoding="utf-8")
    write_text(options.readme, put_between(readme, write_table(results), START, END))


if __name__ == "__main__":
    main()
