"""What every layout's reader yields: one row a slice, or the name of a bad file and what is wrong with it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hf_mri.data.datasets_table import LAYOUTS, OVERLAPPING, DatasetEntry, get_dataset_entry
from hf_mri.modeling.mri_addresses import fetched, shown_address
from hf_mri.modeling.mri_scan_archive import unpack_zip
from hf_mri.modeling.mri_scan_errors import ScanError

Row = dict[str, Any]
PHANTOM_MARK = "PHANTOM.json"  # beside synthetic scans, so that nobody takes them for patients


class BadFile(NamedTuple):
    """A file that can't become a row, and the reason in a few words."""

    path: str
    reason: str


class Volume(NamedTuple):
    """One unit of reading: the slices of a 3-D image, read when asked for; its rows carry its name as `volume`."""

    name: str
    read: Callable[[], Iterator[Row | BadFile]]


class Source(NamedTuple):
    """A publisher's folder, looked through but not read: its volumes and what was noticed on the way."""

    entry: DatasetEntry
    columns: dict[str, str]  # the columns that only this set has, and their types
    volumes: list[Volume]
    findings: list[str]
    root: Path = Path()  # where the files lie
    shown: str = ""  # what the user calls it: the same, the zip that was unpacked, or the address it came from

    def locate(self, bad: BadFile) -> BadFile:
        """The same bad file, named from the source's root: a report travels, a machine's folders don't."""
        folder = self.root if self.root.is_dir() else self.root.parent
        return bad._replace(path=Path(os.path.relpath(bad.path, folder)).as_posix())

    def name(self, bad: BadFile) -> str:
        """A bad file's place as the user knows it."""
        return f"{self.shown}/{self.locate(bad).path}"


def make_row(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    patient: str,
    slice_index: int,
    volume: str,
    file: str,
    site: str | None = None,
    phase: str | None = None,
    spacing: tuple[float, float, float] | None = None,
    **extra: Any,
) -> Row:
    """Put a slice into the one schema: image (H, W) or (H, W, 3), mask (H, W) uint8, then the columns.

    `file` is where the slice came from, for messages; it is not stored.
    """
    return {
        "image": image,
        "mask": mask,
        "label": int(mask.any()),
        "patient": patient,
        "site": site,
        "slice": slice_index,
        "volume": volume,
        "phase": phase,
        "spacing": None if spacing is None else [float(v) for v in spacing],
        **extra,
        "file": file,
    }


def split_mask(mask: np.ndarray, entry: DatasetEntry) -> dict[str, np.ndarray]:
    """Turn stored masks (…, H, W) into one boolean mask a foreground label, as the data set's entry says."""
    if entry.problem_type == OVERLAPPING:
        return {label: (mask >> index & 1).astype(bool) for index, label in entry.foreground.items()}
    return {label: mask == index for index, label in entry.foreground.items()}


@contextlib.contextmanager
def open_source(layout: str, source: str | Path, **options: Any) -> Iterator[Source]:
    """Look through a publisher's folder, or a zip of it, which is unpacked aside while the source is open.

    What lies at an address is fetched for as long.

    Raises:
        ValueError: unknown layout.
        ScanError: no such folder, or nothing in it that the layout knows; in a zip the path is that of the zip's file.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"no layout is called {layout!r}; there are: {', '.join(LAYOUTS)}")
    reader = import_module(f"hf_mri.data.layouts.{layout.replace('-', '_')}")
    with contextlib.ExitStack() as stack:
        given = root = stack.enter_context(fetched(source))
        if not given.exists():
            raise ScanError(source, "no such file or folder")
        if given.is_file() and given.suffix.lower() == ".zip":
            root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hf_mri_unzip_")))
            unpack_zip(given, root)
        named = shown_address(str(source)).rstrip("/")
        try:
            found = reader.find_volumes(root, get_dataset_entry(_name_of(layout, root)), **options)
        except ScanError as error:
            if root == Path(source):
                raise
            # The place aside says nothing to the user.
            inside = Path(os.path.relpath(error.path, root)).as_posix()
            raise error.named(named if inside == "." else f"{named}/{inside}") from error
        yield found._replace(root=root, shown=named if root.is_dir() else named.rpartition("/")[0] or ".")


def _name_of(layout: str, source: Path) -> str:
    folder = source if source.is_dir() else source.parent
    marked = any((place / PHANTOM_MARK).exists() for place in (folder, folder.parent))
    return f"{layout}-phantom" if marked and layout != "folder" else layout


def iterate_rows(layout: str, source: str | Path, **options: Any) -> Iterator[Row]:
    """Read a publisher's folder row by row, without storing anything: every patient, nothing split off.

    Rows come volume by volume, slices in order; `image` and `mask` are arrays.

    Raises:
        ScanError: at the first bad file; names it and the reason.
    """
    with open_source(layout, source, **options) as opened:
        for volume in opened.volumes:
            for row in volume.read():
                if isinstance(row, BadFile):
                    raise ScanError(opened.name(row), row.reason)
                yield row
