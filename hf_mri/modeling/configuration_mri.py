"""Configs of the three models: labels, architecture and the thresholds that a reading applies."""

from collections.abc import Sequence
from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

SINGLE_LABEL = "single_label_classification"  # one label a pixel (or slice): softmax
MULTI_LABEL = "multi_label_classification"  # overlapping labels: one sigmoid each
BACKGROUND = "background"


@strict
class SliceClassifierConfig(PreTrainedConfig):
    """Config of a classifier that says which slices show a tumor.

    Args:
        backbone: Name of a timm model.
        backbone_kwargs: What `timm.create_model` gets besides; `{"features_only": True}` pools the last feature map
            and leaves out wide layers between it and the head (1.8 instead of 2.2 M parameters in MobileNetV2).
        num_channels: Channels of the images.
        image_size: Height and width in pixels; backbones of fixed size are built for it, others take any size.
        dropout: Share of the pooled features dropped in training.
        freeze_backbone: Train only the head, with the backbone's batch norm statistics kept.
        class_weights: Weight of each label in the loss.
        label_smoothing: Share of the target spread over all labels.
        temperature: Divides the logit before it becomes a probability in a reading.
        slice_threshold: A reading calls a slice tumor from this probability.
    """

    model_type = "mri_slice_classifier"

    backbone: str = "resnet50"
    backbone_kwargs: dict[str, Any] | None = None
    num_channels: int = 3
    image_size: int = 256
    dropout: int | float = 0.0
    freeze_backbone: bool = False
    class_weights: Sequence[int | float] | None = None
    label_smoothing: int | float = 0.0
    temperature: int | float = 1.0
    slice_threshold: int | float = 0.5

    def __post_init__(self, **kwargs):
        complete_labels(self, kwargs, default={0: "no tumor", 1: "tumor"})
        add_auto_map(kwargs, "modeling_slice_classifier.SliceClassifierForImageClassification", "ImageClassification")
        super().__post_init__(**kwargs)
        self.backbone_kwargs = dict(self.backbone_kwargs or {})
        check_positive(self, "num_channels", "image_size", "temperature")
        check_probability(self, "dropout", "label_smoothing", "slice_threshold")
        check_class_weights(self)


@strict
class ResUNetConfig(PreTrainedConfig):
    """Config of a U-Net with residual decoder that outlines labels in a slice.

    Args:
        backbone: Name of a timm model with `features_only`, or None for the residual encoder of `hidden_sizes`.
        backbone_kwargs: What `timm.create_model` gets besides.
        num_channels: Channels of the images.
        image_size: Height and width in pixels; backbones of fixed size are built for it, others take any size.
        hidden_sizes: Widths of the residual encoder, stem first; each level halves the resolution.
        decoder_channels: Widths of the decoder's blocks, coarse to fine. A block joins the next skip, or doubles the
            resolution where no skip is left. Where the blocks end below full resolution, the logits are interpolated.
        decoder_kernel_size: Kernel of the first of the two convolutions in a decoder block, 1 or 3; the second has 3.
        upsampling: `bilinear` or `nearest`, between the decoder's blocks.
        deep_supervision: Add the loss at the two decoder levels before the last, in training.
        loss: `cross_entropy_dice`, `bce_dice` or `focal_tversky`.
        tversky_alpha: Weight of missed pixels; false ones weigh `1 - tversky_alpha`.
        tversky_gamma: Exponent of the focal Tversky loss.
        class_weights: Weight of each label in the loss.
        ignore_index: Value of pixels in the labels that cost nothing.
        mask_threshold: A reading marks a pixel from this probability.
        smallest_lesion: A reading removes components of fewer pixels.
    """

    model_type = "mri_resunet"

    backbone: str | None = None
    backbone_kwargs: dict[str, Any] | None = None
    num_channels: int = 3
    image_size: int = 256
    hidden_sizes: Sequence[int] = (16, 32, 64, 128, 256)
    decoder_channels: Sequence[int] = (128, 64, 32, 16)
    decoder_kernel_size: int = 1
    upsampling: str = "bilinear"
    deep_supervision: bool = False
    loss: str = "cross_entropy_dice"
    tversky_alpha: int | float = 0.7
    tversky_gamma: int | float = 0.75
    class_weights: Sequence[int | float] | None = None
    ignore_index: int = 255
    mask_threshold: int | float = 0.5
    smallest_lesion: int = 0

    def __post_init__(self, **kwargs):
        complete_labels(self, kwargs, default={0: BACKGROUND, 1: "tumor"})
        add_auto_map(kwargs, "modeling_resunet.ResUNetForSemanticSegmentation", "SemanticSegmentation")
        super().__post_init__(**kwargs)
        self.backbone_kwargs = dict(self.backbone_kwargs or {})
        self.hidden_sizes, self.decoder_channels = list(self.hidden_sizes), list(self.decoder_channels)
        check_background(self)
        check_choice(self, "loss", ("cross_entropy_dice", "bce_dice", "focal_tversky"))
        check_choice(self, "upsampling", ("bilinear", "nearest"))
        check_choice(self, "decoder_kernel_size", (1, 3))
        check_positive(self, "num_channels", "image_size", "tversky_gamma", "hidden_sizes", "decoder_channels")
        check_probability(self, "tversky_alpha", "mask_threshold")
        check_not_negative(self, "smallest_lesion")
        check_class_weights(self)


