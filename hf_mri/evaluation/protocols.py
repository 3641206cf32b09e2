"""Protocols by name: which slices are judged, and how a volume is prepared before it is read."""

import numpy as np
from PIL import Image

from hf_mri.evaluation.scores.lesions import keep_largest
from hf_mri.evaluation.truth_volumes import TruthVolume

PROTOCOLS = ("patients", "slices-leaky", "buda", "cross-validation", "leave-one-site-out")
STORED_PROTOCOLS = ("cross-validation", "leave-one-site-out")

BUDA_SIZE = 256
BUDA_FLOOR = 0.1  # of the volume's maximum: what is darker counts as air
BUDA_PERCENTILES = (10, 99)
BUDA_THRESHOLDS = {"mask_threshold": 0.5, "smallest_lesion": 0}
BUDA_NOTE = (
    "Prepared and scored as Buda et al. (2019) did: first and last slice dropped, each volume cropped to what is "
    "brighter than 10 % of its maximum, padded to a square, resized to 256 pixels, clipped to its 10th to 99th "
    "percentile; mask threshold 0.5, only the largest 3-D component kept. The z-score is left to the model's "
    "processor."
)


def prepare_like_buda(volume: TruthVolume) -> TruthVolume:
    """Drop the end slices, crop, pad, resize and clip a volume and its truth, as Buda et al. prepared theirs.

    Values come back in the image's own 8 or 16 bits, since a processor expects the range that it was made for.
    """
    images = volume.images[1:-1] if len(volume.images) > 2 else volume.images
    truth = {label: mask[1:-1] if len(mask) > 2 else mask for label, mask in volume.truth.items()}
    bright = images >= BUDA_FLOOR * images.max()
    if bright.ndim == 4:
        bright = bright.any(axis=3)
    rows, columns = (np.flatnonzero(bright.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    images = np.stack([_resize(_pad(image[box]), Image.Resampling.BICUBIC) for image in images.astype(np.float32)])
    low, high = np.percentile(images, BUDA_PERCENTILES)
    top = np.iinfo(volume.images.dtype).max
    images = np.clip((images - low) / max(high - low, 1e-6), 0, 1) * top
    scale = max(box[0].stop - box[0].start, box[1].stop - box[1].start) / BUDA_SIZE
    return TruthVolume(
        patient=volume.patient,
        volume=volume.volume,
        images=images.round().astype(volume.images.dtype),
        truth={
            label: np.stack([_resize(_pad(page[box].astype(np.float32)), Image.Resampling.NEAREST) for page in mask])
            > 0.5
            for label, mask in truth.items()
        },
        spacing=_scale_spacing(volume.spacing, scale),
        columns=volume.columns,
    )


def score_like_buda(masks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Keep the largest 3-D component of every label."""
    return {label: keep_largest(mask) for label, mask in masks.items()}


def _pad(image: np.ndarray) -> np.ndarray:
    """Pad (H, W) or (H, W, C) with zeros to a square, the content in the middle."""
    size = max(image.shape[:2])
    room = [size - side for side in image.shape[:2]]
    widths = [(space // 2, space - space // 2) for space in room] + [(0, 0)] * (image.ndim - 2)
    return np.pad(image, widths)


def _resize(image: np.ndarray, resample: Image.Resampling) -> np.ndarray:
    """Resize float (H, W) or (H, W, C) to the protocol's square."""
    if image.ndim == 3:
        return np.stack([_resize(channel, resample) for channel in np.moveaxis(image, 2, 0)], axis=2)
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize((BUDA_SIZE, BUDA_SIZE), resample))


def _scale_spacing(spacing: tuple | None, scale: float) -> tuple | None:
    """The size of a pixel after resizing."""
    return None if spacing is None else (spacing[0] * scale, spacing[1] * scale, *spacing[2:])
