"""`hf-mri`: every command is one call into the package; errors are one plain line on stderr."""

import os
import signal
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated

import typer

from hf_mri.commands.extras import explain

# Each module adds its commands in `register(app)`; none imports torch or another heavy library at its top.
COMMANDS = ("read", "data", "train", "evaluate", "export", "hub", "page")


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
    app.callback()(common)
    for name in COMMANDS:
        import_module(f"hf_mri.commands.{name}").register(app)
    return app


def common(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=lambda on: on and tell())
    ] = False,
) -> None:
    """Find, outline and measure things in MR slices."""


def tell() -> None:
    """Print the version and end."""
    from hf_mri import __version__

    typer.echo(f"hf_mri {__version__}")
    raise typer.Exit


def main() -> None:
    """Run the command line; expected failures end in one line and exit code 1, without a traceback."""
    app = build_app()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a Windows console, or a pipe there, does not know every letter
            stream.reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what is written aside is removed
    try:
        app()
    except (ValueError, OSError, ImportError) as error:
        if os.environ.get("HF_MRI_DEBUG"):
            raise
        text = explain(error) if isinstance(error, ImportError) else str(error)
        if isinstance(error, OSError) and error.filename and error.strerror:  # the path first, and no [Errno 2]
            text = f"{error.filename}: {error.strerror}"
        message = " ".join(text.split()) or type(error).__name__
        print(f"hf-mri: {message}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    main()
