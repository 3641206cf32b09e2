"""`MriImageProcessor`: the only code that prepares pixels, and that brings masks back to the original size."""

import json
import warnings
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from transformers import BatchFeature
from transformers.image_processing_utils import BaseImageProcessor

from .mri_model_checks import MULTI_LABEL, SINGLE_LABEL
from .mri_model_masks import to_masks, to_probabilities
from .mri_pixels_intensity import CLIPPED, apply_window, apply_zscore, find_limits, find_tissue_limits, looks_clipped
from .mri_pixels_options import for_this_call
from .mri_pixels_slices import ImageLike, to_channels_first, to_list, to_tensor

IGNORED = 255  # the configs' own `ignore_index`
Spacing = Sequence[float]  # millimeters between rows, between columns, and whatever follows


class MriImageProcessor(BaseImageProcessor):
    """Turn slices of 8 or 16 bits, of one or more channels, into the batch that a model takes.

    The steps: window to 0..1, z-score (if asked), resize or pad, neighbors, then mean and standard deviation.

    Args:
        size: Height and width to resize to; 256 x 256 unless `size_divisor` is given.
        pixel_spacing: Millimeters between rows and between columns: slices of known spacing are resampled to it, then
            cropped or padded around their middle to `size`. None resizes to `size`, whatever the spacing.
        size_divisor: Pad at the bottom and the right to a multiple of this instead of resizing.
        num_channels: Channels of one slice.
        neighbors: How many slices before and after become channels too: `(2 * neighbors + 1) * num_channels` in all.
            At the ends of a volume the last slice is repeated; a slice alone is its own neighbor.
        scope: Whether window and z-score statistics come from the `slice` or from its whole `volume`. A slice without
            volume is a volume of one.
        window: `percentile`; `tissue`, which puts the median of what is no background at 0.4; or `fixed` with
            `intensity_range`.
        percentiles: Lower and upper percentile of all pixels of a channel that become 0 and 1.
        intensity_range: Lower and upper gray value that become 0 and 1.
        zscore: Subtract the mean and divide by the standard deviation of each channel; `image_mean` and `image_std`
            then play no part.
        image_mean: Subtracted from each channel.
        image_std: Divides each channel.
        orientation: How the slices of the training set lie: where columns, rows and slices point, or `as stored`; a
            reader turns other scans into this.
        problem_type: The model's: tells `post_process_semantic_segmentation` whether labels overlap.
    """

    model_input_names = ["pixel_values"]  # noqa: RUF012
    _auto_class = "AutoImageProcessor"

    def __init__(
        self,
        size: dict[str, int] | None = None,
        size_divisor: int | None = None,
        pixel_spacing: float | None = None,
        num_channels: int = 3,
        neighbors: int = 0,
        scope: str = "slice",
        window: str = "percentile",
        percentiles: Sequence[float] = (0.0, 99.5),
        intensity_range: Sequence[float] | None = None,
        zscore: bool = False,
        image_mean: Sequence[float] | None = None,
        image_std: Sequence[float] | None = None,
        orientation: str = "LPS",
        problem_type: str = SINGLE_LABEL,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if size is None and size_divisor is None:
            size = {"height": 256, "width": 256}
        self.size = size
        self.size_divisor = size_divisor
        self.pixel_spacing = pixel_spacing
        self.num_channels = num_channels
        self.neighbors = neighbors
        self.scope = scope
        self.window = window
        self.percentiles = list(percentiles)
        self.intensity_range = None if intensity_range is None else list(intensity_range)
        self.zscore = zscore
        self.image_mean = [0.5] * num_channels if image_mean is None else list(image_mean)
        self.image_std = [0.5] * num_channels if image_std is None else list(image_std)
        self.orientation = orientation
        self.problem_type = problem_type
        self._check()

    def _check(self) -> None:
        """Raise ValueError for settings that contradict themselves, and say what is allowed."""
        if self.size is not None and self.size_divisor is not None:
            raise ValueError("give size to resize or size_divisor to pad, not both")
        if self.size is not None and (set(self.size) != {"height", "width"} or min(self.size.values()) < 1):
            raise ValueError(f"size must be {{'height': H, 'width': W}} in pixels, got {self.size}")
        if self.pixel_spacing is not None and (self.size is None or not 0 < self.pixel_spacing < 1000):
            raise ValueError(f"pixel_spacing must be in mm, with size to crop or pad to, got {self.pixel_spacing}")
        for name, least in (("size_divisor", 1), ("num_channels", 1), ("neighbors", 0)):
            if getattr(self, name) is not None and getattr(self, name) < least:
                raise ValueError(f"{name} must be {least} or above, got {getattr(self, name)}")
        choices = {
            "scope": ("slice", "volume"),
            "window": ("percentile", "tissue", "fixed"),
            "problem_type": (SINGLE_LABEL, MULTI_LABEL),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be {' or '.join(map(repr, allowed))}, got {getattr(self, name)!r}")
        if self.window == "fixed" and (self.intensity_range is None or not _ascend(self.intensity_range)):
            raise ValueError(f"window='fixed' needs intensity_range=(low, high), got {self.intensity_range}")
        if not _ascend(self.percentiles) or self.percentiles[0] < 0 or self.percentiles[1] > 100:
            raise ValueError(f"percentiles must be (low, high) between 0 and 100, got {self.percentiles}")
        total = self.num_channels * (2 * self.neighbors + 1)
        for name in ("image_mean", "image_std"):
            if len(getattr(self, name)) not in (1, self.num_channels, total):
                raise ValueError(f"{name} must hold one number for each of {self.num_channels} channels")
        if min(self.image_std) <= 0:
            raise ValueError(f"image_std must be above 0, got {self.image_std}")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings; which class reads them stands in config.json."""
        settings = super().to_dict()
        settings.pop("auto_map", None)
        settings.pop("image_processor_type", None)
        if self.pixel_spacing is None:  # as bundles that know nothing of it
            settings.pop("pixel_spacing", None)
        return settings

    def save_pretrained(self, save_directory: str | Path, *args: Any, **kwargs: Any) -> Any:
        """Save the settings; beside no model they also name the code of this class, so that they load alone."""
        saved = super().save_pretrained(save_directory, *args, **kwargs)
        if not (Path(save_directory) / "config.json").is_file():
            place = Path(save_directory) / "preprocessor_config.json"
            settings = json.loads(place.read_text(encoding="utf-8"))
            settings["image_processor_type"] = type(self).__name__
            settings["auto_map"] = {"AutoImageProcessor": "image_processing_mri.MriImageProcessor"}
            place.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return saved

    def preprocess(
        self,
        images: ImageLike | Sequence[ImageLike],
        segmentation_maps: ImageLike | Sequence[ImageLike] | None = None,
        volume_ids: Sequence[Hashable] | None = None,
        spacings: Sequence[Spacing | None] | None = None,
        do_normalize: bool = True,
        share_neighbors: bool = False,
        return_tensors: str | None = None,
        input_data_format: str | None = None,
        do_convert_rgb: bool | None = None,
        device: str | torch.device | None = None,
        **options: Any,
    ) -> BatchFeature:
        """Prepare slices, and their masks alongside.

        Args:
            images: One slice or a list of slices: PIL images, arrays (H, W) or (H, W, C), tensors (H, W) or (C, H, W).
            segmentation_maps: One label a pixel (H, W), or overlapping labels (L, H, W), for each slice.
            volume_ids: Slices with the same entry form one volume, in the order given; each is alone without it.
            spacings: Millimeters between rows and between columns of each slice, for a processor with `pixel_spacing`;
                a slice without is taken as it is, as if it had that spacing.
            do_normalize: False leaves out mean and standard deviation, for training that calls `normalize` later.
            share_neighbors: The slices of a volume may share the memory of their neighbors: a third of the memory and
                of the time, for callers that only read what they get.
            return_tensors: `pt` or `np`.
            input_data_format: `channels_first` or `channels_last`, where an array's shape could mean both.
            do_convert_rgb: Repeat a gray slice for each channel.
            device: Where the tensors go.
            **options: Any setting of this processor for these slices only (`size`, `scope`, `image_mean`, …), and
                `do_resize=False` or `do_rescale=False`.

        Returns:
            `pixel_values` (B, C, H, W) float32 and, with masks, `labels`: (B, H, W) int64 or (B, L, H, W) float32.
        """
        if options:
            return for_this_call(self, options).preprocess(
                images,
                segmentation_maps,
                volume_ids,
                spacings,
                do_normalize,
                share_neighbors,
                return_tensors,
                input_data_format,
                do_convert_rgb,
                device,
            )
        images = to_list(images)
        if any(isinstance(image, Image.Image) and looks_clipped(np.asarray(image)) for image in images):
            warnings.warn(CLIPPED, stacklevel=2)
        slices = [
            to_channels_first(image, self.num_channels, number, input_data_format, bool(do_convert_rgb))
            for number, image in enumerate(images)
        ]
        if not slices:
            raise ValueError("images is empty: give one slice or more")
        volumes = _group(slices, volume_ids)
        shapes = self._find_shapes([tuple(pixels.shape[-2:]) for pixels in slices], spacings)
        groups = volumes if self.scope == "volume" else [[i] for i in range(len(slices))]
        pixel_values = self._prepare(slices, groups, shapes)
        normalize_first = max(len(self.image_mean), len(self.image_std)) <= self.num_channels
        if do_normalize and normalize_first:  # so that neighbors are not normalized again for each slice
            self._normalize_slices(pixel_values)
        if self.neighbors:
            join = _share_neighbors if share_neighbors and normalize_first else _copy_neighbors
            pixel_values = join(pixel_values, volumes, self.neighbors)
        if do_normalize and not normalize_first:
            self._normalize_slices(pixel_values)
        data = {"pixel_values": pixel_values}
        if segmentation_maps is not None:
            data["labels"] = self._prepare_masks(to_list(segmentation_maps), slices, shapes)
        features = BatchFeature(data=data, tensor_type=return_tensors)
        return features if device is None else features.to(device)

    def _find_shapes(
        self, sizes: Sequence[tuple[int, int]], spacings: Sequence[Spacing | None] | None
    ) -> list[tuple[int, int]]:
        """Height and width of each slice at `pixel_spacing`; its own without a spacing."""
        if spacings is not None and len(spacings) != len(sizes):
            raise ValueError(f"{len(spacings)} spacings for {len(sizes)} slices: give one each, None where unknown")
        if self.pixel_spacing is None or spacings is None:
            return list(sizes)
        return [
            size if spacing is None else _resampled(size, spacing, self.pixel_spacing)
            for size, spacing in zip(sizes, spacings, strict=True)
        ]

    def _prepare(self, slices: list[Tensor], groups: list[list[int]], shapes: list[tuple[int, int]]) -> Tensor:
        """Window, z-score and fit slices (C, H, W) to (B, C, H, W); each group of indices shares its statistics."""
        values = [torch.empty(0)] * len(slices)
        for group in groups:
            members = [slices[index] for index in group]
            if len({shapes[index] for index in group}) > 1:
                raise ValueError("slices of one volume have different spacings: give them different volume_ids")
            out = torch.empty(len(members), *members[0].shape)
            apply_window(members, self._find_limits(members), out)
            if self.zscore:
                apply_zscore(out)
            fitted = self._fit(out, "bilinear", shapes[group[0]])
            for index, pixels in zip(group, fitted, strict=True):
                values[index] = pixels
        if len(groups) == 1 and groups[0] == list(range(len(slices))):
            return fitted
        return _stack(values, "images")

    def _find_limits(self, slices: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The gray values of each channel that become 0 and 1."""
        if self.window == "fixed" and self.intensity_range is not None:
            low, high = (torch.tensor(float(limit)) for limit in self.intensity_range)
            return low, high
        return find_tissue_limits(slices) if self.window == "tissue" else find_limits(slices, self.percentiles)

    def _fit(self, values: Tensor, mode: str, shape: tuple[int, int]) -> Tensor:
        """Resize (S, C, H, W) to `size`, or pad it to a multiple of `size_divisor`.

        With `pixel_spacing` resize it to `shape`, then crop or pad it around the middle to `size`.
        """
        height, width = values.shape[-2:]
        if self.size is None:
            bottom, right = -height % self.size_divisor, -width % self.size_divisor
            return F.pad(values, (0, right, 0, bottom)) if bottom or right else values
        target = (self.size["height"], self.size["width"])
        if self.pixel_spacing is not None:
            return F.pad(_resize(values, shape, mode), _margins(shape, target))
        return _resize(values, target, mode)

    def normalize(self, pixel_values: Tensor) -> Tensor:
        """Subtract the mean and divide by the standard deviation of each channel of (B, C, H, W), on its device.

        Nothing to do after a z-score, which needed the original volume.
        """
        return self._normalize_in_place(pixel_values.clone())

    def middle_slices(self, pixel_values: Tensor) -> Tensor:
        """Return the slices themselves, (B, `num_channels`, H, W), without neighbors, mean and standard deviation."""
        first = self.neighbors * self.num_channels
        middle = pixel_values[:, first : first + self.num_channels]
        if self.zscore:
            return middle
        mean, std = (
            pixel_values.new_tensor(values).repeat(pixel_values.shape[1] // len(values))[
                first : first + len(middle[0])
            ]
            for values in (self.image_mean, self.image_std)
        )
        return middle * std.view(-1, 1, 1) + mean.view(-1, 1, 1)

    def _normalize_slices(self, pixel_values: Tensor) -> None:
        for pixels in pixel_values:  # one by one: each stays in the processor's cache
            self._normalize_in_place(pixels)

    def _normalize_in_place(self, pixel_values: Tensor) -> Tensor:
        if not self.zscore:
            mean, std = (
                pixel_values.new_tensor(values).repeat(pixel_values.shape[-3] // len(values)).view(-1, 1, 1)
                for values in (self.image_mean, self.image_std)
            )
            pixel_values.sub_(mean).div_(std)
        return pixel_values

    def _prepare_masks(self, masks: list[ImageLike], slices: list[Tensor], shapes: list[tuple[int, int]]) -> Tensor:
        if len(masks) != len(slices):
            raise ValueError(f"{len(masks)} segmentation_maps for {len(slices)} images: give one each")
        labels = []
        for number, (mask, pixels) in enumerate(zip(masks, slices, strict=True)):
            values = to_tensor(mask)
            if values.ndim not in (2, 3) or values.shape[-2:] != pixels.shape[-2:]:
                raise ValueError(
                    f"segmentation_maps[{number}] is {tuple(values.shape)}, its image {tuple(pixels.shape[-2:])}: "
                    "give (H, W), or (L, H, W) for overlapping labels"
                )
            if values.ndim == 2 and set(values.unique().tolist()) == {0, IGNORED}:
                warnings.warn(
                    f"segmentation_maps[{number}] holds only 0 and {IGNORED}: losses ignore {IGNORED}, so that "
                    "nothing of it is learned; if it means foreground, give (mask > 0) instead",
                    stacklevel=3,
                )
            pages = values.reshape(1, -1, *values.shape[-2:]).float()
            fitted = self._fit(pages, "nearest", shapes[number])[0]
            labels.append(fitted[0].long() if values.ndim == 2 else fitted)
        return _stack(labels, "segmentation_maps")

    def post_process_semantic_segmentation(
        self,
        outputs: Any,
        target_sizes: Sequence[tuple[int, int]] | None = None,
        return_probabilities: bool = False,
        threshold: float = 0.5,
        problem_type: str | None = None,
        spacings: Sequence[Spacing | None] | None = None,
        return_segmentation_scores: bool = False,
    ) -> list[Any]:
        """Bring the model's answer back to the original height and width; what was cropped away is background.

        Args:
            outputs: What a segmenter returned.
            target_sizes: Height and width of each original slice; the model's own without it.
            return_probabilities: Return the probabilities of all labels instead of masks.
            threshold: A pixel belongs to a label from this probability; see `to_masks`.
            problem_type: The model's; the processor's own without it.
            spacings: As they were given with the slices.
            return_segmentation_scores: Return both, as stock processors do.

        Returns:
            For each slice label indices (H, W) int64, or bool (L, H, W) for overlapping labels, or float (L, H, W)
            probabilities; or both, as `segmentation` and `segmentation_scores`.
        """
        logits = outputs.logits
        if target_sizes is not None and len(target_sizes) != len(logits):
            raise ValueError(f"{len(target_sizes)} target_sizes for {len(logits)} slices: give one each")
        overlapping = (problem_type or self.problem_type) == MULTI_LABEL
        shapes = None if target_sizes is None else self._find_shapes([_as_size(s) for s in target_sizes], spacings)
        results = []
        for number, probabilities in enumerate(to_probabilities(logits, overlapping).split(1)):
            if target_sizes is not None and shapes is not None:
                size = _as_size(target_sizes[number])
                probabilities = self._fit_back(probabilities, size, shapes[number], overlapping)
            mask = probabilities if return_probabilities else to_masks(probabilities, threshold, overlapping)
            scored = {"segmentation": mask[0], "segmentation_scores": probabilities[0]}
            results.append(BatchFeature(scored) if return_segmentation_scores else mask[0])
        return results

    def _fit_back(
        self, values: Tensor, size: tuple[int, int], shape: tuple[int, int], overlapping: bool = False
    ) -> Tensor:
        """Undo `_fit` on probabilities (1, L, H, W)."""
        if self.size is None:
            return values[..., : size[0], : size[1]]
        if self.pixel_spacing is not None:
            inside, margins = values, _margins(tuple(values.shape[-2:]), shape)
            values = F.pad(inside, margins)
            if not overlapping:  # label 0 is the background: it is certain where the model did not look
                values[:, :1] = F.pad(inside[:, :1], margins, value=1.0)
        if tuple(values.shape[-2:]) == size:
            return values
        return F.interpolate(values, size=size, mode="bilinear", align_corners=False)


def _as_size(size: Sequence[int]) -> tuple[int, int]:
    return int(size[0]), int(size[1])


def _resampled(size: tuple[int, int], spacing: Spacing, pixel_spacing: float) -> tuple[int, int]:
    """Height and width of a slice once its pixels are `pixel_spacing` mm apart."""
    if len(spacing) < 2 or not all(isinstance(step, int | float) and 0 < step < 1000 for step in spacing[:2]):
        raise ValueError(f"spacings hold {spacing}: give mm between rows and between columns, or None where unknown")
    height, width = (max(1, round(side * step / pixel_spacing)) for side, step in zip(size, spacing, strict=False))
    return height, width


def _resize(values: Tensor, target: tuple[int, int], mode: str) -> Tensor:
    """Interpolate (S, C, H, W) to a height and width; `nearest` for masks."""
    if tuple(values.shape[-2:]) == target:
        return values
    if mode == "nearest":
        return F.interpolate(values, size=target, mode="nearest-exact")
    return F.interpolate(values, size=target, mode="bilinear", antialias=True)


def _margins(shape: tuple[int, int], target: tuple[int, int]) -> list[int]:
    """What `F.pad` adds (below 0: cuts off) left, right, above and below, so that the middle stays in the middle."""
    margins = []
    for side, wanted in zip(reversed(shape), reversed(target), strict=True):
        before = wanted // 2 - side // 2
        margins += [before, wanted - side - before]
    return margins


def _ascend(limits: Sequence[float]) -> bool:
    return len(limits) == 2 and limits[0] < limits[1]


def _group(slices: list[Tensor], volume_ids: Sequence[Hashable] | None) -> list[list[int]]:
    """Return the indices of each volume's slices, in the order given."""
    if volume_ids is None:
        return [[index] for index in range(len(slices))]
    if len(volume_ids) != len(slices):
        raise ValueError(f"{len(volume_ids)} volume_ids for {len(slices)} images: give one each")
    volumes: dict[Hashable, list[int]] = {}
    for index, name in enumerate(volume_ids):
        volumes.setdefault(name, []).append(index)
    for name, indices in volumes.items():
        if len({slices[index].shape for index in indices}) > 1:
            raise ValueError(f"volume {name!r} has slices of different sizes: give them different volume_ids")
    return list(volumes.values())


def _copy_neighbors(values: Tensor, volumes: list[list[int]], neighbors: int) -> Tensor:
    """Join each slice of (B, C, H, W) with its neighbors in the volume's order: (B, (2 * neighbors + 1) * C, H, W)."""
    rows: dict[int, list[int]] = {}
    for indices in volumes:
        padded = [indices[0]] * neighbors + indices + [indices[-1]] * neighbors
        for position, index in enumerate(indices):
            rows[index] = padded[position : position + 2 * neighbors + 1]
    return values[torch.tensor([rows[index] for index in range(len(rows))])].flatten(1, 2)


def _share_neighbors(values: Tensor, volumes: list[list[int]], neighbors: int) -> Tensor:
    """What `_copy_neighbors` returns, of one volume as overlapping windows of it: each slice lies there once."""
    count, channels, height, width = values.shape
    if volumes != [list(range(count))]:
        return _copy_neighbors(values, volumes, neighbors)
    padded = torch.cat([values[:1]] * neighbors + [values] + [values[-1:]] * neighbors)
    page = height * width
    shape = (count, (2 * neighbors + 1) * channels, height, width)
    return padded.as_strided(shape, (channels * page, page, width, 1))


def _stack(slices: list[Tensor], name: str) -> Tensor:
    if len({pixels.shape for pixels in slices}) > 1:
        raise ValueError(f"{name} have different sizes after padding: set the processor's size, or call it for each")
    return torch.stack(slices)
