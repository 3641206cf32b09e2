"""Synthetic scans in a publisher's own layout, so that everything can be tried, and tested, without patients."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hf_mri.data.datasets_table import PHANTOMS
from hf_mri.data.importing import import_dataset
from hf_mri.data.phantoms.scan import find_phantom
from hf_mri.data.sources import PHANTOM_MARK
from hf_mri.modeling.mri_files import folder_aside


def draw_phantom(
    layout: str,
    dest: str | Path,
    *,
    patients: int = 4,
    seed: int = 0,
    size: int | None = None,
    slices: int | None = None,
) -> dict[str, Any]:
    """Draw patients and write them as the publisher of a layout would.

    Every patient depends only on the seed and its number: asking for more adds patients and changes none.

    Args:
        layout: one of `PHANTOMS`.
        dest: a new folder.
        patients: how many.
        seed: the same seed draws the same pixels.
        size: height and width in pixels; None is the publisher's.
        slices: of every volume; None is as many as patients have.

    Returns:
        The truth by patient, which `PHANTOM.json` holds as well: lesion or chamber volumes in mL, and so on.
    """
    if layout not in PHANTOMS:
        raise ValueError(f"no phantom is drawn in the layout {layout!r}; there are: {', '.join(PHANTOMS)}")
    if patients < 1:
        raise ValueError(f"--patients {patients}: draw at least one")
    if size is not None and size < 32:
        raise ValueError(f"--size {size}: anatomy needs at least 32 pixels")
    dest = Path(dest)
    if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise ValueError(f"{dest}: is there already; give a new folder")
    with folder_aside(dest) as folder:
        truth = find_phantom(layout).write_patients(folder, patients, seed, size, slices)
        about = {"layout": layout, "seed": seed, "size": size, "slices": slices, "truth": truth}
        (folder / PHANTOM_MARK).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return truth


def find_phantoms(folder: Path) -> list[Path]:
    """The scans in a folder that `draw_phantom` wrote."""
    volumes = sorted(folder.rglob("*_frame[0-9][0-9].nii.gz"))
    return volumes or sorted({path.parent for path in folder.rglob("*") if path.suffix in (".tif", ".png")})


def make_phantom(
    layout: str,
    dest: str | Path,
    *,
    patients: int = 4,
    seed: int = 0,
    size: int | None = 64,
    slices: int | None = 12,
    **options: Any,
) -> Path:
    """Draw a phantom and import it: a small data set in seconds, for tests and demos.

    `options` go to `import_dataset`.
    """
    with tempfile.TemporaryDirectory(prefix="hf_mri_phantom_") as source:
        folder = Path(source) / "phantom"
        draw_phantom(layout, folder, patients=patients, seed=seed, size=size, slices=slices)
        import_dataset(layout, folder, dest, **options)
    return Path(dest)
