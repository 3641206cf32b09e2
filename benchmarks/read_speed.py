"""Slices a second from TIFF files on disk to PNG masks on disk: this project against its peer, side by side.

    python benchmarks/read_speed.py --model model_cards/lgg-two-stage --scans 'DATA/kaggle_3m/TCGA_*'

Three sides take turns in one process, on the same files: `reader` is `hf-mri predict --only masks`; `peer` is
`segmentation_models_pytorch.Unet("resnet34")` in float32 PyTorch, as its examples run it; `plain` is our own segmenter
in bf16 PyTorch for every slice, without gate and engine. Without --scans, phantoms of the real size are read, of which
the gate may pass another share. Prints JSON; the ratio of medians is what counts, for the machine may be shared.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from glob import glob
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from hf_mri.commands.demo import find_bundle
from hf_mri.data.phantoms.draw import draw_phantom, find_phantoms
from hf_mri.modeling.mri_engine import stages_of
from hf_mri.modeling.mri_reader import Reader
from hf_mri.predict.predicting import predict

PEER_BATCH = 8  # its fastest here


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", default=str(find_bundle()), help="bundle of a two-stage model; by default the project's own"
    )
    parser.add_argument("--scans", help="quoted glob of patients' folders; phantoms without it")
    parser.add_argument("--patients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engine", default="auto")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measure(arguments, Path(scratch)), indent=1))


def measure(arguments: argparse.Namespace, scratch: Path) -> dict:
    """Let the sides take turns; the first round warms up and does not count."""
    folders = find_scans(arguments, scratch)
    files = [path for folder in folders for path in list_slices(folder)]
    sides = {
        "reader": PredictSide(arguments, folders),
        "peer": make_peer(files),
        "plain": make_plain(arguments.model, folders),
    }
    times = {name: [] for name in sides}
    cpu_times = {name: [] for name in sides}
    for number in range(1 + arguments.rounds):
        for name, run in sides.items():
            out = scratch / f"{name}-{number}"
            start, cpu_start = time.perf_counter(), time.process_time()
            run(out)
            elapsed, cpu = time.perf_counter() - start, time.process_time() - cpu_start
            written = len(list(out.rglob("*.png")))
            if written != len(files):
                raise ValueError(f"{name} wrote {written} masks for {len(files)} slices")
            if number:
                times[name].append(elapsed)
                cpu_times[name].append(cpu)
    medians = {name: 1000 * statistics.median(values) / len(files) for name, values in times.items()}
    cpu_medians = {name: 1000 * statistics.median(values) / len(files) for name, values in cpu_times.items()}
    return {
        "slices": len(files),
        "rounds": arguments.rounds,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "engine": sides["reader"].engine,
        "share_segmented": sides["reader"].passed,
        "ms_a_slice": {name: round(value, 2) for name, value in medians.items()},
        "cpu_ms_a_slice": {name: round(value, 2) for name, value in cpu_medians.items()},
        "times_peer": round(medians["peer"] / medians["reader"], 1),
        "times_plain": round(medians["plain"] / medians["reader"], 1),
        "times_peer_by_cpu": round(cpu_medians["peer"] / cpu_medians["reader"], 1),
        "times_plain_by_cpu": round(cpu_medians["plain"] / cpu_medians["reader"], 1),
    }


def find_scans(arguments: argparse.Namespace, scratch: Path) -> list[Path]:
    """The patients' folders."""
    if arguments.scans:
        return [Path(path) for path in sorted(glob(arguments.scans))][: arguments.patients]
    draw_phantom("lgg", scratch / "phantoms", patients=arguments.patients, seed=3)
    return find_phantoms(scratch / "phantoms")


def list_slices(folder: Path) -> list[Path]:
    """A patient's slices, without the masks beside them."""
    return sorted(path for path in folder.glob("*.tif") if not path.stem.endswith("_mask"))


class PredictSide:
    """`predict` with a model that is loaded already, as in a run over thousands of scans."""

    def __init__(self, arguments: argparse.Namespace, folders: list[Path]):
        self.folders, self.model = folders, arguments.model
        self.reader = Reader.from_pretrained(arguments.model, device="cpu", engine=arguments.engine)
        self.engine = f"{self.reader.engine.name} {self.reader.engine.precision}"
        stages = np.concatenate([reading.stage for reading in self.reader.batch(folders)])
        self.passed = round(float(np.mean(stages != "gate")), 3)

    def __call__(self, out: Path) -> None:
        """Read all folders into a new one."""
        predict(self.folders, self.model, out, only=["masks"], reader=self.reader)


def make_peer(files: list[Path]):
    """The peer as a short script has it: decode, batch, infer, threshold, write."""
    import segmentation_models_pytorch

    torch.manual_seed(0)
    network = segmentation_models_pytorch.Unet("resnet34", encoder_weights=None).eval()

    def run(out: Path) -> None:
        out.mkdir()
        for start in range(0, len(files), PEER_BATCH):
            names = files[start : start + PEER_BATCH]
            pages = np.stack([np.asarray(Image.open(name)) for name in names])
            pixels = torch.from_numpy(pages).permute(0, 3, 1, 2).float() / 255
            with torch.inference_mode():
                masks = (network(pixels)[:, 0].sigmoid() > 0.5).numpy()
            for name, mask in zip(names, masks, strict=True):
                Image.fromarray(mask.astype(np.uint8) * 255).save(out / f"{name.stem}.png")

    return run


def make_plain(model: str, folders: list[Path]):
    """Our own segmenter alone, in bf16 PyTorch."""
    two_stage = Reader.from_pretrained(model, device="cpu", engine="torch")
    _, segmenter = stages_of(two_stage.engine.model)
    reader = Reader(segmenter, two_stage.processor, engine="torch", precision="bfloat16")

    def run(out: Path) -> None:
        for number, reading in enumerate(reader.batch(folders)):
            reading.save(out / str(number), only=["masks"])

    return run


if __name__ == "__main__":
    main()
