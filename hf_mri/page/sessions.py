"""What each visitor has open: in memory only, forgotten when the page is closed or when memory runs short."""

import threading
import time
from collections import OrderedDict

from hf_mri.page.visitors import Visitor


def count_bytes(reading) -> int:
    """Return what a reading holds in memory, its scan included."""
    arrays = [reading.scan.slices, *reading.masks.values(), *(reading.foreground_probability or {}).values()]
    return sum(array.nbytes for array in arrays)


class Visits:
    """Readings by visitor and tab.

    Args:
        most_bytes: memory for all of them together.
        seconds: how long one that nobody touches is kept.
    """

    def __init__(self, most_bytes: int = 2**31, seconds: float = 3600.0):
        self.most_bytes = most_bytes
        self.seconds = seconds
        self._kept: OrderedDict = OrderedDict()  # (visitor, tab) -> (reading, bytes, last touched), oldest first
        self._lock = threading.Lock()

    def keep(self, visitor: Visitor, tab: str, reading) -> None:
        """Remember the reading that this visitor sees in this tab, in place of the one before."""
        with self._lock:
            self._kept.pop((visitor, tab), None)
            self._kept[visitor, tab] = (reading, count_bytes(reading), time.monotonic())
            self._sweep()

    def get(self, visitor: Visitor, tab: str):
        """Return the visitor's own reading in this tab, or None when it is no longer held."""
        with self._lock:
            self._sweep()
            reading, size, _ = self._kept.pop((visitor, tab), (None, 0, 0.0))
            if reading is not None:
                self._kept[visitor, tab] = (reading, size, time.monotonic())
            return reading

    def forget(self, visitor: Visitor, tab: str | None = None) -> None:
        """Drop what this visitor has open, in one tab or in all."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == visitor and tab in (None, key[1])]:
                del self._kept[key]

    def _sweep(self) -> None:
        stale = time.monotonic() - self.seconds
        while self._kept:
            oldest = next(iter(self._kept))
            crowded = len(self._kept) > 1 and sum(size for _, size, _ in self._kept.values()) > self.most_bytes
            if not crowded and self._kept[oldest][2] > stale:
                return
            del self._kept[oldest]
