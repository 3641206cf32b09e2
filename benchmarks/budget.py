"""Dice on held-out patients after so many minutes: this project's training beside plain ones of peers.

    python benchmarks/budget.py --data data/lgg data/acdc --minutes 30 --weights mobilenetv2_100.safetensors [--short]

Data are folders that `hf-mri data import` made: their training patients train, their test patients are judged, which
no side has seen. Ours is train.py with the published recipe of that data set. A peer gets the same rows, windows,
augmentation, batches, loss, number format, rising and falling learning rate and moving average, and its own network:
from scratch the Unet of smp (resnet18) and that of the LGG paper; with ImageNet's weights smp's Unet on the very file
that ours starts from. All are judged by the same evaluation, ours at the thresholds that its training chose, peers at
one half; regions are dropped alike. Each side is a process of its own. Without --data, phantoms show that it runs:
their figures say nothing of patients.
"""

import argparse
import json
import os
from pathlib import Path

from measuring import ROOT, run_apart, run_benchmark

FORMS = {
    "short": {"patients": 8, "slices": 4, "size": 64, "minutes": 0.05, "sides": 2},
    "moderate": {"patients": 12, "slices": 12, "size": 128, "minutes": 0.3, "sides": 4},
    "long": {"patients": 40, "slices": 24, "size": 256, "minutes": 30.0, "sides": 5},
}
SCRATCH, IMAGENET = "from scratch", "from ImageNet"
SIDES = (
    f"ours, {SCRATCH}",
    f"U-Net of the LGG paper, {SCRATCH}",
    f"smp Unet resnet18, {SCRATCH}",
    f"ours, {IMAGENET}",
    f"smp Unet mobilenetv2_100, {IMAGENET}",
)
RECIPES = {"lgg": "lgg-resunet", "acdc": "acdc-resunet"}
# What an ImageNet file of this backbone wants; see `load_imagenet_weights`.
WANTED = {"mean": (0.5,) * 3, "backbone_kwargs": {"pad_type": "same"}}
PEER_RATE = 1e-3  # AdamW's own


def choose_arguments(task: dict):
    """The options of a side: the data set's published recipe, within the minutes."""
    from hf_mri.data.dataset_folder import read_entry
    from hf_mri.training.arguments import TrainingArguments

    card = RECIPES.get(read_entry(task["data"]).name.removesuffix("-phantom"))
    recipe = json.loads((ROOT / "model_cards" / card / "train_config.json").read_text()) if card else {}
    if task["tiny"]:
        recipe = {
            "image_size": task["size"],
            "backbone": "test_resnet",
            "decoder_channels": [16, 16, 8, 8],
            "batch_size": 4,
        }
    elif task["size"]:
        recipe |= {"image_size": task["size"], "crop": 0}
    limits = dict.fromkeys(("epochs", "max_steps"))
    own = {
        "task": "segment",
        "protocol": "stored",
        "data": task["data"],
        "output_dir": task["out"],
        "rows_cache": task["cache"],
        "max_minutes": task["minutes"],
        "pretrained": task["weights"] if task["side"].endswith(IMAGENET) else "none",
    }
    return TrainingArguments(**(recipe | limits | own))


def train_ours(task: dict):
    """Train as `hf-mri train` does; return what reads scans."""
    from hf_mri.modeling.mri_reader import Reader
    from hf_mri.training.train import main as train

    return Reader.from_pretrained(train(choose_arguments(task)))


def make_peer(name: str, labels: int, channels: int, weights: str | None):
    """A peer's network; with ImageNet's weights, on the backbone that ours has."""
    import timm
    from peers import PaperUnet, make_smp_unet

    if name.startswith("U-Net of the LGG paper"):
        return PaperUnet(labels, channels)
    if weights is None:
        return make_smp_unet("resnet18", labels, channels)
    network = make_smp_unet("tu-mobilenetv2_100", labels, channels)
    network.encoder.model = timm.create_model(
        "mobilenetv2_100",
        pretrained=True,
        pretrained_cfg_overlay={"file": weights},
        features_only=True,
        in_chans=channels,
        out_indices=tuple(range(5)),
        **WANTED["backbone_kwargs"],
    )
    return network


