"""The command that exports models: `export`."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(export)


def export(
    model: Annotated[str, typer.Argument(help="Folder of a model, or, with --output, its name on the Hub.")],
    format: Annotated[str, typer.Option(help="openvino or onnx.")] = "openvino",
    int8: Annotated[bool, typer.Option("--int8", help="Quantize to 8 bits as well.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="New folder for a copy of the model with its graphs; without it they go into MODEL."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Imported data set: its validation patients calibrate and check; phantoms without it."),
    ] = None,
) -> None:
    """Turn a model into graphs for OpenVINO or onnxruntime, check them against it, and note the fastest engine.

    A model of two stages becomes two graphs, gate and segmenter. Graphs whose answers differ from the model's by more
    than a stated bound are left out; where those in float32 do, nothing is exported. `predict --engine auto` then
    takes what was fastest, without timing at start.
    """
    from hf_mri.commands.quiet import hide_loading_bars
    from hf_mri.export.exporting import export_model
    from hf_mri.hub.card_text import left_out

    hide_loading_bars()
    record = export_model(model, format, int8, data, output)
    for entry in record["exports"]:
        parity = entry["parity"]
        typer.echo(
            f"{entry['format']} {entry['precision']}: probabilities within {parity['probability']:.1g}, "
            f"Dice of the masks {parity['dice']:.4f}"
        )
    for entry in record["left_out"]:
        typer.echo(left_out(entry))
    for entry in record["timings"]:
        kind = f" ({entry['format']})" if entry["format"] else ""
        typer.echo(f"{entry['engine']}{kind} {entry['precision']}: {entry['ms_a_slice']} ms a slice")
    choice = record["choice"]
    typer.echo(
        f"--engine auto takes {choice['engine']} {choice['precision']}: {Path(output or model) / 'export.json'}"
    )
