"""A U-Net with residual decoder, on the residual encoder of its own or on a timm backbone."""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import SemanticSegmenterOutput
from transformers.utils import can_return_tuple

from .configuration_mri import ResUNetConfig
from .mri_model_backbone import (
    build_backbone,
    check_pixel_values,
    coarsest_reduction,
    extract_features,
    fixed_size,
    initialize,
    pad_to_multiple,
)
from .mri_model_losses import segmentation_loss
from .mri_model_travel import TravellingModel

AUXILIARY_LEVELS = 2  # decoder levels before the last that deep supervision adds a loss to


class ResidualBlock(nn.Module):
    """Two convolutions with batch norm, and a projection on the shortcut."""

    def __init__(self, in_channels: int, channels: int, first_kernel: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, first_kernel, padding=first_kernel // 2)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Conv2d(in_channels, channels, 1)
        self.shortcut_norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to (B, channels, H, W)."""
        hidden = F.relu(self.norm1(self.conv1(x)))
        hidden = self.norm2(self.conv2(hidden))
        return F.relu(hidden + self.shortcut_norm(self.shortcut(x)))


class ResidualEncoder(nn.Module):
    """A stem of two 3x3 convolutions, then residual blocks, each after max pooling."""

    def __init__(self, num_channels: int, hidden_sizes: Sequence[int]):
        super().__init__()
        stem, *deeper = hidden_sizes
        self.stem = nn.Sequential(
            nn.Conv2d(num_channels, stem, 3, padding=1),
            nn.BatchNorm2d(stem),
            nn.ReLU(),
            nn.Conv2d(stem, stem, 3, padding=1),
            nn.BatchNorm2d(stem),
            nn.ReLU(),
        )
        self.blocks = nn.ModuleList(
            ResidualBlock(before, after) for before, after in zip(hidden_sizes, deeper, strict=False)
        )

    def forward(self, pixel_values: Tensor) -> list[Tensor]:
        """Return one feature map a level, fine to coarse; the first has the image's height and width."""
        features = [self.stem(pixel_values)]
        for block in self.blocks:
            features.append(block(F.max_pool2d(features[-1], 2, ceil_mode=True)))
        return features


class ResidualDecoder(nn.Module):
    """Upsample, join the next skip where one is left, and refine by a residual block, level by level."""

    def __init__(self, encoder_channels: Sequence[int], config: ResUNetConfig):
        super().__init__()
        deepest, *skips = reversed(encoder_channels)
        widths = config.decoder_channels
        skips = (skips + [0] * len(widths))[: len(widths)]
        inputs = [before + skip for before, skip in zip([deepest, *widths], skips, strict=False)]
        self.blocks = nn.ModuleList(
            ResidualBlock(before, after, config.decoder_kernel_size)
            for before, after in zip(inputs, widths, strict=True)
        )
        self.upsampling = config.upsampling

    def forward(self, features: list[Tensor], size: tuple[int, int]) -> list[Tensor]:
        """Return the output of each block, coarse to fine.

        Args:
            features: The encoder's feature maps, fine to coarse.
            size: Height and width of the image, which no level exceeds.
        """
        hidden, *skips = reversed(features)
        outputs = []
        for level, block in enumerate(self.blocks):
            if level < len(skips):
                hidden = torch.cat([resize(hidden, skips[level].shape[-2:], self.upsampling), skips[level]], dim=1)
            else:
                doubled = tuple(min(2 * side, full) for side, full in zip(hidden.shape[-2:], size, strict=True))
                hidden = resize(hidden, doubled, self.upsampling)
            hidden = block(hidden)
            outputs.append(hidden)
        return outputs


def resize(x: Tensor, size: tuple[int, int], mode: str = "bilinear") -> Tensor:
    """Interpolate (B, C, H, W) to a height and width, which costs nothing where it has them."""
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return F.interpolate(x, size=tuple(size), mode=mode, align_corners=False if mode == "bilinear" else None)


class ResUNetForSemanticSegmentation(TravellingModel, PreTrainedModel):
    """Encoder, residual decoder and a 1x1 convolution to one logit a label and pixel."""

    config_class = ResUNetConfig
    _auto_class = "AutoModelForSemanticSegmentation"  # saved with its code beside the weights
    main_input_name = "pixel_values"

    @property
    def segmenter(self) -> "ResUNetForSemanticSegmentation":
        """This model: it outlines."""
        return self

    def __init__(self, config: ResUNetConfig):
        super().__init__(config)
        if config.backbone is None:
            self.fixed_size, self.stride = None, 1
            self.encoder = ResidualEncoder(config.num_channels, config.hidden_sizes)
            encoder_channels = config.hidden_sizes
        else:
            self.backbone = self.build_backbone()
            self.fixed_size = fixed_size(config.backbone, config.image_size, config.backbone_kwargs)
            self.stride = coarsest_reduction(self.backbone)
            encoder_channels = self.backbone.feature_info.channels()
        self.decoder = ResidualDecoder(encoder_channels, config)
        self.head = nn.Conv2d(config.decoder_channels[-1], config.num_labels, 1)
        if config.deep_supervision:
            widths = config.decoder_channels[-1 - AUXILIARY_LEVELS : -1]
            self.auxiliary_heads = nn.ModuleList(nn.Conv2d(width, config.num_labels, 1) for width in widths)
        self.post_init()

    def build_backbone(self, pretrained: bool | str | Path = False) -> nn.Module:
        """Build the config's backbone, with ImageNet weights from timm or from a file on request."""
        config = self.config
        kwargs = {**config.backbone_kwargs, "features_only": True}
        return build_backbone(config.backbone, config.num_channels, config.image_size, pretrained=pretrained, **kwargs)

    def _init_weights(self, module: nn.Module) -> None:
        initialize(module)

    @can_return_tuple
    def forward(
        self,
        pixel_values: Tensor,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> SemanticSegmenterOutput | tuple[Tensor, ...]:
        """Segment slices; with `return_dict=False`, here or in the config, as a tuple.

        Args:
            pixel_values: (B, C, H, W) from the processor; any height and width with convolutional backbones.
            labels: (B, H, W) label indices, or (B, L, H, W) of 0 and 1 for overlapping labels.
            output_hidden_states: Return the encoder's feature maps, then the decoder's; the config's without it.
            output_attentions: Taken since programs give it; there are none to return.

        Returns:
            `loss` where labels are given, `logits` (B, L, H, W) at the height and width of the input, and
            `hidden_states`, fine to coarse and back, where asked for.
        """
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        check_pixel_values(pixel_values, self.config.num_channels, self.fixed_size)
        height, width = pixel_values.shape[-2:]
        padded = pad_to_multiple(pixel_values, self.stride)

        def upsample(logits: Tensor) -> Tensor:
            return resize(logits, padded.shape[-2:])[..., :height, :width]

        features = self.encoder(padded) if self.config.backbone is None else extract_features(self.backbone, padded)
        levels = self.decoder(features, padded.shape[-2:])
        logits = upsample(self.head(levels[-1]))
        loss = None
        if labels is not None:
            loss = self.compute_loss(logits, labels)
            if self.config.deep_supervision and self.training:
                coarser = zip(self.auxiliary_heads, levels[-1 - AUXILIARY_LEVELS : -1], strict=True)
                loss = self._add_losses(loss, [upsample(head(level)) for head, level in coarser], labels)
        hidden_states = (*features, *levels) if output_hidden_states else None
        return SemanticSegmenterOutput(loss=loss, logits=logits, hidden_states=hidden_states)

    def compute_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the config's loss."""
        config = self.config
        weights = config.class_weights
        return segmentation_loss(
            logits,
            labels,
            loss=config.loss,
            class_weights=None if weights is None else torch.tensor(weights, device=logits.device).float(),
            ignore_index=config.ignore_index,
            tversky_alpha=config.tversky_alpha,
            tversky_gamma=config.tversky_gamma,
        )

    def _add_losses(self, loss: Tensor, coarser: list[Tensor], labels: Tensor) -> Tensor:
        """Weighted mean of the loss and those of coarser logits, each with half the weight of the next finer one."""
        total, share = 1.0, 1.0
        for logits in reversed(coarser):
            share /= 2
            loss = loss + share * self.compute_loss(logits, labels)
            total += share
        return loss / total
