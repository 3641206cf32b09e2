"""The command line as a process: its exit code, and nothing lost at its quick end."""

import gc
import subprocess
import sys

import pytest

from hf_mri.collector import paused_collector

PROGRAM = """
import atexit, sys
from hf_mri import cli
atexit.register(lambda: print("cleaned up"))
def main():
    print("x" * 100_000)
    {ending}
cli.main = main
cli.run()
"""


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        ("return", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('no such scan')", 1, "no such scan"),
        ("raise RuntimeError('a fault of ours')", 1, "RuntimeError: a fault of ours"),
    ],
)
def test_the_process_ends_with_its_code_and_all_that_it_wrote(ending, code, said):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(ending=ending)], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert done.stdout == "x" * 100_000 + "\ncleaned up\n"
    assert said in done.stderr


def test_the_collector_is_left_as_it_was():
    assert gc.isenabled()
    with paused_collector():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with paused_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
