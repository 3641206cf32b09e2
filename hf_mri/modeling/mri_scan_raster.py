"""PNG, JPEG and TIFF at their full depth: bytes in, pages (P, H, W, C) out."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageSequence

from .mri_scan_claims import ANY_SIZE, Limits, check_claim
from .mri_scan_errors import DECODE_ERRORS, MissingLibraryError, ScanError, reason_of
from .mri_scan_quiet import quiet_decoders

MOST_PAGES = 10_000  # of a TIFF: more than any scan has


def decode_raster(data: bytes, name: str, limits: Limits = ANY_SIZE) -> np.ndarray:
    """Decode an image file into (P, H, W, C) in its own depth: uint8, uint16, int32 or float32.

    Raises:
        ScanError: cannot be decoded, or claims more pixels than a scan has, or than the caller has room for.
    """
    try:
        with quiet_decoders():
            pages = list(_decode(data, name, limits))
    except ScanError:
        raise
    except Image.DecompressionBombError as error:
        reason = "its header claims more pixels than a scan has"
        raise ScanError(name, reason, "check that the file is whole") from error
    except Image.UnidentifiedImageError as error:
        raise ScanError(name, "cannot be decoded", "is the file whole?") from error
    except DECODE_ERRORS as error:
        raise ScanError(name, f"cannot be decoded ({reason_of(error)})", "is the file whole?") from error
    if not pages:
        raise ScanError(name, "holds no picture", "is the file whole?")
    if len({(page.shape, page.dtype) for page in pages}) > 1:
        shapes = ", ".join(sorted({f"{page.shape[1]}x{page.shape[0]}" for page in pages}))
        raise ScanError(name, f"its pages differ in size or depth ({shapes})", "save one scan a file")
    return np.stack(pages) if len(pages) > 1 else pages[0][None]  # without a copy


def _decode(data: bytes, name: str, limits: Limits) -> Iterator[np.ndarray]:
    if _is_deep_color_png(data):
        yield _decode_deep_png(data, name, limits)
    elif data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        yield from _decode_tiff(data, name, limits)
    else:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            yield from _pillow_pages(image, name, limits)


def _is_deep_color_png(data: bytes) -> bool:
    """16 bits a value and more than one value a pixel: what Pillow would reduce to 8 bits."""
    return (
        data[:8] == b"\x89PNG\r\n\x1a\n"
        and data[12:16] == b"IHDR"
        and data[24:25] == b"\x10"
        and data[25] in (2, 4, 6)
    )


def _decode_deep_png(data: bytes, name: str, limits: Limits) -> np.ndarray:
    """Pillow keeps one byte of each color's two: the first if told that the file is big-endian, else the second."""
    first, second = (_decode_one_byte(data, name, order, limits) for order in "BL")
    return first.astype(np.uint16) << 8 | second


def _decode_one_byte(data: bytes, name: str, order: str, limits: Limits) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        _check_page(name, limits, 1, image.height, image.width, len(image.getbands()), 2)
        if image.mode not in ("RGB", "RGBA"):
            raise ScanError(name, "has 16 bits with transparency", "save it without the transparency")
        image.tile = [tile._replace(args=f"{image.mode};16{order}") for tile in image.tile]
        return _without_alpha(np.array(image))


def _decode_tiff(data: bytes, name: str, limits: Limits) -> Iterator[np.ndarray]:
    """Pillow reads most TIFFs fastest; those it would reduce to 8 bits, or not read, go to tifffile.

    Of a damaged, compressed one Pillow's libtiff writes a line to stderr itself: no option of Pillow's keeps it from
    that, and what matters is raised as well.
    """
    image: Any = None
    with contextlib.suppress(Image.UnidentifiedImageError):
        image = Image.open(io.BytesIO(data), formats=("TIFF",))
    if image is not None:
        with image:
            bits, samples = image.tag_v2.get(258, (1,)), image.tag_v2.get(277, 1)
            if max(bits) <= 8 or samples == 1:
                yield from _pillow_pages(image, name, limits)
                return
    yield from _tifffile_pages(data, name, limits)


def _tifffile_pages(data: bytes, name: str, limits: Limits) -> Iterator[np.ndarray]:
    try:
        import tifffile
    except ImportError as error:
        reason = "such a TIFF (more than 8 bits and one channel)"
        raise MissingLibraryError(name, reason, "tifffile") from error
    seen: set[int] = set()
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any
        for page in file.pages:
            if page.offset in seen or len(seen) >= MOST_PAGES:
                raise ScanError(name, "its pages have no end", "the file is damaged")
            seen.add(page.offset)
            planar = page.planarconfig == 2 and len(page.shape) == 3  # channels one after the other
            height, width, *rest = (*page.shape[1:], page.shape[0]) if planar else page.shape
            channels = math.prod(rest)  # 1 for gray
            _check_page(name, limits, len(seen), height, width, channels, page.dtype.itemsize)
            ends = [start + length for start, length in zip(page.dataoffsets, page.databytecounts, strict=False)]
            if not ends or max(ends) > len(data):  # tifffile would fill the gap with zeros
                raise ScanError(name, "ends before its pixels do", "get the file again")
            pixels = page.asarray()
            yield _without_alpha(np.moveaxis(pixels, 0, -1) if planar else pixels)


def _pillow_pages(image: Image.Image, name: str, limits: Limits) -> Iterator[np.ndarray]:
    for number, page in enumerate(ImageSequence.Iterator(image), start=1):
        _check_page(name, limits, number, page.height, page.width, len(page.getbands()), 4)
        yield pillow_array(page)


def _check_page(name: str, limits: Limits, pages: int, height: int, width: int, channels: int, depth: int) -> None:
    """Refuse a page before it is decoded: by itself, or since with those before it the file holds too much."""
    check_claim(name, pages, height, width, channels, depth)
    limits.check(name, pages, height, width, channels)


def pillow_array(image: Image.Image) -> np.ndarray:
    """A PIL image as (H, W, C) in its own depth: gray stays one channel, alpha goes, a palette becomes its colors."""
    if image.mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBX", "RGBa"):
        image = image.convert("RGB")
    elif image.mode == "1":
        image = image.convert("L")
    return _without_alpha(np.array(image))


def _without_alpha(pixels: np.ndarray) -> np.ndarray:
    """(H, W) or (H, W, C) to (H, W, C) without an alpha channel, in the machine's byte order."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[-1] > 4:
        raise ValueError(f"pixels of shape {pixels.shape}")
    if pixels.shape[-1] in (2, 4):
        pixels = pixels[..., :-1]
    return np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))
