"""`hf-mri`: every command is one call into the package; errors are one plain line on stderr."""

import atexit
import gc
import os
import sys
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

    Taking all modules apart, object by object, would take a sixth of the time of a short command, and looking for
    garbage among them as much: they stay to the end anyway.
    """
    gc.freeze()
    code: int | str | None = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code
    except BaseException:  # noqa: BLE001 - said as the interpreter would say it
        sys.excepthook(*sys.exc_info())
        code = 1
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
        code = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # `hf-mri … | head` has closed the pipe
            stream.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    run()
