"""The examples to click: drawn by the phantom generator at the start, so that no patient's slice is shipped."""

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from hf_mri.data.phantoms.scan import draw_scan
from hf_mri.page.thumbnails import draw_thumbnail
from hf_mri.tasks.task import ScanExample, Task

SEED = 2
Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class Example:
    """One scan to click: what it is called, where it lies, the picture on its button."""

    name: str
    title: str
    path: Path
    picture: bytes  # JPEG
    spacing: Spacing | None = None  # what the file itself does not say


def draw_examples(task: Task, size: int | None = None) -> list[Example]:
    """Draw the scans that fit a model of this organ; none where nobody has said what to draw."""
    if task.pick_examples is None:
        return []
    folder = Path(tempfile.mkdtemp(prefix="hf-mri-examples-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    slices, masks, spacing = draw_scan(task.phantom, SEED, size)
    keep = _keep_tiff if len(task.sequences) > 1 else _keep_nifti
    return [keep(folder, example, spacing) for example in task.pick_examples(slices, masks)]


def _keep_tiff(folder: Path, example: ScanExample, spacing: Spacing) -> Example:
    """Write slices (S, H, W, 3) as one TIFF of several pages, as a visitor would bring them."""
    first, *others = [Image.fromarray(page) for page in example.slices]
    path = folder / f"{example.name}.tif"
    first.save(path, save_all=True, append_images=others, compression="tiff_deflate")
    return Example(example.name, example.title, path, draw_thumbnail(example.shown), spacing)


def _keep_nifti(folder: Path, example: ScanExample, spacing: Spacing) -> Example:
    """Write slices (S, H, W), or (T, S, H, W) of a cine, as a NIfTI that knows how they lie and how large they are."""
    import nibabel

    row, column, step = spacing
    image = nibabel.Nifti1Image(example.slices.astype(np.int16).T, np.diag([-column, -row, step, 1.0]))
    path = folder / f"{example.name}.nii.gz"
    nibabel.save(image, path)
    return Example(example.name, example.title, path, draw_thumbnail(example.shown))
