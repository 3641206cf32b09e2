"""The data set's card: what the Hub shows, written from what the import counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hf_mri.data.datasets_table import get_dataset_entry


def write_card(folder: Path, summary: dict[str, Any], audit: dict[str, Any]) -> None:
    """Write README.md with the header that tells `datasets` which files are which split."""
    entry = get_dataset_entry(summary["name"])
    splits = "\n".join(f"  - split: {s}\n    path: data/{s}-*.parquet" for s in summary["splits"])
    (folder / "README.md").write_text(
        f"---\nlicense: {entry.licence}\nconfigs:\n- config_name: default\n  data_files:\n{splits}\n---\n"
        f"# {entry.title}\n",
        encoding="utf-8",
    )
