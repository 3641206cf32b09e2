"""From options to processor, model and optimizer."""

import copy

import torch
from torch import nn

from hf_mri.data.datasets_table import DatasetEntry
from hf_mri.modeling.configuration_mri import ResUNetConfig, SliceClassifierConfig
from hf_mri.modeling.image_processing_mri import MriImageProcessor
from hf_mri.modeling.modeling_resunet import ResUNetForSemanticSegmentation
from hf_mri.modeling.modeling_slice_classifier import SliceClassifierForImageClassification
from hf_mri.training.arguments import TrainingArguments

EMA_WARM_UP = 10  # the average forgets the first weights within some multiple of this many steps


def build_processor(arguments: TrainingArguments, entry: DatasetEntry) -> MriImageProcessor:
    """Return the processor that the options ask for; ImageNet weights set its mean and deviation later."""
    return MriImageProcessor(
        size={"height": arguments.image_size, "width": arguments.image_size},
        pixel_spacing=arguments.pixel_spacing,
        num_channels=entry.num_channels,
        neighbors=arguments.neighbors,
        scope=arguments.scope,
        window=arguments.window,
        percentiles=tuple(arguments.percentiles),
        zscore=arguments.zscore,
        orientation=entry.orientation,
        problem_type=entry.problem_type,
    )


def build_model(
    arguments: TrainingArguments, task: str, entry: DatasetEntry, processor: MriImageProcessor
) -> nn.Module:
    """Return a model with fresh weights; `start_weights` puts better ones into it."""
    shared = {
        "num_channels": entry.num_channels * (2 * arguments.neighbors + 1),
        "image_size": arguments.image_size,
        "class_weights": arguments.class_weights or None,
    }
    if task == "classify":
        config = SliceClassifierConfig(
            backbone=arguments.gate_backbone or arguments.backbone,
            backbone_kwargs={"features_only": True, **arguments.backbone_arguments}
            if arguments.narrow_classifier
            else arguments.backbone_arguments,
            downsample=arguments.downsample,
            dropout=arguments.dropout,
            label_smoothing=arguments.label_smoothing,
            id2label=dict(enumerate(entry.slice_labels)),
            **shared,
        )
        model = SliceClassifierForImageClassification(config)
    else:
        widths = {"decoder_channels": arguments.decoder_channels} if arguments.decoder_channels else {}
        config = ResUNetConfig(
            backbone=arguments.backbone,
            backbone_kwargs=arguments.backbone_arguments if arguments.backbone else None,
            decoder_kernel_size=arguments.decoder_kernel_size,
            deep_supervision=arguments.deep_supervision,
            loss=arguments.loss,
            largest_component=arguments.largest_component,
            id2label=dict(entry.id2label),
            problem_type=entry.problem_type,
            **shared,
            **widths,
        )
        model = ResUNetForSemanticSegmentation(config)
    return model


def build_optimizer(model: nn.Module, arguments: TrainingArguments) -> torch.optim.Optimizer:
    """Return AdamW or Adam with a rate of its own for the backbone, and no decay for norms and biases."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name.startswith("backbone."), parameter.ndim > 1), []).append(parameter)
    backbone_rate = arguments.backbone_learning_rate or arguments.learning_rate
    settings = [
        {
            "params": parameters,
            "lr": backbone_rate if in_backbone else arguments.learning_rate,
            "weight_decay": arguments.weight_decay if is_weight else 0.0,
            "peak": backbone_rate if in_backbone else arguments.learning_rate,
        }
        for (in_backbone, is_weight), parameters in groups.items()
    ]
    if arguments.optimizer == "adam":
        return torch.optim.Adam([group | {"weight_decay": 0.0} for group in settings])
    return torch.optim.AdamW(settings)


class MovingAverage:
    """Exponential moving average of weights and batch norm statistics that forgets the start of a run quickly.

    torch's AveragedModel reads its counter from the GPU at every step, which waits for it; this one never waits.
    """

    def __init__(self, model: nn.Module, decay: float, device: torch.device):
        self.module = copy.deepcopy(model).to(device).eval().requires_grad_(False)
        self.decay = decay
        self.count = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights of one more step."""
        decay = min(self.decay, (1 + self.count) / (EMA_WARM_UP + self.count))
        self.count += 1
        pairs = list(zip(self.module.state_dict().values(), model.state_dict().values(), strict=True))
        floating = [(mean, new) for mean, new in pairs if mean.is_floating_point()]
        means, news = zip(*floating, strict=True)
        torch._foreach_lerp_(list(means), list(news), 1 - decay)
        for mean, new in pairs:
            if not mean.is_floating_point():
                mean.copy_(new)

    def state_dict(self) -> dict:
        """What `accelerate` saves."""
        return {"module": self.module.state_dict(), "count": self.count}

    def load_state_dict(self, state: dict) -> None:
        """What `accelerate` restores."""
        self.module.load_state_dict(state["module"])
        self.count = state["count"]


def make_average(model: nn.Module, decay: float, device: torch.device) -> MovingAverage | None:
    """Return a moving average of the model, or None where it is switched off."""
    return MovingAverage(model, decay, device) if decay else None
