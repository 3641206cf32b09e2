"""Other people's files through `read_scan`: how many are read, refused in one line, crash or hang.

The files are those that pydicom, nibabel and, where it is installed, pydicom-data bring for their own tests. Each is
read in a process of its own, so that whatever it does is counted.

    python benchmarks/foreign_files.py [--seconds 60] [--every 1] [--output counts.json]
"""

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

FOLDERS = {
    "pydicom": ("pydicom", "data"),
    "pydicom-data": ("data_store", "data"),
    "nibabel": ("nibabel", "tests/data"),
}
OUTCOMES = ("scan", "refused", "crash", "hang")
CODE = {".py", ".pyc"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="after which a file counts as one that hangs")
    parser.add_argument("--every", type=int, default=1, help="read only every so many'th file")
    parser.add_argument("--output", type=Path, help="JSON file that gets the counts, and what each file did")
    arguments = parser.parse_args()
    results = {}
    for name, files in find_files().items():
        start = time.monotonic()
        results[name] = {str(path): read_apart(path, arguments.seconds) for path in files[:: arguments.every]}
        print(f"{name}: {format_counts(count(results[name]))}, {time.monotonic() - start:.0f} s")
        for path, (outcome, text) in results[name].items():
            if outcome in ("crash", "hang"):
                print(f"  {outcome}: {Path(path).name}: {text}")
    if arguments.output:
        counts = {name: count(found) for name, found in results.items()}
        arguments.output.write_text(json.dumps({"counts": counts, "files": results}, indent=1) + "\n")


def find_files() -> dict[str, list[Path]]:
    """The test files of each library that is installed."""
    found = {}
    for name, (module, folder) in FOLDERS.items():
        spec = find_spec(module)
        if spec is None or not spec.submodule_search_locations:
            continue
        root = Path(next(iter(spec.submodule_search_locations))) / folder
        files = [path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix not in CODE]
        found[name] = files
    return found


def read_apart(path: Path, seconds: float) -> tuple[str, str]:
    """What reading a file ends in, and a word on it."""
    # By a fork what is imported is there already; macOS's libraries stand no fork, and Windows has none.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_read, args=(path, theirs))
    process.start()
    theirs.close()
    try:
        answer = ours.recv() if ours.poll(seconds) else ("hang", f"more than {seconds:g} s")
    except EOFError:
        process.join()
        answer = ("crash", f"exit code {process.exitcode}")
    process.kill()
    process.join()
    return answer


def _read(path: Path, sink: Any) -> None:
    from hf_mri import ScanError, read_scan

    try:
        scan = read_scan(path)
        sink.send(("scan", f"{scan.slices.shape} {scan.slices.dtype}, {scan.spacing}, {scan.warnings}"))
    except ScanError as error:
        text = str(error).replace(str(path.parent), "")
        sink.send(("refused" if text.isprintable() else "crash", text))
    except Exception as error:  # noqa: BLE001 (anything else than a ScanError is what is looked for)
        sink.send(("crash", repr(error)[:300]))


def count(results: dict[str, tuple[str, str]]) -> dict[str, int]:
    """How many files ended in each way."""
    counts = Counter(outcome for outcome, _ in results.values())
    return {"files": len(results), **{outcome: counts[outcome] for outcome in OUTCOMES}}


def format_counts(counts: dict[str, int]) -> str:
    """The counts in one line."""
    return ", ".join(f"{number} {what}" for what, number in counts.items())


if __name__ == "__main__":
    # Imported before the first fork, as each of a thousand processes would take seconds for it.
    import nibabel  # noqa: F401
    import pydicom  # noqa: F401
    import tifffile  # noqa: F401

    import hf_mri.modeling.mri_scan  # noqa: F401

    main()
