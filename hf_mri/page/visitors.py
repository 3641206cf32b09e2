"""Who asks, and which files are whose: what keeps the visitors of the page apart."""

import os
import re
import threading
import time
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import NamedTuple

import gradio as gr

COOKIE = "hf-mri-visitor"
WELL_FORMED = re.compile(r"[\w-]{20,64}")
ANYONE = "*"  # a download for one who keeps no cookie: its name holds a hash with a secret
SWEEP_EVERY = 60  # seconds


class Visitor(NamedTuple):
    """The account where there are accounts, the browser's own cookie, and the page that is open in it."""

    user: str | None = None
    cookie: str | None = None
    session: str | None = None


def visitor_of(request: gr.Request) -> Visitor:
    """Return who sent an event."""
    return Visitor(request.username, read_cookie(request.request.cookies), request.session_hash)


def read_cookie(cookies: dict[str, str]) -> str | None:
    """Return the visitor's cookie, None where there is none that this page could have given."""
    value = cookies.get(COOKIE, "")
    return value if WELL_FORMED.fullmatch(value) else None


class Sessions:
    """Which browser an open page belongs to: knowing a page's number is not enough to listen to it, or to end it."""

    def __init__(self, most: int = 10_000):
        self.most = most
        self._first: OrderedDict[str, tuple[str | None, str | None]] = OrderedDict()

    def admits(self, session: str, visitor: Visitor) -> bool:
        """Return whether this visitor is the one who came first with this number."""
        owner = self._first.setdefault(session, (visitor.user, visitor.cookie))
        self._first.move_to_end(session)
        if len(self._first) > self.most:
            self._first.popitem(last=False)
        return owner == (visitor.user, visitor.cookie)


class Uploads:
    """Whose each file in the upload folder is; what is not known here is nobody's.

    A file belongs to the account and the cookie that sent it.

    Args:
        folder: where the server keeps uploads.
        seconds: how long a left-over of an upload may lie there.
    """

    def __init__(self, folder: Path, seconds: float):
        self.folder = os.path.realpath(folder)
        self.seconds = seconds
        self._owners: dict[str, set[tuple[str | None, str]]] = defaultdict(set)
        self._swept = time.monotonic()
        self._lock = threading.Lock()

    def record(self, path: str, visitor: Visitor) -> None:
        """Remember whose a file is."""
        with self._lock:
            self._owners[os.path.realpath(path)].add((visitor.user, visitor.cookie or ANYONE))
            if time.monotonic() - self._swept > SWEEP_EVERY:
                self._sweep()

    def check(self, paths: list[str], visitor: Visitor) -> None:
        """Refuse all but regular files that this visitor sent; the message names no folder, and nobody else's file."""
        for path in paths:
            if not self._is_own(str(path), visitor):
                raise ValueError(
                    "This file was not uploaded in this session, or is no longer kept; upload it here, and let the "
                    "page keep its cookie."
                )

    def may_fetch(self, path: str, visitor: Visitor) -> bool:
        """Return whether a file may be sent to this visitor: what lies elsewhere is not this class's business."""
        path = os.path.realpath(path)
        if os.path.commonpath([path, self.folder]) != self.folder:
            return True
        owners = self._owners.get(path, set())
        return bool({(visitor.user, visitor.cookie), (visitor.user, ANYONE)} & owners)

    def _is_own(self, path: str, visitor: Visitor) -> bool:
        if os.path.islink(path) or not os.path.isfile(path):
            return False
        return (visitor.user, visitor.cookie) in self._owners.get(os.path.realpath(path), set())

    def _sweep(self) -> None:
        """Forget files that are gone, and delete what Gradio leaves beside them: its `tmp*` files."""
        self._swept = time.monotonic()
        for path in [path for path in self._owners if not os.path.exists(path)]:
            del self._owners[path]
        for path in Path(self.folder).glob("tmp*"):
            if path.is_file() and time.time() - path.stat().st_mtime > self.seconds:
                path.unlink(missing_ok=True)
