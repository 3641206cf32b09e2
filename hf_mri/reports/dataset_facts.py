"""Everything that can be counted in a data set, in one pass over its slices with flat memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from hf_mri.data.datasets_table import DatasetEntry
from hf_mri.data.sources import Row, split_mask
from hf_mri.tasks.registry import find_task

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
POSITIONS = 10  # equal parts of a volume, from its first slice to its last
DARK = 32 / 255  # a slice whose brightest value stays below this share of its volume's is called dark


@dataclass
class Tally:
    """What a pass over the slices adds up."""

    entry: DatasetEntry
    chosen: set[str]  # patients whose largest slice is kept for the pictures
    areas: dict[str, list[int]] = field(default_factory=dict)
    areas_mm2: dict[str, list[float]] = field(default_factory=dict)
    histograms: np.ndarray | None = None  # (C, 65536)
    sizes: Counter = field(default_factory=Counter)
    spacings: Counter = field(default_factory=Counter)
    present: list[dict[str, Any]] = field(default_factory=list)
    largest: dict[str, tuple[int, Row]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count one slice."""
        image, mask = row["image"], row["mask"]
        height, width = mask.shape
        self.sizes[f"{width}x{height}"] += 1
        if row["spacing"] is not None:
            self.spacings[" x ".join(f"{value:.4g}" for value in row["spacing"])] += 1
        self._count_pixels(image)
        found = {}
        for label, inside in split_mask(mask, self.entry).items():
            area = int(inside.sum())
            found[label] = area > 0
            if area:
                self.areas.setdefault(label, []).append(area)
                if row["spacing"] is not None:
                    self.areas_mm2.setdefault(label, []).append(area * row["spacing"][0] * row["spacing"][1])
        self.present.append({"volume": row["volume"], "slice": row["slice"], "brightest": int(image.max()), **found})
        total = int((mask > 0).sum())
        if row["patient"] in self.chosen and total >= self.largest.get(row["patient"], (0, row))[0]:
            self.largest[row["patient"]] = (total, row)

    def _count_pixels(self, image: np.ndarray) -> None:
        pixels = image[::2, ::2].reshape(-1, 1 if image.ndim == 2 else image.shape[2])
        if self.histograms is None:
            self.histograms = np.zeros((pixels.shape[1], 65536), np.int64)
        for channel, values in enumerate(pixels.T):
            counts = np.bincount(values)
            self.histograms[channel, : len(counts)] += counts


def gather_facts(
    rows: Iterable[Row],
    table: pd.DataFrame,
    entry: DatasetEntry,
    summary: dict[str, Any],
    audit: dict[str, Any],
    tally: Tally,
) -> dict[str, Any]:
    """Count everything; the answer is what `explore.json` holds."""
    for row in rows:
        tally.add(row)
    present = pd.DataFrame(tally.present)
    labels = list(entry.foreground.values())
    facts = {
        "data": {
            key: summary[key] for key in ("name", "patients", "volumes", "slices", "protocol", "seed", "fingerprint")
        },
        "title": entry.title,
        "splits": _count_by(table, "split"),
        "sites": _count_by(table, "site") if table["site"].notna().any() else {},
        "patients": _describe_patients(table),
        "columns": _describe_columns(table, summary["columns"]),
        "slices_per_volume": table.groupby("volume").size().value_counts().sort_index().to_dict(),
        "sizes": dict(tally.sizes.most_common()),
        "spacings": dict(tally.spacings.most_common()),
        "area": {label: _describe_areas(tally, label) for label in labels},
        "intensity": {
            name: _describe_histogram(counts) for name, counts in zip(entry.channels, tally.histograms, strict=True)
        },
        "label_by_position": _count_positions(present, labels),
    }
    facts["problems"] = list_problems(facts, table, present, audit)
    return facts


def list_problems(
    facts: dict[str, Any], table: pd.DataFrame, present: pd.DataFrame, audit: dict[str, Any]
) -> list[str]:
    """What somebody should know before training on this."""
    problems = [*audit["findings"], *(f"left out: {bad['path']}: {bad['reason']}" for bad in audit["bad_files"])]
    if not audit["splits"]["passed"]:
        problems.append("the stored split leaks: patients or pictures stand on both sides")
    for column in ("missing_pre", "missing_post"):
        if column in table:
            names = table.groupby("patient")[column].first()
            if names.any():
                repeated = find_task(facts["area"]).stand_in
                problems.append(
                    f"{int(names.sum())} patients have no {column[8:]}-contrast channel: it repeats {repeated}"
                )
    blank = int(sum(not picture.any() for picture in table["picture"]))
    if blank:
        problems.append(f"{blank} slices show next to nothing")
    brightest = present["brightest"] / present.groupby("volume")["brightest"].transform("max")
    dark = int((brightest < DARK).sum())
    if dark:
        problems.append(f"{dark} slices are darker than an eighth of the brightest in their volume")
    without = [patient["patient"] for patient in facts["patients"] if patient["positive"] == 0]
    if without:
        problems.append(f"{len(without)} patients have no foreground at all: {', '.join(without[:5])}")
    gaps = table.groupby("volume")["slice"].agg(lambda s: s.max() - s.min() + 1 - len(s))
    if gaps.any():
        problems.append(f"{int((gaps > 0).sum())} volumes lack {int(gaps.sum())} slices in between")
    problems += [f"no slice shows {label}" for label, area in facts["area"].items() if not area]
    return problems


