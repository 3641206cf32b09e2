"""Brain tumors in three MR sequences, as the lower-grade gliomas (LGG) come."""

import numpy as np

from hf_mri.tasks.task import Label, ScanExample, Task


def pick_examples(slices: np.ndarray, masks: np.ndarray) -> list[ScanExample]:
    """Pick a head with its tumor and one without, whole and as single slices.

    Args:
        slices: (S, H, W, 3) of a drawn head.
        masks: (S, H, W) its lesion.
    """
    areas = masks.sum(axis=(1, 2))
    largest = int(areas.argmax())
    # A drawn head always has a lesion: an example without one is the slices that it does not reach.
    clear = slices[areas == 0]
    middle = clear[len(clear) // 2]
    return [
        ScanExample("tumor-volume", "Head with tumor", slices, slices[largest, ..., 1]),
        ScanExample("clear-volume", "Without tumor", clear, middle[..., 1]),
        ScanExample("tumor-slice", "One slice, tumor", slices[largest : largest + 1], slices[largest, ..., 0]),
        ScanExample("clear-slice", "One slice, none", middle[None], middle[..., 0]),
    ]


BRAIN_TUMOR = Task(
    name="brain-tumor",
    title="Brain tumor",
    finding="tumor",
    body_part="BRAIN",
    labels={"tumor": Label("#ff5a5f", ("MorphologicallyAbnormalStructure", "Neoplasm"))},
    sequences=("pre-contrast", "FLAIR", "post-contrast"),
    main_sequence="FLAIR",  # in which a lesion is bright
    stand_in="FLAIR",
    phantom="lgg",
    pick_examples=pick_examples,
)