@strict
class TwoStageConfig(PreTrainedConfig):
    """Config of a classifier that decides which slices a segmenter outlines. Its labels are the segmenter's.

    Args:
        classifier: A `SliceClassifierConfig`, or its dictionary.
        segmenter: A `ResUNetConfig`, or its dictionary.
        gate_threshold: Slices from this tumor probability are segmented; at 0.01 a slice is called free of tumor when
            the classifier is more than 99 % sure.
        slice_threshold: A reading calls a slice tumor from this probability.
        mask_threshold: A pixel belongs to a mask from this probability.
        smallest_lesion: A reading removes components of fewer pixels.
        temperature: Divides the slice's logit before it becomes a probability in a reading.
        mask_weight: Share of the segmenter in the slice's logit, for slices that passed the gate.
    """

    model_type = "mri_two_stage"

    classifier: dict[str, Any] | PreTrainedConfig | None = None
    segmenter: dict[str, Any] | PreTrainedConfig | None = None
    gate_threshold: int | float = 0.01
    slice_threshold: int | float = 0.5
    mask_threshold: int | float = 0.5
    smallest_lesion: int = 0
    temperature: int | float = 1.0
    mask_weight: int | float = 0.5

    def __post_init__(self, **kwargs):
        add_auto_map(kwargs, "modeling_two_stage.TwoStageForSemanticSegmentation", "SemanticSegmentation")
        segmenter = ResUNetConfig(**_own_labels_win(self, _as_dict(self.segmenter), kwargs))
        classifier = SliceClassifierConfig(**_as_dict(self.classifier))
        if classifier.num_labels != 2 or classifier.problem_type != SINGLE_LABEL:
            raise ValueError("classifier: the gate needs the two labels 'no tumor' and 'tumor', one a slice")
        if classifier.num_channels != segmenter.num_channels:
            raise ValueError(
                f"classifier takes {classifier.num_channels} channels, segmenter {segmenter.num_channels}: "
                "give both the same num_channels"
            )
        self.id2label, self.label2id = dict(segmenter.id2label), dict(segmenter.label2id)
        self.problem_type = segmenter.problem_type
        super().__post_init__(**kwargs)
        self.classifier, self.segmenter = _as_dict(classifier), _as_dict(segmenter)
        check_probability(self, "gate_threshold", "slice_threshold", "mask_threshold", "mask_weight")
        check_positive(self, "temperature")
        check_not_negative(self, "smallest_lesion")

    @property
    def num_channels(self) -> int:
        """Channels of the images, the same for both stages."""
        return self.segmenter["num_channels"]

    @property
    def image_size(self) -> int:
        """Height and width in pixels."""
        return self.segmenter["image_size"]

    def stage_configs(self) -> tuple[SliceClassifierConfig, ResUNetConfig]:
        """Return the configs of classifier and segmenter, the latter with this config's labels."""
        segmenter = _own_labels_win(self, self.segmenter, {})
        return SliceClassifierConfig(**self.classifier), ResUNetConfig(**segmenter)


def _as_dict(config: dict[str, Any] | PreTrainedConfig | None) -> dict[str, Any]:
    """Return the fields of one stage without what belongs to a file of its own."""
    fields = config.to_dict() if hasattr(config, "to_dict") else dict(config or {})
    for key in ("architectures", "auto_map", "dtype", "model_type", "transformers_version", "_name_or_path"):
        fields.pop(key, None)
    return fields


