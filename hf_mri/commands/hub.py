"""Commands that lead from a finished model to its page on the Hub."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("card")(card)
    app.command("publish")(publish)


Bundle = Annotated[Path, typer.Argument(help="Folder of a finished model, such as RUN/bundle.")]


def card(
    bundle: Bundle,
    metrics: Annotated[Path | None, typer.Option(help="metrics.json of an evaluation, to take in first.")] = None,
    model_id: Annotated[str | None, typer.Option(help="What the quick start loads: a Hub id, or a folder.")] = None,
    code: Annotated[bool, typer.Option("--code", help="Bring the code files up to this package's.")] = False,
) -> None:
    """Write a model's card, README.md, anew from the figures in its folder."""
    from hf_mri.hub.bundle import refresh_code
    from hf_mri.hub.card import take_metrics, write_card

    if code:
        refresh_code(bundle)
    if metrics:
        take_metrics(bundle, metrics)
    typer.echo(write_card(bundle, model_id))


def publish(
    bundle: Bundle,
    repo: Annotated[str, typer.Argument(help="NAMESPACE/NAME on the Hub; it is made if it does not exist.")],
    private: Annotated[bool, typer.Option("--private", help="Make the repository private.")] = False,
    pr: Annotated[bool, typer.Option("--pr", help="Propose the files as a pull request.")] = False,
    tag: Annotated[str | None, typer.Option(help="Name for this version, such as v1.")] = None,
    message: Annotated[str | None, typer.Option(help="Message of the commit.")] = None,
) -> None:
    """Check a model, publish it in one commit, load it back and compare its answers."""
    from hf_mri.hub.publish import publish as run

    done = run(bundle, repo, private=private, create_pr=pr, tag=tag, message=message)
    typer.echo(f"{done.url} at {done.revision[:12]}" + ("" if done.changed else ", where these files were already"))
