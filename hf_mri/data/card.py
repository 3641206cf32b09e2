"""The data set's card: what the Hub shows, written from what the import counted and never by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hf_mri.data.datasets_table import OVERLAPPING, DatasetEntry

_MEANING = {
    "image": "the slice as a lossless PNG, {bits} bits, channels: {channels}",
    "mask": "8-bit PNG; {storage}",
    "label": "`{negative}` or `{positive}`: whether the mask has any foreground",
    "patient": "who was scanned; every split keeps a patient on one side",
    "site": "where, or null",
    "slice": "position in the volume, from 0",
    "volume": "one name for each 3-D image",
    "phase": "`ED`, `ES` or null",
    "spacing": "millimeters between rows, columns and slices, or null",
}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**12, "100K<n<1M"))


def write_card(folder: Path, entry: DatasetEntry, summary: dict[str, Any], audit: dict[str, Any]) -> None:
    """Write README.md: the header that tells `datasets` which files are which split, then words for people."""
    (folder / "README.md").write_text(f"{_header(entry, summary)}\n{_body(entry, summary, audit)}", encoding="utf-8")


def _header(entry: DatasetEntry, summary: dict[str, Any]) -> str:
    splits = [f"  - split: {split}\n    path: data/{split}-*.parquet" for split in summary["splits"]]
    size = next(name for limit, name in _SIZES if summary["slices"] < limit)
    return "\n".join(
        [
            "---",
            f"pretty_name: {entry.title!r}",
            f"license: {entry.license}",
            "task_categories:",
            "- image-segmentation",
            "- image-classification",
            "tags:",
            "- medical",
            "- mri",
            "size_categories:",
            f"- {size}",
            "configs:",
            "- config_name: default",
            "  data_files:",
            *splits,
            "---",
        ]
    )


def _body(entry: DatasetEntry, summary: dict[str, Any], audit: dict[str, Any]) -> str:
    counts = [
        f"| {split} | {n['patients']} | {n['volumes']} | {n['slices']:,} | {n['positive'] / n['slices']:.1%} |"
        for split, n in summary["splits"].items()
    ]
    columns = [f"| `{name}` | {text.format(**_words(entry))} |" for name, text in _MEANING.items()]
    columns += [f"| `{name}` | {kind} |" for name, kind in summary["columns"].items()]
    notes = [f"- {finding}" for finding in audit["findings"]]
    notes += [
        f"- {len(audit['bad_files'])} files could not be read and were left out; `audit.json` lists them."
    ] * bool(audit["bad_files"])
    leak = "" if audit["splits"]["passed"] else f" **This split leaks: {_leak(audit['splits'])}.**"
    parts = [
        f"# {entry.title}",
        f"{summary['patients']} patients, {summary['volumes']} volumes, {summary['slices']:,} slices."
        + (f" Publisher's page: {entry.homepage}" if entry.homepage else ""),
        "```python\nfrom datasets import load_dataset\n\n"
        'slices = load_dataset(".", split="train")  # here; from the Hub by its name\n```',
        "## Splits",
        "| split | patients | volumes | slices | with foreground |\n| --- | --- | --- | --- | --- |\n"
        + "\n".join(counts),
        f"Protocol `{summary['protocol']}`, seed {summary['seed']}, empty training slices: {summary['empty']}. "
        "`splits.json` lists the patients of every split and of five folds for cross-validation. Patients, equal "
        f"pictures and nearly equal pictures were compared across the splits.{leak}",
        "## Columns",
        "| column | meaning |\n| --- | --- |\n" + "\n".join(columns),
        "## How it was made",
        f"`hf-mri data import {entry.layout} SOURCE DEST`, hf_mri {summary['versions']['hf_mri']}. Pixels are the "
        f"publisher's, repacked without loss. Fingerprint of pixels, masks and positions: `{summary['fingerprint']}`.",
        "\n".join(notes),
        "## License and citation",
        f"License: {entry.license}. "
        + ("" if entry.redistribution else "**The images may not be passed on without the rights holder's consent.** ")
        + entry.citation,
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _words(entry: DatasetEntry) -> dict[str, Any]:
    """What the columns' descriptions leave open."""
    names = ", ".join(f"{index} = {label}" for index, label in entry.id2label.items())
    how = "bit k is set where label k is" if entry.problem_type == OVERLAPPING else "the label's number in every pixel"
    return {
        "bits": entry.bits,
        "channels": ", ".join(entry.channels),
        "storage": f"{how} ({names})",
        "negative": entry.slice_labels[0],
        "positive": entry.slice_labels[1],
    }


def _leak(splits: dict[str, Any]) -> str:
    return f"{len(splits['patients'])} patients, {splits['exact']} equal and {splits['near']} nearly equal pictures"
