"""PNG, JPEG and TIFF at their full depth: bytes in, pages (P, H, W, C) out."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
from PIL import Image, ImageSequence

from .geometry_mri import ScanError

try:
    import tifffile
except ImportError:
    tifffile = None

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
if tifffile is not None:
    DECODE_ERRORS += (tifffile.TiffFileError,)

MOST_BYTES = 2**30  # decoded; a cine of 256 x 256 x 16 x 40 in float32 takes a sixth of it
# Pillow tells of oddities in a file by warnings that no reader of a scan can use; what matters is raised.
warnings.filterwarnings("ignore", module=r"PIL\..*")


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
    except DECODE_ERRORS as error:
        raise ScanError(f"{name}: cannot be decoded ({_one_line(error)}); is the file whole?") from error
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
    import torch
    from torchvision.io import ImageReadMode, decode_png

    width, height = struct.unpack(">II", data[16:24])
    check_claim(name, height, width, 4, 2)
    pixels = decode_png(torch.frombuffer(bytearray(data), dtype=torch.uint8), ImageReadMode.UNCHANGED)
    return _without_alpha(pixels.permute(1, 2, 0).numpy())


def _decode_tiff(data: bytes, name: str) -> list[np.ndarray]:
    """Pillow reads most TIFFs fastest; those it would reduce to 8 bits, or not read, go to tifffile."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            bits, samples = image.tag_v2.get(258, (1,)), image.tag_v2.get(277, 1)
            if max(bits) <= 8 or samples == 1:
                return _pillow_pages(image, name)
    except Image.UnidentifiedImageError:
        pass
    if tifffile is None:
        raise ScanError(
            f"{name}: a TIFF of more than 8 bits and several channels needs tifffile: pip install tifffile"
        )
    pages = []
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        for page in file.pages:
            check_claim(name, max(1, len(pages) + 1), *page.shape, page.dtype.itemsize)
            pixels = page.asarray()
            if page.planarconfig == 2 and pixels.ndim == 3:  # channels one after the other
                pixels = np.moveaxis(pixels, 0, -1)
            pages.append(_without_alpha(pixels))
    return pages


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
    """A PIL image as (H, W, C) in its own depth: grey stays one channel, alpha goes, a palette becomes its colors."""
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


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())[:150]
    return text or type(error).__name__
