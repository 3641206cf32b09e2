"""What reading.json and export.json hold."""

from __future__ import annotations

from typing import Any, TypedDict


class SliceFacts(TypedDict):
    """What a reading says about one slice."""

    index: int
    phase: int
    name: str
    probability: float
    gate_probability: float | None
    stage: str
    positive: bool
    regions: dict[str, dict[str, Any]]


class ReadingFacts(TypedDict, total=False):
    """reading.json: the reading as plain numbers, lists and text; pixels are left out."""

    schema: str
    source: str
    model: dict[str, Any]
    thresholds: dict[str, float]
    labels: list[str]
    finding: str | None
    size: list[int]
    spacing_mm: list[float | None] | None
    phases: int
    warnings: list[str]
    doubts: list[str]
    novelty: float | None
    confidence: float | None
    slices: list[SliceFacts]
    volumes: list[dict[str, dict[str, Any]]]
    cine: dict[str, Any] | None


class ExportedGraphs(TypedDict, total=False):
    """One precision of one format, and how far it is from the model."""

    format: str
    precision: str
    files: dict[str, str]
    parity: dict[str, float]
    bound: dict[str, float]


class ExportRecord(TypedDict, total=False):
    """export.json: which graphs there are, and what `engine="auto"` takes."""

    weights: str
    choice: dict[str, str | None]
    exports: list[ExportedGraphs]
    left_out: list[ExportedGraphs]
    timings: list[dict[str, Any]]
    machine: dict[str, Any]
    inputs: dict[str, Any]
