"""ImageNet weights: in a file, in the cache, or on the Hub; asked for quickly, so that nobody offline waits."""

import json
from pathlib import Path

import timm
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import HTTPError

from hf_mri.training.arguments import TrainingArguments

AUTO = "auto"
SECONDS = 5  # a Hub that does not answer in this time is out of reach
WEIGHTS = "model.safetensors"


def settle_pretrained(arguments: TrainingArguments) -> str | None:
    """Return what `--pretrained auto` means here: timm's weights where they can be had, else None.

    A resumed run keeps what it began with. Weights that were asked for by name and cannot be had are an error.
    """
    backbones = wanted_backbones(arguments)
    if arguments.pretrained == AUTO:
        begun = stored_choice(arguments) if arguments.resume else AUTO
        if begun != AUTO:
            return begun
        can = not arguments.start_from and bool(backbones) and all(map(can_be_had, backbones))
        return "timm" if can else None
    if arguments.pretrained == "timm":
        for backbone in backbones:
            if not can_be_had(backbone):
                raise ValueError(
                    f"--pretrained timm: the weights of {backbone} are neither in the cache nor to be had from the "
                    "Hub; connect once, give a safetensors file, or start from random numbers with --pretrained none"
                )
    return arguments.pretrained


def wanted_backbones(arguments: TrainingArguments) -> list[str]:
    """Return the timm backbones that this run trains."""
    stages = {
        "classify": [arguments.gate_backbone or arguments.backbone],
        "segment": [arguments.backbone],
        "two-stage": [
            None if arguments.classifier else arguments.gate_backbone or arguments.backbone,
            None if arguments.segmenter else arguments.backbone,
        ],
    }
    return [name for name in dict.fromkeys(stages[arguments.task]) if name and timm.is_model(name)]


def can_be_had(backbone: str) -> bool:
    """Tell whether timm's weights of a backbone are in the cache, or the Hub has them and answers."""
    settings = timm.get_pretrained_cfg(backbone)
    if settings is None or not settings.hf_hub_id:
        return False
    repository = settings.hf_hub_id
    if repository.endswith("/"):
        repository += settings.architecture + (f".{settings.tag}" if settings.tag else "")
    if isinstance(try_to_load_from_cache(repository, WEIGHTS), str):
        return True
    if constants.HF_HUB_OFFLINE:
        return False
    try:
        get_hf_file_metadata(hf_hub_url(repository, WEIGHTS), timeout=SECONDS)
    except (OSError, HTTPError):
        return False
    return True


def stored_choice(arguments: TrainingArguments) -> str | None:
    """Return what a run that is resumed began with; AUTO where it holds no record."""
    folder = Path(arguments.output_dir)
    for place in (folder, folder / "classifier", folder / "segmenter"):
        if (place / "run.json").is_file():
            return json.loads((place / "run.json").read_text(encoding="utf-8")).get("pretrained", AUTO)
    return AUTO


def find_weights(pretrained: str, data: str | None) -> Path | bool:
    """Return the file of ImageNet weights, as named or beside the data set; True lets timm fetch its own.

    A published `train_config.json` holds the file's bare name: where it lay belongs to one machine.
    """
    if pretrained == "timm":
        return True
    places = [Path(pretrained), *(folder / pretrained for folder in (Path(data or ""), Path(data or "").parent))]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ValueError(
            f"--pretrained {pretrained}: no such file, neither here nor beside the data; give its place, or take "
            "timm's weights for this backbone with --pretrained timm"
        )
    return found
