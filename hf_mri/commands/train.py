"""`hf-mri train` and `hf-mri cross-validate`."""

from pathlib import Path
from typing import Annotated

import typer

PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("train", context_settings=PASSED_ON | {"help_option_names": []})(train)
    app.command("cross-validate", context_settings=PASSED_ON)(cross_validate)


def train(context: typer.Context) -> None:
    """Train a slice classifier, a segmenter, or both; --help lists every option.

    One process; several are started by `accelerate launch -m hf_mri.training.train`.
    """
    from hf_mri.training.train import run

    run(context.args)


def cross_validate(
    context: typer.Context,
    data: Annotated[str, typer.Option(help="Data set folder or Hub id.")],
    output: Annotated[Path, typer.Option("--output", "--output_dir", help="Run folder: one folder a fold.")],
    folds: Annotated[int, typer.Option(help="How many parts the patients are dealt into.")] = 5,
) -> None:
    """Train one model a fold, keep the out-of-fold predictions, and sum them up.

    All other options are those of `hf-mri train`, --config included. A run that was interrupted goes on where it
    stopped.
    """
    from hf_mri.training.cross_validation import run_folds

    typer.echo(run_folds(data, output, folds, context.args))
