"""Was the model trained on what it is judged by? The bundle's training.json says whom it has seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hf_mri.data.hashes import hash_pixels

if TYPE_CHECKING:  # it needs pandas, which reading a model's record does not
    from hf_mri.evaluation.truth_volumes import TruthVolume

# Validation patients chose the weights and thresholds: figures on them flatter as well.
SEEN_SPLITS = ("train", "validation")


class Seen(NamedTuple):
    """What of a volume the model has seen."""

    patient: str
    images: int


class SeenCheck:
    """Compares every volume with the patients and images that a model has seen."""

    def __init__(self, training: dict[str, Any] | None, allowed: bool = False) -> None:
        """Take the contents of training.json, and whether seen patients are allowed (and marked) or refused."""
        training = training or {}
        by_split = training.get("patients") or {}
        self.known = {str(patient): split for split in SEEN_SPLITS for patient in by_split.get(split, [])}
        self.hashes = set(training.get("image_hashes") or [])
        self.allowed = allowed
        self.found: dict[str, Seen] = {}  # by volume

    def check(self, volume: TruthVolume) -> None:
        """Note whether a volume was seen.

        Raises:
            ValueError: it was, and that is not allowed.
        """
        # The hashes of training leave out slices that show next to nothing, so that these are no finding here either.
        images = sum(hash_pixels(image) in self.hashes for image in volume.images) if self.hashes else 0
        split = self.known.get(volume.patient)
        if not images and split is None:
            return
        if not self.allowed:
            how = (
                f"is one of the model's {split} patients"
                if split
                else f"has {images} images that the model was trained on"
            )
            raise ValueError(
                f"patient {volume.patient} {how}: figures on it are no measure of quality; "
                "evaluate on other patients, or give --allow-seen to have the figures marked as seen in training"
            )
        self.found[volume.volume] = Seen(volume.patient, images)

    def report(self) -> dict[str, Any] | None:
        """What metrics.json says in `seen_in_training`; None where nothing was seen."""
        if not self.found:
            return None
        found = self.found.values()
        return {"patients": sorted({seen.patient for seen in found}), "images": sum(seen.images for seen in found)}


def read_training(model: str | Path, revision: str | None = None) -> dict[str, Any] | None:
    """Read a bundle's training.json from a folder or the Hub; None where the model has none."""
    path = Path(model) / "training.json"
    if not str(model):
        return None
    if not Path(model).is_dir():
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError

        try:
            path = Path(hf_hub_download(str(model), "training.json", revision=revision))
        except EntryNotFoundError:
            return None
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
