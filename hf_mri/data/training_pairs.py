"""A reading as images with masks: what `hf-mri data import folder` takes, so that a corrected outline can teach."""

import csv
from pathlib import Path

import numpy as np

from hf_mri.data.png import encode_png
from hf_mri.data.storable import to_storable
from hf_mri.modeling.mri_files import write_text
from hf_mri.modeling.mri_reading import Reading

README = """Images and masks of one scan. Many such folders side by side make a data set:

    hf-mri data import folder FOLDER DEST --labels {labels}{spacing}

{name} is the patient: give two scans of one patient one name before, so that no split parts them.
"""


def write_pairs(reading: Reading, folder: Path) -> None:
    """Write `NAME/images/` and `NAME/masks/`, one PNG a slice; of a cine also the table that tells its time points.

    A mask holds 255 where there is one label, else the labels' numbers from 1 on.

    Raises:
        ValueError: there are no masks, or labels overlap: a mask of numbers has no place for two in one pixel.
    """
    if not reading.masks or reading.overlapping:
        reason = "its labels overlap" if reading.overlapping else "it has no outlines"
        raise ValueError(f"{reading.source}: {reason}, so there are no masks to train on")
    slices, _ = to_storable(reading.scan.slices)
    if slices.shape[-1] not in (1, 3):
        raise ValueError(f"{reading.source}: has {slices.shape[-1]} channels; a slice to train on has 1 or 3")
    if len(reading.masks) == 1:
        masks = 255 * next(iter(reading.masks.values())).astype(np.uint8)
    else:
        masks = sum(np.uint8(number) * mask for number, mask in enumerate(reading.masks.values(), 1))
    home = folder / reading.source
    for part in ("images", "masks"):
        (home / part).mkdir(parents=True)
    for index, (image, mask) in enumerate(zip(slices, masks, strict=True)):
        name = f"{index + 1:04d}.png"
        (home / "images" / name).write_bytes(encode_png(image[..., 0] if image.shape[-1] == 1 else image))
        (home / "masks" / name).write_bytes(encode_png(mask))
    known = reading.spacing and None not in reading.spacing
    spacing = f" --spacing {','.join(f'{length:g}' for length in reading.spacing)}" if known else ""
    labels = ",".join(label.replace(" ", "_") for label in reading.masks)
    write_text(folder / "README.txt", README.format(labels=labels, spacing=spacing, name=reading.source))
    if reading.phases > 1:
        _write_table(reading, folder)


def _write_table(reading: Reading, folder: Path) -> None:
    count = len(reading.probability) // reading.phases
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file_name", "mask_file_name", "patient", "phase", "slice"])
        for index in range(len(reading.probability)):
            places = [f"{reading.source}/{part}/{index + 1:04d}.png" for part in ("images", "masks")]
            table.writerow([*places, reading.source, index // count + 1, index % count])
