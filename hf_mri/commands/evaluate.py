"""The commands that judge: `evaluate` and `compare`."""

from pathlib import Path
from typing import Annotated

import typer

from hf_mri.data.datasets_table import LAYOUTS


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(evaluate)
    app.command()(compare)


def evaluate(
    data: Annotated[
        str,
        typer.Option(
            help="An imported data set (folder, address or Hub name); with --layout a publisher's folder or zip."
        ),
    ],
    output: Annotated[str, typer.Option(help="Folder, or address, that gets metrics.json, report.html and plots.")],
    model: Annotated[str | None, typer.Option(help="Folder of a model, or its name on the Hub.")] = None,
    layout: Annotated[
        str | None,
        typer.Option(help=f"{', '.join(LAYOUTS)}: evaluate every patient in a publisher's folder."),
    ] = None,
    split: Annotated[str, typer.Option(help="Which split of a data set: train, validation or test.")] = "test",
    protocol: Annotated[
        str,
        typer.Option(
            help="patients; slices-leaky (slices split at random: flatters); buda (as in the LGG paper); "
            "cross-validation or leave-one-site-out, where --data is the run folder that holds the folds."
        ),
    ] = "patients",
    allow_seen: Annotated[
        bool, typer.Option("--allow-seen", help="Mark patients that the model was trained on instead of failing.")
    ] = False,
    engine: Annotated[str, typer.Option(help="auto, torch or openvino, as in predict.")] = "auto",
    flips: Annotated[
        bool, typer.Option("--flips", help="Read each slice and its mirror image, as in predict.")
    ] = False,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run the code that lies beside a model's weights.")
    ] = False,
) -> None:
    """Judge a model on labeled scans: by slice, volume and patient, with 95 % intervals over patients.

    Scans are read as predict reads them. The folder gets metrics.json (every figure), report.html (one page that needs
    nothing else, with the worst cases last) and the plots. Patients that the model was trained on are refused.
    Several processes (accelerate launch, torchrun, SLURM) share the volumes; the same command goes on after a crash.
    """
    from hf_mri.modeling.mri_model_folder import check_model_name
    from hf_mri.storage.places import as_place, exists

    if not exists(as_place(data)) and (layout is not None or data.count("/") != 1):
        raise ValueError(f"{data}: no such file or folder; check the path")
    if model is not None:
        check_model_name(model)

    from hf_mri.commands.quiet import hide_loading_bars
    from hf_mri.evaluation.evaluate import evaluate_folds, evaluate_model
    from hf_mri.evaluation.judgment import judge
    from hf_mri.evaluation.kept_rows import FOLDER
    from hf_mri.evaluation.metrics_file import write_headline
    from hf_mri.evaluation.protocols import STORED_PROTOCOLS
    from hf_mri.modeling.mri_addresses import delivered
    from hf_mri.reports.evaluation_page import write_report
    from hf_mri.reports.worst_pictures import WorstCases
    from hf_mri.storage.outputs import open_output

    hide_loading_bars()
    worst = WorstCases()

    if protocol in STORED_PROTOCOLS:
        metrics = evaluate_folds(data, protocol, worst.consider)
    elif model is None:
        raise ValueError(f"--model is missing: the protocol {protocol} reads scans with a model")
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

        columns = ("Reading", BarColumn(), MofNCompleteColumn(), "slices", TimeElapsedColumn())
        with Progress(*columns, transient=True) as bar:
            task = bar.add_task("", total=None)
            metrics = evaluate_model(
                model,
                data,
                layout=layout,
                split=split,
                protocol=protocol,
                observe=worst.consider,
                allow_seen=allow_seen,
                kept_in=output,
                progress=lambda slices: bar.advance(task, slices),
                engine=engine,
                flips=flips,
                trust_remote_code=trust_remote_code,
            )
    if metrics is None:
        typer.echo("This process's share is done; the one that finishes last writes the report.")
        return
    with delivered(output) as folder:
        write_report(metrics, worst.sort(), folder)
    open_output(as_place(output)).remove(FOLDER)
    typer.echo(write_headline(metrics))
    for sentence in judge(metrics):
        typer.echo(sentence)
    typer.echo(f"{output.rstrip('/')}/report.html")


def compare(
    metrics: Annotated[
        list[Path],
        typer.Argument(help="Metrics files, or folders that hold one; the first is the base."),
    ],
    output: Annotated[Path | None, typer.Option(help="JSON file that gets the comparison.")] = None,
) -> None:
    """Put models side by side on the patients that all were judged on, with paired 95 % intervals."""
    from hf_mri.evaluation.compare import compare_files, format_table

    comparison = compare_files(metrics, output)
    typer.echo(format_table(comparison))
