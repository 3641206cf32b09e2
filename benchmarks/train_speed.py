"""Slices a second in training: this project's step against a plain fp32 PyTorch loop, same model, batch and machine.

    python benchmarks/train_speed.py [--batch 8] [--repeats 5]

Prints JSON. Both sides take turns step by step, so that a noisy machine disturbs both alike; figures are medians.
Beside the step stands what feeding it costs: drawing the batch from the decoded rows, and augmenting it.
"""

import argparse
import json
import statistics
import time

import torch

from hf_mri.modeling.configuration_mri import ResUNetConfig
from hf_mri.modeling.modeling_resunet import ResUNetForSemanticSegmentation
from hf_mri.training.arguments import TrainingArguments
from hf_mri.training.augmentation import Augmentation
from hf_mri.training.machine import choose_precision, describe_machine
from hf_mri.training.models import build_optimizer, make_average
from hf_mri.training.sampling import make_generator
from hf_mri.training.slice_cache import Rows

SIZE = 256
MODELS = {
    "plain ResUNet": {"backbone": None},
    "ResNet-18 U-Net": {"backbone": "resnet18", "decoder_channels": (256, 128, 64, 32, 16)},
    "MobileNetV2 U-Net": {"backbone": "mobilenetv2_100", "decoder_channels": (128, 96, 64, 48)},
}


def main() -> None:
    """Time every model, print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    rows = make_rows(4 * options.batch)
    results = {name: compare(settings, rows, options) for name, settings in MODELS.items()}
    print(
        json.dumps(
            {"batch": options.batch, "threads": torch.get_num_threads(), **describe_machine()} | results, indent=1
        )
    )


def make_rows(count: int) -> Rows:
    """Return random rows in memory, as a decoded data set holds them."""
    import numpy as np

    numbers = np.arange(count)
    return Rows(
        images=torch.rand(count, 3, SIZE, SIZE).half(),
        masks=(torch.rand(count, SIZE, SIZE) > 0.97).to(torch.uint8),
        labels=np.ones(count, int),
        patients=np.full(count, "phantom"),
        volumes=np.full(count, "phantom"),
        positions=numbers,
        around=numbers[:, None],
        num_labels=2,
        overlapping=False,
    )


def compare(settings: dict, rows: Rows, options: argparse.Namespace) -> dict:
    """Time both steps in turns; return slices a second, their ratio, and the cost of feeding."""
    config = ResUNetConfig(**settings)
    plain_step, own_step = make_plain_step(config), make_own_step(config)
    index = torch.arange(options.batch).numpy()
    augment, device = Augmentation.from_arguments(TrainingArguments()), torch.device("cpu")
    times: dict[str, list[float]] = {"plain": [], "own": [], "draw": [], "augment": []}
    for repeat in range(options.repeats + 1):
        images, masks = timed(times["draw"], rows.batch, index, device)
        generator = make_generator(0, repeat)
        timed(times["augment"], augment, images, rows.spread(masks), generator)
        labels = masks.long()
        timed(times["plain"], plain_step, images, labels)
        timed(times["own"], own_step, images, labels)
    # The first round pays for memory and code that the others find ready.
    seconds = {name: statistics.median(values[1:]) for name, values in times.items()}
    whole = seconds["own"] + seconds["draw"] + seconds["augment"]
    return {
        "plain_slices_per_second": round(options.batch / seconds["plain"], 2),
        "own_slices_per_second": round(options.batch / seconds["own"], 2),
        "ratio": round(seconds["plain"] / seconds["own"], 2),
        "reading_share_of_step": round(seconds["draw"] / whole, 4),
        "augmentation_share_of_step": round(seconds["augment"] / whole, 4),
    }


def timed(times: list[float], work, *arguments):
    """Run some work, note its seconds, return its result."""
    start = time.perf_counter()
    result = work(*arguments)
    times.append(time.perf_counter() - start)
    return result


def make_plain_step(config: ResUNetConfig):
    """Return a step as tutorials write it: fp32, default memory layout, Adam."""
    model = ResUNetForSemanticSegmentation(config).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step(images: torch.Tensor, labels: torch.Tensor) -> None:
        optimizer.zero_grad()
        model(pixel_values=images, labels=labels).loss.backward()
        optimizer.step()

    return step


def make_own_step(config: ResUNetConfig):
    """Return the step of train.py: the precision that is fast here, channels last, clipping, moving average."""
    arguments = TrainingArguments()
    model = ResUNetForSemanticSegmentation(config).train().to(memory_format=torch.channels_last)
    optimizer = build_optimizer(model, arguments)
    average = make_average(model, arguments.ema, torch.device("cpu"))
    bf16 = choose_precision("auto") == "bf16"

    def step(images: torch.Tensor, labels: torch.Tensor) -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            loss = model(pixel_values=images.contiguous(memory_format=torch.channels_last), labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), arguments.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update(model)

    return step


if __name__ == "__main__":
    main()