def train_peer(task: dict):
    """Train a peer's network with our rows and augmentation in a plain loop; return what reads scans."""
    import torch

    from hf_mri import ResUNetConfig, ResUNetForSemanticSegmentation
    from hf_mri.modeling.mri_model_losses import segmentation_loss
    from hf_mri.modeling.mri_reader import Reader
    from hf_mri.training.augmentation import Augmentation
    from hf_mri.training.data import load_training_data, open_table
    from hf_mri.training.machine import choose_precision
    from hf_mri.training.models import build_processor, make_average
    from hf_mri.training.sampling import draw_epoch, make_generator
    from hf_mri.training.schedule import Budget, Progress, find_rate

    torch.manual_seed(0)
    arguments = choose_arguments(task)
    table = open_table(arguments.data)
    entry = table.entry
    processor = build_processor(arguments, entry)
    if arguments.pretrained:
        processor.image_mean = processor.image_std = list(WANTED["mean"][:1]) * entry.num_channels
    data = load_training_data(table, processor, arguments, progress=False)
    rows, channels = data.rows, entry.num_channels * (2 * arguments.neighbors + 1)
    network = make_peer(task["side"], len(entry.id2label), channels, arguments.pretrained)
    network = network.to(memory_format=torch.channels_last).train()
    average = make_average(network, arguments.ema, torch.device("cpu"))
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEER_RATE, weight_decay=arguments.weight_decay)
    augment = Augmentation.from_arguments(arguments)
    stand_in = entry.task.stand_in_channel(entry.num_channels)
    bf16 = choose_precision("auto") == "bf16"
    sampling = (arguments.batch_size, 1, 1, arguments.seed, arguments.positive_share)
    order, progress = [], Progress()
    budget = Budget(arguments, 1, progress)
    while not budget.spent:
        if not order:
            drawn = draw_epoch(rows.labels[data.training], progress.step, *sampling)
            order = list(data.training[drawn[:, 0, 0]])
        for group in optimizer.param_groups:
            group["lr"] = PEER_RATE * find_rate(budget.share, arguments)
        index = order.pop()
        images, masks = rows.batch(index, torch.device("cpu"))
        generator = make_generator(arguments.seed, progress.step)
        images, masks = augment(images, rows.spread(masks), generator, rows.images.shape[1], stand_in)
        pixels = processor.normalize(images).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = network(pixels)
        loss = segmentation_loss(logits, data.make_labels("segment", masks, index), arguments.loss)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), arguments.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update(network)
        progress.step += 1
        budget.tick()
    # The reader's own model is never run: it says labels, sizes and what is dropped afterwards.
    labels = dict(entry.id2label)
    stand_in_model = ResUNetForSemanticSegmentation(
        ResUNetConfig(
            hidden_sizes=[4, 8],
            decoder_channels=[4],
            num_channels=channels,
            id2label=labels,
            problem_type=entry.problem_type,
            largest_component=arguments.largest_component,
        )
    )
    return Reader(stand_in_model, processor, engine=PeerEngine(average.module))


class PeerEngine:
    """Lets a `Reader` run a peer's network."""

    name, precision, device, gate = "torch", "float32", "cpu", None

    def __init__(self, network):
        self.network = network.eval()

    def segment(self, pixel_values):
        """Logits (B, L, H, W)."""
        import torch

        with torch.inference_mode():
            return self.network(torch.stack(list(pixel_values)).contiguous(memory_format=torch.channels_last))


def measure_apart(task: dict) -> dict:
    """Train one side in this process, then judge it on the test patients."""
    import torch

    from hf_mri.evaluation.evaluate import evaluate_model

    torch.set_num_threads(os.cpu_count())
    reader = (train_ours if task["side"].startswith("ours") else train_peer)(task)
    metrics = evaluate_model(reader, task["data"], split="test")
    dice = metrics["segmentation_mean"]["volume_dice"]
    worst = min(label["volume_dice"]["min"] for label in metrics["segmentation"].values())
    return {
        "patients": metrics["data"]["patients"],
        "dice": {"mean": round(dice["mean"], 4), "median": round(dice["median"], 4), "worst": round(worst, 4)},
        "ci95": [round(end, 4) for end in dice["ci95"]] if "ci95" in dice else None,
    }


def measure(options: argparse.Namespace, scratch: Path) -> dict:
    """Every side on every data set."""
    from peers import is_installed

    from hf_mri.data.dataset_folder import read_entry
    from hf_mri.data.phantoms.draw import make_phantom

    settings, figures = options.settings, {}
    folders, size = options.data, 0
    if not folders:
        shape = {name: settings[name] for name in ("patients", "slices", "size")}
        folders, size = [make_phantom("lgg", scratch / "phantoms", **shape)], settings["size"]
    names = [side for side in SIDES[: settings["sides"]] if is_installed(side)]
    names += [side for side in SIDES[settings["sides"] :] if options.data and is_installed(side)]
    names = [side for side in names if options.weights or not side.endswith(IMAGENET)]
    for folder in folders:
        name = read_entry(folder).name + ("" if options.data else " (phantoms)")
        figures[name] = {"minutes": options.minutes or settings["minutes"], "sides": {}}
        for number, side in enumerate(names):
            task = {
                "side": side,
                "data": str(folder),
                "out": str(scratch / f"run-{name}-{number}"),
                "cache": str(scratch / "cache"),
                "minutes": options.minutes or settings["minutes"],
                "weights": options.weights,
                "size": size,
                "tiny": options.form == "short",
            }
            ran = run_apart([__file__, "--measure", json.dumps(task)], OMP_NUM_THREADS=str(os.cpu_count()))
            figures[name]["sides"][side] = ran["said"] | {"peak_mib": ran["peak_mib"]}
    return figures


def main() -> None:
    """Train and judge, write JSON and plot."""

    def extend(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--data", nargs="+", help="folders of imported data sets; phantoms without them")
        parser.add_argument("--minutes", type=float, help="of training for each side")
        parser.add_argument("--weights", help="ImageNet weights of mobilenetv2_100, a safetensors file")

    found = run_benchmark("budget", __doc__, FORMS, measure, extend, measure_apart)
    if found is None:
        return
    path, figures = found
    from plots import draw_bars

    values = {
        f"{side} ({name})": {"median": judged["dice"]["mean"]}
        for name, found in figures.items()
        for side, judged in found["sides"].items()
    }
    draw_bars(path, "Held-out patients after the same minutes", "mean volume Dice", values)


if __name__ == "__main__":
    main()
