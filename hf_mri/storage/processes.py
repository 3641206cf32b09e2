"""Several processes at one job, started by accelerate, torchrun, SLURM or Kubernetes: which share is this one's.

Only two environment variables are asked for, so processes need not be able to reach each other.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Share:
    """This process is number `rank` (from 0) of `count`."""

    rank: int = 0
    count: int = 1

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """This process's items: every one belongs to exactly one process."""
        return items[self.rank :: self.count]


def own_share() -> Share:
    """What RANK and WORLD_SIZE say, as every launcher sets them.

    Raises:
        ValueError: they make no sense.
    """
    given = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    try:
        share = Share(*map(int, given))
    except ValueError:
        share = Share(-1)
    if not 0 <= share.rank < share.count:
        raise ValueError(
            f"RANK={given[0]} of WORLD_SIZE={given[1]}: must be a number from 0 below the number of processes"
        )
    return share
