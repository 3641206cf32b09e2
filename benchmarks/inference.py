"""Files on disk to masks on disk: this project beside what a user would pick instead.

    python benchmarks/inference.py [--short | --long] [--scans 'DATA/kaggle_3m/TCGA_*'] [--model BUNDLE]

Sides take turns in one process (A B, B A) on the same files: ours is `hf-mri predict --only masks` with a model that
is loaded already; a peer has random weights, which cost the same time. Peers in plain fp32 run as their examples
have it; in every other form the next batch is decoded and the last one written while the network runs. Cold start (to
the first scan's masks) and peak memory (after all scans) are taken in fresh processes.
"""

import argparse
import copy
import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from measuring import (
    compare,
    describe,
    run_apart,
    run_benchmark,
    take_turns,
)
from scans import draw_scans, find_model, list_slices

FORMS = {
    "short": {"patients": 1, "slices": 4, "size": 64, "rounds": 1, "fresh": 1, "all_forms": False},
    "moderate": {"patients": 2, "slices": 24, "size": 256, "rounds": 2, "fresh": 1, "all_forms": False},
    "long": {"patients": 8, "slices": 32, "size": 256, "rounds": 6, "fresh": 6, "all_forms": True},
}
BATCH = 8  # the peers' fastest on two cores
REFERENCE = "smp Unet resnet34, fp32"
IMPORTS = "import torch, transformers, timm"
Files = list[Path]


@dataclass
class Side:
    """One way to read scans: `run(folders, out)` writes a mask for every slice."""

    run: Callable[[Files, Path], None]
    gflop: Callable[[int], float]  # of so many slices
    bf16: bool  # in which precision it multiplies


def list_sides(all_forms: bool, tiny: bool, bf16: bool) -> list[str]:
    """The names of all sides that can run here: who, then in which form."""
    from peers import NETWORKS, is_installed

    ours = ["ours, best", "ours, best, no gate"]
    if not tiny:
        ours += ["ours, PyTorch bf16", "ours, PyTorch bf16, no gate"] if bf16 else []
        ours += ["ours, PyTorch fp32", "ours, PyTorch fp32, no gate"]
    fastest = f"OpenVINO {'bf16' if bf16 else 'f32'}"
    sides = []
    for name in filter(is_installed, NETWORKS):
        forms = ["pipeline" if "SegFormer" in name else "fp32", fastest]
        if "resnet34" in name and not tiny:
            forms = ["fp32", "bf16", "OpenVINO f32", fastest]
        if all_forms:
            forms = [forms[0], "bf16", "compiled", "OpenVINO f32", fastest]
        sides += [f"{name}, {form}" for form in dict.fromkeys(forms) if form != "bf16" or bf16]
    return ours + (sides if not tiny else [side for side in sides if "resnet34" in side])


def make_side(name: str, model: str, size: int) -> Side:
    """Build one side."""
    if name.startswith("ours"):
        return make_ours(name, model)
    peer, form = name.rsplit(", ", 1)
    import peers

    network = peers.make_network(peer)
    gflop = count_gflop(network, size)
    if form == "pipeline":
        return Side(make_pipeline(network.model, size), lambda slices: gflop * slices, bf16=False)
    answer = peers.prepare(network, form, size)
    work = read_plainly if form == "fp32" else read_overlapped
    return Side(
        lambda folders, out: work(answer, [path for folder in folders for path in list_slices(folder)], out),
        lambda slices: gflop * slices,
        bf16="f32" not in form and form != "fp32",
    )


def make_ours(name: str, model: str) -> Side:
    """Our reader, as `hf-mri predict` uses it."""
    from hf_mri.modeling.mri_reader import Reader
    from hf_mri.predict.predicting import predict

    options = {"engine": "auto"}
    if "PyTorch" in name:
        options = {"engine": "torch", "precision": "bfloat16" if "bf16" in name else "float32"}
    reader = Reader.from_pretrained(model, device="cpu", **options)
    gate, segmenter = reader.engine.model.gate, reader.engine.model.segmenter
    if "no gate" in name:
        engine = copy.copy(reader.engine)
        engine.gate = None
        reader = Reader(reader.engine.model, reader.processor, engine=engine)
    size = reader.processor.size["height"]
    gate_gflop, segmenter_gflop = count_gflop(gate, size), count_gflop(segmenter, size)
    passed = {"share": 1.0}

    def run(folders: Files, out: Path) -> None:
        predict(folders, model, out, only=["masks"], reader=reader)

    def gflop(slices: int) -> float:
        return slices * (passed["share"] * segmenter_gflop + (0 if "no gate" in name else gate_gflop))

    side = Side(run, gflop, bf16=reader.engine.precision != "float32")
    side.reader, side.passed = reader, passed
    return side


