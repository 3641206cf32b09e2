"""`hf-mri cross-validate`; single runs are started by `accelerate launch train.py`."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @app.command("cross-validate", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
    def cross_validate(
        context: typer.Context,
        data: Annotated[str, typer.Option(help="Data set folder or Hub id.")],
        output: Annotated[Path, typer.Option("--output", "--output_dir", help="Run folder: one folder a fold.")],
        folds: Annotated[int, typer.Option(help="How many parts the patients are dealt into.")] = 5,
    ) -> None:
        """Train one model a fold, keep the out-of-fold predictions, and sum them up.

        All other options are those of train.py (see `python train.py --help`), --config included. A run that was
        interrupted goes on where it stopped.
        """
        from hf_mri.training.cross_validation import run_folds

        typer.echo(run_folds(data, output, folds, context.args))
