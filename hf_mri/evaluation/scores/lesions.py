"""Lesion by lesion: which pieces of the truth were found, which predicted ones are false, how well they agree."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

# Pieces that touch by a face, an edge or a corner are one lesion, in the plane and across slices.
TOUCHING = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class LesionCounts:
    """Lesions of one volume; `dice_sum` adds each true lesion's Dice (false lesions add 0)."""

    truth: int = 0
    found: int = 0
    predicted: int = 0
    false: int = 0
    dice_sum: float = 0.0


def count_lesions(truth: np.ndarray, predicted: np.ndarray) -> LesionCounts:
    """Compare the connected pieces of two boolean volumes (S, H, W)."""
    true_pieces, true_number = ndimage.label(truth, TOUCHING)
    pieces, number = ndimage.label(predicted, TOUCHING)
    # How many pixels each pair of pieces shares, in one pass; row and column 0 are the background.
    pairs = true_pieces.ravel().astype(np.int64) * (number + 1) + pieces.ravel()
    shared = np.bincount(pairs, minlength=(true_number + 1) * (number + 1)).reshape(true_number + 1, number + 1)
    true_size, size = shared.sum(axis=1)[1:], shared.sum(axis=0)[1:]
    overlap = shared[1:, 1:]
    touching = overlap > 0
    # A true lesion is compared with all pieces that touch it: an outline broken in two is no error in itself.
    dice = 2 * overlap.sum(axis=1) / np.maximum(true_size + (touching * size).sum(axis=1), 1)
    return LesionCounts(
        truth=true_number,
        found=int(touching.any(axis=1).sum()),
        predicted=number,
        false=int((~touching.any(axis=0)).sum()) if true_number else number,
        dice_sum=float(dice.sum()),
    )


def keep_largest(mask: np.ndarray) -> np.ndarray:
    """Keep the largest connected piece of a volume (S, H, W), as Buda et al. do before they measure."""
    pieces, number = ndimage.label(mask, TOUCHING)
    if number < 2:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return pieces == sizes.argmax()
