"""Configs of the three models: labels, architecture and the thresholds that a reading applies."""

from collections.abc import Sequence
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from .mri_model_checks import (
    BACKGROUND,
    SINGLE_LABEL,
    check_background,
    check_choice,
    check_class_weights,
    check_not_negative,
    check_positive,
    check_probability,
    complete_labels,
)
from .mri_model_travel import TravellingConfig


@strict
class SliceClassifierConfig(TravellingConfig, PreTrainedConfig):
    """Config of a classifier that says which slices show a tumor.

    Args:
        backbone: Name of a timm model.
        backbone_kwargs: What `timm.create_model` gets besides; `{"features_only": True}` pools the last feature map
            and leaves out wide layers between it and the head (1.8 instead of 2.2 M parameters in MobileNetV2).
        num_channels: Channels of the images.
        image_size: Height and width in pixels; backbones of fixed size are built for it, others take any size.
        downsample: Average the images over squares of this many pixels first; a gate at half resolution costs a third.
        dropout: Share of the pooled features dropped in training.
        freeze_backbone: Train only the head, with the backbone's batch norm statistics kept.
        class_weights: Weight of each label in the loss.
        label_smoothing: Share of the target spread over all labels.
        temperature: Divides the logit before it becomes a probability in a reading.
        slice_threshold: A reading calls a slice tumor from this probability.
    """

    model_type = "mri_slice_classifier"
    task: ClassVar[str] = "ImageClassification"
    model: ClassVar[str] = "modeling_slice_classifier.SliceClassifierForImageClassification"
    has_masks: ClassVar[bool] = False
    _auto_class: ClassVar[str | None] = "AutoConfig"

    backbone: str = "resnet50"
    backbone_kwargs: dict[str, Any] | None = None
    num_channels: int = 3
    image_size: int = 256
    downsample: int = 1
    dropout: int | float = 0.0
    freeze_backbone: bool = False
    class_weights: Sequence[int | float] | None = None
    label_smoothing: int | float = 0.0
    temperature: int | float = 1.0
    slice_threshold: int | float = 0.5

    def __post_init__(self, **kwargs):
        complete_labels(self, kwargs, default={0: "no tumor", 1: "tumor"})
        self._add_places(kwargs)
        super().__post_init__(**kwargs)
        self.backbone_kwargs = dict(self.backbone_kwargs or {})
        check_positive(self, "num_channels", "image_size", "downsample", "temperature")
        check_probability(self, "dropout", "label_smoothing", "slice_threshold")
        check_class_weights(self)


@strict
class ResUNetConfig(TravellingConfig, PreTrainedConfig):
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
        largest_component: A reading keeps only the largest 3-D component of each label and phase, as of a heart.
    """

    model_type = "mri_resunet"
    task: ClassVar[str] = "SemanticSegmentation"
    model: ClassVar[str] = "modeling_resunet.ResUNetForSemanticSegmentation"
    _auto_class: ClassVar[str | None] = "AutoConfig"

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
    largest_component: bool = False

    def __post_init__(self, **kwargs):
        complete_labels(self, kwargs, default={0: BACKGROUND, 1: "tumor"})
        self._add_places(kwargs)
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
class TwoStageConfig(TravellingConfig, PreTrainedConfig):
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
    task: ClassVar[str] = "SemanticSegmentation"
    model: ClassVar[str] = "modeling_two_stage.TwoStageForSemanticSegmentation"
    has_gate: ClassVar[bool] = True
    _auto_class: ClassVar[str | None] = "AutoConfig"

    classifier: dict[str, Any] | PreTrainedConfig | None = None
    segmenter: dict[str, Any] | PreTrainedConfig | None = None
    gate_threshold: int | float = 0.01
    slice_threshold: int | float = 0.5
    mask_threshold: int | float = 0.5
    smallest_lesion: int = 0
    temperature: int | float = 1.0
    mask_weight: int | float = 0.5

    def __post_init__(self, **kwargs):
        self._add_places(kwargs)
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
        self.classifier, self.segmenter = _as_dict(classifier), _as_dict(segmenter)
        super().__post_init__(**kwargs)  # sets what the stages share, such as image_size, in both
        check_probability(self, "gate_threshold", "slice_threshold", "mask_threshold", "mask_weight")
        check_positive(self, "temperature")
        check_not_negative(self, "smallest_lesion")

    @property
    def num_channels(self) -> int:
        """Channels of the images, the same for both stages."""
        return _as_dict(self.segmenter)["num_channels"]

    @num_channels.setter
    def num_channels(self, value: int) -> None:
        self._set_in_stages("num_channels", value)

    @property
    def image_size(self) -> int:
        """Height and width in pixels, of the segmenter's images; set for both stages."""
        return _as_dict(self.segmenter)["image_size"]

    @image_size.setter
    def image_size(self, value: int) -> None:
        self._set_in_stages("image_size", value)

    @property
    def largest_component(self) -> bool:
        """Whether a reading keeps only the largest 3-D component of each label and phase."""
        return _as_dict(self.segmenter).get("largest_component", False)

    @largest_component.setter
    def largest_component(self, value: bool) -> None:
        self.segmenter = _as_dict(ResUNetConfig(**{**_as_dict(self.segmenter), "largest_component": value}))

    def _set_in_stages(self, name: str, value: int) -> None:
        """Set a field that both stages have, checked as they check it."""
        classifier = SliceClassifierConfig(**{**_as_dict(self.classifier), name: value})
        segmenter = ResUNetConfig(**{**_as_dict(self.segmenter), name: value})
        self.classifier, self.segmenter = _as_dict(classifier), _as_dict(segmenter)

    def stage_configs(self) -> tuple[SliceClassifierConfig, ResUNetConfig]:
        """Return the configs of classifier and segmenter, the latter with this config's labels."""
        segmenter = _own_labels_win(self, _as_dict(self.segmenter), {})
        return SliceClassifierConfig(**_as_dict(self.classifier)), ResUNetConfig(**segmenter)


def _as_dict(config: Any) -> dict[str, Any]:
    """Return the fields of one stage, a config or its dictionary, without what belongs to a file of its own."""
    fields = config.to_dict() if hasattr(config, "to_dict") else dict(config or {})
    for key in (
        "architectures",
        "auto_map",
        "custom_pipelines",
        "dtype",
        "model_type",
        "transformers_version",
        "_name_or_path",
    ):
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
