"""A reader's outlines in place of the model's: what brush and eraser changed in the browser, laid into the masks."""

import base64
import binascii
import zlib
from dataclasses import replace

import numpy as np
from PIL import Image

from hf_mri.modeling.mri_reading import Reading
from hf_mri.page.viewer import number_scan, pack_bits, shrunk

BY_HAND = "outlines were corrected by hand"
GZIP = 31  # what zlib calls it
UNFIT = "This correction does not fit the scan that is open. Drop the scan again."


def correct(reading: Reading, sent) -> Reading:
    """Return the reading with the outlines that a visitor drew.

    Only pixels that were changed are taken: the browser may hold the masks smaller than the scan is. A slice that was
    corrected counts by its outline alone, with probability 1 or 0.

    Args:
        reading: with its scan.
        sent: `scan`, `slices` and `bits`, the slices' label bits, row by row, packed by gzip, as base64.

    Raises:
        ValueError: what was sent is not about this scan.
    """
    slices, pages = _unpack(reading, sent)
    masks = {label: mask.copy() for label, mask in reading.masks.items()}
    stage, probability = reading.stage.copy(), reading.probability.copy()
    height, width = reading.scan.slices.shape[1:3]
    for index, page in zip(slices, pages, strict=True):
        before = pack_bits([mask[index] for mask in masks.values()])
        large = np.asarray(Image.fromarray(page).resize((width, height), Image.Resampling.NEAREST))
        shown = np.asarray(Image.fromarray(before).resize(page.shape[::-1], Image.Resampling.NEAREST))
        changed = Image.fromarray(page != shown).resize((width, height), Image.Resampling.NEAREST)
        after = np.where(np.asarray(changed), large, before)
        for number, mask in enumerate(masks.values()):
            mask[index] = after >> number & 1
        probability[index] = float(after.any())
        stage[index] = "mask" if after.any() else "empty"
    numbers = ", ".join(str(index + 1) for index in sorted(slices))
    warnings = [*reading.warnings, f"{BY_HAND}: slice{'s' * (len(slices) > 1)} {numbers}"]
    return replace(reading, masks=masks, stage=stage, probability=probability, evidence=None, warnings=warnings)


def drop_corrections(reading: Reading) -> Reading:
    """Return a reading whose thresholds were moved, which brings the model's own outlines back, without the word."""
    return replace(reading, warnings=[line for line in reading.warnings if not line.startswith(BY_HAND)])


def _unpack(reading: Reading, sent) -> tuple[list[int], np.ndarray]:
    """Return the slices and their bits (S, H, W); anything may have been sent."""
    height, width = reading.scan.slices.shape[1:3]
    width, height = shrunk(width, height)
    try:
        slices, packed = sent["slices"], base64.b64decode(sent["bits"], validate=True)
        fit = sent["scan"] == number_scan(reading) and all(type(index) is int for index in slices)
        fit = fit and len(set(slices)) == len(slices) > 0 and set(slices) <= set(range(len(reading.probability)))
        wanted = len(slices) * height * width
        data = zlib.decompressobj(GZIP).decompress(packed, wanted + 1) if fit else b""
    except (KeyError, TypeError, ValueError, binascii.Error, zlib.error):
        raise ValueError(UNFIT) from None
    if not fit or len(data) != wanted:
        raise ValueError(UNFIT)
    pages = np.frombuffer(data, np.uint8).reshape(-1, height, width)
    twice = not reading.overlapping and (pages & (pages - np.uint8(1))).any()  # two labels in one pixel
    if pages.max() >> len(reading.masks) or twice:
        raise ValueError(UNFIT)
    return slices, pages
