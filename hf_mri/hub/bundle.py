"""Bundles: a finished model as a folder that is its Hub repository, file for file."""

import json
import os
import shutil
import sys
from pathlib import Path

import torch
from transformers import BaseImageProcessor, PreTrainedModel
from transformers.dynamic_module_utils import get_relative_import_files

from hf_mri.hub.card import write_card
from hf_mri.hub.requirements import floors

CODE = Path(__file__).parents[1] / "modeling"
# What a hosted container needs beside Python to run the code files.
HOSTED = ("huggingface-hub", "numpy", "pillow", "safetensors", "scipy", "timm", "torch", "torchvision", "transformers")


def write_bundle(
    folder: str | Path,
    model: PreTrainedModel,
    processor: BaseImageProcessor,
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
        train_config: The options that reproduce the run; folders of this machine are left out.
        training: Provenance, written as training.json.
        metrics: What the evaluation found, in the format of docs/metrics.md; None leaves results out of the card.
        half: Store weights as fp16; config.json still says float32, so that they load and run in float32 everywhere.

    Returns:
        The folder.
    """
    folder = Path(folder)
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.writing")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        save_weights(aside, model, half)
        processor.save_pretrained(aside)
        copy_code(aside, type(model), type(processor))
        needed = floors()
        (aside / "requirements.txt").write_text("".join(f"{needed[name]}\n" for name in HOSTED))
        write_json(aside / "train_config.json", portable(train_config))
        write_json(aside / "training.json", training)
        if metrics is not None:
            write_json(aside / "metrics.json", metrics)
        write_card(aside)
        put_in_place(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
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


def copy_code(folder: Path, kind: type[PreTrainedModel], processor: type[BaseImageProcessor]) -> None:
    """Copy the code files that these classes need, and name them in the two configs for every auto class."""
    auto_class = f"AutoModel{kind.__name__[kind.__name__.index('For') :]}"
    classes = {"AutoConfig": kind.config_class, "AutoModel": kind, auto_class: kind}
    sources = [sys.modules[found.__module__].__file__ for found in (*classes.values(), processor)]
    sources += [str(CODE / "pipeline_mri.py"), str(CODE / "handler.py")]
    for old in folder.glob("*.py"):
        old.unlink()
    needed = {path for source in sources for path in (source, *get_relative_import_files(source))}
    for source in sorted(needed):
        shutil.copyfile(source, folder / Path(source).name)

    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {auto: reference(found) for auto, found in classes.items()}
    config["custom_pipelines"] = {
        "mri-reading": {"impl": "pipeline_mri.MriPipeline", "pt": [auto_class], "type": "image"}
    }
    config["dtype"] = "float32"
    write_json(folder / "config.json", config)
    preparation = json.loads((folder / "preprocessor_config.json").read_text())
    preparation["auto_map"] = {"AutoImageProcessor": reference(processor)}
    write_json(folder / "preprocessor_config.json", preparation)


def refresh_code(bundle: str | Path) -> None:
    """Bring a bundle's code files up to the package's own, as they are here and now."""
    import hf_mri

    folder = Path(bundle)
    (name,) = json.loads((folder / "config.json").read_text())["architectures"]
    copy_code(folder, getattr(hf_mri, name), hf_mri.MriImageProcessor)


def reference(kind: type) -> str:
    """Return how a config names a class of a code file beside it."""
    return f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"


def portable(train_config: dict) -> dict:
    """Return the options that were given, files by their name alone: a folder belongs to one machine."""
    kept = {name: value for name, value in train_config.items() if value is not None}
    absolute = {name for name, value in kept.items() if isinstance(value, str) and Path(value).is_absolute()}
    return {name: Path(value).name if name in absolute else value for name, value in kept.items()}


def write_json(path: Path, content: dict) -> None:
    """Write JSON as people read it, in one piece."""
    aside = path.with_name(f".{path.name}.writing")
    aside.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    os.replace(aside, path)


def put_in_place(aside: Path, folder: Path) -> None:
    """Rename a finished folder to its name; what was there goes only when the new one stands."""
    if not folder.exists():
        os.replace(aside, folder)
        return
    if any(folder.iterdir()) and not (folder / "config.json").exists():
        raise ValueError(f"{folder} is not empty and holds no model; choose another folder for the bundle")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    os.replace(folder, old)
    os.replace(aside, folder)
    shutil.rmtree(old)
