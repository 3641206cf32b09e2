"""The networks that a user would pick instead, with random weights, and the forms in which they run fastest."""

from collections.abc import Callable
from importlib.util import find_spec

import torch
from torch import Tensor, nn

Answer = Callable[[Tensor], Tensor]  # pixels (B, 3, H, W) in 0..1 to logits (B, 1, H, W)


class PaperUnet(nn.Module):
    """The U-Net of Buda et al. (2019) for the LGG patients: 32 to 512 channels, batch norms, 7.8 M parameters."""

    def __init__(self, labels: int = 1, channels: int = 3, width: int = 32):
        super().__init__()
        widths = [width * 2**level for level in range(5)]
        self.down = nn.ModuleList(map(double, [channels, *widths], widths))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(2 * size, size, kernel_size=2, stride=2) for size in reversed(widths[:-1])
        )
        self.merge = nn.ModuleList(double(2 * size, size) for size in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, labels, kernel_size=1)

    def forward(self, pixels: Tensor) -> Tensor:
        kept = []
        for level, block in enumerate(self.down):
            pixels = block(pixels if level == 0 else nn.functional.max_pool2d(pixels, 2))
            kept.append(pixels)
        kept.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            pixels = merge(torch.cat([up(pixels), kept.pop()], dim=1))
        return self.head(pixels)


def double(inside: int, outside: int) -> nn.Sequential:
    """Two convolutions with batch norm."""
    layers = []
    for size in (inside, outside):
        layers += [nn.Conv2d(size, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class SegformerLogits(nn.Module):
    """SegFormer-B0 as a plain network: its logits, enlarged to the slice."""

    def __init__(self):
        super().__init__()
        from transformers import SegformerConfig, SegformerForSemanticSegmentation

        config = SegformerConfig(id2label={0: "background", 1: "tumor"}, label2id={"background": 0, "tumor": 1})
        self.model = SegformerForSemanticSegmentation(config)

    def forward(self, pixels: Tensor) -> Tensor:
        logits = self.model(pixel_values=pixels).logits
        logits = nn.functional.interpolate(logits, size=pixels.shape[-2:], mode="bilinear", align_corners=False)
        return logits[:, 1:] - logits[:, :1]


def make_smp_unet(encoder: str, labels: int = 1, channels: int = 3) -> nn.Module:
    """segmentation_models_pytorch's Unet."""
    from segmentation_models_pytorch import Unet

    return Unet(encoder, encoder_weights=None, in_channels=channels, classes=labels)


def make_monai_unet() -> nn.Module:
    """MONAI's UNet with the widths of its examples."""
    from monai.networks.nets import UNet

    return UNet(2, 3, 1, channels=(16, 32, 64, 128, 256), strides=(2, 2, 2, 2), num_res_units=2)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "smp Unet resnet34": lambda: make_smp_unet("resnet34"),
    "smp Unet mobilenet_v2": lambda: make_smp_unet("mobilenet_v2"),
    "transformers SegFormer-B0": SegformerLogits,
    "MONAI UNet": make_monai_unet,
    "U-Net of the LGG paper": PaperUnet,
}


def is_installed(name: str) -> bool:
    """Whether the library that a network comes from is there."""
    module = {"smp": "segmentation_models_pytorch", "MONAI": "monai"}.get(name.split()[0])
    return module is None or find_spec(module) is not None


def make_network(name: str) -> nn.Module:
    """A network with the same random weights every time."""
    torch.manual_seed(0)
    return NETWORKS[name]().eval()


def prepare(network: nn.Module, form: str, size: int) -> Answer:
    """Bring a network into one of the forms `fp32`, `bf16`, `compiled`, `OpenVINO f32`, `OpenVINO bf16`."""
    if form.startswith("OpenVINO"):
        return to_openvino(network, form.split()[1], size)
    if form == "fp32":
        return torch.inference_mode()(network)
    network = network.to(memory_format=torch.channels_last)
    forward = torch.compile(network) if form == "compiled" else network

    def answer(pixels: Tensor) -> Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return forward(pixels.contiguous(memory_format=torch.channels_last)).float()

    return answer


def to_openvino(network: nn.Module, precision: str, size: int) -> Answer:
    """Convert and compile a network; each slice goes through alone, one on every core, which is OpenVINO's fastest."""
    from hf_mri.modeling.mri_engine_openvino import load_library

    openvino = load_library()
    with torch.no_grad():
        graph = openvino.convert_model(torch.export.export(network, (torch.zeros(1, 3, size, size),)))
    threads = torch.get_num_threads()
    settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": threads}
    compiled = openvino.Core().compile_model(graph, "CPU", settings)
    queue = openvino.AsyncInferQueue(compiled, threads)

    def answer(pixels: Tensor) -> Tensor:
        logits = torch.empty(len(pixels), 1, size, size)

        def keep(request, index: int) -> None:
            logits[index] = torch.from_numpy(request.get_output_tensor(0).data[0])

        queue.set_callback(keep)
        for index, page in enumerate(pixels):
            queue.start_async([page[None].numpy()], index)
        queue.wait_all()
        return logits

    return answer
