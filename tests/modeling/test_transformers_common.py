"""transformers' own common tests, those of the installed version, hold for our models and the processor."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest

from tests.modeling.transformers_source import fetch_common_tests

ROOT = Path(__file__).parents[2]
CLASSES = ("SliceClassifierTest", "ResUNetTest", "ResUNetOnBackboneTest", "TwoStageTest", "ProcessorTest")


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_common_tests_of_the_installed_version(tmp_path):
    reason = fetch_common_tests(tmp_path)
    if reason:
        pytest.skip(reason)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")  # their marks are not ours
    command = [sys.executable, "-m", "pytest", "-c", str(tmp_path / "pytest.ini"), "--rootdir", str(ROOT)]
    options = ["-q", "-p", "no:cacheprovider", "-W", "ignore", "--tb=short", f"--junitxml={tmp_path / 'results.xml'}"]
    place = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)]), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [*command, *options, "tests/modeling/transformers_common.py"],
        cwd=ROOT,
        env={**os.environ, **place},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    passed = count_passed(tmp_path / "results.xml")
    print(dict(passed))
    assert set(passed) == set(CLASSES)
    assert min(passed.values()) >= 20, passed  # none of them was skipped as a whole


def count_passed(results: Path) -> Counter[str]:
    """How many tests of each class were run and passed."""
    cases = ElementTree.parse(results).iter("testcase")
    return Counter(case.get("classname", "").rpartition(".")[2] for case in cases if case.find("skipped") is None)
