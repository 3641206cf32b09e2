"""Bundles: a finished model as a folder that is its Hub repository, file for file."""

import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import BaseImageProcessor, PreTrainedModel
from transformers.dynamic_module_utils import get_relative_import_files

from hf_mri.hub.card import write_card
from hf_mri.hub.requirements import floors
from hf_mri.modeling.mri_files import folder_aside, write_text
from hf_mri.modeling.mri_trust import Trust, save_trust

CODE = Path(__file__).parents[1] / "modeling"
PLACES = ("auto_map", "custom_pipelines")  # entries of config.json that name code files
# What a hosted container needs beside Python to run the code files.
HOSTED = ("huggingface-hub", "numpy", "pillow", "safetensors", "scipy", "timm", "torch", "torchvision", "transformers")


def write_bundle(
    folder: str | Path,
    model: PreTrainedModel,
    processor: BaseImageProcessor,
    trust: Trust | None = None,
    *,
    train_config: dict,
    training: dict,
    metrics: dict | None = None,
    half: bool = True,
) -> Path:
    """Write a bundle as a whole: beside its place first, then renamed, replacing a bundle that is there.

    Args:
        folder: Where it goes; parents are made.
        model: On any device, in float32.
        processor: Saved beside the weights, as inference must prepare pixels exactly as training did.
        trust: What the model knows of itself.
        train_config: The options that reproduce the run; folders of this machine are left out.
        training: Provenance, written as training.json.
        metrics: What the evaluation found, in the format of docs/metrics.md; None leaves results out of the card.
        half: Store weights as fp16; config.json still says float32, so that they load and run in float32 everywhere.

    Returns:
        The folder.
    """
    folder = Path(folder)
    check_place(folder)
    with folder_aside(folder) as aside:
        save_weights(aside, model, half)
        processor.save_pretrained(aside)
        if trust and (trust.known or trust.confidence):
            save_trust(aside, trust)
        add_code(aside)
        write_json(aside / "train_config.json", portable(train_config))
        write_json(aside / "training.json", training)
        if metrics is not None:
            write_json(aside / "metrics.json", metrics)
        write_card(aside)
    return folder


def save_weights(folder: Path, model: PreTrainedModel, half: bool) -> None:
    """Save config and weights; statistics of norms stay float32, since fp16 cannot hold very small variances."""
    weights = dict(model.state_dict())
    if half:
        for name, parameter in model.named_parameters():
            rounded = parameter.detach().half()
            if torch.isfinite(rounded).all():
                weights[name] = rounded
    model.save_pretrained(folder, state_dict=weights)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    write_json(folder / "config.json", config | {"dtype": "float32"})


def add_code(folder: str | Path) -> None:
    """Put beside a model's own files the code that it needs where this package is not installed.

    The one place that makes a repository of a model: training, `hf-mri bundle` and `publish` call it.
    """
    import hf_mri

    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (name,) = config["architectures"]
    kind = getattr(hf_mri, name)
    roots = [sys.modules[found.__module__].__file__ for found in (kind, hf_mri.MriImageProcessor)]
    roots += [str(CODE / name) for name in ("handler.py", "serve_endpoint.py")]
    remove_code(folder)
    for source in {path for root in roots for path in (root, *get_relative_import_files(root))}:
        shutil.copyfile(source, folder / Path(source).name)
    places = kind.config_class().to_dict()
    auto_config = {"AutoConfig": f"configuration_mri.{kind.config_class.__name__}"}
    config |= {"auto_map": auto_config | places["auto_map"], "custom_pipelines": places["custom_pipelines"]}
    write_json(folder / "config.json", dict(sorted(config.items())))  # the order of transformers itself
    needed = floors()
    (folder / "requirements.txt").write_text("".join(f"{needed[name]}\n" for name in HOSTED), encoding="utf-8")


def remove_code(folder: str | Path) -> None:
    """Leave only what is a model's own: what `model_cards/` keeps."""
    folder = Path(folder)
    for path in (*folder.glob("*.py"), folder / "requirements.txt"):
        path.unlink(missing_ok=True)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for entry in PLACES:
        config.pop(entry, None)
    write_json(folder / "config.json", config)


def assemble(model: str | Path, folder: str | Path, *, code: bool = True) -> Path:
    """Copy a model into a new folder and complete it: a bundle that loads anywhere, file for file its Hub repository.

    Args:
        model: Folder with a model's own files, or a bundle, whose code is brought up to date.
        folder: Where the bundle goes; a bundle that is there is replaced.
        code: False leaves the code out, as in `model_cards/`.

    Returns:
        The bundle.
    """
    model, folder = Path(model), Path(folder)
    if not (model / "config.json").is_file():
        raise ValueError(f"{model}: holds no model (no config.json); give the folder of a finished model")
    if folder.resolve() == model.resolve():
        raise ValueError(f"{folder}: is the model itself; name another folder for the bundle")
    check_place(folder)
    with folder_aside(folder) as aside:
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(model, aside, symlinks=True, ignore=skipped, dirs_exist_ok=True)
        (add_code if code else remove_code)(aside)
    return folder


def portable(train_config: dict) -> dict:
    """Return the options that were given, files by their name alone: a folder belongs to one machine."""
    kept = {name: value for name, value in train_config.items() if value is not None}
    absolute = {name for name, value in kept.items() if isinstance(value, str) and Path(value).is_absolute()}
    return {name: Path(value).name if name in absolute else value for name, value in kept.items()}


def write_json(path: Path, content: dict) -> None:
    """Write JSON as people read it, in one piece."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def check_place(folder: Path) -> None:
    """Refuse to replace a folder that holds something else than a model."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "config.json").exists():
        raise ValueError(f"{folder} is not empty and holds no model; choose another folder for the bundle")
