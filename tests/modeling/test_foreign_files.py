"""pydicom's and nibabel's own test files: read, or refused in one line; none crashes, none hangs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_third_of_other_peoples_files(tmp_path):
    result = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "foreign_files.py", "--seconds", "60", "--every", "3"],
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["pydicom", "nibabel"]
    assert all("0 crash, 0 hang" in line for line in lines), result.stdout
