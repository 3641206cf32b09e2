"""Failed logins slow their address down, and nobody else: the next attempt from there waits, one after the other."""

import asyncio
import ipaddress
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

FREE = 3  # failures that cost nothing
LONGEST_WAIT = 15.0  # seconds
FORGIVEN = 900.0  # seconds after the last failure
MOST_ADDRESSES = 10_000
MOST_WAITING = 4  # attempts of one address


class TooManyError(Exception):
    """An address has too many attempts waiting."""

    def __init__(self):
        super().__init__("Too many logins from your network at once; try again in a minute.")


@dataclass
class Record:
    """What is known about an address."""

    failures: int = 0
    last: float = 0.0
    waiting: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def note(self, admitted: bool) -> None:
        """Remember how an attempt ended."""
        self.failures = 0 if admitted else self.failures + 1
        self.last = time.monotonic()


class SlowDown:
    """Failures by address: of IPv6 by the network that one customer is given."""

    def __init__(self):
        self._records: OrderedDict[str, Record] = OrderedDict()

    def find(self, address: str) -> Record:
        """Return an address's record; the one that was quiet longest makes room."""
        key = shorten(address)
        record = self._records.setdefault(key, Record())
        self._records.move_to_end(key)
        if time.monotonic() - record.last > FORGIVEN:
            record.failures = 0
        while len(self._records) > MOST_ADDRESSES:
            self._records.popitem(last=False)
        return record

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[Record]:
        """Wait until this address may try: one after the other, or guesses side by side would all count as the first.

        Raises:
            TooManyError: enough attempts of this address are waiting.
        """
        record = self.find(address)
        if record.waiting >= MOST_WAITING:
            raise TooManyError
        record.waiting += 1
        try:
            async with record.turn:
                await asyncio.sleep(wait_of(record))
                yield record
        finally:
            record.waiting -= 1


def address_of(scope) -> str:
    """Return where a request comes from."""
    return (scope.get("client") or ("nowhere",))[0]


def wait_of(record: Record) -> float:
    """Return the seconds that the next attempt waits: doubled by each failure."""
    return 0.0 if record.failures < FREE else min(LONGEST_WAIT, 0.5 * 2.0 ** (record.failures - FREE))


def shorten(address: str) -> str:
    """Return what stands for the one who owns an address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address
