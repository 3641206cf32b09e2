"""OpenVINO's side of the engine: exported graphs, in the precision that was chosen when they were exported.

Beside the weights, `export.json` says which graphs there are, how far they are from the model, and which engine and
precision was fastest; `graphs/` holds the graphs `gate` and `segmenter`. They are not in a folder `openvino/`, which
would be taken for the library where the model's own folder is on `sys.path`.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from .mri_contracts import ExportRecord
from .mri_engine import DTYPES, TorchEngine, has_fast_bfloat16
from .mri_model_folder import hash_weights

logger = logging.getLogger(__name__)

RECORD = "export.json"
GRAPHS = "graphs"
STAGES = ("gate", "segmenter")
HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "bf16"}  # what is not int8 in an int8 graph runs in bf16


class OpenVinoEngine:
    """Runs exported graphs on the CPU; sizes that the graphs do not take go through PyTorch."""

    name = "openvino"
    device = "cpu"

    def __init__(self, model: PreTrainedModel, graphs: dict[str, Path], precision: str):
        self.model, self.precision = model, precision
        self.gate = self._runner(graphs.get("gate"), model.gate, "gate")
        self.segment = self._runner(graphs.get("segmenter"), model.segmenter, "segment")

    @cached_property
    def fallback(self) -> TorchEngine:
        """PyTorch's engine, which takes any size."""
        return TorchEngine(self.model, "float32" if self.precision == "float32" else "auto")

    def _runner(self, path: Path | None, network: PreTrainedModel | None, stage: str) -> Any:
        if path is None:
            return None
        graph = Graph(path, self.precision, side_multiple(network))
        return lambda pixels: graph(pixels) if graph.takes(pixels[0]) else getattr(self.fallback, stage)(pixels)


class Graph:
    """One compiled network; several threads may call it.

    Each slice goes through alone, one on every core: that is faster than a batch over all cores (a slice stays in the
    core's cache, and no core waits for another), and slices need not be copied together.
    """

    def __init__(self, path: Path, precision: str, multiple: int):
        threads = torch.get_num_threads()
        settings = {
            "INFERENCE_PRECISION_HINT": HINTS[precision] if has_fast_bfloat16() else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": threads,
        }
        core = load_library().Core()
        if os.name == "nt":  # which neither replaces nor removes a file that is mapped
            core.set_property({"ENABLE_MMAP": False})
        self.compiled = core.compile_model(path, "CPU", settings)
        self.multiple = multiple
        self.shape = self.compiled.input(0).partial_shape
        self.idle: list[Any] = []  # requests between two calls

    def takes(self, pixels: Tensor) -> bool:
        """Whether the graph was exported for slices of this size."""
        for given, wanted in zip(pixels.shape[-2:], list(self.shape)[-2:], strict=True):
            fits = given % self.multiple == 0 and given > self.multiple if wanted.is_dynamic else given == len(wanted)
            if not fits:
                return False
        return True

    def __call__(self, pixel_values: Sequence[Tensor]) -> Tensor:
        """Map slices (C, H, W) to the network's logits (B, …), float32."""
        requests = [self._start(pixels) for pixels in pixel_values]
        outputs = []
        for request in requests:
            request.wait()
            outputs.append(torch.from_numpy(request.get_output_tensor(0).data.copy()))
            self.idle.append(request)
        return torch.cat(outputs)

    def _start(self, pixels: Tensor) -> Any:
        """Queue one slice without copying it; the streams take it in turn."""
        request = self.idle.pop() if self.idle else self.compiled.create_infer_request()
        request.start_async([pixels.detach().float().contiguous().numpy()[None]], share_inputs=True)
        return request


def load_openvino_engine(
    model: PreTrainedModel, folder: str | Path | None, precision: str | torch.dtype = "auto"
) -> OpenVinoEngine:
    """Load the graphs that `hf-mri export` put beside a model.

    Args:
        model: whose graphs they are.
        folder: where the model came from.
        precision: "auto" takes the precision that was fastest at export; or "float32", "bfloat16", "int8".

    Raises:
        ImportError: OpenVINO is missing.
        ValueError: there are no graphs of these weights.
    """
    record = read_export(folder)
    name = model.config.name_or_path or folder or "FOLDER"  # as the user gave it, not its place in a cache
    if record is None or folder is None:
        raise ValueError(
            f"{name}: has no exported graphs; make them with `hf-mri export {name} --format openvino`, "
            "for a model on the Hub with --output FOLDER"
        )
    if record["weights"] != hash_weights(folder):
        raise ValueError(f"{name}: the graphs were exported from other weights; run `hf-mri export {name}` again")
    return open_graphs(model, folder, record, precision)


def open_graphs(
    model: PreTrainedModel, folder: str | Path, record: ExportRecord, precision: str | torch.dtype = "auto"
) -> OpenVinoEngine:
    """Load the graphs of a record that belongs to the model's weights."""
    exports = {(entry["format"], entry["precision"]): entry for entry in record["exports"]}
    wanted = _precision_name(precision)
    if wanted == "auto":
        choice = record["choice"]
        chosen = choice["precision"] if choice["engine"] == "openvino" else None
        wanted = chosen or record["exports"][0]["precision"]
    for kind in ("openvino", "onnx"):
        if (kind, wanted) in exports:
            files = exports[kind, wanted]["files"]
            return OpenVinoEngine(model, {stage: Path(folder) / name for stage, name in files.items()}, wanted)
    raise ValueError(
        f"{folder}: not exported in {wanted}; there are: {', '.join(name for _, name in sorted(exports))}"
    )


def find_preferred_graphs(
    model: PreTrainedModel, folder: str | Path | None, precision: str | torch.dtype = "auto"
) -> ExportRecord | None:
    """The record of a model's graphs where OpenVINO was the fastest at export (a stored choice) and can run here."""
    if model.device.type != "cpu" or precision != "auto":
        return None
    record = read_export(folder)
    if record is None or folder is None or record["choice"]["engine"] != "openvino" or not has_library():
        return None
    if record["weights"] != hash_weights(folder):
        logger.warning("%s: the exported graphs belong to other weights and are not used", folder)
        return None
    return record


def has_library() -> bool:
    """Whether OpenVINO itself is installed: a folder of that name on `sys.path` has no origin."""
    found = find_spec("openvino")
    return found is not None and found.origin is not None


def load_library() -> Any:
    """Import OpenVINO, and not before it is needed."""
    if not has_library():
        raise ImportError('engine "openvino" needs OpenVINO: pip install "hf_mri[export]"')
    # Its tools report their use over the network where they find this module; nobody who reads scans asked for that.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        import openvino
    except ImportError as error:
        raise ImportError(f'OpenVINO cannot be loaded ({error}): pip install --upgrade "hf_mri[export]"') from error
    return openvino


def side_multiple(network: PreTrainedModel) -> int:
    """What divides the height and width that the graph of a convolutional network takes."""
    return math.lcm(32, network.stride)


def read_export(folder: str | Path | None) -> ExportRecord | None:
    """What `hf-mri export` wrote about a model's graphs; None where there are none."""
    path = None if folder is None else Path(folder) / RECORD
    return json.loads(path.read_text(encoding="utf-8")) if path is not None and path.is_file() else None


def _precision_name(precision: str | torch.dtype) -> str:
    return str(DTYPES.get(precision, precision)).removeprefix("torch.")
