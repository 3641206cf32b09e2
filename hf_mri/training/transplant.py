"""Lesions cut from one slice of a batch and blended into another: places and strengths that no patient had.

A network that has seen 88 patients has seen 88 places of a tumor. Here a lesion of one slice is turned, mirrored,
resized, often made fainter, and laid anywhere into the head of another slice, with its neighboring slices.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST = 40  # pixels; less of a lesion has no look of its own
FAINTEST, STRONGEST = 0.4, 1.1  # contrast of the laid lesion against its surroundings, relative to what it was
IN_BRAIN = 0.95  # share of the lesion that must lie in the brain; else the slice stays as it was
SKULL = 33  # pixels of 256: twice the thickness of scalp and skull together


def transplant(images: Tensor, masks: Tensor, share: float, generator: torch.Generator) -> None:
    """Lay lesions of the batch's own slices into a share of its slices, in place.

    Args:
        images: (B, C, H, W), windowed to 0..1, with the neighboring slices among the channels.
        masks: (B, 1 + L, H, W), one-hot with the background first.
        share: Chance that a slice receives a lesion.
        generator: On the CPU, so that a seed means the same on every device.
    """
    area = masks[:, 1:].amax(1, keepdim=True)
    donors = torch.nonzero(area.flatten(1).sum(1) >= SMALLEST).flatten().cpu()
    receivers = torch.nonzero(torch.rand(len(images), generator=generator) < share).flatten()
    if not len(donors) or not len(receivers):
        return
    givers = donors[torch.randint(len(donors), (len(receivers),), generator=generator)]
    brain = _find_brain(images[receivers])

    grid = _draw_grid(area[givers], brain, generator)
    lesion = F.grid_sample(masks[givers, 1:], grid, align_corners=False) > 0.5
    region = lesion.amax(1, keepdim=True).float()
    size = region.sum(dim=(-2, -1))
    fits = (size >= SMALLEST) & ((region * brain).sum(dim=(-2, -1)) >= IN_BRAIN * size)
    fits = fits.flatten()
    if not fits.any():
        return
    receivers, givers = receivers[fits.cpu()], givers[fits.cpu()]
    grid, lesion, region = grid[fits], lesion[fits], region[fits]

    # Its contrast against what surrounds it moves, not its brightness: scans differ in that.
    ring = F.max_pool2d(area[givers], 13, stride=1, padding=6) - area[givers]
    moved = F.grid_sample(images[givers] - _mean(images[givers], ring), grid, align_corners=False)
    strength = FAINTEST + (STRONGEST - FAINTEST) * torch.rand(len(givers), 1, 1, 1, generator=generator)
    laid = _mean(images[receivers], region) + strength.to(images.device, images.dtype) * moved
    soft = F.avg_pool2d(F.max_pool2d(region, 3, stride=1, padding=1), 5, stride=1, padding=2)
    images[receivers] = torch.lerp(images[receivers], laid, soft).clamp_min_(0)
    masks[receivers] = masks[receivers] * (1 - region)
    masks[receivers, 1:] += lesion.to(masks.dtype)


def _mean(images: Tensor, region: Tensor) -> Tensor:
    return (images * region).sum((-2, -1), keepdim=True) / region.sum((-2, -1), keepdim=True).clamp_min(1)


def _find_brain(images: Tensor) -> Tensor:
    """Return about where the brain lies, (B, 1, H, W) of 0 and 1: the head without its rim."""
    mean = images.mean(1, keepdim=True)
    mean = F.avg_pool2d(mean, 4)
    head = (mean > 0.25 * mean.amax(dim=(-2, -1), keepdim=True)).float()
    filled = F.max_pool2d(head, 9, stride=1, padding=4)  # closes the dark skull and the ventricles
    rim = SKULL * images.shape[-1] // 256 // 4 + 8
    rim += 1 - rim % 2
    brain = 1 - F.max_pool2d(F.pad(1 - filled, [rim // 2] * 4, value=1.0), rim, stride=1)
    return F.interpolate(brain, images.shape[-2:], mode="nearest")


def _draw_grid(area: Tensor, brain: Tensor, generator: torch.Generator) -> Tensor:
    """Return sampling grids that turn each lesion about its middle and bring it to a random place in the brain."""
    count, _, height, width = area.shape
    rows = torch.linspace(-1, 1, height)[None, :, None]
    columns = torch.linspace(-1, 1, width)[None, None, :]
    weight = area[:, 0].cpu() / area[:, 0].cpu().sum((-2, -1), keepdim=True)
    middle = torch.stack([(weight * columns).sum((-2, -1)), (weight * rows).sum((-2, -1))], dim=-1)
    chance = brain[:, 0].flatten(1).cpu() + 1e-6  # a slice without a brain is refused afterwards
    place = torch.multinomial(chance, 1, generator=generator).flatten()
    target = torch.stack([columns.flatten()[place % width], rows.flatten()[place // width]], dim=-1)
    angle = (torch.rand(count, generator=generator) * 2 - 1) * math.pi
    zoom = torch.exp((torch.rand(count, generator=generator) * 2 - 1) * math.log(1.4))
    mirror = 1.0 - 2.0 * (torch.rand(count, generator=generator) < 0.5)
    cosine, sine = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    turn = torch.stack([torch.stack([cosine * mirror, -sine], -1), torch.stack([sine * mirror, cosine], -1)], dim=1)
    shift = middle - (turn @ target[:, :, None])[:, :, 0]
    theta = torch.cat([turn, shift[:, :, None]], dim=2).to(area.device, area.dtype)
    return F.affine_grid(theta, list(area.shape), align_corners=False)
