"""A BIDS data set's folders and names: which file belongs to which scan, and which sequence or mask it is."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from hf_mri.modeling.mri_scan_errors import ScanError

DESCRIPTION = "dataset_description.json"  # what makes a folder a BIDS data set
BIDS_VERSION = "1.10.0"  # that is written
LABEL_SUFFIXES = ("dseg", "mask")
NO_IMAGES = (*LABEL_SUFFIXES, "probseg")
# An asterisk stands in the name that a missing file should have.
_NAME = re.compile(r"(?P<parts>(?:[a-zA-Z]+-[a-zA-Z0-9+*]+_)+)(?P<suffix>[a-zA-Z0-9*]+)\.nii(?:\.gz)?")


class BidsFile(NamedTuple):
    """An image, and what its name says: `sub-01_ce-gadolinium_T1w.nii.gz` is a T1w of sub 01 with ce gadolinium."""

    path: Path
    entities: dict[str, str]
    suffix: str
    pipeline: str = ""  # the folder below `derivatives` that it lies in

    @property
    def scan(self) -> str:
        """Who was scanned, and when: `sub-01`, or `sub-01/ses-02`."""
        parts = [f"{key}-{self.entities[key]}" for key in ("sub", "ses") if key in self.entities]
        return "/".join(parts)

    @property
    def sequence(self) -> str:
        """What was scanned, in a word that `matches` takes: `FLAIR`, or `ce-*_T1w` with any contrast agent."""
        return f"ce-*_{self.suffix}" if "ce" in self.entities else self.suffix

    @property
    def kind(self) -> str:
        """Its name without subject and session, after its pipeline's: `manual/desc-lesion_mask`."""
        parts = [f"{key}-{value}" for key, value in self.entities.items() if key not in ("sub", "ses")]
        name = "_".join([*parts, self.suffix])
        return f"{self.pipeline}/{name}" if self.pipeline else name

    def matches(self, wish: str) -> bool:
        """Whether a file is what was asked for: `T1w`, `acq-3d_T1w`, `ce-*_T1w`, `manual/dseg`.

        What a wish does not name may be anything, but a contrast agent: a plain `T1w` is one without.
        """
        pipeline, _, name = wish.rpartition("/")
        *parts, suffix = name.split("_")
        wanted = dict(part.split("-", 1) for part in parts if "-" in part)
        return (
            fnmatchcase(self.pipeline, pipeline or "*")
            and fnmatchcase(self.suffix, suffix)
            and ("ce" in wanted) == ("ce" in self.entities)
            and all(key in self.entities and fnmatchcase(self.entities[key], value) for key, value in wanted.items())
        )


def is_bids(folder: Path) -> bool:
    """Whether a folder says of itself that it is a BIDS data set."""
    return (folder / DESCRIPTION).is_file()


def read_name(path: Path, pipeline: str = "") -> BidsFile | None:
    """What a file's name says; None where it is no image's by the rules of BIDS."""
    found = _NAME.fullmatch(path.name)
    if found is None or not found["parts"].startswith("sub-"):
        return None
    entities = dict(part.split("-", 1) for part in found["parts"].rstrip("_").split("_"))
    return BidsFile(path, entities, found["suffix"], pipeline)


def list_images(root: Path) -> dict[str, list[BidsFile]]:
    """List the images of every scan, masks left out."""
    return _by_scan(file for file in _list_files(root) if file.suffix not in NO_IMAGES)


def list_masks(root: Path) -> dict[str, list[BidsFile]]:
    """List the masks of every scan, in the data set itself and in its derivatives."""
    files = _list_files(root)
    for folder in sorted(root.glob("derivatives/*/")):
        files += _list_files(folder, folder.name)
    return _by_scan(file for file in files if file.suffix in LABEL_SUFFIXES)


def pick(files: Iterable[BidsFile], wish: str, option: str) -> BidsFile | None:
    """Pick the one file of a scan that is what was asked for; None where there is none.

    Raises:
        ScanError: several are.
    """
    found = [file for file in files if file.matches(wish)]
    if len(found) > 1:
        names = ", ".join(file.kind for file in found)
        raise ScanError(found[0].path, f"{found[0].scan} has {len(found)} {wish}: {names}", f"name one with {option}")
    return found[0] if found else None


def read_table(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """Read a TSV; `n/a` becomes empty.

    Raises:
        ScanError: a column is missing.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, delimiter="\t")
        for column in columns:
            if column not in (reader.fieldnames or ()):
                raise ScanError(path, f"column {column!r} is missing", f"it needs {', '.join(columns)}")
        return [{key: "" if value in ("n/a", None) else value for key, value in row.items()} for row in reader]


def _list_files(root: Path, pipeline: str = "") -> list[BidsFile]:
    paths = sorted([*root.glob("sub-*/*/sub-*.nii*"), *root.glob("sub-*/ses-*/*/sub-*.nii*")])
    return [file for path in paths if (file := read_name(path, pipeline))]


def _by_scan(files: Iterable[BidsFile]) -> dict[str, list[BidsFile]]:
    scans: dict[str, list[BidsFile]] = {}
    for file in files:
        scans.setdefault(file.scan, []).append(file)
    return scans