def count_gflop(network, size: int) -> float:
    """Billions of operations for one slice, two a multiplication with its addition, as PyTorch counts them."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    channels = getattr(getattr(network, "config", None), "num_channels", 3)  # ours may take neighbors as well
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, channels, size, size))
    return counter.get_total_flops() / 1e9


def read_plainly(answer, files: Files, out: Path) -> None:
    """As a short script has it: decode, batch, infer, threshold, write."""
    out.mkdir(parents=True)
    for start in range(0, len(files), BATCH):
        batch = files[start : start + BATCH]
        save((answer(load(batch))[:, 0] > 0).numpy(), batch, out)


def read_overlapped(answer, files: Files, out: Path) -> None:
    """The next batch is decoded, and the last one written, while the network runs."""
    out.mkdir(parents=True)
    batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
    with ThreadPoolExecutor(2) as pool:
        ahead, writing = pool.submit(load, batches[0]), []
        for batch, following in zip(batches, [*batches[1:], []], strict=True):
            pixels, ahead = ahead.result(), pool.submit(load, following) if following else None
            writing.append(pool.submit(save, (answer(pixels)[:, 0] > 0).numpy(), batch, out))
        for written in writing:
            written.result()


def make_pipeline(model, size: int) -> Callable[[Files, Path], None]:
    """The stock pipeline of transformers, over images that PIL opened."""
    import numpy as np
    from PIL import Image
    from transformers import SegformerImageProcessor, pipeline

    processor = SegformerImageProcessor(size={"height": size, "width": size})
    pipe = pipeline("image-segmentation", model=model, image_processor=processor, device="cpu")

    def run(folders: Files, out: Path) -> None:
        out.mkdir(parents=True)
        files = [path for folder in folders for path in list_slices(folder)]
        for path, found in zip(files, pipe([Image.open(path) for path in files], batch_size=BATCH), strict=True):
            masks = [np.asarray(entry["mask"]) for entry in found if entry["label"] == "tumor"]
            page = masks[0] if masks else np.zeros((size, size), np.uint8)
            Image.fromarray(page).save(out / f"{path.stem}.png")

    return run


def load(files: Files):
    """Decode slices to (B, 3, H, W) in 0..1."""
    import numpy as np
    import torch
    from PIL import Image

    pages = np.stack([np.asarray(Image.open(path)) for path in files])
    return torch.from_numpy(pages).permute(0, 3, 1, 2).float() / 255


def save(masks, files: Files, out: Path) -> None:
    """Write one mask a slice."""
    from PIL import Image

    for path, mask in zip(files, masks, strict=True):
        Image.fromarray(mask.astype("uint8") * 255).save(out / f"{path.stem}.png")


def measure_rate(side: int, bf16: bool) -> float:
    """Billions of operations a second of this machine's own matrix product: the most that any network can reach."""
    import torch

    kind = torch.bfloat16 if bf16 else torch.float32
    one, other = (torch.rand(side, side).to(kind) for _ in range(2))
    times = []
    for _ in range(6):
        start = time.perf_counter()
        torch.mm(one, other)
        times.append(time.perf_counter() - start)
    return 2 * side**3 / min(times[1:]) / 1e9


def measure_apart(task: dict) -> dict:
    """In a fresh process: when the first scan's masks lay on disk, in seconds since the epoch; then read all scans."""
    folders = [Path(folder) for folder in task["folders"]]
    with tempfile.TemporaryDirectory() as out:
        side = make_side(task["side"], task["model"], task["size"])
        side.run(folders[:1], Path(out) / "first")
        first = time.time()
        side.run(folders, Path(out) / "all")
    return {"first": first}


def measure_fresh(sides: list[str], task: dict, rounds: int) -> dict[str, dict]:
    """Cold start and peak memory of some sides, which take turns, beside the imports alone; of more than one round
    the first one fills the file cache."""
    starts: dict[str, list[float]] = {"imports alone": [], **{name: [] for name in sides}}
    peaks: dict[str, list[int]] = {name: [] for name in starts}
    for number in range(rounds):
        for name in list(starts) if number % 2 == 0 else list(reversed(starts)):
            if name == "imports alone":
                ran = run_apart(["-c", IMPORTS])
                seconds = ran["seconds"]
            else:
                ran = run_apart([__file__, "--measure", json.dumps(task | {"side": name})])
                seconds = ran["said"]["first"] - ran["began"]
            if number or rounds == 1:
                starts[name].append(seconds)
                peaks[name].append(ran["peak_mib"])
    return {name: {"first_masks_s": describe(starts[name], 2), "peak_mib": max(peaks[name])} for name in starts}


