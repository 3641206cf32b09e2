"""PNG, JPEG and TIFF at their full depth: bytes in, pages (P, H, W, C) out."""

from __future__ import annotations

import ctypes
import io
import logging
import struct
import warnings
import zlib
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from .mri_scan_geometry import ScanError

# What decoders raise on damaged bytes; anything else is a mistake of ours and must show.
DECODE_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    AssertionError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

MOST_BYTES = 2**30  # decoded; a cine of 256 x 256 x 16 x 40 in float32 takes a sixth of it
# Pillow and tifffile warn and log about oddities that no reader of a scan can use; what matters is raised.
warnings.filterwarnings("ignore", module=r"PIL\..*")
for _name in ("PIL", "tifffile"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


def decode_raster(data: bytes, name: str) -> np.ndarray:
    """Decode an image file into (P, H, W, C) in its own depth: uint8, uint16, int32 or float32.

    Raises:
        ScanError: cannot be decoded, or claims more pixels than a scan has.
    """
    try:
        if _is_deep_color_png(data):
            pages = [_decode_deep_png(data, name)]
        elif data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            pages = _decode_tiff(data, name)
        else:
            pages = _decode_with_pillow(data, name)
    except ScanError:
        raise
    except Image.DecompressionBombError as error:
        raise ScanError(
            f"{name}: its header claims more pixels than a scan has; check that the file is whole"
        ) from error
    except Image.UnidentifiedImageError as error:
        raise ScanError(f"{name}: cannot be decoded; is the file whole?") from error
    except DECODE_ERRORS as error:
        raise ScanError(f"{name}: cannot be decoded ({reason_of(error)}); is the file whole?") from error
    if not pages:
        raise ScanError(f"{name}: holds no picture; is the file whole?")
    if len({(page.shape, page.dtype) for page in pages}) > 1:
        shapes = ", ".join(sorted({f"{page.shape[1]}x{page.shape[0]}" for page in pages}))
        raise ScanError(f"{name}: its pages differ in size or depth ({shapes}); save one scan a file")
    return np.stack(pages)


def check_claim(name: str, *lengths: int) -> None:
    """Refuse before anything is allocated for it.

    Args:
        lengths: height, width, channels, bytes a value, …: their product is the claim.
    """
    claim = 1
    for length in lengths:
        if length < 1:
            raise ScanError(
                f"{name}: its header claims a size of {' x '.join(map(str, lengths))}; the file is damaged"
            )
        claim *= int(length)
    if claim > MOST_BYTES:
        raise ScanError(
            f"{name}: its header claims {claim / 2**30:.1f} GiB of pixels, more than a scan has (limit "
            f"{MOST_BYTES / 2**30:.0f} GiB); crop it, or check that the file is whole"
        )


def _is_deep_color_png(data: bytes) -> bool:
    """16 bits a value and more than one value a pixel: what Pillow would reduce to 8 bits."""
    return (
        data[:8] == b"\x89PNG\r\n\x1a\n"
        and data[12:16] == b"IHDR"
        and data[24:25] == b"\x10"
        and data[25] in (2, 4, 6)
    )


def _decode_deep_png(data: bytes, name: str) -> np.ndarray:
    """Pillow keeps one byte of each color's two: the first if told that the file is big-endian, else the second."""
    first, second = (_decode_one_byte(data, name, order) for order in "BL")
    return first.astype(np.uint16) << 8 | second


def _decode_one_byte(data: bytes, name: str, order: str) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        check_claim(name, image.height, image.width, len(image.getbands()), 2)
        if image.mode not in ("RGB", "RGBA"):
            raise ScanError(f"{name}: has 16 bits with transparency; save it without the transparency")
        image.tile = [tile._replace(args=f"{image.mode};16{order}") for tile in image.tile]
        return _without_alpha(np.array(image))


def _decode_tiff(data: bytes, name: str) -> list[np.ndarray]:
    """Pillow reads most TIFFs fastest; those it would reduce to 8 bits, or not read, go to tifffile."""
    try:
        with Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
            bits, samples = image.tag_v2.get(258, (1,)), image.tag_v2.get(277, 1)
            if max(bits) <= 8 or samples == 1:
                _quieten_libtiff()
                return _pillow_pages(image, name)
    except Image.UnidentifiedImageError:
        pass
    try:
        import tifffile
    except ImportError as error:
        raise ImportError(
            f"{name}: such a TIFF (more than 8 bits and one channel) needs tifffile: pip install tifffile"
        ) from error
    pages = []
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        for page in file.pages:
            check_claim(name, max(1, len(pages) + 1), *page.shape, page.dtype.itemsize)
            ends = [start + length for start, length in zip(page.dataoffsets, page.databytecounts, strict=False)]
            if not ends or max(ends) > len(data):  # tifffile would fill the gap with zeros
                raise ScanError(f"{name}: ends before its pixels do; get the file again")
            pixels = page.asarray()
            if page.planarconfig == 2 and pixels.ndim == 3:  # channels one after the other
                pixels = np.moveaxis(pixels, 0, -1)
            pages.append(_without_alpha(pixels))
    return pages


@cache
def _quieten_libtiff() -> None:
    """Stop Pillow's copy of libtiff from writing to stderr: what matters reaches us as an error of Pillow's."""
    for library in Path(Image.__file__).parents[1].glob("pillow.libs/libtiff*"):
        libtiff = ctypes.CDLL(str(library))
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            getattr(libtiff, name).restype = ctypes.c_void_p
            getattr(libtiff, name)(None)


def _decode_with_pillow(data: bytes, name: str) -> list[np.ndarray]:
    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
        return _pillow_pages(image, name)


def _pillow_pages(image: Image.Image, name: str) -> list[np.ndarray]:
    pages = []
    for page in ImageSequence.Iterator(image):
        check_claim(name, len(pages) + 1, page.height, page.width, len(page.getbands()), 4)
        pages.append(pillow_array(page))
    return pages


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


def reason_of(error: BaseException) -> str:
    """Why decoding failed: what a decoder says of the file, not what Python says of the decoder."""
    if isinstance(error, TypeError | AttributeError | LookupError | AssertionError) or not str(error).strip():
        return "its structure is damaged"
    text = " ".join(str(error).split())
    return "".join(letter for letter in text if letter.isprintable())[:150]
