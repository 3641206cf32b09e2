"""A BIDS data set as a source of `predict`: one scan a subject and session, with the sequences that a model takes."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from hf_mri.data.bids_files import BidsFile, is_bids, list_images, pick
from hf_mri.data.datasets_table import DATASETS
from hf_mri.evaluation.training_overlap import read_training
from hf_mri.modeling.mri_scan_errors import ScanError
from hf_mri.predict.scan_list import Source

# The channels of our data sets in BIDS's words; a model that was trained on BIDS says them itself.
WORDS = {"pre-contrast": "T1w", "post-contrast": "ce-*_T1w"}


def open_data_sets(
    sources: Iterable[Source], model: str, sequences: Sequence[str] | None = None, revision: str | None = None
) -> list[Source]:
    """Put the scans of a BIDS data set in its place; everything else stays.

    Args:
        sequences: one a channel, as `T1w` or `ce-*_T1w`; None are those that the model was trained on.

    Raises:
        ScanError: no scan has a sequence, or a scan has several that could be meant.
        ValueError: sequences of scans that are no BIDS data set.
    """
    found: list[Source] = []
    opened = False
    for source in sources:
        if isinstance(source, Path) and is_bids(source):
            opened = True
            sequences = sequences or find_sequences(model, revision)
            found += list_scans(source, sequences)
        else:
            found.append(source)
    if sequences and not opened:
        raise ValueError("--sequences: belongs to BIDS data sets, folders with a dataset_description.json")
    return found


def find_sequences(model: str, revision: str | None = None) -> list[str]:
    """The sequences that a model was trained on, in BIDS's words.

    Raises:
        ValueError: it does not say.
    """
    training = read_training(model, revision) or {}
    entry = DATASETS.get(training.get("dataset", ""))
    channels = training.get("channels") or (entry.channels if entry else ())
    if not channels:
        raise ValueError(f"{model}: does not say which sequences it takes; name them with --sequences, in its order")
    return [WORDS.get(channel, channel) for channel in channels]


def list_scans(root: Path, sequences: Sequence[str]) -> list[Source]:
    """List the scans of a data set, each a file, or one a channel."""
    images = list_images(root)
    if not images:
        raise ScanError(root, "holds no sub-*/*/sub-*.nii.gz", "check the folder")
    everything = [file for files in images.values() for file in files]
    for sequence in sequences:
        if not any(file.matches(sequence) for file in everything):
            have = ", ".join(sorted({file.sequence for file in everything}))
            raise ScanError(root, f"has no {sequence}, only {have}", "name the model's channels with --sequences")
    return [_find_scan(files, sequences) for files in images.values()]


def _find_scan(files: Sequence[BidsFile], sequences: Sequence[str]) -> Source:
    paths = [_find_file(files, sequence) for sequence in sequences]
    if len(paths) == 1:
        return paths[0]
    names = [
        name if sequences.count(name) == 1 else f"{name} {number}"  # one may come twice
        for number, name in enumerate(sequences, 1)
    ]
    return dict(zip(names, paths, strict=True))


def _find_file(files: Sequence[BidsFile], sequence: str) -> Path:
    """The file of a sequence; where there is none, the name that it should have, so that its reading says so."""
    found = pick(files, sequence, "--sequences")
    scan = files[0].scan.replace("/", "_")
    return found.path if found else files[0].path.with_name(f"{scan}_{sequence}.nii.gz")
