"""Commands that lead from a finished model to its page on the Hub."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("bundle")(bundle)
    app.command("card")(card)
    app.command("publish")(publish)


Bundle = Annotated[Path, typer.Argument(help="Folder of a finished model, such as RUN/bundle.")]


def bundle(
    model: Annotated[str, typer.Argument(help="Folder of a model, or the name of one in model_cards/.")],
    dest: Annotated[Path, typer.Argument(help="The bundle's folder; a bundle that is there is replaced.")],
    code: Annotated[bool, typer.Option("--code/--no-code", help="With the code that travels, or without.")] = True,
) -> None:
    """Make of a model's own files a folder that loads anywhere, also where this package is not installed."""
    from hf_mri.hub.bundle import assemble
    from hf_mri.hub.model_cards import find_published

    typer.echo(assemble(find_published(model) or model, dest, code=code))


def card(
    bundle: Bundle,
    metrics: Annotated[Path | None, typer.Option(help="metrics.json of an evaluation, to take in first.")] = None,
    model_id: Annotated[str | None, typer.Option(help="What the quick start loads: a Hub id, or a folder.")] = None,
) -> None:
    """Write a model's card, README.md, anew from the figures in its folder."""
    from hf_mri.hub.card import take_metrics, write_card

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
    from hf_mri.modeling.mri_model_folder import check_model_name

    check_model_name(bundle)

    from hf_mri.evaluation.judgment import judge
    from hf_mri.hub.bundle_facts import read_facts
    from hf_mri.hub.publishing import publish as run

    if (Path(bundle) / "config.json").is_file():
        for sentence in judge(read_facts(bundle).metrics):
            typer.echo(f"{bundle}: {sentence}", err=True)
    done = run(bundle, repo, private=private, create_pr=pr, tag=tag, message=message)
    typer.echo(f"{done.url} at {done.revision[:12]}" + ("" if done.changed else ", where these files were already"))
