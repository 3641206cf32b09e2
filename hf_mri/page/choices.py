"""What was dropped may be several scans: told apart by headers and names, so that two are never read as one."""

import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from hf_mri.languages.words import ENGLISH, Words

RASTERS = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
NIFTIS = (".nii", ".nii.gz")
TAGS = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "NumberOfFrames"]


@dataclass(frozen=True)
class Choice:
    """One scan among those that were dropped."""

    title: str
    count: int | None  # images, where a look at the files tells
    files: tuple[Path, ...]

    def say(self, words: Words = ENGLISH) -> str:
        """Return what a menu says."""
        return self.title if self.count is None else words.count("scans.images", self.count, title=self.title)


def tell_apart(files: list[Path], words: Words = ENGLISH) -> list[Choice]:
    """Return the scans among files; those that are no scan's are left out, unless there is nothing else."""
    dicoms = [path for path in files if not path.name.lower().endswith((*RASTERS, *NIFTIS)) and _is_dicom(path)]
    niftis = [path for path in files if path.name.lower().endswith(NIFTIS)]
    rasters = [path for path in files if path.name.lower().endswith(RASTERS)]
    found = [*_series(dicoms, words)]
    found += [*(Choice(_stem(path), None, (path,)) for path in niftis), *_stacks(rasters, words)]
    return found or [Choice(_stem(files[0]), None, tuple(files))]


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM" or path.suffix.lower() == ".dcm"


def _series(files: list[Path], words: Words) -> list[Choice]:
    """DICOM files by patient, study and series. Who the patients are is not told, only that they are several."""
    if not files:
        return []
    series, patients = defaultdict(list), {}
    for path in files:
        head = _read_head(path)
        patient = str(head.get("PatientID", ""))
        patients.setdefault(patient, len(patients) + 1)
        series[patient, str(head.get("StudyInstanceUID", "")), str(head.get("SeriesInstanceUID", ""))].append(
            (path, head)
        )
    choices = []
    for (patient, _, _), members in series.items():
        head = members[0][1]
        number = words.say("scans.series", number=head.get("SeriesNumber") or "?")
        title = str(head.get("SeriesDescription") or "").strip() or number
        if len(patients) > 1:
            title = words.say("scans.patient", number=patients[patient], title=title)
        count = sum(int(head.get("NumberOfFrames") or 1) for _, head in members)
        choices.append(Choice(title, count, tuple(path for path, _ in members)))
    return choices


def _read_head(path: Path):
    """Return a file's few elements; of a damaged one none: what is wrong with it is said when it is read."""
    try:
        import pydicom

        head = pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=TAGS)
        list(head)  # parses every element now
        return head
    except Exception:  # noqa: BLE001 - pydicom raises whatever a damaged file makes of it
        return {}


def _stacks(files: list[Path], words: Words) -> list[Choice]:
    """Slices by name: in one scan's names a single number counts; `a_1, a_2, b_1` are two scans."""
    stacks = defaultdict(list)
    for path in files:
        parts = re.split(r"\d+", path.stem.removesuffix("_mask"))
        stacks[path.parent, path.suffix.lower(), tuple(parts)].append(path)
    choices = []
    for paths in stacks.values():
        choices += [_name_stack(members, words) for members in _split_by_numbers(paths)]
    return sorted(choices, key=lambda choice: choice.files[0].name)


def _split_by_numbers(paths: list[Path]) -> list[list[Path]]:
    """Names that differ in several numbers count slices with the last of these, and scans with the others."""
    numbers = {path: [int(number) for number in re.findall(r"\d+", path.stem)] for path in paths}
    varying = [place for place, column in enumerate(zip(*numbers.values(), strict=True)) if len(set(column)) > 1]

    def scan_of(path: Path) -> list[int]:
        return [numbers[path][place] for place in varying[:-1]]

    return [
        list(members)
        for _, members in groupby(sorted(paths, key=lambda path: (scan_of(path), numbers[path])), scan_of)
    ]


def _name_stack(paths: list[Path], words: Words) -> Choice:
    slices = [path for path in paths if not path.stem.endswith("_mask")] or paths
    first, last = slices[0].stem, slices[-1].stem
    title = first if first == last else words.say("scans.from_to", first=first, last=last)
    return Choice(title, sum(map(_count_pages, slices)), tuple(paths))


def _count_pages(path: Path) -> int:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return getattr(image, "n_frames", 1)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # what is wrong is said when it is read
        return 1


def _stem(path: Path) -> str:
    name = path.name
    ending = next((ending for ending in (".nii.gz", path.suffix) if name.lower().endswith(ending.lower())), "")
    return name[: len(name) - len(ending)] or name
