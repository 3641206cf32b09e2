"""The slices of a data set as a step of training takes them; where their pixels come from is a subclass's business."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hf_mri.data.datasets_table import OVERLAPPING


@dataclass
class Rows(ABC):
    """Slices and masks of one data set, in the order of its table."""

    labels: np.ndarray  # (N,) 0 or 1
    patients: np.ndarray
    volumes: np.ndarray
    positions: np.ndarray  # (N,) position in the volume
    around: np.ndarray  # (N, 2 * neighbors + 1) rows of the slices before, itself, and after
    channels: int  # of a slice
    num_labels: int
    overlapping: bool

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def images_of(self, index: np.ndarray) -> Tensor:
        """Return slices (B, C, H, W) float16, windowed to 0..1."""

    @abstractmethod
    def masks_of(self, index: np.ndarray) -> Tensor:
        """Return masks (B, H, W) uint8: an index a pixel, or one bit a label."""

    @abstractmethod
    def expect(self, index: np.ndarray) -> None:
        """Hear which rows will be asked for soon."""

    @abstractmethod
    def to(self, device: torch.device) -> "Rows":
        """Move the pixels to a GPU where they may stay there."""

    def batch(self, index: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return images (B, C * slices, H, W) as float32 and masks (B, H, W) as stored, on the device."""
        index = np.asarray(index)
        around = self.around[index]
        images = self.images_of(around.ravel()).unflatten(0, around.shape).flatten(1, 2)
        return images.to(device, non_blocking=True).float(), self.masks_of(index).to(device, non_blocking=True)

    def spread(self, masks: Tensor) -> Tensor:
        """Turn stored masks (B, H, W) into one float channel a label (B, L, H, W)."""
        index = torch.arange(self.num_labels, device=masks.device, dtype=torch.uint8)[None, :, None, None]
        if self.overlapping:
            return (masks[:, None] >> index & 1).float()
        return (masks[:, None] == index).float()

    def one_hot(self, index: np.ndarray, device: torch.device) -> Tensor:
        """Return the masks of some rows as one float channel a label."""
        return self.spread(self.masks_of(np.asarray(index)).to(device))

    def volumes_of(self, index: np.ndarray) -> list[np.ndarray]:
        """Return the rows of each whole volume that has a row among `index`, slices in order."""
        chosen = sorted(set(self.volumes[index]))
        found = []
        for volume in chosen:
            members = np.flatnonzero(self.volumes == volume)
            found.append(members[np.argsort(self.positions[members], kind="stable")])
        return found


def describe_rows(table, processor) -> dict:
    """Return what a table says about its rows: the fields of `Rows`."""
    frame = table.frame
    volumes, positions = frame["volume"].to_numpy().astype(str), frame["slice"].to_numpy()
    return {
        "labels": frame["label"].to_numpy(),
        "patients": frame["patient"].to_numpy().astype(str),
        "volumes": volumes,
        "positions": positions,
        "around": find_neighbors(volumes, positions, processor.neighbors),
        "channels": processor.num_channels,
        "num_labels": len(table.entry.id2label),
        "overlapping": table.entry.problem_type == OVERLAPPING,
    }


def find_neighbors(volumes: np.ndarray, positions: np.ndarray, neighbors: int) -> np.ndarray:
    """Return for each row the rows around it; the outermost slice stands in at the ends of a volume."""
    count = len(volumes)
    around = np.empty((count, 2 * neighbors + 1), dtype=np.int64)
    order = np.lexsort((positions, volumes))
    starts = np.flatnonzero(np.r_[True, volumes[order][1:] != volumes[order][:-1]])
    ends = np.r_[starts[1:], count]
    for start, end in zip(starts, ends, strict=True):
        place = np.arange(start, end)
        for column, offset in enumerate(range(-neighbors, neighbors + 1)):
            around[order[place], column] = order[np.clip(place + offset, start, end - 1)]
    return around


def prepare_volume(
    processor, pictures: dict, positions: np.ndarray, spacing: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Window and resize one volume, its slices in order, since statistics may come from the whole of it.

    Args:
        processor: without neighbors.
        pictures: image and mask of each row.
        positions: of all rows of the data set.
        spacing: millimeters, None where unknown.

    Returns:
        The rows in the order of their positions, images (S, C, H, W), and masks (S, H, W) as stored.
    """
    rows = np.array(sorted(pictures, key=lambda row: positions[row]))
    images, masks = zip(*(pictures[row] for row in rows), strict=True)
    spacings = [None if spacing is None else spacing.tolist()] * len(rows)
    batch = processor(
        list(images),
        list(masks),
        volume_ids=[0] * len(rows),
        spacings=spacings,
        do_normalize=False,
        return_tensors="np",
    )
    return rows, batch["pixel_values"], batch["labels"].astype(np.uint8)


def check_labels(masks: np.ndarray, volume: str, table) -> None:
    """Refuse a mask value that the table of data sets has no label for."""
    labels = table.entry.id2label
    largest = 2 ** len(labels) - 1 if table.entry.problem_type == OVERLAPPING else max(labels)
    if masks.max() > largest:
        raise ValueError(
            f"{table.folder}: volume {volume} has the mask value {masks.max()}, but data set '{table.entry.name}' has "
            f"the labels {', '.join(labels.values())} (largest value {largest}): mend its masks and import it again"
        )


def without_neighbors(processor):
    """Return the processor for slices alone: neighbors are put together from rows."""
    return type(processor)(**{**processor.to_dict(), "neighbors": 0})
