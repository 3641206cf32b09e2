"""A timm backbone with a linear head that says whether a slice shows a tumor."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutput
from transformers.utils import can_return_tuple

from .configuration_mri import SliceClassifierConfig
from .mri_model_backbone import (
    build_backbone,
    check_pixel_values,
    coarsest_reduction,
    extract_features,
    extract_levels,
    fixed_size,
    initialize,
    pad_to_multiple,
)
from .mri_model_losses import classification_loss
from .mri_model_travel import TravellingModel


class SliceClassifierForImageClassification(TravellingModel, PreTrainedModel):
    """Any timm backbone, dropout and a linear head."""

    config_class = SliceClassifierConfig
    _auto_class = "AutoModelForImageClassification"  # saved with its code beside the weights
    main_input_name = "pixel_values"
    segmenter = None

    @property
    def gate(self) -> "SliceClassifierForImageClassification":
        """This model: it decides about whole slices."""
        return self

    def __init__(self, config: SliceClassifierConfig):
        super().__init__(config)
        self.backbone = self.build_backbone()
        size = fixed_size(config.backbone, config.image_size // config.downsample, config.backbone_kwargs)
        self.fixed_size = size and size * config.downsample
        self.stride = coarsest_reduction(self.backbone) * config.downsample
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(self._num_features(), config.num_labels)
        self.post_init()
        self.train(self.training)

    def build_backbone(self, pretrained: bool | str | Path = False) -> nn.Module:
        """Build the config's backbone, with ImageNet weights from timm or from a file on request."""
        config = self.config
        size = config.image_size // config.downsample
        kwargs = config.backbone_kwargs
        return build_backbone(config.backbone, config.num_channels, size, pretrained=pretrained, **kwargs)

    def _num_features(self) -> int:
        if self.config.backbone_kwargs.get("features_only"):
            return self.backbone.feature_info.channels()[-1]
        return self.backbone.head_hidden_size

    def _init_weights(self, module: nn.Module) -> None:
        initialize(module)

    def train(self, mode: bool = True) -> "SliceClassifierForImageClassification":
        """Set the training mode; a frozen backbone keeps its weights and batch norm statistics.

        Frozen here, since `from_pretrained` puts new weights in place and calls this last.
        """
        super().train(mode)
        if self.config.freeze_backbone:
            self.backbone.requires_grad_(False).eval()
        return self

    @can_return_tuple
    def forward(
        self,
        pixel_values: Tensor,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> ImageClassifierOutput | tuple[Tensor, ...]:
        """Classify slices; with `return_dict=False`, here or in the config, as a tuple.

        Args:
            pixel_values: (B, C, H, W) from the processor.
            labels: (B,) label indices, or (B, L) of 0 and 1 for overlapping labels.
            output_hidden_states: Return the backbone's feature maps too; the config's without it.
            output_attentions: Taken since programs give it; there are none to return.

        Returns:
            `loss` where labels are given, `logits` (B, L), and `hidden_states`, fine to coarse, where asked for.
        """
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        check_pixel_values(pixel_values, self.config.num_channels, self.fixed_size)
        pixel_values = pad_to_multiple(pixel_values, self.stride)
        if self.config.downsample > 1:
            pixel_values = F.avg_pool2d(pixel_values, self.config.downsample)
        levels = None
        if self.config.backbone_kwargs.get("features_only"):
            levels = extract_features(self.backbone, pixel_values)
            pooled = levels[-1].mean(dim=(2, 3))
        elif output_hidden_states:
            levels, pooled = extract_levels(self.backbone, pixel_values)
        else:
            pooled = self.backbone(pixel_values)
        logits = self.head(self.dropout(pooled))
        return ImageClassifierOutput(
            loss=None if labels is None else self.compute_loss(logits, labels),
            logits=logits,
            hidden_states=tuple(levels) if output_hidden_states and levels else None,
        )

    def compute_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy with the config's weights and smoothing."""
        weights = self.config.class_weights
        return classification_loss(
            logits,
            labels,
            class_weights=None if weights is None else torch.tensor(weights, device=logits.device).float(),
            label_smoothing=self.config.label_smoothing,
        )