def measure(options: argparse.Namespace, scratch: Path) -> dict:
    """Let all sides take turns."""
    import torch

    settings, tiny = options.settings, options.form == "short"
    from hf_mri.modeling.mri_engine import gains_by_bfloat16

    model = str(find_model(options.model, tiny, scratch, settings["size"]))
    if options.scans:
        folders = [Path(path) for path in sorted(glob(options.scans))][: settings["patients"]]
        if not folders:
            raise ValueError(f"--scans {options.scans}: no such folders; quote the pattern")
    else:
        folders = draw_scans(scratch / "scans", settings["patients"], settings["slices"], settings["size"])
    slices = sum(len(list_slices(folder)) for folder in folders)
    bf16 = gains_by_bfloat16()
    sides = {name: make_side(name, model, settings["size"]) for name in list_sides(settings["all_forms"], tiny, bf16)}
    for name, side in sides.items():
        if name.startswith("ours") and "no gate" not in name:
            stages = [stage for reading in side.reader.batch(folders) for stage in reading.stage]
            side.passed["share"] = sum(stage != "gate" for stage in stages) / len(stages)
    count = iter(range(10**6))

    def turn(name: str) -> None:
        out = scratch / f"out-{next(count)}"
        sides[name].run(folders, out)
        written = len(list(out.rglob("*.png")))
        if written != slices:
            raise ValueError(f"{name} wrote {written} masks for {slices} slices")

    times = take_turns({name: lambda name=name: turn(name) for name in sides}, settings["rounds"])
    rates = {kind: measure_rate(256 if tiny else 2048, kind == "bf16") for kind in ("fp32", "bf16")}
    figures = {"slices": slices, "scans": "real patients" if options.scans else "phantoms"}
    figures["threads"] = torch.get_num_threads()
    figures["engine"] = f"{sides['ours, best'].reader.engine.name} {sides['ours, best'].reader.engine.precision}"
    figures["share_segmented"] = round(sides["ours, best"].passed["share"], 3)
    figures["matmul_gflop_per_s"] = {kind: round(rate) for kind, rate in rates.items()}
    figures["sides"] = {}
    for name, side in sides.items():
        per_slice = [1000 * seconds / slices for seconds in times[name]["wall"]]
        gflop, rate = side.gflop(slices), rates["bf16" if side.bf16 else "fp32"]
        figures["sides"][name] = {
            "ms_a_slice": describe(per_slice, 2),
            "cpu_ms_a_slice": describe([1000 * seconds / slices for seconds in times[name]["cpu"]], 2),
            "gflop_a_slice": round(gflop / slices, 2),
            "share_of_matmul_rate": round(gflop / (describe(times[name]["wall"], 9)["median"] * rate), 3),
        }
        if REFERENCE in times:
            figures["sides"][name]["times_reference"] = compare(times[REFERENCE]["wall"], times[name]["wall"])
    if REFERENCE in times:
        peers = [name for name in sides if not name.startswith("ours")]
        best = min(peers, key=lambda name: figures["sides"][name]["ms_a_slice"]["median"])
        figures["best_peer"] = best
        figures["ours_times_best_peer"] = compare(times[best]["wall"], times["ours, best"]["wall"])
    task = {"model": model, "size": settings["size"], "folders": [str(folder) for folder in folders]}
    some = ["ours, best", *([] if tiny else [REFERENCE, figures.get("best_peer")])]
    some = [name for name in dict.fromkeys(some) if name in sides]
    figures["fresh_process"] = measure_fresh(some, task, settings["fresh"])
    return figures


def main() -> None:
    """Measure, write JSON and plot."""

    def extend(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--model", help="bundle of a two-stage model; by default the project's own")
        parser.add_argument("--scans", help="quoted pattern of patients' folders; phantoms without it")

    found = run_benchmark("inference", __doc__, FORMS, measure, extend, measure_apart)
    if found is None:
        return
    path, figures = found
    from plots import draw_bars

    values = {name: side["ms_a_slice"] for name, side in figures["sides"].items()}
    draw_bars(path, "Files to masks", "ms a slice (less is better)", values)


if __name__ == "__main__":
    main()
