"""The guard before each commit: no scans, no large files, no notebooks with outputs; and what is here passes it."""

import json
import runpy
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUARD = runpy.run_path(str(ROOT / ".ci" / "check_files.py"))


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("scan.nii.gz", b"", "looks like a scan"),
        ("hf_mri/slice.TIF", b"", "looks like a scan"),
        ("tests/slice.png", b"", "is a picture"),
        ("docs/images/page.png", b"", None),
        ("weights.bin", bytes(600_000), "larger than 500 kB"),
        ("model_cards/lgg/model.safetensors", bytes(600_000), None),
        ("a.ipynb", json.dumps({"cells": [{"outputs": [{}]}]}).encode(), "has outputs"),
        ("b.ipynb", json.dumps({"cells": [{"outputs": []}, {}]}).encode(), None),
    ],
)
def test_each_kind_of_file(name, content, fault, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    found = GUARD["find_fault"](path)
    assert found is None if fault is None else fault in found
    assert GUARD["main"]([name]) == (fault is not None)


def test_what_is_committed_passes(monkeypatch):
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git here")
    monkeypatch.chdir(ROOT)
    assert GUARD["main"](listed.stdout.splitlines()) == 0
