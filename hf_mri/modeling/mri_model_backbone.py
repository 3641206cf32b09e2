"""Everything that touches timm: build a backbone, initialize it, load ImageNet weights into it."""

import difflib
import logging
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

try:
    import timm
except ImportError:  # the residual encoder works without timm
    timm = None


def build_backbone(
    name: str,
    num_channels: int,
    image_size: int,
    features_only: bool = False,
    pretrained: bool | str | Path = False,
    **kwargs: Any,
) -> nn.Module:
    """Build a timm model without its head.

    Args:
        name: Name of the timm model.
        num_channels: Channels of the images.
        image_size: Height and width, for backbones that have a fixed size.
        features_only: Return feature maps, fine to coarse, instead of pooled features.
        pretrained: True downloads timm's weights; a path reads a safetensors file. The stem is adapted to the
            channels.
        **kwargs: Passed to `timm.create_model`.

    Returns:
        The backbone, which keeps the initialization that timm gave it.
    """
    if timm is None:
        raise ImportError(f"backbone '{name}' needs timm: pip install timm")
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "timm.list_models() lists the names"
        raise ValueError(f"unknown backbone '{name}': {hint}")
    size = fixed_size(name, image_size, kwargs)
    if size:
        kwargs["img_size"] = size
    if features_only:
        kwargs["features_only"] = True
    else:
        kwargs["num_classes"] = 0
    if pretrained and pretrained is not True:
        kwargs["pretrained_cfg_overlay"] = {"file": str(pretrained)}
    try:
        backbone = timm.create_model(name, pretrained=bool(pretrained), in_chans=num_channels, **kwargs)
    except (TypeError, RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"timm cannot build backbone '{name}' with {kwargs}: {error}") from error
    stride = coarsest_reduction(backbone)
    if size and size % stride:
        raise ValueError(f"backbone '{name}' takes an image_size in multiples of {stride}, got {size}")
    names = [key for key, _ in backbone.named_parameters(remove_duplicate=False)]
    if len(names) != len(list(backbone.parameters())):
        raise ValueError(
            f"backbone '{name}' shares weights between layers, which safetensors cannot save: take another"
        )
    if not next(backbone.parameters()).is_meta:
        for module in backbone.modules():
            module._is_hf_initialized = True  # transformers then leaves timm's own initialization alone
    return backbone


def fixed_size(name: str, image_size: int, kwargs: dict[str, Any] | None) -> int | None:
    """Height and width of backbones that are built for one (Swin, MaxViT, ViT), None for those that take any."""
    settings = timm.get_pretrained_cfg(name)
    if settings is None or not settings.fixed_input_size or (kwargs or {}).get("dynamic_img_size"):
        return None
    return (kwargs or {}).get("img_size", image_size)


def coarsest_reduction(backbone: nn.Module) -> int:
    """By how much the deepest features are smaller than the image; 1 where timm does not say."""
    info = getattr(backbone, "feature_info", None) or [{"reduction": 1}]
    reductions = info.reduction() if hasattr(info, "reduction") else [level["reduction"] for level in info]
    return max(reductions)


def pad_to_multiple(pixel_values: Tensor, multiple: int) -> Tensor:
    """Pad (B, C, H, W) at the bottom and the right with zeros, so that no backbone loses or rejects a border."""
    height, width = pixel_values.shape[-2:]
    bottom, right = -height % multiple, -width % multiple
    return F.pad(pixel_values, (0, right, 0, bottom)) if bottom or right else pixel_values


def check_pixel_values(pixel_values: Tensor, num_channels: int, size: int | None) -> None:
    """Raise ValueError unless the images are (B, num_channels, H, W), with H = W = size where that is given."""
    shape = tuple(pixel_values.shape)
    if len(shape) != 4 or shape[1] != num_channels:
        raise ValueError(f"pixel_values must be (B, {num_channels}, H, W), got {shape}: prepare them by the processor")
    if 0 in shape:
        raise ValueError(f"pixel_values is empty, its shape is {shape}: give one slice or more")
    if size is not None and shape[2:] != (size, size):
        raise ValueError(
            f"this backbone takes images of {size}x{size} pixels only, got {shape[2]}x{shape[3]}: set the processor's "
            "size to that, or build the model with another image_size"
        )


def extract_features(backbone: nn.Module, pixel_values: Tensor) -> list[Tensor]:
    """Return the feature maps (B, C, H, W) of a `features_only` backbone, fine to coarse."""
    features = backbone(pixel_values)
    if getattr(backbone, "output_fmt", "NCHW") == "NHWC":
        features = [feature.permute(0, 3, 1, 2) for feature in features]
    return list(features)


