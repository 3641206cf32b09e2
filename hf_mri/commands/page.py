"""The web page: `hf-mri page`, `add-user`, `publish-space`."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("page")(page)
    app.command("add-user")(add_user)
    app.command("publish-space")(publish_space)


def page(
    model: Annotated[
        str | None, typer.Option(help="Hub ids or folders of models, separated by commas: a tab each.")
    ] = None,
) -> None:
    """Serve the web page on this machine; its further settings are environment variables (see docs/publishing.md)."""
    import os

    if model:
        os.environ["HF_MRI_MODEL"] = model
    from hf_mri.commands.quiet import hide_loading_bars
    from hf_mri.page.layout import build_page, serve

    hide_loading_bars()
    serve(build_page())


def add_user(
    file: Annotated[Path, typer.Argument(help="The file that HF_MRI_AUTH names.")],
    name: Annotated[str, typer.Argument(help="The user.")],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
) -> None:
    """Add a user of the page, or change the password: the file holds salted hashes only."""
    from hf_mri.page.accounts import write_user

    write_user(file, name, password)


def publish_space(
    repo: Annotated[str, typer.Argument(help="NAMESPACE/NAME on the Hub; it is made if it does not exist.")],
    model: Annotated[str | None, typer.Option(help="Hub ids that the page offers, separated by commas.")] = None,
    private: Annotated[bool, typer.Option("--private", help="Make the Space private.")] = False,
    message: Annotated[str | None, typer.Option(help="Message of the commit.")] = None,
) -> None:
    """Publish the web page as a Space, with this package as a wheel beside it."""
    from hf_mri.page.space import publish_space as run

    done = run(repo, model=model, private=private, message=message)
    typer.echo(f"{done.url} at {done.revision[:12]}" + ("" if done.changed else ", where these files were already"))
