"""Keep what decoders warn and log of a file out of the caller's log while a file is decoded, and only then."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

DECODERS = ("PIL", "pydicom", "tifffile", "nibabel")

_lock = Lock()
_inside = 0  # calls, of all threads
_muted = ExitStack()


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Mute the decoders' own warnings and log for the time of a call.

    What matters to a reader of scans is raised; and pydicom's warnings quote the values of elements, which may be a
    patient's. Filters of warnings and levels of loggers belong to the whole process: so the first of several threads
    turns the decoders down, and the last one leaves everything as it was found.
    """
    global _inside
    with _lock:
        if not _inside:
            _mute(_muted)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _muted.close()


def _mute(stack: ExitStack) -> None:
    stack.enter_context(warnings.catch_warnings())
    warnings.filterwarnings("ignore", module=rf"({'|'.join(DECODERS)})\b")
    for logger in map(logging.getLogger, DECODERS):
        stack.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL)