def extract_levels(backbone: nn.Module, pixel_values: Tensor) -> tuple[list[Tensor], Tensor]:
    """Return the feature maps of a pooling backbone, fine to coarse, and what it pools of the last one."""
    if hasattr(backbone, "forward_intermediates"):
        last, levels = backbone.forward_intermediates(pixel_values)
    else:  # timm tells only the last of them
        last = backbone.forward_features(pixel_values)
        levels = [last]
    return list(levels), backbone.forward_head(last)


def initialize(module: nn.Module) -> None:
    """Initialize one module, for `_init_weights`: He for weights, identity for norms, then timm's computed buffers."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.modules.batchnorm._NormBase | nn.LayerNorm | nn.GroupNorm):
        if module.weight is not None:
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        if getattr(module, "running_mean", None) is not None:
            nn.init.zeros_(module.running_mean)
            nn.init.ones_(module.running_var)
            nn.init.zeros_(module.num_batches_tracked)
    if hasattr(module, "init_non_persistent_buffers"):
        module.init_non_persistent_buffers()


# What a shared weights file wants besides its architecture, by the file's stem.
FILE_SETTINGS: dict[str, dict[str, Any]] = {
    "mobilenetv2_100.coral_in1k": {"mean": (0.5,) * 3, "std": (0.5,) * 3, "backbone_kwargs": {"pad_type": "same"}},
}


def load_imagenet_weights(model: nn.Module, source: bool | str | Path) -> dict[str, list[float]]:
    """Replace the model's backbone by one with ImageNet weights; call it after construction, before the optimizer.

    The stem is adapted to the model's channels (timm repeats and scales it). What the weights want of the
    architecture, such as the padding, is written into `config.backbone_kwargs`, unless the config says otherwise.

    Args:
        model: A classifier or a segmenter with a timm backbone. For two stages call it for each of them.
        source: A safetensors file, or True to let timm find the weights by the backbone's name.

    Returns:
        `image_mean` and `image_std` that the weights want, one number a channel: arguments of the processor.
    """
    config = model.config
    if not getattr(config, "backbone", None):
        raise ValueError("ImageNet weights need a timm backbone: set the config's backbone, such as 'mobilenetv2_100'")
    if not isinstance(source, bool) and not Path(source).is_file():
        raise FileNotFoundError(f"no weights file '{source}': give a safetensors file, or True to download timm's")
    settings = {} if isinstance(source, bool) else FILE_SETTINGS.get(Path(source).stem, {})
    config.backbone_kwargs = {**settings.get("backbone_kwargs", {}), **config.backbone_kwargs}
    weight = next(model.backbone.parameters())
    talk = logging.getLogger("timm.models._builder")  # lists hundreds of names; what matters is said below
    level = talk.level
    talk.setLevel(logging.ERROR)
    try:
        backbone = model.build_backbone(pretrained=source)
    except OSError as error:
        reason = " ".join(str(error).split())[:120]
        raise OSError(
            f"ImageNet weights of backbone '{config.backbone}' cannot be fetched ({reason}): give a safetensors file, "
            "or connect once so that they are in the cache"
        ) from error
    finally:
        talk.setLevel(level)
    if not isinstance(source, bool):
        _check_that_weights_fit(backbone, config.backbone, Path(source))
    model.backbone = backbone.to(weight.device, weight.dtype)
    model.train(model.training)
    wanted = {**backbone.pretrained_cfg, **settings}
    return {
        "image_mean": _by_channel(wanted["mean"], config.num_channels),
        "image_std": _by_channel(wanted["std"], config.num_channels),
    }


def _check_that_weights_fit(backbone: nn.Module, name: str, path: Path) -> None:
    """Raise ValueError where timm, which passes over names that it does not know, took nothing of a file."""
    if path.suffix != ".safetensors":
        return
    stored = load_file(path)
    held = {_first_numbers(value) for value in stored.values() if value.ndim > 1}
    if not any(_first_numbers(value) in held for value in backbone.state_dict().values() if value.ndim > 1):
        raise ValueError(
            f"{path}: none of its weights fit backbone '{name}' (it holds '{next(iter(stored), 'nothing')}'); give "
            "weights of this backbone as timm saves them, or go on from a whole trained model with `--from MODEL`"
        )


def _first_numbers(weight: Tensor) -> tuple[Any, ...]:
    """Return what tells one tensor from others, without a comparison of all of it."""
    return tuple(weight.shape), *weight.flatten()[:8].float().tolist()


def _by_channel(statistic: tuple[float, ...], num_channels: int) -> list[float]:
    """Repeat red, green and blue as timm repeats the stem; one channel gets their mean."""
    if num_channels == 1:
        return [sum(statistic) / len(statistic)]
    return [statistic[channel % len(statistic)] for channel in range(num_channels)]
