"""Load a model where this package does not exist, as a stranger would, and note what it answers."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

STRANGER = Path(__file__).with_name("load_check_script.py")
TOLERANCE = 1e-5


def answers_of(model: str | Path, revision: str = "", **environment: str) -> dict:
    """Load a folder or a Hub id in a process without the package, and return what it says of three drawn slices.

    Raises:
        ValueError: it does not load or run there; the message ends with the last line of that process.
    """
    with tempfile.TemporaryDirectory() as home:
        settings = {"HF_HOME": home, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TRANSFORMERS_VERBOSITY": "error"}
        done = subprocess.run(
            [sys.executable, "-IB", str(STRANGER), str(model), revision],
            env={**os.environ, **settings, **environment},
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # a traceback's odd letters
            check=False,
        )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ValueError(f"{model} does not work where hf_mri is not installed: {reason}")
    return json.loads(done.stdout.rpartition("ANSWERS")[2])


def differences(first: object, second: object, name: str = "answer") -> list[str]:
    """Name the answers that differ by more than rounding."""
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        return [line for key in first for line in differences(first[key], second[key], key)]
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        return [line for a, b in zip(first, second, strict=True) for line in differences(a, b, name)]
    numbers = all(isinstance(value, int | float) for value in (first, second))
    if first == second or (numbers and abs(first - second) <= TOLERANCE * max(1.0, abs(first))):
        return []
    return [f"{name}: {first} became {second}"]
