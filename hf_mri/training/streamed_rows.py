"""Rows whose pixels are fetched while training, volume by volume: nothing of the data set is stored on this machine.

A volume is what windows and neighbors need whole. An epoch goes through blocks of volumes (`sampling.gather_blocks`),
so that each volume is fetched once an epoch and few are in memory at a time.
"""

import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from hf_mri.data.png import decode_picture
from hf_mri.training.rows import Rows, check_labels, describe_rows, prepare_volume, without_neighbors
from hf_mri.training.sampling import BLOCK

MOST_VOLUMES = 3 * BLOCK  # in memory: the block that is trained on, what is left of the last, what comes of the next
FETCHERS = 8  # threads, which mostly wait for the network


class StreamedRows(Rows):
    """The same rows as a cache would hold.

    Args:
        table: the data set, here or at an address.
        processor: prepares its slices.
    """

    def __init__(self, table, processor):
        super().__init__(**describe_rows(table, processor))
        self._table, self._processor = table, without_neighbors(processor)
        order = np.argsort(self.volumes, kind="stable")
        names, starts = np.unique(self.volumes[order], return_index=True)
        self._members = dict(zip(names.tolist(), np.split(order, starts[1:]), strict=True))
        self._held: OrderedDict[str, Future] = OrderedDict()  # the one that was asked for last comes last
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(FETCHERS, thread_name_prefix="fetch")

    def to(self, device: torch.device) -> "StreamedRows":
        """Pixels come and go: none stays on a device."""
        return self

    def expect(self, index: np.ndarray) -> None:
        """Begin to fetch the volumes of these rows."""
        for volume in np.unique(self.volumes[index]).tolist():
            self._find(volume)

    def images_of(self, index: np.ndarray) -> Tensor:
        """Return slices (B, C, H, W)."""
        return self._gather(index, 0)

    def masks_of(self, index: np.ndarray) -> Tensor:
        """Return masks (B, H, W)."""
        return self._gather(index, 1)

    def _gather(self, index: np.ndarray, part: int) -> Tensor:
        index = np.asarray(index)
        held = {volume: self._find(volume) for volume in np.unique(self.volumes[index]).tolist()}
        pages = []
        for row in index:
            volume = str(self.volumes[row])
            place = np.searchsorted(self._members[volume], row)  # the rows of a volume are in ascending order
            pages.append(held[volume].result()[part][place])
        return torch.stack(pages)

    def _find(self, volume: str) -> Future:
        """Return a volume that is here, or on its way; the ones that were not asked for longest make room."""
        with self._lock:
            if volume not in self._held:
                self._held[volume] = self._pool.submit(self._fetch, volume)
            self._held.move_to_end(volume)
            while len(self._held) > MOST_VOLUMES:
                self._held.popitem(last=False)
            return self._held[volume]

    def _fetch(self, volume: str) -> tuple[Tensor, Tensor]:
        rows = self._members[volume]
        pictures = [tuple(map(decode_picture, pair)) for pair in self._table.pictures_of(rows)]
        spacing = self._table.frame["spacing"].iat[rows[0]]
        found, images, masks = prepare_volume(
            self._processor, dict(zip(rows.tolist(), pictures, strict=True)), self.positions, spacing
        )
        check_labels(masks, volume, self._table)
        order = np.argsort(found)  # back from positions to rows
        return torch.from_numpy(images[order]).half(), torch.from_numpy(masks[order])
