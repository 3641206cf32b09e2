"""What this machine can do: versions, processor, engines and their speed, and what is missing."""

import os
import platform
from importlib.metadata import PackageNotFoundError, requires, version

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hf_mri.commands.extras import OPTIONAL, find_missing, pip_line

CORE = (
    "hf_mri",
    "torch",
    "torchvision",
    "transformers",
    "timm",
    "huggingface_hub",
    "fsspec",
    "safetensors",
    "numpy",
    "pillow",
    "scipy",
    "jinja2",
    "rich",
    "typer",
)


def run_doctor(model: str | None = None) -> None:
    """Print what was found; with a model, time it on each engine that works here."""
    console = Console(highlight=False)
    console.print(_machine_table())
    console.print(_library_table())
    if model is not None:
        console.print(_engine_table(model))


def time_model(model: str, slices: int = 32) -> list[dict]:
    """Milliseconds a slice of each engine and precision that works here, on random pixels.

    Returns:
        `engine`, `precision` and `gate_ms`, `segment_ms`; or `engine` and `problem`, in words.
    """
    import torch

    from hf_mri.export.checks import time_engines
    from hf_mri.export.inputs import Slices
    from hf_mri.modeling.mri_engine import TorchEngine
    from hf_mri.modeling.mri_engine_openvino import load_openvino_engine, read_export
    from hf_mri.modeling.mri_reader import Reader, find_folder

    reader = Reader.from_pretrained(model, engine="torch")
    network, folder = reader.engine.model, find_folder(model)
    engines, problems = [reader.engine], []
    if reader.engine.precision != "float32":
        engines.append(TorchEngine(network, "float32"))
    record = read_export(folder)
    if record is None:
        problems.append({"engine": "openvino", "problem": f"not exported: hf-mri export {model} --format openvino"})
    else:
        for precision in dict.fromkeys(entry["precision"] for entry in record["exports"]):
            try:
                engines.append(load_openvino_engine(network, folder, precision))
            except (ValueError, ImportError) as error:
                problems.append({"engine": f"openvino {precision}", "problem": str(error)})
    processor = reader.processor
    size = processor.size or {"height": network.config.image_size, "width": network.config.image_size}
    channels = processor.num_channels * (2 * processor.neighbors + 1)
    pixels = torch.rand(slices, channels, size["height"], size["width"])
    return time_engines(engines, Slices(pixels, pixels, 1.0)) + problems


def _machine_table() -> Table:
    import torch

    from hf_mri.modeling.mri_engine import has_fast_bfloat16

    table = Table(title="Machine", show_header=False, title_justify="left")
    table.add_row("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    table.add_row("CPU", f"{os.cpu_count()} cores, PyTorch uses {torch.get_num_threads()}")
    table.add_row("AMX (fast bf16 and int8)", "yes" if has_fast_bfloat16() else "no")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(index)
            table.add_row(f"GPU {index}", f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB")
    elif torch.backends.mps.is_available():
        table.add_row("GPU", 'Apple (MPS): trained on; read on only by device="mps", no figure was measured on it')
    else:
        table.add_row("GPU", "none: everything works, training is slower")
    return table


def _library_table() -> Table:
    table = Table("library", "version", "for", title="Libraries", title_justify="left")
    floors = _floors()
    for name in CORE:
        table.add_row(name, _version(name), f"always; at least {floors[name]}" if name in floors else "always")
    missing = find_missing()
    for name, _, purpose, extra in OPTIONAL:
        if name in missing.get(extra, []):
            table.add_row(name, "[red]missing[/red]", escape(f"{purpose}: {pip_line(extra)}"))
        else:
            table.add_row(name, _version(name), purpose)
    return table


def _engine_table(model: str) -> Table:
    table = Table("engine", "precision", "gate, ms a slice", "segmenter, ms a slice", title=f"Engines on {model}")
    for entry in time_model(model):
        if "problem" in entry:
            table.add_row(entry["engine"], entry["problem"], "", "")
        else:
            times = (f"{entry[key]:.2f}" if entry[key] >= 0.01 else "-" for key in ("gate_ms", "segment_ms"))
            table.add_row(entry["engine"], entry["precision"], *times)
    return table


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _floors() -> dict[str, str]:
    """The oldest versions that were tried, as the package's own metadata says."""
    from packaging.requirements import Requirement

    floors = {}
    for line in requires("hf_mri") or []:
        requirement = Requirement(line)
        if requirement.marker is not None:
            continue  # of an extra
        floors[requirement.name.replace("-", "_")] = str(requirement.specifier).removeprefix(">=")
    return floors
