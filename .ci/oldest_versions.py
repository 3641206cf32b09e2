"""Print requirements that hold every dependency at its floor, for a run with the oldest supported versions.

python .ci/oldest_versions.py > requirements.lock
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEWEST = {"dev"}  # tools of the tests, not of users
LEFT_OUT = {"bench"}  # peers of the benchmarks, pinned to one version


def list_floors() -> list[str]:
    """Return one requirement a dependency: its floor exactly, tools of the tests at any version from theirs on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    parts = {"": project["dependencies"]} | project["optional-dependencies"]
    lines = set()
    for extra, requirements in parts.items():
        for line in () if extra in LEFT_OUT else requirements:
            if not line.startswith("hf_mri["):
                lines.add(line if extra in NEWEST else re.sub(r">=([\d.]+).*", r"==\1.*", line))
    return sorted(lines)


if __name__ == "__main__":
    print("\n".join(list_floors()))  # noqa: T201
