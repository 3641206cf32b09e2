"""What an assistant can call (MCP): a list of the models, and a reading of a scan that comes with the call.

A scan comes as bytes and not as an address, or the page would fetch whatever address a stranger names; and not as the
place of an upload, since an assistant keeps no cookie that would tell whose that is.
"""

import base64
import binascii
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import gradio as gr

from hf_mri.page.batcher import Desk
from hf_mri.page.models import Bundle
from hf_mri.page.uploads import read_upload
from hf_mri.reports.headline import write_headline

TOOLS = ("list_models", "read_scan")  # endpoints; the others take uploads


def add_tools(bundles: list[Bundle], desks: dict[str, Desk], describe: Callable[[Bundle], dict]) -> None:
    """Add the tools to the page. They answer with JSON as text, since Gradio would write Python's own form."""
    by_name = {bundle.name: bundle for bundle in bundles}

    def list_models() -> str:
        """List the models of this page: name, organ, labels, channels and thresholds."""
        return json.dumps([describe(bundle) for bundle in bundles])

    def read_scan(
        file_name: str, content: str, model: str = "", row_mm: float = 0, column_mm: float = 0, slice_mm: float = 0
    ) -> str:
        """Read one MR scan: outline and measure what the model looks for. For research and teaching only.

        The answer begins with a doubt where the scan is not of the kind that the model was trained on.

        Args:
            file_name: Name with ending: .nii.gz, .nii, .dcm, .png, .jpg, .tif, or .zip with the slices of one scan
            content: The file's bytes in base64
            model: A model's name as `list_models` lists it; empty for the first
            row_mm: Millimeters between rows of pixels; 0 where the file says it
            column_mm: Millimeters between columns of pixels; 0 where the file says it
            slice_mm: Millimeters between slices; 0 where the file says it
        """
        try:
            bundle = find_bundle(by_name, model)
            with tempfile.TemporaryDirectory(prefix="tool-") as folder:
                path = Path(folder, Path(file_name.replace("\\", "/")).name or "scan")
                path.write_bytes(decode(content))
                scan = read_upload(bundle.reader, [str(path)], (row_mm, column_mm, slice_mm))
            return json.dumps(summarize(desks[bundle.name].read(scan).to_dict()))
        except (ValueError, RuntimeError) as error:
            raise gr.Error(str(error), print_exception=False) from None

    for tool in (list_models, read_scan):
        gr.api(tool, api_name=tool.__name__, queue=False)


def find_bundle(by_name: dict[str, Bundle], name: str) -> Bundle:
    """Return a model by its name, the first one where none is named."""
    if name and name not in by_name:
        raise ValueError(f"There is no model {name!r} here: name one of {', '.join(by_name)}.")
    return by_name[name] if name else next(iter(by_name.values()))


def decode(content: str) -> bytes:
    """Return the bytes; a data address (`data:…;base64,…`), as some assistants write it, is taken as well."""
    try:
        return base64.b64decode(content.rpartition("base64,")[2], validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("`content` is not base64: encode the file's bytes, without line breaks.") from None


def summarize(facts: dict) -> dict:
    """Return of a reading what fits into a conversation: the sentence first, of the slices only those that count."""
    slices = [
        {"slice": row["index"] + 1, "phase": row["phase"] + 1, "probability": row["probability"], **row["regions"]}
        for row in facts["slices"]
        if row["positive"]
    ]
    kept = ("doubts", "warnings", "confidence", "model", "labels", "spacing_mm", "volumes")
    return {
        "answer": write_headline(facts),
        "use": "For research and teaching only, not a medical device: never base a decision about a patient on it.",
        **{key: facts[key] for key in kept},
        "slices_read": len(facts["slices"]),
        "positive_slices": slices,
    }


def offer_only_tools(server) -> None:
    """Take from Gradio's MCP server all endpoints but `TOOLS`."""
    server.tool_to_endpoint = {
        tool: endpoint for tool, endpoint in server.tool_to_endpoint.items() if endpoint.lstrip("/") in TOOLS
    }
