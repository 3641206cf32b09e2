"""Nobody else's warnings and logs are muted, but for the time in which a file is decoded."""

import logging
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import hf_mri
from hf_mri.modeling.mri_scan_quiet import DECODERS, quiet_decoders

TRAVELLING = sorted(path.stem for path in (Path(hf_mri.__file__).parent / "modeling").glob("*.py"))

IMPORT_ALL = """
import importlib, logging, sys, warnings

def refuse_ours(change):
    def checked(*args, **kwargs):
        caller = sys._getframe(1).f_globals["__name__"]  # libraries add filters of their own when they are imported
        assert not caller.startswith("hf_mri"), f"{caller} changes what others log or warn of"
        return change(*args, **kwargs)
    return checked

warnings.filterwarnings, warnings.simplefilter = map(refuse_ours, (warnings.filterwarnings, warnings.simplefilter))
logging.Logger.setLevel = refuse_ours(logging.Logger.setLevel)
for name in sys.argv[1:]:
    importlib.import_module(f"hf_mri.modeling.{name}")
for name in ("PIL", "tifffile", "pydicom"):
    assert logging.getLogger(name).level == logging.NOTSET, name
assert not any("pydicom" in str(entry) or "PIL" in str(entry) for entry in warnings.filters), warnings.filters
"""


def test_importing_what_travels_mutes_nobody():
    names = [name for name in TRAVELLING if name != "__init__"]
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *names], capture_output=True, text=True, timeout=200, check=False
    )
    assert result.returncode == 0, result.stderr


def levels():
    return [logging.getLogger(name).level for name in DECODERS]


def test_decoders_are_quiet_inside_and_as_before_outside():
    before, filters = levels(), list(warnings.filters)
    with quiet_decoders(), quiet_decoders():
        assert set(levels()) == {logging.CRITICAL}
    assert (levels(), warnings.filters) == (before, filters)


def test_threads_that_overlap_leave_everything_as_it_was():
    before, filters = levels(), list(warnings.filters)
    first_in, second_in = threading.Event(), threading.Event()

    def first():
        with quiet_decoders():
            first_in.set()
            second_in.wait(10)

    def second():
        first_in.wait(10)
        with quiet_decoders():
            second_in.set()
            threads[0].join(10)  # the first leaves while the second is inside
            assert set(levels()) == {logging.CRITICAL}

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (levels(), warnings.filters) == (before, filters)
