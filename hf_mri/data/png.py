"""PNG in and out, as fast as slices come: one filter for every line instead of trying five for each."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from hf_mri.modeling.mri_scan_errors import ScanError
from hf_mri.modeling.mri_scan_raster import decode_raster

try:
    from isal import isal_zlib
except ImportError:  # slower, and the page needs no more
    isal_zlib = zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode_png(image: np.ndarray) -> bytes:
    """Write (H, W) or (H, W, 3), uint8 or uint16, as a lossless PNG.

    Every line is stored as its difference to the line above, and packed by Intel's deflate. On MR slices that takes a
    tenth of the time of Pillow's fastest setting, and no more room.
    """
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise ValueError(f"a PNG holds uint8 or uint16 in (H, W) or (H, W, 3), not {image.dtype} in {image.shape}")
    height, width = image.shape[:2]
    lines = np.ascontiguousarray(image.astype(">u2") if image.dtype == np.uint16 else image)
    lines = lines.view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, lines.shape[1] + 1), np.uint8)
    filtered[:, 0] = 2  # the filter called "up"
    filtered[0, 1:] = lines[0]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8 * image.itemsize, 2 if image.ndim == 3 else 0, 0, 0, 0)
    body = isal_zlib.compress(filtered.data, 1)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return b"".join(
        (struct.pack(">I", len(body)), kind, body, struct.pack(">I", isal_zlib.crc32(body, isal_zlib.crc32(kind))))
    )


def decode_picture(data: bytes) -> np.ndarray:
    """Read what `encode_png` wrote, as (H, W) or (H, W, 3) in its own bit depth."""
    return _only_page(decode_raster(data, "picture"), "picture")


def read_picture(path: str | Path) -> np.ndarray:
    """Read a picture file of one page as (H, W) or (H, W, C) in its own bit depth.

    Raises:
        ScanError: the file is missing, damaged, no picture, or holds several pages; names it.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ScanError(path, f"can't be read ({error.strerror})") from None
    return _only_page(decode_raster(data, str(path)), path)


def _only_page(pages: np.ndarray, path: str | Path) -> np.ndarray:
    if len(pages) > 1:
        raise ScanError(path, f"holds {len(pages)} pages", "save one slice a file")
    return pages[0, ..., 0] if pages.shape[-1] == 1 else pages[0]
