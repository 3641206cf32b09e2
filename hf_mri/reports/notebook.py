"""A reading in a notebook: the answer, a montage and the measurements; or its volume in three planes, by NiiVue."""

import base64
import io
from html import escape
from importlib.util import find_spec
from typing import Any

import numpy as np

from hf_mri.modeling.mri_reading import Reading
from hf_mri.reports.display import find_window, label_colors, task_of
from hf_mri.reports.headline import write_finding, write_remark
from hf_mri.reports.measures_table import tabulate
from hf_mri.reports.pictures import draw_montage

HEIGHT = 480  # pixels


def write_html(reading: Reading) -> str:
    """Return what a notebook shows of a reading; a doubt comes before the finding."""
    facts = reading.to_dict()
    said = [f"Doubtful. {line}" for line in facts["doubts"]] + [write_finding(facts)] + facts["warnings"]
    said += [line for line in [write_remark(facts)] if line]
    first, *others = [f"<p>{escape(line)}</p>" for line in said]
    picture = "" if reading.scan is None else f'<img alt="All slices, outlined" src="{_embed_montage(reading)}">'
    return f"<div><b>{first}</b>{''.join(others)}{picture}{tabulate(facts)}</div>"


def show(reading: Reading) -> Any:
    """Return a widget to turn the volume in, where ipyniivue is installed; else the reading, which shows itself."""
    if find_spec("ipyniivue") is None or reading.scan is None or reading.scan.slices_per_phase < 2:
        return reading
    return make_widget(reading)


def make_widget(reading: Reading) -> Any:
    """Return scan and masks in three planes and 3-D; of a cine the first time point."""
    from ipyniivue import NiiVue, ShowRender, SliceType, Volume
    from ipyniivue.traits import LUT

    slices = reading.scan.slices[: reading.scan.slices_per_phase]
    gray = slices[..., task_of(reading).shown_channel(slices.shape[-1])]
    low, high = find_window(gray)
    colors = [int(color[at : at + 2], 16) for color in label_colors(list(reading.masks)).values() for at in (1, 3, 5)]
    lut = [0, 0, 0, 0, *(value for at in range(0, len(colors), 3) for value in (*colors[at : at + 3], 255))]
    count = len(reading.masks)
    numbers = np.zeros(gray.shape, np.uint8)
    for number, mask in enumerate(reading.masks.values(), 1):
        numbers[mask[: len(gray)]] = number
    widget = NiiVue(
        height=HEIGHT,
        slice_type=SliceType.MULTIPLANAR,
        multiplanar_show_render=ShowRender.ALWAYS,
        is_radiological_convention=True,
        is_orientation_text_visible=reading.geometry.affine is not None,
    )
    scan = Volume(data=_to_nifti(gray, reading), name="scan.nii", colormap="gray", cal_min=low, cal_max=high)
    found = Volume(data=_to_nifti(numbers, reading), name="found.nii", opacity=0.5, cal_min=0, cal_max=count)
    found.colormap_label = LUT(lut=lut, min=0, max=count, labels=["", *reading.masks])
    widget.volumes = [scan, found]
    return widget


def _to_nifti(slices: np.ndarray, reading: Reading) -> bytes:
    """Return slices (S, H, W) as a NIfTI file in the source's own voxel order."""
    import nibabel

    affine = reading.geometry.affine
    if affine is None:
        row, column, step = reading.spacing or (1.0, 1.0, 1.0)
        affine = np.diag([-column, -row, step or 1.0, 1.0])
    kept = slices if slices.dtype in (np.uint8, np.int16, np.uint16) else slices.astype(np.float32)
    return nibabel.Nifti1Image(reading.geometry.to_source(kept), affine).to_bytes()


def _embed_montage(reading: Reading) -> str:
    sink = io.BytesIO()
    draw_montage(reading, tile=128).save(sink, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(sink.getvalue()).decode()