def _count_by(table: pd.DataFrame, column: str) -> dict[str, dict[str, Any]]:
    counts = {}
    for name, rows in table.groupby(column, sort=False):
        counts[str(name)] = {
            "patients": int(rows["patient"].nunique()),
            "volumes": int(rows["volume"].nunique()),
            "slices": len(rows),
            "positive": int(rows["label"].sum()),
            "positive_share": round(float(rows["label"].mean()), 4),
        }
    return counts


def _describe_patients(table: pd.DataFrame) -> list[dict[str, Any]]:
    patients = table.groupby("patient", sort=True).agg(
        split=("split", "first"), site=("site", "first"), slices=("label", "size"), positive=("label", "sum")
    )
    patients["site"] = patients["site"].astype(object).where(patients["site"].notna(), None)
    return patients.reset_index().to_dict("records")


def _describe_columns(table: pd.DataFrame, columns: dict[str, str]) -> dict[str, Any]:
    """What this set alone says of its patients: counts of each value, or the range of numbers."""
    described: dict[str, Any] = {}
    for name in columns:
        by_patient = table.groupby("patient")[name]
        values = by_patient.first().dropna()
        if values.empty or by_patient.nunique().max() > 1:  # unknown, or rather of slices than of patients
            continue
        if values.nunique() <= 8:
            counts = values.value_counts().sort_index()
            described[name] = {"counts": {_plain(value): int(count) for value, count in counts.items()}}
        elif pd.api.types.is_numeric_dtype(values):
            described[name] = {key: round(float(getattr(values, key)()), 3) for key in ("min", "median", "max")}
        described.get(name, {}).update({"missing": int(by_patient.ngroups - len(values))})
    return described


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _describe_areas(tally: Tally, label: str) -> dict[str, Any]:
    """Areas of the slices that show a label: quantiles, and a histogram in logarithmic steps."""
    areas = tally.areas.get(label)
    if not areas:
        return {}
    edges = np.geomspace(1, max(max(areas), 2) + 1, 21)
    described = {
        "slices": len(areas),
        "pixels": {f"{q:g}": float(np.quantile(areas, q)) for q in QUANTILES},
        "histogram": {"edges": edges.round(2).tolist(), "counts": np.histogram(areas, edges)[0].tolist()},
    }
    if label in tally.areas_mm2:
        described["mm2"] = {f"{q:g}": round(float(np.quantile(tally.areas_mm2[label], q)), 2) for q in QUANTILES}
    return described


def _describe_histogram(counts: np.ndarray) -> dict[str, Any]:
    """Quantiles of all pixel values, and 48 bins up to nearly the brightest."""
    shares = np.cumsum(counts) / counts.sum()
    quantiles = {f"{q:g}": int(np.searchsorted(shares, q)) for q in QUANTILES}
    top = int(np.searchsorted(shares, 0.999)) + 1
    edges = np.unique(np.linspace(0, max(top, 2), 49).astype(int))
    binned = np.add.reduceat(counts, edges[:-1])
    binned[-1] = counts[edges[-2] : edges[-1]].sum()
    return {"quantiles": quantiles, "histogram": {"edges": edges.tolist(), "counts": binned.tolist()}}


def _count_positions(present: pd.DataFrame, labels: list[str]) -> dict[str, list[float]]:
    """Share of slices that show a label, by their place between a volume's first slice and its last."""
    spans = present.groupby("volume")["slice"]
    first, last = spans.transform("min"), spans.transform("max")
    place = (
        ((present["slice"] - first) / (last - first).clip(lower=1) * POSITIONS).astype(int).clip(upper=POSITIONS - 1)
    )
    shares = present.groupby(place)[labels].mean().reindex(range(POSITIONS))
    return {label: [None if pd.isna(share) else round(float(share), 4) for share in shares[label]] for label in labels}
