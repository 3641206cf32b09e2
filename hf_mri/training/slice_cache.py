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

from hf_mri.data.png import decode_picture
from hf_mri.training.rows import Rows, check_labels, describe_rows, prepare_volume, without_neighbors


@dataclass
class CachedRows(Rows):
    """Rows whose pixels lie in memory, or in files that are mapped into it."""

    images: Tensor  # (N, C, H, W) float16
    masks: Tensor  # (N, H, W) uint8

    def to(self, device: torch.device) -> "CachedRows":
        """Move the pixels to a GPU where they take less than half of its free memory."""
        if device.type == "cuda":
            size = self.images.nbytes + self.masks.nbytes
            if size < torch.cuda.mem_get_info(device)[0] / 2:
                self.images, self.masks = self.images.to(device), self.masks.to(device)
        return self

    def images_of(self, index: np.ndarray) -> Tensor:
        """Return slices (B, C, H, W)."""
        return self.images[torch.from_numpy(index).to(self.images.device)]

    def masks_of(self, index: np.ndarray) -> Tensor:
        """Return masks (B, H, W)."""
        return self.masks[torch.from_numpy(index).to(self.masks.device)]

    def expect(self, index: np.ndarray) -> None:
        """All is here."""


def load_rows(table, processor, folder: str | None = None, progress: bool = True) -> CachedRows:
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
    pixels = {"images": torch.from_numpy(images), "masks": torch.from_numpy(masks)}
    return CachedRows(**describe_rows(table, processor), **pixels)


def _decode(table, processor, paths: list[Path], progress: bool) -> None:
    """Write the windowed slices of all rows into memory-mapped files, aside and then renamed."""
    alone = without_neighbors(processor)
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
            rows, images, masks = prepare_volume(alone, waiting.pop(volume), frame["slice"].to_numpy(), spacing)
            check_labels(masks, volume, table)
            if not arrays:
                for path, array, kind in zip(aside, (images, masks), (np.float16, np.uint8), strict=True):
                    arrays.append(np.lib.format.open_memmap(path, "w+", kind, (len(frame), *array.shape[1:])))
            arrays[0][rows], arrays[1][rows] = images, masks
            bar.update(len(rows))
    bar.close()
    while arrays:
        arrays.pop().flush()  # and let go: Windows renames no file that is mapped
    for source, target in zip(aside, paths, strict=True):
        os.replace(source, target)


def _read_ahead(pool: ThreadPoolExecutor, pictures, limit: int):
    """Decode (image, mask) bytes in threads, in order, never more than `limit` ahead."""
    queue = deque()
    for pair in pictures:
        queue.append(pool.submit(lambda both: tuple(map(decode_picture, both)), pair))
        if len(queue) >= limit:
            yield queue.popleft().result()
    while queue:
        yield queue.popleft().result()


def _cache_folder() -> Path:
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "hf_mri" / "rows"
