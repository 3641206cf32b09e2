"""Write a model's graphs beside its weights, checked against it, with the fastest engine noted."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download

from hf_mri.export.checks import BOUNDS, compare_readings, describe_cpu, describe_parity, time_engines, within_bounds
from hf_mri.export.graphs import FORMATS, convert_stages, quantize_graphs, require_libraries
from hf_mri.export.inputs import choose_slices, load_inputs
from hf_mri.hub.card import take_export
from hf_mri.modeling.mri_engine import TorchEngine, has_fast_bfloat16
from hf_mri.modeling.mri_engine_openvino import GRAPHS, RECORD, OpenVinoEngine, read_export
from hf_mri.modeling.mri_files import folder_aside, write_text
from hf_mri.modeling.mri_model_folder import WEIGHTS, hash_weights
from hf_mri.modeling.mri_reader import Reader, find_folder


def export_model(
    model: str | Path,
    kind: str = "openvino",
    int8: bool = False,
    data: str | Path | None = None,
    output: str | Path | None = None,
) -> dict[str, Any]:
    """Write `graphs/openvino/` or `graphs/onnx/` into a bundle, and `export.json` that says what they are worth.

    Every precision is compared with the model in float32 on the same scans. Beyond their bounds, float32 stops the
    export before anything is written, and the others are left out, which `export.json` says. The engines are timed
    once, and the fastest is what `--engine auto` takes from then on.

    Args:
        model: Folder of a bundle, or, with `output`, its name on the Hub.
        kind: "openvino" or "onnx".
        int8: Quantize to 8 bits as well, calibrated on the scans.
        data: Imported data set whose validation patients are read; phantoms without it.
        output: New folder that gets a copy of the model with its graphs; without it they go into the model's own.

    Returns:
        What `export.json` holds.

    Raises:
        ValueError: the graphs differ from the model by more than the bound of float32.
    """
    if kind not in FORMATS:
        raise ValueError(f"--format {kind}: choose {' or '.join(FORMATS)}")
    require_libraries(kind, int8)
    if output is not None:
        with copied_model(model, Path(output)) as copy:
            return _export_into(copy, kind, int8, data)
    if not (Path(model) / WEIGHTS).is_file():
        raise ValueError(f"{model}: no folder with {WEIGHTS}; for a model on the Hub, name a new folder as --output")
    return _export_into(Path(model), kind, int8, data)


def _export_into(folder: Path, kind: str, int8: bool, data: str | Path | None) -> dict[str, Any]:
    reader = Reader.from_pretrained(folder, device="cpu", engine="torch", precision="float32")
    network = reader.engine.model
    inputs = load_inputs(reader, data)
    expected = list(reader.batch(inputs.scans))
    slices = choose_slices(reader, expected)
    entries, left_out, engines = [], [], [TorchEngine(network)]
    with tempfile.TemporaryDirectory(prefix=".export.", dir=folder) as aside:
        graphs = convert_stages(network, kind, Path(aside), slices)
        rounded = compare_readings(reader, OpenVinoEngine(network, graphs, "float32"), expected)
        if kind == "openvino" and not within_bounds(rounded, "float32"):
            # Its weights lie in 16 bits, where norms that were folded into them lose digits: this model needs all 32.
            remove_graphs(graphs)
            graphs = convert_stages(network, kind, Path(aside), slices, half=False)
        variants = {"float32": graphs} | ({"bfloat16": graphs} if has_fast_bfloat16() else {})
        if int8:
            variants["int8"] = quantize_graphs(graphs, kind, slices)
        for precision, paths in variants.items():
            engine = OpenVinoEngine(network, paths, precision)
            parity = compare_readings(reader, engine, expected)
            found = {"format": kind, "precision": precision, "parity": parity, "bound": BOUNDS[precision]}
            if within_bounds(parity, precision):
                files = {stage: f"{GRAPHS}/{kind}/{path.name}" for stage, path in paths.items()}
                entries.append(found | {"files": files})
                engines.append(engine)
                continue
            if precision == "float32":  # then the conversion itself went wrong
                own = (
                    "" if data is not None else "; --data DATASET compares on patients of its own instead of phantoms"
                )
                difference = describe_parity(parity, precision)
                raise ValueError(
                    f"{folder}: nothing was exported, as graphs in {difference}. A model that was trained for minutes "
                    f"hangs on such differences more than one that is sure: train longer{own}; or read with PyTorch, "
                    "which needs no graphs"
                )
            left_out.append(found)
            if paths != graphs:  # bfloat16 has no files of its own: it is a way to run those of float32
                remove_graphs(paths)
        timings = [entry | {"format": kind} for entry in time_engines(engines, slices)]
        timings[0]["format"] = None  # PyTorch
        with folder_aside(folder / GRAPHS / kind) as place:
            shutil.copytree(aside, place, dirs_exist_ok=True)
    record = merge_record(folder, kind, entries, left_out, timings)
    record["inputs"] = {
        "name": inputs.name,
        "scans": len(inputs.scans),
        "slices": sum(len(r.probability) for r in expected),
    }
    text = json.dumps(record, indent=1) + "\n"
    write_text(folder / RECORD, text)
    if {"README.md", "training.json"} <= {path.name for path in folder.iterdir()}:  # a bundle, which has a card
        take_export(folder)
    return record


@contextmanager
def copied_model(model: str | Path, output: Path) -> Iterator[Path]:
    """Copy a model, also from the Hub, beside the place where it goes; it gets there when the work on it is done."""
    if output.exists():
        raise ValueError(f"--output {output}: exists already; name a new folder")
    folder = Path(model)
    if not folder.is_dir():
        folder = Path(snapshot_download(str(model), revision=find_folder(model).name))
    with folder_aside(output) as copy:
        skipped = shutil.ignore_patterns(".git*", ".cache", "__pycache__")
        shutil.copytree(folder, copy, ignore=skipped, dirs_exist_ok=True)
        if not (copy / WEIGHTS).is_file():
            raise ValueError(f"{model}: holds no {WEIGHTS}; name a model of this project")
        yield copy


def remove_graphs(paths: dict[str, Path]) -> None:
    """Delete graphs with the files that hold their weights."""
    for path in paths.values():
        for file in (path, path.with_suffix(".bin"), path.with_name(f"{path.name}.data")):
            file.unlink(missing_ok=True)


def merge_record(
    folder: Path, kind: str, entries: list[dict], left_out: list[dict], timings: list[dict]
) -> dict[str, Any]:
    """Join this export with one of the other format of the same weights, and choose the fastest engine."""
    weights, earlier = hash_weights(folder), read_export(folder)
    if earlier is not None and earlier["weights"] == weights:
        entries = [entry for entry in earlier["exports"] if entry["format"] != kind] + entries
        left_out = [entry for entry in earlier.get("left_out", []) if entry["format"] != kind] + left_out
        timings = [entry for entry in earlier["timings"] if entry["format"] not in (kind, None)] + timings
    fastest = min(timings, key=lambda entry: entry["ms_a_slice"])
    choice = {name: fastest[name] for name in ("engine", "precision", "format")}
    return {
        "weights": weights,
        "choice": choice,
        "exports": entries,
        "left_out": left_out,
        "timings": timings,
        "machine": describe_cpu(),
    }
