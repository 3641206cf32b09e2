"""What metrics.json holds; docs/metrics.md says what each figure means. A figure that cannot be computed is absent."""

from typing import Any, NotRequired, TypedDict


class DataFacts(TypedDict):
    """Which patients were judged."""

    patients: int
    volumes: int
    slices: int
    positive_slices: int
    name: NotRequired[str]
    split: NotRequired[str]
    fingerprint: NotRequired[str]
    sites: NotRequired[dict[str, int]]


class ModelFacts(TypedDict):
    """What was judged."""

    labels: list[str]
    name: NotRequired[str]
    model_type: NotRequired[str]
    problem_type: NotRequired[str]
    parameters: NotRequired[int]
    thresholds: NotRequired[dict[str, float]]
    thresholds_by_fold: NotRequired[dict[str, dict[str, float]]]


class EngineFacts(TypedDict):
    """What ran it, and how fast."""

    name: str
    precision: NotRequired[str]
    device: NotRequired[str]
    flips: NotRequired[bool]
    threads: NotRequired[int]
    seconds: NotRequired[float]
    slices_per_second: NotRequired[float]


class WorstCase(TypedDict):
    """One of the lowest volumes, in words."""

    patient: str
    volume: str
    label: str
    dice: float
    truth_volume: float
    predicted_volume: float
    unit: str
    words: str


class CaseFacts(TypedDict):
    """One row a volume: enough to pair two models patient by patient and slice by slice."""

    patient: str
    volume: str
    slices: int
    truth: list[int]
    decision: list[int]
    probability: list[float]
    spacing: NotRequired[list[float]]
    site: NotRequired[str]
    phase: NotRequired[str]
    group: NotRequired[str]
    fold: NotRequired[str]
    labels: NotRequired[dict[str, dict[str, Any]]]
    evidence: NotRequired[list[float]]
    confidence: NotRequired[float]


class Metrics(TypedDict):
    """metrics.json, schema 1."""

    schema: int
    created: str
    protocol: str
    rules: dict[str, str]
    notes: list[str]
    seen_in_training: bool | dict[str, Any]
    data: DataFacts
    model: ModelFacts
    engine: EngineFacts
    versions: dict[str, str]
    classification: dict[str, Any]
    cases: list[CaseFacts]
    segmentation: NotRequired[dict[str, dict[str, Any]]]
    segmentation_mean: NotRequired[dict[str, Any]]
    gate: NotRequired[dict[str, Any]]
    confidence: NotRequired[dict[str, Any]]
    doubts: NotRequired[dict[str, Any]]
    cardiac: NotRequired[dict[str, Any]]
    competition: NotRequired[dict[str, Any]]
    breakdowns: NotRequired[dict[str, dict[str, Any]]]
    worst: NotRequired[list[WorstCase]]
