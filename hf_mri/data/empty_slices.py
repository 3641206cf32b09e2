"""What to do with slices that show nothing: keep them, drop them, or keep a share."""

from __future__ import annotations

import pandas as pd


def choose_rows(rows: pd.DataFrame, empty: str | float = "keep", seed: int = 0) -> pd.Series:
    """Say for every row whether it stays; rows with foreground always do.

    Args:
        rows: one row a slice with the columns `label`, `volume` and `slice`.
        empty: `keep`, `drop`, or the share of empty slices to keep, drawn at random but alike for every row order.
        seed: of the draw.
    """
    share = read_share(empty)
    stays = rows["label"] > 0
    blank = rows[~stays].sort_values(["volume", "slice"])
    stays[blank.sample(n=round(share * len(blank)), random_state=seed).index] = True
    return stays


def read_share(empty: str | float) -> float:
    """Turn the word for a policy into the share of empty slices that stay.

    Raises:
        ValueError: neither `keep` nor `drop` nor a share.
    """
    try:
        share = {"keep": 1.0, "drop": 0.0}.get(empty)
        share = float(empty) if share is None else share
    except ValueError:
        raise ValueError(f"--empty {empty}: give keep, drop, or a share from 0 to 1") from None
    if not 0 <= share <= 1:
        raise ValueError(f"--empty {empty}: a share is from 0 to 1")
    return share
