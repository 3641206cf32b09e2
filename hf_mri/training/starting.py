"""Where a training starts, and the line that says so: a trained model, ImageNet's weights, or random numbers."""

import logging
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from torch import nn

from hf_mri.data.datasets_table import DatasetEntry
from hf_mri.evaluation.training_overlap import read_training
from hf_mri.hub.json_files import read_json
from hf_mri.modeling.configuration_mri import ResUNetConfig
from hf_mri.modeling.image_processing_mri import MriImageProcessor
from hf_mri.modeling.modeling_resunet import ResUNetForSemanticSegmentation
from hf_mri.modeling.mri_model_backbone import load_imagenet_weights
from hf_mri.training.arguments import TrainingArguments
from hf_mri.training.trained_model import FILES, find_start
from hf_mri.training.weights_to_have import find_weights
from hf_mri.training.weights_to_take import stage_weights, take_over

logger = logging.getLogger(__name__)


@dataclass
class Start:
    """Where the weights of one stage come from: in words, and as training.json keeps it."""

    words: str
    record: dict[str, Any] = field(default_factory=dict)
    image_hashes: list[str] = field(default_factory=list)  # the slices that these weights have seen


def start_weights(
    arguments: TrainingArguments, task: str, model: nn.Module, processor: MriImageProcessor, entry: DatasetEntry
) -> Start:
    """Put the weights that a run starts from into a fresh model; the processor takes the statistics that they want."""
    if arguments.start_from:
        return start_at_model(arguments.start_from, task, model, processor)
    if arguments.pretrained and model.config.backbone:
        source = find_weights(arguments.pretrained, arguments.data)
        statistics = load_imagenet_weights(model, source)
        processor.image_mean = statistics["image_mean"][: entry.num_channels]
        processor.image_std = statistics["image_std"][: entry.num_channels]
        where = "timm's" if source is True else Path(source).name
        return Start(
            f"the backbone {model.config.backbone} starts from ImageNet's weights ({where}), the rest at random"
        )
    return Start(
        "all weights start from random numbers, which takes many patients and steps; --pretrained timm starts from "
        "ImageNet's, --from MODEL from a trained model's"
    )


def start_model(
    name: str | Path, id2label: dict[int, str], num_channels: int, **settings: Any
) -> tuple[ResUNetForSemanticSegmentation, MriImageProcessor]:
    """Return a segmenter for other labels and channels that starts from a trained model, and its processor.

    Args:
        name: Folder or Hub id of a segmenter or of a two-stage model.
        id2label: The new labels, the background first.
        num_channels: Channels of one slice; neighbors come on top by themselves.
        **settings: Further fields of the config that differ from the trained model's, such as `loss`.
    """
    folder = find_start(str(name))
    config, prepared = (read_json(folder / file) for file in FILES[:2])
    stage = config["segmenter"] if isinstance(config.get("segmenter"), dict) else config
    if "decoder_channels" not in stage:
        raise ValueError(f"{name}: is a classifier, and outlines nothing; start from a segmenter")
    kept = {key: value for key, value in stage.items() if key in {item.name for item in fields(ResUNetConfig)}}
    total = num_channels * (2 * prepared.get("neighbors", 0) + 1)
    own = {"id2label": id2label, "label2id": None, "num_channels": total}
    model = ResUNetForSemanticSegmentation(ResUNetConfig(**kept | own | settings))
    statistics = dict.fromkeys(("image_mean", "image_std"), [0.5] * num_channels)
    processor = MriImageProcessor.from_pretrained(
        folder, num_channels=num_channels, problem_type=model.config.problem_type, **statistics
    )
    logger.warning("starts from %s: %s", name, start_at_model(str(name), "segment", model, processor).words)
    return model, processor


def start_at_model(name: str, task: str, model: nn.Module, processor: MriImageProcessor) -> Start:
    """Take over what fits of a trained model."""
    folder = find_start(name)
    config, prepared = (read_json(folder / file) for file in FILES[:2])
    weights, stage = stage_weights(folder, config, "classifier" if task == "classify" else "segmenter")
    before, now = prepared.get("neighbors", 0), processor.neighbors
    taken = take_over(model, weights, stage, positions=2 * now + 1 if before == now else 1)
    if not taken.matrices:
        raise ValueError(
            f"--from {name}: none of its weights fit; its network is {describe(stage)}, this one "
            f"{describe(model.config.to_dict())}: leave out the options that make it another"
        )
    channels = processor.num_channels
    for statistic in ("image_mean", "image_std"):
        stored = prepared.get(statistic) or [0.5]
        fits = len(stored) == channels
        setattr(processor, statistic, stored if fits else [sum(stored) / len(stored)] * channels)
    training = read_training(folder) or {}
    called = name_of(folder) if Path(name).is_dir() else name
    record = {
        "model": called,
        "on_hub": not Path(name).is_dir(),
        "dataset": training.get("dataset"),
        **taken.record(),
    }
    return Start(f"starts from {called}: {taken.words()}", record, training.get("image_hashes", []))


def name_of(folder: Path) -> str:
    """Return a model's own name: where its folder lies belongs to one machine."""
    options = read_json(folder / FILES[2]) if (folder / FILES[2]).is_file() else {}
    place = folder.resolve()
    return options.get("name") or (place.parent.name if place.name == "bundle" else place.name)


def describe(config: dict[str, Any]) -> str:
    """Name a network in two words."""
    kind = "segmenter" if config.get("decoder_channels") else "classifier"
    return f"a {kind} on {config.get('backbone') or 'the residual encoder'}"
