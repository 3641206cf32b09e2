"""Environments of other processes: nearly empty ones, and such that hold only what a requirements file brings in."""

import os
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

# Without these Windows starts no Python.
BARE = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP") if os.name == "nt" and name in os.environ}


def link_requirements(requirements: Path, folder: Path) -> None:
    """Make a site-packages folder that holds only what these requirements bring in, as links to this environment."""
    lines = [line for line in requirements.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    waiting, seen = [Requirement(line) for line in lines], set()
    while waiting:
        requirement = waiting.pop()
        for extra in {"", *requirement.extras} - {extra for name, extra in seen if name == requirement.name}:
            seen.add((requirement.name, extra))
            try:
                found = distribution(requirement.name)
            except PackageNotFoundError:  # of another system
                continue
            needed = map(Requirement, found.requires or [])
            waiting += [need for need in needed if need.marker is None or need.marker.evaluate({"extra": extra})]
            for top in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
                if not (folder / top).exists():
                    (folder / top).symlink_to(Path(found.locate_file(top)).resolve())
