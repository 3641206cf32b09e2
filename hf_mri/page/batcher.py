"""One model for all visitors: whoever asks while it is busy is read together with the others, without a pause."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from functools import partial
from typing import Any

logger = logging.getLogger(__name__)
# What a scan may make a model raise: were one left out, the desk's only thread would end, and with it the page.
MISTAKES = (
    *(ArithmeticError, AssertionError, AttributeError, ImportError, LookupError),
    *(MemoryError, OSError, RuntimeError, TypeError, ValueError),
)


class BusyError(RuntimeError):
    """Too many scans are waiting, or this one would take too long."""


@dataclass
class Ticket:
    """A scan to read, or a job of its own, that waits for the model."""

    slices: int
    scan: Any = None
    job: Callable[[], Any] | None = None
    future: Future = field(default_factory=Future)


class Desk:
    """Hands the scans of all visitors to one reader, in batches, from one thread.

    Args:
        reader: reads scans; only this desk's thread calls it.
        most_waiting: scans that may wait; one more is refused at once.
        most_slices: slices among which short scans go first; whoever comes after these follows in his turn.
        time_limit: seconds that a visitor waits at most, the queue included.
    """

    def __init__(self, reader, most_waiting: int = 64, most_slices: int = 64, time_limit: float = 120.0):
        self.reader = reader
        self.most_slices = most_slices
        self.time_limit = time_limit
        self.rate = 20.0  # slices a second, measured while it works
        self._waiting: queue.Queue[Ticket] = queue.Queue(most_waiting)
        self._left: Ticket | None = None
        threading.Thread(target=self._work, name="desk", daemon=True).start()

    def read(self, scan, report: Callable[[float, str], None] = lambda fraction, text: None):
        """Return the reading of a scan; `report(fraction, text)` hears about the waiting and the work."""
        return self._wait(Ticket(len(scan.slices), scan), report)

    def look_further(self, reading, gate_threshold: float):
        """Return the reading at a gate threshold; the model runs only for slices that it lets in newly."""
        unseen = len(reading.unseen(gate_threshold))
        if not unseen:
            return reading.at(gate_threshold=gate_threshold)
        job = partial(self.reader.look_further, reading, gate_threshold)
        return self._wait(Ticket(unseen, job=job), lambda fraction, text: None)

    def find_attention(self, reading):
        """Return where the gate looked, slice by slice."""
        job = partial(self.reader.attention, reading)
        return self._wait(Ticket(len(reading.probability), job=job), lambda fraction, text: None)

    def _wait(self, ticket: Ticket, report: Callable[[float, str], None]):
        try:
            self._waiting.put_nowait(ticket)
        except queue.Full:
            raise BusyError("Many scans are waiting; please try again in a minute.") from None
        arrived, started = time.monotonic(), None
        expected = max(ticket.slices / self.rate, 0.1)
        while True:
            try:
                return ticket.future.result(timeout=0.2)
            except FutureTimeoutError:
                now = time.monotonic()
            if now - arrived > self.time_limit:
                ticket.future.cancel()
                raise BusyError(
                    f"This took longer than {self.time_limit:.0f} s; try fewer slices, or again in a minute."
                )
            if not ticket.future.running():
                report(0.0, "Waiting for other scans")
                continue
            started = started or now
            # How far a batch is can only be estimated from its length; it never claims to be done.
            report(min(0.95, (now - started) / expected), f"Reading {ticket.slices} slices")

    def _next_batch(self) -> list[Ticket]:
        batch = [self._left or self._waiting.get()]
        self._left = None
        slices = batch[0].slices
        while True:
            try:
                ticket = self._waiting.get_nowait()
            except queue.Empty:
                return batch
            slices += ticket.slices
            if slices > self.most_slices:
                self._left = ticket
                return batch
            batch.append(ticket)

    def _work(self) -> None:
        while True:
            batch = [ticket for ticket in self._next_batch() if ticket.future.set_running_or_notify_cancel()]
            if not batch:
                continue
            # Short ones first: a single slice does not wait for the rest of a volume's answer.
            batch.sort(key=lambda ticket: ticket.slices)
            started = time.monotonic()
            jobs = [ticket for ticket in batch if ticket.job is not None]
            for ticket in jobs:
                self._answer([ticket], lambda job=ticket.job: [job()])
            tickets = [ticket for ticket in batch if ticket.job is None]
            self._answer(tickets, lambda tickets=tickets: self.reader.batch(self._feed(tickets), errors="yield"))
            slices = sum(ticket.slices for ticket in jobs + tickets)
            self.rate = 0.5 * self.rate + 0.5 * slices / max(time.monotonic() - started, 1e-3)

    def _feed(self, tickets: list[Ticket]) -> Iterator[Any]:
        """Yield the scans of a batch, then of whoever waits by then, who joins it.

        The reader takes scans ahead of the model: so the next volume is prepared on one core while the last one runs,
        and the cores do not wait for each other between two batches.
        """
        for ticket in tickets:  # also those that are added below
            yield ticket.scan
            if ticket is tickets[-1] and (later := self._next_scan()):
                tickets.append(later)

    def _next_scan(self) -> Ticket | None:
        """Take the next scan that waits; a job ends the batch, as it needs the model for itself."""
        while True:
            try:
                ticket = self._left or self._waiting.get_nowait()
            except queue.Empty:
                return None
            self._left = ticket if ticket.job is not None else None
            if self._left is not None:
                return None
            if ticket.future.set_running_or_notify_cancel():
                return ticket

    def _answer(self, tickets: list[Ticket], work: Callable[[], Iterable]) -> None:
        if not tickets:
            return
        waiting = iter(tickets)
        try:
            for reading in work():
                ticket = next(waiting)
                if isinstance(reading, ValueError):
                    ticket.future.set_exception(reading)
                else:
                    ticket.future.set_result(reading)
        except MISTAKES as error:
            # The page lives on; the visitors hear that it failed, the log says what (never whose scan, nor which).
            logger.error("a batch of %d scans failed: %s", len(tickets), type(error).__name__)
            for ticket in waiting:
                ticket.future.set_exception(RuntimeError("The model failed on this scan; please report it."))
