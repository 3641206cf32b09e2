"""The page's API, for gradio_client and plain HTTP: named endpoints that keep nothing."""

import gradio as gr

from hf_mri.page.batcher import Desk
from hf_mri.page.downloads import KINDS, pack
from hf_mri.page.models import Bundle
from hf_mri.page.tools import add_tools
from hf_mri.page.uploads import read_upload
from hf_mri.page.visitors import Uploads, visitor_of

OWN = -1  # "the model's own threshold", since an endpoint's numbers are never empty


def add_endpoints(bundles: list[Bundle], desks: dict[str, Desk], uploads: Uploads) -> None:
    """Add /models, /read and /write to the page, out of sight, and the tools for assistants."""
    by_name = {bundle.name: bundle for bundle in bundles}
    first = bundles[0].name

    def models() -> list[dict]:
        """List the models of this page: name, labels, channels, thresholds, and version."""
        return [describe(bundle) for bundle in bundles]

    def answer(request, files, model, *numbers):
        *spacing, scan, mask_threshold, gate_threshold = numbers
        try:
            check_threshold("mask_threshold", mask_threshold)
            check_threshold("gate_threshold", gate_threshold)
            uploads.check(files or [], visitor_of(request))
            number = int(scan) - 1 if scan else None
            reading = desks[model].read(read_upload(by_name[model].reader, files or [], spacing, number))
            if gate_threshold not in (None, OWN):
                reading = desks[model].look_further(reading, gate_threshold)
            return reading if mask_threshold in (None, OWN) else reading.at(mask_threshold=mask_threshold)
        except (ValueError, RuntimeError) as error:
            raise gr.Error(str(error), print_exception=False) from None

    def read(files, model, row_mm, column_mm, slice_mm, scan, mask_threshold, gate_threshold, request: gr.Request):
        return answer(
            request, files, model, row_mm, column_mm, slice_mm, scan, mask_threshold, gate_threshold
        ).to_dict()

    def write(
        files, kind, model, row_mm, column_mm, slice_mm, scan, mask_threshold, gate_threshold, request: gr.Request
    ):
        reading = answer(request, files, model, row_mm, column_mm, slice_mm, scan, mask_threshold, gate_threshold)
        path = pack(reading, kind)
        uploads.record(path, visitor_of(request))
        return path

    gr.api(models, api_name="models", queue=False)
    add_tools(bundles, desks, describe)
    with gr.Column(visible=False):
        files = gr.File(
            label="One file, or the slices of one scan (PNG, JPEG, TIFF, NIfTI, DICOM, zip)", file_count="multiple"
        )
        kind = gr.Dropdown(list(KINDS), value="masks", label="What to write")
        options = [
            gr.Dropdown(list(by_name), value=first, label="Name of the model, as /models lists it"),
            *(
                gr.Number(0, label=f"Millimeters between {axis}, 0 where the file says it")
                for axis in ("rows", "columns", "slices")
            ),
            gr.Number(0, label="Of several scans in the files the one to read, counted from 1; 0 where there is one"),
            *(
                gr.Number(OWN, label=f"{name}, -1 for the model's own")
                for name in ("mask_threshold", "gate_threshold")
            ),
        ]
        gr.Button().click(
            read,
            [files, *options],
            gr.JSON(label="The reading: probability, stage and regions by slice, volumes"),
            api_name="read",
            concurrency_limit=16,
            api_description="Read one scan. Returns the reading as JSON: for each slice the probability, the deciding "
            "stage and the outlined regions (area, box); for each volume the size in mL; a heart's EDV, ESV and EF.",
        )
        gr.Button().click(
            write,
            [files, kind, *options],
            gr.File(label="One file, or a zip of several"),
            api_name="write",
            concurrency_limit=16,
            api_description="Read one scan and return a file: masks (PNG, NIfTI), run-lengths, HTML report, JSON, "
            "or `pairs`: images with masks as `hf-mri data import folder` takes them.",
        )


def check_threshold(name: str, value: float | None) -> None:
    """Refuse what is no probability."""
    if value not in (None, OWN) and not 0 <= value <= 1:
        raise ValueError(f"{name} {value:g}: must lie between 0 and 1, or be {OWN} for the model's own.")


def describe(bundle: Bundle) -> dict:
    """Return what a caller of the API needs to know about a model."""
    config = bundle.reader.config
    names = ("gate_threshold", "slice_threshold", "mask_threshold", "smallest_lesion", "temperature", "mask_weight")
    return {
        "name": bundle.name,
        "kind": bundle.task.name,
        "labels": [label for label in config.id2label.values() if label != "background"],
        "channels": list(bundle.channels),
        "thresholds": {name: getattr(config, name) for name in names if hasattr(config, name)},
    }
