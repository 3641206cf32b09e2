"""How large a scan may be: sizes are compared on headers, before anything is allocated for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .mri_scan_errors import ScanError

MOST_BYTES = 2**30  # decoded; a cine of 256 x 256 x 16 x 40 in float32 takes a sixth of it


@dataclass(frozen=True)
class Limits:
    """What the caller has room for.

    Attributes:
        slices: at most so many; None for any.
        pixels: at most so many values, over all slices and channels; None for any.
    """

    slices: int | None = None
    pixels: int | None = None

    def check(self, path: str | Path, slices: int, height: int, width: int, channels: int = 1) -> None:
        """Refuse a scan, or a part of one, that is larger.

        Raises:
            ScanError: says how large the scan is, and what is allowed.
        """
        found = f"{slices} slices of {width}x{height} pixels"
        if self.slices is not None and slices > self.slices:
            raise ScanError(path, f"has {found}, more than can be read here", f"give at most {self.slices} slices")
        if self.pixels is not None and slices * height * width * channels > self.pixels:
            most = self.pixels // (height * width * channels)
            fix = f"give at most {most} slices of this size" if most else "give smaller slices"
            raise ScanError(path, f"has {found}, more than can be read here", fix)


ANY_SIZE = Limits()


def check_claim(path: str | Path, *lengths: int) -> None:
    """Refuse what no scan claims.

    Args:
        lengths: height, width, channels, bytes a value, …: their product is the claim.

    Raises:
        ScanError: a length below one, or more bytes than a scan has.
    """
    claim = 1
    for length in lengths:
        if length < 1:
            reason = f"its header claims a size of {' x '.join(map(str, lengths))}"
            raise ScanError(path, reason, "the file is damaged")
        claim *= int(length)
    if claim > MOST_BYTES:
        raise ScanError(
            path,
            f"its header claims {claim / 2**30:.1f} GiB of pixels, more than a scan has (limit "
            f"{MOST_BYTES / 2**30:.0f} GiB)",
            "crop it, or check that the file is whole",
        )
