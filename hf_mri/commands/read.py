"""The commands that read scans: `predict`, `submit`, `demo`, `doctor`."""

from pathlib import Path
from typing import Annotated

import typer

from hf_mri.commands.option_values import parse_spacing, split_words


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(predict)
    app.command()(submit)
    app.command()(demo)
    app.command()(doctor)


def predict(
    scans: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, folders or quoted globs, also as addresses (s3://…, hf://…); each is one scan, but a BIDS "
            "data set one a subject and session."
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="Folder of a model, or its name on the Hub.")] = ...,
    output: Annotated[str, typer.Option(help="Folder, or address, that gets a folder for each scan.")] = ...,
    only: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated, of json, masks, nifti, rle, overlays, montage, html, by default all of these; and "
            "of dicom-seg, a segmentation in the study of the images, with the patient's data that they have. Or bids "
            "alone: OUTPUT is then a BIDS derivative."
        ),
    ] = None,
    list_file: Annotated[Path | None, typer.Option("--list", help="File with one scan a line, besides.")] = None,
    channels: Annotated[
        list[str] | None,
        typer.Option(help="One scan in a file a channel, in the model's order: --channels pre=A --channels flair=B …"),
    ] = None,
    sequences: Annotated[
        str | None,
        typer.Option(
            help="Of a BIDS data set: what becomes the channels, in the model's order, as T1w,FLAIR,ce-*_T1w; by "
            "default those that the model was trained on."
        ),
    ] = None,
    spacing: Annotated[
        str | None, typer.Option(help="Millimeters between rows, columns and slices, as 0.9,0.9,5, for PNG and TIFF.")
    ] = None,
    series: Annotated[str | None, typer.Option(help="DICOM series: number, description or UID.")] = None,
    engine: Annotated[str, typer.Option(help="auto, torch or openvino.")] = "auto",
    flips: Annotated[
        bool, typer.Option("--flips", help="Read each slice and its mirror image, and average: twice the time.")
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="What outputs call the scan, where its own name may tell who was scanned.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Slices that go through the model at once.", min=1)] = 16,
) -> None:
    """Read scans: which slices show a tumor, where it is, and how large.

    Each scan gets OUTPUT/SCAN with reading.json, masks/LABEL/0001.png, LABEL.nii.gz, run_lengths.csv, overlays,
    montage.png and report.html. What is done is not done again; a scan that fails is reported and the others go on,
    and the exit code is then 1. OUTPUT/summary.parquet has a row a scan. Several processes (accelerate launch,
    torchrun, SLURM) share the scans; the same command goes on after a crash.
    """
    from hf_mri.modeling.mri_model_folder import check_model_name
    from hf_mri.predict.scan_list import check_some_exist, find_scans, parse_channels
    from hf_mri.storage.places import as_place

    sources = list(find_scans(scans or [], list_file)) if scans or list_file or not channels else []
    if channels:
        sources.append(parse_channels(channels))
    check_some_exist(sources)
    check_model_name(model)

    from hf_mri.predict.predicting import predict as run

    outcome = run(
        sources,
        model,
        as_place(output),
        only=split_words(only),
        engine=engine,
        batch_size=batch_size,
        spacing=parse_spacing(spacing),
        series=series,
        flips=flips,
        name=name,
        sequences=split_words(sequences),
    )
    counts = [
        f"{len(outcome.read)} scans read",
        f"{len(outcome.skipped)} done before",
        f"{len(outcome.failed)} failed",
    ]
    typer.echo(f"{', '.join(counts)}: {output}")
    if outcome.summary and len(outcome.rows) > 1:
        failed = sum(row["status"] == "failed" for row in outcome.rows)
        typer.echo(f"{len(outcome.rows):,} scans in all, {failed:,} of them failed: {outcome.summary}")
    if outcome.failed:
        raise typer.Exit(1)


def submit(
    source: Annotated[Path, typer.Argument(help="Folder of the UW-Madison competition's test scans.")],
    output: Annotated[Path, typer.Argument(help="The new submission.csv.")],
    model: Annotated[str, typer.Option(help="Folder of a model, or its name on the Hub.")] = ...,
    engine: Annotated[str, typer.Option(help="auto, torch or openvino.")] = "auto",
) -> None:
    """Read every caseN/caseN_dayN/scans and write `id,class,predicted`, as the competition's grader takes it."""
    from hf_mri.commands.quiet import hide_loading_bars
    from hf_mri.modeling.mri_model_folder import check_model_name
    from hf_mri.predict.submission import submit as run

    if not source.exists():
        raise ValueError(f"{source}: no such file or folder; check the path")
    check_model_name(model)
    hide_loading_bars()
    typer.echo(f"{run(model, source, output, engine):,} slices: {output}")


def demo(
    output: Annotated[Path, typer.Option(help="Folder that gets the scan, its reading and a picture.")] = Path(
        "out/demo"
    ),
    model: Annotated[str | None, typer.Option(help="Folder of a model, or its name on the Hub.")] = None,
) -> None:
    """Read a synthetic scan, write its reading and a picture; without a trained model, train a tiny one first.

    The truth is drawn too, so the demo says how good the answer is.
    """
    from hf_mri.commands.demo import run_demo

    found = run_demo(output, model)
    typer.echo(found.headline)
    typer.echo(found.verdict)
    for name, path in (
        ("scan", found.scan),
        ("reading", found.reading / "reading.json"),
        ("picture", found.reading / "montage.png"),
        ("truth", found.picture),
        ("report", found.reading / "report.html"),
    ):
        typer.echo(f"{name + ':':9}{path}")


def doctor(
    model: Annotated[str | None, typer.Option(help="Folder or Hub name of a model to time on each engine.")] = None,
) -> None:
    """Say what this machine can do, what is missing and how to install it."""
    from hf_mri.commands.doctor import run_doctor
    from hf_mri.commands.quiet import hide_loading_bars

    hide_loading_bars()
    run_doctor(model)
