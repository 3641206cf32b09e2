"""Slices a second in training: this project's step beside plain PyTorch loops with smp and MONAI.

    python benchmarks/training.py [--short | --long]

Sides take turns in blocks of steps (A B, B A), in one process with all cores and in two that share them (torchrun),
each on the same phantom patients. Ours is what train.py does in a step: rows from its cache, augmentation, the
precision that the machine is fast at, channels last, clipping, moving average. A peer decodes each slice's and mask's
file, flips at random, and takes Adam's step in fp32, or in bf16 and channels last. Waiting is the share of the time
in which the network has no batch; beside ours stands the same step on a batch that never changes. With AMX, all is
measured once more without the 16-bit units. On a GPU, where there is one.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from measuring import compare, describe, describe_machine, run_apart, run_benchmark
from scans import draw_scans, list_slices

FORMS = {
    "short": {"patients": 3, "slices": 6, "size": 64, "batch": 2, "steps": 2, "rounds": 1, "peers": 1},
    "moderate": {"patients": 4, "slices": 20, "size": 256, "batch": 8, "steps": 2, "rounds": 2, "peers": 3},
    "long": {"patients": 8, "slices": 32, "size": 256, "batch": 16, "steps": 4, "rounds": 6, "peers": 5},
}
OURS, SYNTHETIC = "ours", "ours, one batch again and again"
PEERS = (  # those of the longer forms come later
    "smp Unet mobilenet_v2, fp32",
    "smp Unet mobilenet_v2, bf16",
    "MONAI UNet, fp32",
    "smp Unet resnet34, fp32",
    "MONAI UNet, bf16",
)
WITHOUT_UNITS = {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "ATEN_CPU_CAPABILITY": "avx512"}


class Loop:
    """One way to train: `feed` gives the next batch, `step` trains on it."""

    def __init__(self, feed: Callable, step: Callable, wait: Callable):
        self.feed, self.step, self.wait = feed, step, wait

    def run(self, steps: int) -> tuple[float, float]:
        """Return seconds, and those of them that went by without a batch."""
        waiting, start = 0.0, time.perf_counter()
        for _ in range(steps):
            asked = time.perf_counter()
            batch = self.feed()
            waiting += time.perf_counter() - asked
            self.step(*batch)
        self.wait()
        return time.perf_counter() - start, waiting


def make_ours(task: dict, place: dict, synthetic: bool) -> Loop:
    """The step of train.py, from the same parts."""
    import torch

    from hf_mri.training.arguments import TrainingArguments
    from hf_mri.training.augmentation import Augmentation
    from hf_mri.training.data import load_training_data, open_table
    from hf_mri.training.machine import choose_precision
    from hf_mri.training.models import build_model, build_optimizer, build_processor, make_average
    from hf_mri.training.sampling import draw_epoch, make_generator
    from hf_mri.training.strided import speed_up_strided

    device = place["device"]
    arguments = TrainingArguments(
        data=task["data"],
        protocol="all",
        backbone="test_resnet" if task["size"] < 128 else "mobilenetv2_100",
        image_size=task["size"],
        batch_size=task["batch"],
        rows_cache=task["cache"],
    )
    table = open_table(arguments.data)
    processor = build_processor(arguments, table.entry)
    data = load_training_data(table, processor, arguments, progress=False)
    rows = data.rows.to(device)
    model = build_model(arguments, "segment", table.entry, processor).to(device, memory_format=torch.channels_last)
    average = make_average(model, arguments.ema, device)
    if device.type == "cpu":
        speed_up_strided(model)
    augment, optimizer = Augmentation.from_arguments(arguments), build_optimizer(model, arguments)
    stand_in = table.entry.task.stand_in_channel(table.entry.num_channels)
    precision = "no" if task["plain"] else choose_precision("auto")
    trained = place["share"](model.train())
    epoch = [
        data.training[index]
        for order in range(50)
        for index in draw_epoch(rows.labels[data.training], order, task["batch"], 1, place["processes"])[
            :, 0, place["rank"]
        ]
    ]
    position = iter(range(10**9))

    def feed():
        number = next(position)
        index = epoch[number % len(epoch)]
        images, masks = rows.batch(index, device)
        images, masks = augment(images, rows.spread(masks), make_generator(0, number), 3, stand_in)
        return processor.normalize(images), data.make_labels("segment", masks, index)

    kept = feed()

    def step(images, labels) -> None:
        kind = torch.bfloat16 if precision == "bf16" else torch.float16
        with torch.autocast(device.type, kind, enabled=precision != "no"):
            pixels = images.contiguous(memory_format=torch.channels_last)
            loss = trained(pixel_values=pixels, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), arguments.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update(model)

    return Loop((lambda: kept) if synthetic else feed, step, place["wait"])


def make_peer(name: str, task: dict, place: dict) -> Loop:
    """A loop as examples have it: a data set of files, Adam, binary cross-entropy."""
    import numpy as np
    import torch
    from peers import make_network
    from PIL import Image

    files = [path for folder in task["folders"] for path in list_slices(Path(folder))]

    class Slices(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(files)

        def __getitem__(self, index: int):
            path = files[index]
            pixels = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1).float() / 255
            mask = torch.from_numpy(np.array(Image.open(path.with_name(f"{path.stem}_mask.tif"))) > 0).float()[None]
            return (pixels.flip(-1), mask.flip(-1)) if torch.rand(()) < 0.5 else (pixels, mask)

    peer, form = name.rsplit(", ", 1)
    bf16, device = form == "bf16", place["device"]
    network = make_network(peer).to(device).train()
    if bf16:
        network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    network = place["share"](network)
    # Without processes of its own: on two cores they would take the time from the step.
    loader = torch.utils.data.DataLoader(Slices(), batch_size=task["batch"], shuffle=True, drop_last=True)
    batches = (batch for _ in iter(int, 1) for batch in loader)

    def step(pixels, masks) -> None:
        pixels, masks = pixels.to(device), masks.to(device)
        if bf16:
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits = network(pixels)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return Loop(lambda: next(batches), step, place["wait"])


def measure_apart(task: dict) -> dict | None:
    """In a process of its own, or one of several: let the sides take turns; return the times of each block."""
    import torch
    import torch.distributed

    processes, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    torch.set_num_threads(max(1, task["threads"] // processes))
    if processes > 1:
        torch.distributed.init_process_group("gloo")

    def wait() -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        if processes > 1:
            torch.distributed.barrier()

    place = {
        "device": torch.device("cuda" if torch.cuda.is_available() and processes == 1 else "cpu"),
        "processes": processes,
        "rank": rank,
        "wait": wait,
        "share": torch.nn.parallel.DistributedDataParallel if processes > 1 else lambda network: network,
    }
    loops = {OURS: make_ours(task, place, False), SYNTHETIC: make_ours(task, place, True)}
    loops |= {name: make_peer(name, task, place) for name in task["peers"]}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    waiting: dict[str, list[float]] = {name: [] for name in loops}
    for number in range(task["rounds"] + 1):
        for name in list(loops) if number % 2 == 0 else list(reversed(loops)):
            took, idle = loops[name].run(task["steps"])
            if number:
                seconds[name].append(took)
                waiting[name].append(idle / took)
    if processes > 1:
        torch.distributed.destroy_process_group()
    slices = processes * task["batch"] * task["steps"]
    hardware = torch.cuda.get_device_name() if place["device"].type == "cuda" else "CPU"
    if rank:
        return None  # the first process speaks for all
    return {"hardware": hardware, "slices": slices, "seconds": seconds, "waiting": waiting}


def summarize(measured: dict) -> dict:
    """Slices a second, the share of waiting, and how ours compares."""
    seconds, slices = measured["seconds"], measured["slices"]
    sides = {
        name: {
            "slices_per_s": describe([slices / one for one in times], 2),
            "waiting": round(statistics.median(measured["waiting"][name]), 4),
        }
        for name, times in seconds.items()
    }
    for name, side in sides.items():
        if name not in (OURS, SYNTHETIC):
            side["ours_times_this"] = compare(seconds[name], seconds[OURS])
    synthetic = compare(seconds[SYNTHETIC], seconds[OURS])
    return {"hardware": measured["hardware"], "sides": sides, "share_of_synthetic_rate": synthetic}


def measure(options: argparse.Namespace, scratch: Path) -> dict:
    """One process, two processes, and where there is AMX, both once more without it."""
    settings = options.settings
    from peers import is_installed

    from hf_mri.data.importing import import_dataset

    folders = draw_scans(scratch / "scans", settings["patients"], settings["slices"], settings["size"])
    import_dataset("lgg", scratch / "scans", scratch / "data")
    task = settings | {
        "folders": [str(folder) for folder in folders],
        "data": str(scratch / "data"),
        "cache": str(scratch / "cache"),
        "threads": os.cpu_count(),
        "peers": [name for name in PEERS[: settings["peers"]] if is_installed(name)],
        "plain": False,
    }
    figures = {}
    variants = {"": {}}
    if describe_machine()["amx"]:
        variants[", without AMX"] = WITHOUT_UNITS
    for words, environment in variants.items():
        given = json.dumps(task | {"plain": bool(environment)})
        threads = {"OMP_NUM_THREADS": str(os.cpu_count()), **environment}
        one = run_apart([__file__, "--measure", given], **threads)
        figures[f"1 process{words}"] = summarize(one["said"])
        threads["OMP_NUM_THREADS"] = str(max(1, os.cpu_count() // 2))
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
        two = run_apart([*launch, __file__, "--measure", given], **threads)
        figures[f"2 processes{words}"] = summarize(two["said"])
    return figures


def main() -> None:
    """Measure, write JSON and plot."""
    found = run_benchmark("training", __doc__, FORMS, measure, measure_apart=measure_apart)
    if found is None:
        return
    path, figures = found
    from plots import draw_bars

    values = {
        f"{name} ({words})": side["slices_per_s"]
        for words, found in figures.items()
        for name, side in found["sides"].items()
    }
    draw_bars(path, "Training", "slices a second (more is better)", values)


if __name__ == "__main__":
    main()
