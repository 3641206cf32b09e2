"""One model for all visitors: whoever asks while it is busy is read together with the others in the next batch."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError

logger = logging.getLogger(__name__)


class BusyError(RuntimeError):
    """Too many scans are waiting, or this one would take too long."""


class Desk:
    """Hands the scans of all visitors to one reader, in batches, from one thread.

    Args:
        reader: reads scans; only this desk's thread calls it.
        most_waiting: scans that may wait; one more is refused at once.
        most_slices: slices of one batch; a longer scan is a batch of its own.
        time_limit: seconds that a visitor waits at most, the queue included.
    """

    def __init__(self, reader, most_waiting: int = 64, most_slices: int = 64, time_limit: float = 120.0):
        self.reader = reader
        self.most_slices = most_slices
        self.time_limit = time_limit
        self.rate = 20.0  # slices a second, measured while it works
        self._waiting: queue.Queue = queue.Queue(most_waiting)
        self._left = None
        self._thread = threading.Thread(target=self._work, name="desk", daemon=True)
        self._thread.start()

    def read(self, scan, report: Callable[[float, str], None] = lambda fraction, text: None):
        """Return the reading of a scan; `report(fraction, text)` hears about the waiting and the work."""
        future: Future = Future()
        try:
            self._waiting.put_nowait((scan, future))
        except queue.Full:
            raise BusyError("Many scans are waiting; please try again in a minute.") from None
        started = None
        arrived = time.monotonic()
        expected = max(len(scan.slices) / self.rate, 0.1)
        while True:
            try:
                return future.result(timeout=0.2)
            except FutureTimeoutError:
                if future.done():  # the reader's own timeout, not ours
                    raise
            now = time.monotonic()
            if now - arrived > self.time_limit:
                future.cancel()
                raise BusyError(
                    f"This took longer than {self.time_limit:.0f} s; try fewer slices, or again in a minute."
                )
            if not future.running():
                report(0.0, "Waiting for other scans")
                continue
            started = started or now
            # How far a batch is can only be estimated from its length; it never claims to be done.
            report(min(0.95, (now - started) / expected), f"Reading {len(scan.slices)} slices")

    def _next_batch(self) -> list:
        first = self._left or self._waiting.get()
        self._left = None
        batch, slices = [first], len(first[0].slices)
        while True:
            try:
                ticket = self._waiting.get_nowait()
            except queue.Empty:
                return batch
            slices += len(ticket[0].slices)
            if slices > self.most_slices:
                self._left = ticket
                return batch
            batch.append(ticket)

    def _work(self) -> None:
        while True:
            batch = [ticket for ticket in self._next_batch() if ticket[1].set_running_or_notify_cancel()]
            if not batch:
                continue
            # Short ones first: a single slice does not wait for the rest of a volume's answer.
            batch.sort(key=lambda ticket: len(ticket[0].slices))
            started = time.monotonic()
            self._answer(batch)
            slices = sum(len(scan.slices) for scan, _ in batch)
            self.rate = 0.5 * self.rate + 0.5 * slices / max(time.monotonic() - started, 1e-3)

    def _answer(self, batch: list) -> None:
        waiting = iter(batch)
        try:
            for reading in self.reader.batch([scan for scan, _ in batch], errors="yield"):
                _, future = next(waiting)
                if isinstance(reading, ValueError):
                    future.set_exception(reading)
                else:
                    future.set_result(reading)
        except (RuntimeError, ValueError, TypeError, OSError, MemoryError) as error:
            # The page lives on; the visitors hear that it failed, the log says what (never whose scan or which).
            logger.error("a batch of %d scans failed: %s", len(batch), type(error).__name__)
            for _, future in waiting:
                future.set_exception(RuntimeError("The model failed on this scan; please report it."))
