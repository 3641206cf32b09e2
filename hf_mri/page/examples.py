"""The examples to click: drawn by the phantom generator at the start, so that no patient's slice is shipped."""

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SEED = 3
HEAD_SPACING = (0.9, 0.9, 5.0)  # what makes a drawn head as large as a real one


@dataclass(frozen=True)
class Example:
    """One scan to click: what it is called, where it lies, the picture on its button."""

    name: str
    title: str
    path: Path
    picture: Path
    spacing: tuple[float, float, float] | None = None


def draw_examples(kind: str, size: int | None = None) -> list[Example]:
    """Draw the scans that fit a kind of model; none where it is not one of the three that phantoms exist for."""
    draw = {"tumor": _draw_heads, "heart": _draw_heart, "abdomen": _draw_abdomen}.get(kind)
    if draw is None:
        return []
    folder = Path(tempfile.mkdtemp(prefix="hf-mri-examples-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return draw(folder, size)


def _draw_heads(folder: Path, size: int | None) -> list[Example]:
    from hf_mri.data.phantoms.lgg import SIZE, draw_head

    slices, masks = draw_head(np.random.default_rng(SEED), size or SIZE)
    areas = masks.sum(axis=(1, 2))
    largest = int(areas.argmax())
    # The phantom always draws a lesion: an example without one is the slices that it does not reach.
    clear = slices[areas == 0]
    middle = clear[len(clear) // 2]
    return [
        _keep(folder, "tumor-volume", "Head with tumor", slices, slices[largest, ..., 1]),
        _keep(folder, "clear-volume", "Without tumor", clear, middle[..., 1]),
        _keep(folder, "tumor-slice", "One slice, tumor", slices[largest : largest + 1], slices[largest, ..., 0]),
        _keep(folder, "clear-slice", "One slice, none", middle[None], middle[..., 0]),
    ]


def _keep(folder: Path, name: str, title: str, slices: np.ndarray, shown: np.ndarray) -> Example:
    """Write slices (S, H, W, 3) as one TIFF of several pages, as a visitor would bring them."""
    first, *others = [Image.fromarray(page) for page in slices]
    path = folder / f"{name}.tif"
    first.save(path, save_all=True, append_images=others, compression="tiff_deflate")
    return Example(name, title, path, _picture(folder, name, shown), HEAD_SPACING)


def _draw_heart(folder: Path, size: int | None) -> list[Example]:
    from hf_mri.data.phantoms.acdc import FIELD_MM, SIZE, SLICE_MM, draw_heart

    size = size or SIZE
    phases = draw_heart(np.random.default_rng(SEED), "NOR", size, 9)
    beat = np.stack([image for image, _ in phases.values()])
    spacing = (FIELD_MM / size, FIELD_MM / size, SLICE_MM)
    return [_keep_nifti(folder, "heart", "Heart at ED and ES", beat, spacing, beat[0, 3])]


def _draw_abdomen(folder: Path, size: int | None) -> list[Example]:
    from hf_mri.data.phantoms.uw_madison import FIELD_MM, SIZE, draw_abdomen

    size = size or SIZE
    slices, _ = draw_abdomen(np.random.default_rng(SEED), size, 24)
    spacing = (FIELD_MM / size, FIELD_MM / size, 3.0)
    return [_keep_nifti(folder, "abdomen", "Abdomen", slices, spacing, slices[len(slices) // 2])]


def _keep_nifti(
    folder: Path, name: str, title: str, slices: np.ndarray, spacing: tuple[float, float, float], shown: np.ndarray
) -> Example:
    """Write slices (S, H, W), or (T, S, H, W) of a cine, as a NIfTI that knows how they lie and how large they are."""
    import nibabel

    row, column, step = spacing
    image = nibabel.Nifti1Image(slices.astype(np.int16).T, np.diag([-column, -row, step, 1.0]))
    path = folder / f"{name}.nii.gz"
    nibabel.save(image, path)
    return Example(name, title, path, _picture(folder, name, shown))


def _picture(folder: Path, name: str, gray: np.ndarray) -> Path:
    from hf_mri.reports.display import window_volume

    path = folder / f"{name}-button.png"
    Image.fromarray(window_volume(gray[None, ..., None])[0]).save(path)
    return path
