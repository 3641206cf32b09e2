"""Random changes of a batch of slices and their masks, drawn once and applied to both, on any device.

torchvision's transforms draw one set of parameters for a whole batch. Here every slice of the batch gets its own, in
one `grid_sample` for all geometry: a fraction of the cost of a slice-by-slice loop, and next to nothing on a GPU.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """Strengths of the random changes, all off unless given; what a run uses stands in its options."""

    flip: float = 0.0
    flip_vertical: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    elastic: float = 0.0
    intensity: float = 0.0
    gamma: float = 0.0
    noise: float = 0.0
    blur: float = 0.0
    bias_field: float = 0.0
    drop_channel: float = 0.0
    crop: int = 0
    crop_reach: float = 1.0

    @classmethod
    def from_arguments(cls, arguments, **other) -> "Augmentation":
        """Take the strengths of the same names from the options of a run, but for those given."""
        return cls(**{name: getattr(arguments, name) for name in cls.__dataclass_fields__} | other)

    def __call__(
        self,
        images: Tensor,
        masks: Tensor | None,
        generator: torch.Generator,
        sequences: int | None = None,
        stand_in: int | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Change images and masks alike.

        Args:
            images: (B, C, H, W), windowed to 0..1.
            masks: (B, L, H, W), one channel a label, 0 or 1; bilinear values come back.
            generator: On the CPU, so that a seed means the same on every device.
            sequences: Channels of one slice; neighbors repeat them and change alike.
            stand_in: The sequence that `drop_channel` puts in place of another; None where none does.
        """
        sequences = sequences or images.shape[1]
        grid = self._draw_grid(images, generator)
        if grid is not None:
            images = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
            if masks is not None:
                # Bilinear, then the majority: smoother outlines than nearest neighbors.
                masks = F.grid_sample(masks, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        return self._change_intensities(images, generator, sequences, stand_in), masks

    def _draw_grid(self, images: Tensor, generator: torch.Generator) -> Tensor | None:
        batch, channels, *full = images.shape
        size = [min(self.crop or side, side) for side in full]
        geometry = (self.flip, self.flip_vertical, self.rotation, self.scale, self.shift, self.elastic)
        if not any(geometry) and size == full:
            return None
        # A convolutional network learns the same from a window, at the cost of the window's pixels alone.
        share = size[0] / full[0]

        def uniform(limit: float) -> Tensor:
            return (torch.rand(batch, generator=generator) * 2 - 1) * limit

        angle = uniform(math.radians(self.rotation))
        zoom = torch.exp(uniform(math.log1p(self.scale))) * share
        mirror_x = 1.0 - 2.0 * (torch.rand(batch, generator=generator) < self.flip)
        mirror_y = 1.0 - 2.0 * (torch.rand(batch, generator=generator) < self.flip_vertical)
        reach = 2 * self.shift + (1 - share) * self.crop_reach
        shift = torch.stack([uniform(reach), uniform(reach)], dim=-1)
        cosine, sine = torch.cos(angle), torch.sin(angle)
        rows = torch.stack(
            [
                torch.stack([mirror_x * cosine * zoom, mirror_y * -sine * zoom, shift[:, 0]], dim=-1),
                torch.stack([mirror_x * sine * zoom, mirror_y * cosine * zoom, shift[:, 1]], dim=-1),
            ],
            dim=1,
        )
        grid = F.affine_grid(rows.to(images.device, images.dtype), [batch, channels, *size], align_corners=False)
        if self.elastic:
            # A coarse random field, smoothly enlarged: soft deformation, free of folds at such strengths.
            coarse = (torch.rand(batch, 2, 6, 6, generator=generator) * 2 - 1) * 2 * self.elastic
            field = F.interpolate(coarse.to(images.device, images.dtype), size, mode="bicubic", align_corners=True)
            grid = grid + field.permute(0, 2, 3, 1)
        return grid

    def _change_intensities(
        self, images: Tensor, generator: torch.Generator, sequences: int, stand_in: int | None
    ) -> Tensor:
        batch, channels, height, width = images.shape

        def uniform(limit: float, count: int = sequences) -> Tensor:
            """One value a slice and sequence, the same for its neighboring slices."""
            drawn = (torch.rand(batch, count, 1, 1, generator=generator) * 2 - 1) * limit
            return drawn.repeat(1, channels // count, 1, 1).to(images.device, images.dtype)

        # In place from here on: fresh memory for every change would cost more than the change.
        chosen = self.drop_channel and stand_in is not None
        images = self._replace_sequence(images, generator, sequences, stand_in) if chosen else images.clone()
        if self.gamma:
            images.clamp_min_(0).pow_(torch.exp(uniform(self.gamma)))
        if self.intensity:
            mean = images.mean(dim=(-2, -1), keepdim=True)
            contrast, brightness = 1 + uniform(self.intensity), 1 + uniform(self.intensity)
            images.mul_(contrast).add_(mean * (brightness - contrast))
        if self.bias_field:
            coarse = torch.rand(batch, 1, 3, 3, generator=generator).to(images.device, images.dtype) * 2 - 1
            smooth = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)
            images.mul_(torch.exp(smooth * self.bias_field))
        if self.blur:
            chosen = torch.rand(batch, generator=generator) < self.blur
            images[chosen] = F.avg_pool2d(images[chosen], 3, stride=1, padding=1, count_include_pad=False)
        if self.noise:
            level = torch.rand(batch, 1, 1, 1, generator=generator) * self.noise
            # The noise itself is drawn on the device, by a seed from the CPU's generator: a step repeats itself.
            source = torch.Generator(images.device).manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
            noise = torch.empty_like(images).normal_(generator=source)
            images.add_(noise.mul_(level.to(images.device, images.dtype)))
        return images

    def _replace_sequence(self, images: Tensor, generator: torch.Generator, sequences: int, stand_in: int) -> Tensor:
        """Put the one sequence (FLAIR in LGG) in place of another, as publishers do where one was not scanned."""
        batch, channels = images.shape[:2]
        order = torch.arange(sequences).repeat(batch, 1)
        chosen = torch.rand(batch, generator=generator) < self.drop_channel
        target = torch.randint(sequences, (batch,), generator=generator)
        order[chosen, target[chosen]] = stand_in
        # One in three of these loses every other sequence: a scan that holds this one alone must be readable too.
        order[chosen & (torch.rand(batch, generator=generator) < 1 / 3)] = stand_in
        steps = torch.arange(channels // sequences) * sequences
        index = (order[:, None, :] + steps[None, :, None]).reshape(batch, channels).to(images.device)
        return torch.gather(images, 1, index[:, :, None, None].expand_as(images))
