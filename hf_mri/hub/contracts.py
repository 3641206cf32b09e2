"""What training.json holds: who was trained on, how long, and with what."""

from typing import Any, NotRequired, TypedDict


class Training(TypedDict):
    """training.json of a bundle."""

    dataset: str
    task: NotRequired[str]
    channels: NotRequired[list[str]]  # of one slice, in words
    data_fingerprint: NotRequired[str]
    patients: NotRequired[dict[str, list[str]]]  # by split
    sites: NotRequired[dict[str, int]]
    image_hashes: NotRequired[list[str]]
    training_slices: NotRequired[int]
    steps: NotRequired[int]
    epochs: NotRequired[float]
    seconds: NotRequired[float]
    weights_from_step: NotRequired[int]
    code_version: NotRequired[str]
    history: NotRequired[list[dict[str, Any]]]
    hardware: NotRequired[str]
    versions: NotRequired[dict[str, str]]
    thresholds_from: NotRequired[list[str]]  # patients
    folds: NotRequired[list[list[dict[str, Any]]]]  # histories of the folds that chose the thresholds
    known_scans: NotRequired[dict[str, Any] | None]  # how many of its own scans are doubted out of fold
    confidence: NotRequired[dict[str, Any]]  # figures of an estimate that was fitted on another training's folds
    stages: NotRequired[dict[str, list[list[dict[str, Any]]]]]  # of two stages: the histories of each
