"""What may never be committed: scans, pictures that are not listed, large files, notebooks with outputs.

    python .ci/check_files.py FILE…

Used by pre-commit and by CI; prints a line for each bad file and ends with 1.
"""

import fnmatch
import json
import sys
from pathlib import Path

SCANS = (".nii", ".nii.gz", ".dcm", ".tif", ".tiff", ".mha", ".nrrd", ".npz", ".npy", ".parquet", ".zip")
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
DRAWN = ("docs/images/*.png", "model_cards/*/plots/*.png")  # made by scripts, of phantoms or of figures
LARGE = 500_000  # bytes
WEIGHTS = ("model_cards/*/model.safetensors", "model_cards/*/graphs/*", "model_cards/*/metrics.json")


def find_fault(path: Path) -> str | None:
    """Return why a file may not be committed, None where it may."""
    name = path.as_posix()
    if name.lower().endswith(SCANS):
        return "looks like a scan or like data; keep it outside of the repository"
    if name.lower().endswith(PICTURES) and not matches(name, DRAWN):
        return f"is a picture; only {' and '.join(DRAWN)} are kept, and none of a patient"
    if not path.is_file():
        return None
    if path.stat().st_size > LARGE and not matches(name, WEIGHTS):
        return f"is larger than {LARGE // 1000} kB"
    if name.endswith(".ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        if any(cell.get("outputs") or cell.get("execution_count") for cell in cells):
            return "has outputs; clear them before the commit, they may hold pictures"
    return None


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether a path is one of those that are listed."""
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def main(names: list[str]) -> int:
    """Check the files; 1 where one is bad."""
    faults = [f"{name}: {fault}" for name in names if (fault := find_fault(Path(name)))]
    print("\n".join(faults), end="\n" if faults else "")  # noqa: T201
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
