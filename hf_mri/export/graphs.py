"""From PyTorch to graphs: one for the gate, one for the segmenter, with any batch, height and width."""

import logging
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from hf_mri.export.inputs import Slices
from hf_mri.modeling.engine_mri import stages_of
from hf_mri.modeling.engine_openvino_mri import SIDE_MULTIPLE, STAGES

ENDINGS = {"openvino": "xml", "onnx": "onnx"}
FORMATS = tuple(ENDINGS)
LARGEST_SIDE = 4096
LARGEST_BATCH = 4096


class Logits(nn.Module):
    """One network of a model: tensor in, tensor out."""

    def __init__(self, network: PreTrainedModel):
        super().__init__()
        self.network = network

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Map (B, C, H, W) to the network's logits."""
        return self.network(pixel_values=pixel_values).logits


def require_libraries(kind: str, int8: bool) -> None:
    """Raise ImportError where a library for this export is missing."""
    needed = [
        "openvino",
        *(["onnx", "onnxscript", "onnxruntime"] if kind == "onnx" else []),
        *(["nncf"] if int8 else []),
    ]
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise ImportError(f'export needs {", ".join(missing)}: pip install "hf_mri[export]"')


def convert_stages(model: PreTrainedModel, kind: str, folder: Path, slices: Slices) -> dict[str, Path]:
    """Write `gate` and `segmenter`, those that the model has.

    Returns:
        The graph's file by stage.
    """
    paths = {}
    for stage, network in zip(STAGES, stages_of(model), strict=True):
        if network is not None:
            paths[stage] = folder / f"{stage}.{ENDINGS[kind]}"
            _convert(Logits(network).eval(), kind, paths[stage], slices.gate[:2], network.fixed_size is not None)
    return paths


def _convert(network: nn.Module, kind: str, path: Path, example: Tensor, fixed_size: bool) -> None:
    batch = torch.export.Dim("batch", max=LARGEST_BATCH)
    axes = {0: batch}
    if not fixed_size:
        # The levels of a U-Net halve the size five times; sizes that divide evenly need no cases in the graph.
        axes[2] = SIDE_MULTIPLE * torch.export.Dim("rows", max=LARGEST_SIDE // SIDE_MULTIPLE)
        axes[3] = SIDE_MULTIPLE * torch.export.Dim("columns", max=LARGEST_SIDE // SIDE_MULTIPLE)
    if len(example) == 1:
        example = torch.cat([example, example])
    with torch.no_grad():
        program = torch.export.export(network, (example,), dynamic_shapes=(axes,))
    if kind == "onnx":
        exported = torch.onnx.export(
            program, input_names=["pixel_values"], output_names=["logits"], dynamo=True, verbose=False
        )
        exported.save(path)
        return
    import openvino

    graph = openvino.convert_model(program)
    graph.output(0).set_names({"logits"})
    openvino.save_model(graph, path, compress_to_fp16=True)


def quantize_graphs(graphs: dict[str, Path], kind: str, slices: Slices) -> dict[str, Path]:
    """Write 8-bit versions beside the graphs, calibrated on slices: the segmenter on those that reach it."""
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    quantized = {}
    for stage, path in graphs.items():
        pixels = [page.numpy()[np.newaxis] for page in (slices.gate if stage == "gate" else slices.segment)]
        quantized[stage] = path.with_name(f"{stage}_int8{path.suffix}")
        if kind == "onnx":
            import onnx

            data = nncf.Dataset([{"pixel_values": page} for page in pixels])
            onnx.save(nncf.quantize(onnx.load(path), data, subset_size=len(pixels)), quantized[stage])
        else:
            import openvino

            graph = nncf.quantize(openvino.Core().read_model(path), nncf.Dataset(pixels), subset_size=len(pixels))
            openvino.save_model(graph, quantized[stage], compress_to_fp16=True)
    return quantized
