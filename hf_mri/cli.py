"""`hf-mri`: every command is one call into the package; errors are one plain line on stderr."""

import atexit
import gc
import os
import sys
import threading
from contextlib import suppress
from importlib import import_module

import typer

# Each module adds its commands in `register(app)`; none imports torch or another heavy library at its top.
COMMANDS = (
    "hf_mri.reports.commands",
    "hf_mri.data.commands",
    "hf_mri.training.commands",
    "hf_mri.evaluation.commands",
    "hf_mri.hub.commands",
    "hf_mri.export_commands",
)


def build_app() -> typer.Typer:
    """Return the application with all its commands."""
    app = typer.Typer(
        name="hf-mri",
        help="Find, outline and measure things in MR slices.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"max_content_width": 110},
    )
    for module in COMMANDS:
        import_module(module).register(app)
    return app


def main() -> None:
    """Run the command line; expected failures end in one line and exit code 1, without a traceback."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # of loading weights: commands show their own
    app = build_app()
    try:
        app()
    except (ValueError, OSError, ImportError) as error:
        if os.environ.get("HF_MRI_DEBUG"):
            raise
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"hf-mri: {message}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


def run() -> None:
    """Run the command line as a process of its own, which ends at once.

    A normal end takes all modules apart, object by object: a second of the five that a short command took. What must
    not be lost at the end is done here: threads, exit handlers, and what is still to be written.
    """
    gc.freeze()  # what is imported stays to the end: not to be looked through again
    try:
        main()
    except SystemExit as stop:
        if isinstance(stop.code, str):
            raise
        threading._shutdown()
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):  # `hf-mri … | head` has closed the pipe
                stream.flush()
        os._exit(stop.code or 0)


if __name__ == "__main__":
    run()
