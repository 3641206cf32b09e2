"""The main job shown on a synthetic patient: a scan is read, its reading and a picture are written."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hf_mri.hub.model_cards import find_published

BUNDLE = "lgg-two-stage"
PATIENT_SEED = 2  # the page's head: no patient of the training set below, whose seed is 0
# A model that learns synthetic heads in about a minute; real patients need train.py's defaults.
SIZE = 96
TINY = {
    "task": "two-stage",
    "backbone": "test_resnet",
    "image_size": SIZE,
    "decoder_channels": "16 16 8 8",
    "batch_size": 8,
    "epochs": 8,
    "learning_rate": "5e-3",
    "ema": 0.95,
    "rotation": 5,
    "scale": 0.05,
    "drop_channel": 0,
    "validate_every": 4,
    "mixed_precision": "no",
    "name": "phantom-two-stage",
}


@dataclass
class Demo:
    """Where the demo put what, and what it found."""

    scan: Path
    reading: Path
    headline: str


def run_demo(output: Path, model: str | None = None) -> Demo:
    """Draw a phantom head, read it, and write everything that `predict` writes.

    Args:
        output: Gets `scan/`, `reading/`, and `model/` where no trained bundle is there yet.
        model: Folder or Hub name; by default the trained bundle of this project, or else a tiny model that is first
            trained on other phantoms.
    """
    from hf_mri.predict.predicting import predict
    from hf_mri.reports.headline import write_headline

    output.mkdir(parents=True, exist_ok=True)
    model = model or str(find_published(BUNDLE) or train_tiny(output / "model"))
    scan = draw_patient(output / "scan")
    outcome = predict([scan], model, output / "reading", spacing=(0.94, 0.94, 5.0))
    if outcome.failed:
        raise ValueError("; ".join(outcome.failed.values()))
    (reading,) = outcome.read + outcome.skipped
    facts = json.loads((reading / "reading.json").read_text(encoding="utf-8"))
    return Demo(scan, reading, write_headline(facts))


def draw_patient(folder: Path) -> Path:
    """Draw one synthetic patient's slices as TIFF files into a folder, unless they are there."""
    from PIL import Image

    from hf_mri.data.phantoms.scan import draw_scan

    if not folder.exists():
        slices, _, _ = draw_scan("lgg", PATIENT_SEED)
        with tempfile.TemporaryDirectory(prefix=".demo_", dir=folder.parent) as scratch:
            drawn = Path(scratch) / "scan"
            drawn.mkdir()
            for number, page in enumerate(slices, 1):
                Image.fromarray(page).save(drawn / f"{folder.name}_{number}.tif")
            drawn.rename(folder)
    return folder


def train_tiny(folder: Path) -> Path:
    """Train a gate and a segmenter on phantoms with the project's own training, unless done; return the bundle."""
    if (folder / "model.safetensors").is_file():
        return folder
    from hf_mri.data.phantoms.draw import make_phantom

    with tempfile.TemporaryDirectory(prefix=".demo_", dir=folder.parent) as scratch:
        data = make_phantom("lgg", Path(scratch) / "data", patients=24, size=SIZE, slices=16)
        run = Path(scratch) / "run"
        command = [sys.executable, "-m", "hf_mri.training.train"]
        for name, value in (TINY | {"data": data, "output_dir": run, "rows_cache": scratch}).items():
            command += [f"--{name}", *str(value).split()]
        # The bar (on stderr) is enough: the run's own lines name folders that are gone when it is over.
        if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:
            raise ValueError("demo: the training of a tiny model failed; its message is above")
        (run / "bundle").rename(folder)
    return folder