def _own_labels_win(config: PreTrainedConfig, segmenter: dict[str, Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the segmenter's fields with the labels given to the whole model, if any."""
    num_labels = kwargs.pop("num_labels", None)
    if config.id2label or config.label2id:
        segmenter = {**segmenter, "id2label": config.id2label, "label2id": config.label2id}
    elif num_labels is not None:
        segmenter = {**segmenter, "id2label": None, "label2id": None, "num_labels": num_labels}
    if config.problem_type is not None:
        segmenter = {**segmenter, "problem_type": config.problem_type}
    return segmenter


def complete_labels(config: PreTrainedConfig, kwargs: dict[str, Any], default: dict[int, str]) -> None:
    """Fill `problem_type`, `id2label` and `label2id`; raise ValueError where they contradict themselves."""
    config.problem_type = config.problem_type or SINGLE_LABEL
    check_choice(config, "problem_type", (SINGLE_LABEL, MULTI_LABEL))
    if config.id2label is None and config.label2id:
        config.id2label = {index: name for name, index in config.label2id.items()}
    if config.id2label is None:
        num_labels = kwargs.get("num_labels", len(default))
        config.id2label = default if num_labels == len(default) else {i: f"LABEL_{i}" for i in range(num_labels)}
    id2label = {int(index): name for index, name in config.id2label.items()}
    if not id2label or sorted(id2label) != list(range(len(id2label))) or len(set(id2label.values())) != len(id2label):
        raise ValueError(f"id2label must name every index from 0 once, each by another name, got {config.id2label}")
    label2id = {name: index for index, name in id2label.items()}
    if config.label2id is not None and {name: int(i) for name, i in config.label2id.items()} != label2id:
        raise ValueError(f"label2id {config.label2id} is not the inverse of id2label {id2label}: leave it out")
    if config.problem_type == SINGLE_LABEL and len(id2label) < 2:
        raise ValueError(f"problem_type '{SINGLE_LABEL}' needs two labels or more; for one output use '{MULTI_LABEL}'")
    config.id2label, config.label2id = id2label, label2id


def add_auto_map(kwargs: dict[str, Any], model: str, task: str) -> None:
    """Say in config.json which file and class load the model where this package is not installed."""
    auto_map = {
        "AutoModel": model,
        f"AutoModelFor{task}": model,
        # Here and not in preprocessor_config.json, where the stock pipelines would guess a video processor from it.
        "AutoImageProcessor": "image_processing_mri.MriImageProcessor",
    }
    kwargs["auto_map"] = auto_map | (kwargs.get("auto_map") or {})


def check_background(config: PreTrainedConfig) -> None:
    """With one label a pixel, label 0 is the background (names made from `num_labels` are taken on trust)."""
    names = [config.id2label[index] for index in sorted(config.id2label)]
    automatic = all(name.startswith("LABEL_") for name in names)
    if config.problem_type == SINGLE_LABEL and names[0] != BACKGROUND and not automatic:
        raise ValueError(f"id2label must name label 0 '{BACKGROUND}' when each pixel has one label, got {names}")


def check_choice(config: PreTrainedConfig, field: str, allowed: Sequence[Any]) -> None:
    """Raise ValueError unless the field holds one of the allowed values."""
    if getattr(config, field) not in allowed:
        choices = ", ".join(repr(value) for value in allowed)
        raise ValueError(f"{field} must be one of {choices}, got {getattr(config, field)!r}")


def check_positive(config: PreTrainedConfig, *fields: str) -> None:
    """Raise ValueError unless each field, or each entry of it, is above 0."""
    for field in fields:
        value = getattr(config, field)
        entries = value if isinstance(value, list) else [value]
        if not entries or not all(entry > 0 for entry in entries):
            raise ValueError(f"{field} must be above 0, got {value}")


def check_not_negative(config: PreTrainedConfig, *fields: str) -> None:
    """Raise ValueError unless each field is 0 or above."""
    for field in fields:
        if getattr(config, field) < 0:
            raise ValueError(f"{field} must be 0 or above, got {getattr(config, field)}")


def check_probability(config: PreTrainedConfig, *fields: str) -> None:
    """Raise ValueError unless each field lies between 0 and 1."""
    for field in fields:
        if not 0 <= getattr(config, field) <= 1:
            raise ValueError(f"{field} must lie between 0 and 1, got {getattr(config, field)}")


def check_class_weights(config: PreTrainedConfig) -> None:
    """Raise ValueError unless there is one weight of at least 0 for each label, or none at all."""
    if config.class_weights is None:
        return
    config.class_weights = list(config.class_weights)
    if len(config.class_weights) != config.num_labels or not all(weight >= 0 for weight in config.class_weights):
        raise ValueError(
            f"class_weights must hold one number of at least 0 for each of the {config.num_labels} labels, "
            f"got {config.class_weights}"
        )
