"""From PyTorch to graphs: one for the gate, one for the segmenter, with any batch, height and width."""

import copy
import logging
import tempfile
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from timm.layers import Conv2dSame
from torch import Tensor, nn
from transformers import PreTrainedModel

from hf_mri.export.inputs import Slices
from hf_mri.modeling.mri_engine_openvino import STAGES, load_library, side_multiple

ENDINGS = {"openvino": "xml", "onnx": "onnx"}
FORMATS = tuple(ENDINGS)
# The first convolutions see the finest differences of intensity: in 16 bits they alone make nearly all the difference
# between a network's answers in bfloat16 and in float32. Kept in float32, they cost an eighth of the time.
EXACT_CONVOLUTIONS = 6
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


def convert_stages(
    model: PreTrainedModel, kind: str, folder: Path, slices: Slices, half: bool = True
) -> dict[str, Path]:
    """Write `gate` and `segmenter`, those that the model has.

    Args:
        half: store an OpenVINO graph's weights in 16 bits; it computes in 32 all the same.

    Returns:
        The graph's file by stage.
    """
    paths = {}
    for stage, network in zip(STAGES, (model.gate, model.segmenter), strict=True):
        if network is not None:
            paths[stage] = folder / f"{stage}.{ENDINGS[kind]}"
            multiple = None if network.fixed_size else side_multiple(network)
            _convert(Logits(with_plain_padding(network)).eval(), kind, paths[stage], slices.gate[:2], multiple, half)
    return paths


def with_plain_padding(network: PreTrainedModel) -> PreTrainedModel:
    """A copy whose "same" convolutions pad by fixed numbers, as they do for sides that divide evenly at every level.

    timm works the padding out from the side, which costs `torch.export` minutes of algebra for sides without a number.
    """
    network = copy.deepcopy(network)
    for name, module in list(network.named_modules()):
        if isinstance(module, Conv2dSame):
            plain = nn.Conv2d(
                module.in_channels,
                module.out_channels,
                module.kernel_size,
                module.stride,
                dilation=module.dilation,
                groups=module.groups,
                bias=module.bias is not None,
            )
            plain.load_state_dict(module.state_dict())
            network.set_submodule(name, nn.Sequential(nn.ZeroPad2d(_even_padding(module)), plain))
    return network


def _even_padding(convolution: nn.Conv2d) -> tuple[int, int, int, int]:
    """Zeros left, right, above and below where the stride divides the sides; an odd one comes last."""
    padding = []
    for axis in (1, 0):
        reach = convolution.dilation[axis] * (convolution.kernel_size[axis] - 1) + 1
        total = max(reach - convolution.stride[axis], 0)
        padding += [total // 2, total - total // 2]
    return tuple(padding)


def _convert(network: nn.Module, kind: str, path: Path, example: Tensor, multiple: int | None, half: bool) -> None:
    batch = torch.export.Dim("batch", max=LARGEST_BATCH)
    axes = {0: batch}
    if multiple:
        # Sides that every level halves evenly need no cases in the graph.
        axes[2] = multiple * torch.export.Dim("rows", max=LARGEST_SIDE // multiple)
        axes[3] = multiple * torch.export.Dim("columns", max=LARGEST_SIDE // multiple)
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
    openvino = load_library()
    graph = openvino.convert_model(program)
    graph.output(0).set_names({"logits"})
    with tempfile.TemporaryDirectory() as aside:
        full = Path(aside) / path.name
        openvino.save_model(graph, full, compress_to_fp16=False)
        keep_exact(full, EXACT_CONVOLUTIONS)
        openvino.save_model(openvino.Core().read_model(full), path, compress_to_fp16=half)


def keep_exact(path: Path, convolutions: int) -> None:
    """Mark the start of a saved OpenVINO graph, to the last of so many convolutions, as what runs in float32 always.

    The mark goes into the file: OpenVINO reads it, but its Python interface cannot set it.
    """
    tree = ElementTree.parse(path)
    seen = 0
    for layer in tree.getroot().find("layers"):  # in the order of computation
        seen += layer.get("type") in ("Convolution", "GroupConvolution")
        if seen > convolutions:
            break
        if layer.get("type") == "Parameter":
            continue
        attributes = layer.find("rt_info")
        if attributes is None:
            attributes = ElementTree.Element("rt_info")
            layer.insert(0 if layer.find("data") is None else 1, attributes)
        ElementTree.SubElement(attributes, "attribute", name="precise", version="0")
    tree.write(path)


def quantize_graphs(graphs: dict[str, Path], kind: str, slices: Slices) -> dict[str, Path]:
    """Write 8-bit versions beside the graphs, calibrated on slices: the segmenter on those that reach it."""
    openvino = load_library()  # before NNCF, which would report its use as well
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
            graph = nncf.quantize(openvino.Core().read_model(path), nncf.Dataset(pixels), subset_size=len(pixels))
            openvino.save_model(graph, quantized[stage], compress_to_fp16=True)
    return quantized
