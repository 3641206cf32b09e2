"""Write a model's graphs beside its weights, checked against it, with the fastest engine noted."""

import json
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hf_mri.export.checks import BOUNDS, compare_readings, describe_cpu, time_engines, within_bounds
from hf_mri.export.graphs import FORMATS, convert_stages, quantize_graphs, require_libraries
from hf_mri.export.inputs import choose_slices, load_inputs
from hf_mri.modeling.engine_mri import TorchEngine, has_fast_bfloat16
from hf_mri.modeling.engine_openvino_mri import RECORD, WEIGHTS, OpenVinoEngine, hash_weights, read_export
from hf_mri.modeling.reader_mri import Reader
from hf_mri.modeling.reading_mri import replace_file

logger = logging.getLogger(__name__)


def export_model(
    model: str | Path, kind: str = "openvino", int8: bool = False, data: str | Path | None = None
) -> dict[str, Any]:
    """Write `openvino/` or `onnx/` into a bundle, and `export.json` that says what they are worth.

    Every precision is compared with the model in float32 on the same scans; beyond its bound nothing is written. The
    engines are timed once, and the fastest is what `--engine auto` takes from then on.

    Args:
        model: Folder of a bundle.
        kind: "openvino" or "onnx".
        int8: Quantize to 8 bits as well, calibrated on the scans.
        data: Imported data set whose validation patients are read; phantoms without it.

    Returns:
        What `export.json` holds.

    Raises:
        ValueError: the graphs differ from the model by more than the bound of their precision.
    """
    folder = Path(model)
    if kind not in FORMATS:
        raise ValueError(f"--format {kind}: choose {' or '.join(FORMATS)}")
    if not (folder / WEIGHTS).is_file():
        raise ValueError(f"{model}: no folder with {WEIGHTS}; a model on the Hub is fetched by `hf download`")
    require_libraries(kind, int8)
    reader = Reader.from_pretrained(folder, device="cpu", engine="torch", dtype="float32")
    network = reader.engine.model
    inputs = load_inputs(reader, data)
    expected = list(reader.batch(inputs.scans))
    slices = choose_slices(reader, expected)
    entries, engines = [], [TorchEngine(network)]
    with tempfile.TemporaryDirectory(prefix=".export.", dir=folder) as aside:
        graphs = convert_stages(network, kind, Path(aside), slices)
        variants = {"float32": graphs} | ({"bfloat16": graphs} if has_fast_bfloat16() else {})
        if int8:
            variants["int8"] = quantize_graphs(graphs, kind, slices)
        for precision, paths in variants.items():
            engine = OpenVinoEngine(network, paths, precision)
            parity = compare_readings(reader, engine, expected)
            if not within_bounds(parity, precision):
                message = f"{precision} differs too much from the model: {parity}, allowed: {BOUNDS[precision]}"
                if precision != "bfloat16":  # which is not a file of its own, only a way to run it
                    raise ValueError(f"{model}: {message}; nothing was exported")
                logger.warning(message)
                continue
            files = {stage: f"{kind}/{path.name}" for stage, path in paths.items()}
            entries.append(
                {"format": kind, "precision": precision, "files": files, "parity": parity, "bound": BOUNDS[precision]}
            )
            engines.append(engine)
        timings = [entry | {"format": kind} for entry in time_engines(engines, slices)]
        timings[0]["format"] = None  # PyTorch
        replace_folder(Path(aside), folder / kind)
    record = merge_record(folder, kind, entries, timings)
    record["inputs"] = {
        "name": inputs.name,
        "scans": len(inputs.scans),
        "slices": sum(len(r.probability) for r in expected),
    }
    text = json.dumps(record, indent=1) + "\n"
    replace_file(folder / RECORD, lambda path: path.write_text(text, encoding="utf-8"))
    return record


def merge_record(folder: Path, kind: str, entries: list[dict], timings: list[dict]) -> dict[str, Any]:
    """Join this export with one of the other format of the same weights, and choose the fastest engine."""
    weights, earlier = hash_weights(folder), read_export(folder)
    if earlier is not None and earlier["weights"] == weights:
        entries = [entry for entry in earlier["exports"] if entry["format"] != kind] + entries
        timings = [entry for entry in earlier["timings"] if entry["format"] not in (kind, None)] + timings
    fastest = min(timings, key=lambda entry: entry["ms_a_slice"])
    choice = {name: fastest[name] for name in ("engine", "precision", "format")}
    return {"weights": weights, "choice": choice, "exports": entries, "timings": timings, "machine": describe_cpu()}


def replace_folder(aside: Path, place: Path) -> None:
    """Put the files of a folder in the place of an older export."""
    new = place.with_name(f".{place.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(aside, new)
    new.chmod(0o755)  # a temporary folder is the owner's alone
    shutil.rmtree(place, ignore_errors=True)
    os.replace(new, place)
