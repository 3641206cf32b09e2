"""`hf-mri data …`: import, phantom, explore, push."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hf_mri.commands.option_values import parse_spacing, split_words
from hf_mri.data.datasets_table import LAYOUTS, PHANTOMS

LAYOUT = typer.Argument(help=f"How the publisher ships it: {', '.join(LAYOUTS)} (any images with masks).")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    data = typer.Typer(help="Import, make, look at and publish data sets.", no_args_is_help=True)
    data.command("import")(import_command)
    data.command("phantom")(phantom_command)
    data.command("explore")(explore_command)
    data.command("push")(push_command)
    app.add_typer(data, name="data")


def import_command(
    layout: Annotated[str, LAYOUT],
    source: Annotated[str, typer.Argument(help="The folder, zip or table as it was downloaded, or its address.")],
    dest: Annotated[
        str, typer.Argument(help="The new data set's folder (or address), ready for load_dataset and for the Hub.")
    ],
    protocol: Annotated[
        str,
        typer.Option(
            help="Who trains and tests: hold-out (70/15/15 by patient), 'fold 1/5', 'leave-one-site-out SITE', all "
            "(every patient tests), or slices-leaky (slices at random, which flatters)."
        ),
    ] = "hold-out",
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0,
    empty: Annotated[
        str, typer.Option(help="Training slices without foreground: keep, drop, or the share to keep, such as 0.25.")
    ] = "keep",
    labels: Annotated[
        str | None,
        typer.Option(help="Layouts folder and bids: names of the mask's values 1, 2, … separated by commas."),
    ] = None,
    spacing: Annotated[
        str | None,
        typer.Option(
            help="Layout folder: millimeters between rows, columns and slices, as 0.9,0.9,5, where files do not say."
        ),
    ] = None,
    sequences: Annotated[
        str | None,
        typer.Option(
            help="Layout bids: one sequence or three, which become the channels, as T1w,FLAIR,ce-*_T1w; by default "
            "FLAIR, T1w or T2w, the first that every scan with a mask has."
        ),
    ] = None,
    masks: Annotated[
        str | None,
        typer.Option(help="Layout bids: which masks, where scans have several: dseg, desc-lesion_mask, manual/dseg."),
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="List bad files in audit.json and go on.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a data set that is at DEST.")] = False,
    workers: Annotated[int | None, typer.Option(help="Threads that read and encode; one a core by default.")] = None,
) -> None:
    """Turn a folder as its publisher ships it into a data set that is split by patient, checked and described.

    Images of your own take the layout `folder`: PNG, TIFF, JPEG, NIfTI or DICOM, with a mask for each, in one of these
    ways (docs/own-data.md shows them):

    \b
    P7_012.png, P7_012_mask.png             one flat folder; the patient is the name without its number
    P7/012.png, P7/012_mask.png             one folder a patient
    images/P7/012.png, masks/P7/012.png     two folders alike; also labels, gt or seg
    metadata.csv                            file_name, mask_file_name, and if you like patient, site, volume, phase,
                                            slice; other columns are kept as text

    A mask is 0 where there is nothing, and 255 or 1, 2, … (named by --labels) where there is something.

    The layout `bids` takes a BIDS data set with masks beside the images or in its derivatives (docs/bids.md).
    """
    from hf_mri.data.importing import import_dataset

    options = _own_options(layout, labels, spacing, sequences, masks)
    summary = import_dataset(
        layout,
        source,
        dest,
        protocol=protocol,
        seed=seed,
        empty=empty,
        skip_bad=skip_bad,
        overwrite=overwrite,
        workers=workers,
        progress=True,
        **options,
    )
    for bad in summary["bad_files"]:
        typer.secho(f"Skipped: {bad['path']}: {bad['reason']}", fg="yellow", err=True)
    parts = ", ".join(f"{name} {n['patients']} / {n['slices']}" for name, n in summary["splits"].items())
    typer.echo(f"{dest}: {summary['patients']} patients, {summary['slices']} slices (patients / slices: {parts})")


def _own_options(
    layout: str, labels: str | None, spacing: str | None, sequences: str | None, masks: str | None
) -> dict[str, Any]:
    """What only some layouts take.

    Raises:
        ValueError: another layout was given it.
    """
    given = {
        "labels": (("folder", "bids"), split_words(labels)),
        "spacing": (("folder",), parse_spacing(spacing, counts=(3,))),
        "sequences": (("bids",), split_words(sequences)),
        "masks": (("bids",), masks),
    }
    for name, (layouts, value) in given.items():
        if value and layout not in layouts:
            raise ValueError(f"--{name} belongs to the layout {' or '.join(layouts)}; the files of {layout} say it")
    return {name: value for name, (_, value) in given.items() if value}


def phantom_command(
    layout: Annotated[str, typer.Argument(help=f"The layout to draw in: {', '.join(PHANTOMS)}.")],
    dest: Annotated[Path, typer.Argument(help="The new folder, laid out as the publisher would.")],
    patients: Annotated[int, typer.Option(help="How many patients.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed draws the same scans.")] = 0,
    size: Annotated[int | None, typer.Option(help="Height and width in pixels; the publisher's by default.")] = None,
) -> None:
    """Draw synthetic scans with known truth, in the publisher's own files, for trying everything without data."""
    from hf_mri.data.phantoms.draw import draw_phantom

    draw_phantom(layout, dest, patients=patients, seed=seed, size=size)
    typer.echo(f"{dest}: {patients} synthetic patients; import them with: hf-mri data import {layout} {dest} DATASET")


def explore_command(
    dataset: Annotated[Path, typer.Argument(help="Folder of an imported data set.")],
    output: Annotated[
        Path | None, typer.Option(help="Folder for explore.html and explore.json; DATASET-explored by default.")
    ] = None,
) -> None:
    """Write a page that shows what is in a data set: counts, distributions, pictures, problems."""
    from hf_mri.reports.dataset_page import explore_dataset

    page = explore_dataset(dataset, output, progress=True)
    typer.echo(f"{page}: open it in a browser")


def push_command(
    dataset: Annotated[Path, typer.Argument(help="Folder of an imported data set.")],
    repo: Annotated[str, typer.Argument(help="Where to, as user/name.")],
    public: Annotated[bool, typer.Option("--public", help="Make a new repository public instead of private.")] = False,
    allow_redistribution: Annotated[
        bool, typer.Option("--allow-redistribution", help="I have the right to pass these images on.")
    ] = False,
) -> None:
    """Upload a data set to the Hub, private unless told otherwise."""
    from hf_mri.hub.pushing import push_dataset

    typer.echo(push_dataset(dataset, repo, private=not public, allow_redistribution=allow_redistribution))
