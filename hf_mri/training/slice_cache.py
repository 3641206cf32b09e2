"""The rows of a data set, decoded and windowed once, then drawn from memory at the speed of an array.

Decoding a slice costs milliseconds, as much as a training step on a GPU. So the processor's deterministic part
(window, resize) runs once and lands in memory-mapped files of half floats beside the Hugging Face cache, shared by the
processes of a run and by later runs with the same data and settings. The rest follows on the device, by batch.
"""

import hashlib
import json
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from hf_mri.data.datasets_table import OVERLAPPING
from hf_mri.data.png import decode_picture


@dataclass
class Rows:
    """Slices and masks of one data set, in the order of its table."""

    images: Tensor  # (N, C, H, W) float16, windowed to 0..1
    masks: Tensor  # (N, H, W) uint8: an index a pixel, or one bit a label
    labels: np.ndarray  # (N,) 0 or 1
    patients: np.ndarray
    volumes: np.ndarray
    positions: np.ndarray  # (N,) position in the volume
    around: np.ndarray  # (N, 2 * neighbors + 1) rows of the slices before, itself, and after
    num_labels: int
    overlapping: bool

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Rows":
        """Move the pixels to a GPU where they take less than half of its free memory."""
        if device.type == "cuda":
            size = self.images.nbytes + self.masks.nbytes
            if size < torch.cuda.mem_get_info(device)[0] / 2:
                self.images, self.masks = self.images.to(device), self.masks.to(device)
        return self

    def batch(self, index: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return images (B, C * slices, H, W) as float32 and masks (B, H, W) as stored, on the device."""
        index = np.asarray(index)
        around = torch.from_numpy(self.around[index]).to(self.images.device)
        images = self.images[around].flatten(1, 2)
        masks = self.masks[torch.from_numpy(index).to(self.masks.device)]
        return images.to(device, non_blocking=True).float(), masks.to(device, non_blocking=True)

    def spread(self, masks: Tensor) -> Tensor:
        """Turn stored masks (B, H, W) into one float channel a label (B, L, H, W)."""
        index = torch.arange(self.num_labels, device=masks.device, dtype=torch.uint8)[None, :, None, None]
        if self.overlapping:
            return (masks[:, None] >> index & 1).float()
        return (masks[:, None] == index).float()

    def one_hot(self, index: np.ndarray, device: torch.device) -> Tensor:
        """Return the masks of some rows as one float channel a label."""
        return self.spread(self.masks[torch.from_numpy(np.asarray(index)).to(self.masks.device)].to(device))

    def volumes_of(self, index: np.ndarray) -> list[np.ndarray]:
        """Return the rows of each whole volume that has a row among `index`, slices in order."""
        chosen = sorted(set(self.volumes[index]))
        found = []
        for volume in chosen:
            members = np.flatnonzero(self.volumes == volume)
            found.append(members[np.argsort(self.positions[members], kind="stable")])
        return found


def load_rows(table, processor, folder: str | None = None, progress: bool = True) -> Rows:
    """Decode every row of a data set through the processor, or map the file that an earlier run left."""
    cache = Path(folder) if folder else _cache_folder()
    settings = {
        key: value for key, value in processor.to_dict().items() if key not in {"image_mean", "image_std", "neighbors"}
    }
    key = hashlib.sha256(json.dumps([table.fingerprint, settings], sort_keys=True, default=str).encode()).hexdigest()[
        :24
    ]
    paths = [cache / f"{key}-{part}.npy" for part in ("images", "masks")]
    if not all(path.exists() for path in paths):
        _decode(table, processor, paths, progress)
    images, masks = (np.load(path, mmap_mode="c") for path in paths)
    frame = table.frame
    return Rows(
        images=torch.from_numpy(images),
        masks=torch.from_numpy(masks),
        labels=frame["label"].to_numpy(),
        patients=frame["patient"].to_numpy().astype(str),
        volumes=frame["volume"].to_numpy().astype(str),
        positions=frame["slice"].to_numpy(),
        around=_find_neighbors(frame["volume"].to_numpy().astype(str), frame["slice"].to_numpy(), processor.neighbors),
        num_labels=len(table.entry.id2label),
        overlapping=table.entry.problem_type == OVERLAPPING,
    )


def _decode(table, processor, paths: list[Path], progress: bool) -> None:
    """Write the windowed slices of all rows into memory-mapped files, aside and then renamed."""
    alone = type(processor)(**{**processor.to_dict(), "neighbors": 0})
    frame = table.frame
    members = frame.groupby("volume", sort=False).indices
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    aside = [path.with_name(f".writing-{os.getpid()}-{path.name}") for path in paths]
    arrays, waiting = [], {}
    bar = tqdm(total=len(frame), desc="decode", unit="slice", disable=not progress)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        decoded = _read_ahead(pool, table.pictures(), limit=256)
        for row, pictures in enumerate(decoded):
            volume = frame["volume"].iat[row]
            waiting.setdefault(volume, {})[row] = pictures
            if len(waiting[volume]) < len(members[volume]):
                continue
            spacing = frame["spacing"].iat[row]
            rows, images, masks = _prepare(alone, waiting.pop(volume), frame["slice"].to_numpy(), spacing)
            _check_labels(masks, volume, table)
            if not arrays:
                for path, array, kind in zip(aside, (images, masks), (np.float16, np.uint8), strict=True):
                    arrays.append(np.lib.format.open_memmap(path, "w+", kind, (len(frame), *array.shape[1:])))
            arrays[0][rows], arrays[1][rows] = images, masks
            bar.update(len(rows))
    bar.close()
    for array, source, target in zip(arrays, aside, paths, strict=True):
        array.flush()
        os.replace(source, target)


def _check_labels(masks: np.ndarray, volume: str, table) -> None:
    """Refuse a mask value that the table of data sets has no label for."""
    labels = table.entry.id2label
    largest = 2 ** len(labels) - 1 if table.entry.problem_type == OVERLAPPING else max(labels)
    if masks.max() > largest:
        raise ValueError(
            f"{table.folder}: volume {volume} has the mask value {masks.max()}, but data set '{table.entry.name}' has "
            f"the labels {', '.join(labels.values())} (largest value {largest}): mend its masks and import it again"
        )


def _read_ahead(pool: ThreadPoolExecutor, pictures, limit: int):
    """Decode (image, mask) bytes in threads, in order, never more than `limit` ahead."""
    queue = deque()
    for pair in pictures:
        queue.append(pool.submit(lambda both: tuple(map(decode_picture, both)), pair))
        if len(queue) >= limit:
            yield queue.popleft().result()
    while queue:
        yield queue.popleft().result()


def _prepare(
    processor, pictures: dict, positions: np.ndarray, spacing: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Window and resize one volume, its slices in order, since statistics may come from the whole of it."""
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


def _find_neighbors(volumes: np.ndarray, positions: np.ndarray, neighbors: int) -> np.ndarray:
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


def _cache_folder() -> Path:
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "hf_mri" / "rows"
