"""The main job shown on a synthetic patient: a scan is read, its reading and a picture are written."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hf_mri.hub.model_cards import find_published

BUNDLE = "lgg-two-stage"
SPACING, FLAIR = (0.94, 0.94, 5.0), 1
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
    "pretrained": "none",  # nothing is fetched for it
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
    """Where the demo put what, what it found, and how good that is."""

    scan: Path
    reading: Path
    picture: Path
    headline: str
    verdict: str


def run_demo(output: Path, model: str | None = None) -> Demo:
    """Draw a phantom head, read it, write everything that `predict` writes, and compare with what was drawn.

    Args:
        output: Gets `scan/`, `reading/`, `truth.png`, and `model/` where no trained model can be had.
        model: Folder or Hub id; by default the trained model of this project, or else a tiny one that is first
            trained on other phantoms.
    """
    from hf_mri.modeling.mri_model_folder import check_model_name
    from hf_mri.modeling.mri_reading import file_name
    from hf_mri.predict.predicting import predict
    from hf_mri.reports.display import window_volume
    from hf_mri.reports.headline import write_headline
    from hf_mri.reports.truth_picture import compare_in_words, draw_truth, load_masks

    if model:
        check_model_name(model)  # before anything is written
    output.mkdir(parents=True, exist_ok=True)
    model = model or str(find_published(BUNDLE) or find_on_hub() or train_tiny(output / "model"))
    slices, truth = draw_patient()
    scan = write_scan(output / "scan", slices)
    outcome = predict([scan], model, output / "reading", spacing=SPACING)
    if outcome.failed:
        raise ValueError("; ".join(outcome.failed.values()))
    (reading,) = outcome.read + outcome.skipped
    facts = json.loads((reading / "reading.json").read_text(encoding="utf-8"))
    if not facts["labels"]:
        raise ValueError(f"{model}: outlines nothing; the demo needs a segmenter or a two-stage model of brains")
    label = facts["labels"][0]
    answer = load_masks(reading / "masks" / file_name(label), len(slices))
    picture = output / "truth.png"
    draw_truth(window_volume(slices, FLAIR), answer, truth).save(picture)
    return Demo(scan, reading, picture, write_headline(facts), compare_in_words(answer, truth, label))


def draw_patient() -> tuple[np.ndarray, np.ndarray]:
    """Draw one synthetic patient's slices (S, H, W, 3), and the truth (S, H, W), which is known since it is drawn."""
    from hf_mri.data.phantoms.scan import draw_scan

    slices, masks, _ = draw_scan("lgg", PATIENT_SEED)
    return slices, masks > 0


def write_scan(folder: Path, slices: np.ndarray) -> Path:
    """Write slices as TIFF files into a folder, unless they are there."""
    from PIL import Image

    if not folder.exists():
        with tempfile.TemporaryDirectory(prefix=".demo_", dir=folder.parent) as scratch:
            drawn = Path(scratch) / "scan"
            drawn.mkdir()
            for number, page in enumerate(slices, 1):
                Image.fromarray(page).save(drawn / f"{folder.name}_{number}.tif")
            drawn.rename(folder)
    return folder


def find_on_hub() -> str | None:
    """Return the Hub id of the published model, where it has one and lies in the cache or can be fetched.

    Raises:
        ValueError: there is an id, but no way to the model, nor the libraries to train another.
    """
    from hf_mri.addresses import find_address

    home = find_address("Models")
    if home is None:
        return None
    name = f"{home.rstrip('/').rsplit('/', 1)[-1]}/{BUNDLE}"
    from hf_mri.modeling.mri_model_folder import find_folder

    try:
        find_folder(name)
    except (OSError, ValueError):
        return None
    return name


def train_tiny(folder: Path) -> Path:
    """Train a gate and a segmenter on phantoms with the project's own training, unless done; return the bundle."""
    if (folder / "model.safetensors").is_file():
        return folder
    check_training()
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


def check_training() -> None:
    """Raise ImportError, with every way on, where the libraries of training are not installed."""
    from hf_mri.commands.extras import find_missing, pip_line

    if missing := find_missing().get("train"):
        raise ImportError(
            "demo: no trained model is at hand. Name one (--model FOLDER or Hub id; a checkout of the project holds "
            f"them in model_cards/), or let the demo train a tiny one: {pip_line('train')} (missing: {missing[0]})"
        )
