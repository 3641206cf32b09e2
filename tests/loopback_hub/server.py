"""The loopback Hub's server: HTTP in and out, faults on request, a log of what was asked."""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TextIO
from urllib.parse import parse_qs, unquote, urlsplit

from . import reading, routes, writing  # noqa: F401 - importing them registers their routes
from .store import GITATTRIBUTES, Blob, Commit, HubError, Repo, User


class LoopbackHub:
    """A Hub on 127.0.0.1, used as a context manager.

    Args:
        port: 0 takes any free one.
        regular: Answer every upload with "regular", as a server without large-file storage would.
        log: Where each request is written; None keeps quiet. `requests` remembers them all the same.
    """

    def __init__(self, port: int = 0, regular: bool = False, log: TextIO | None = None):
        self.regular, self.log = regular, log
        self.tokens = {
            "hf_writer": User("ada", ("lab",)),
            "hf_reader": User("ada", ("lab",), role="read"),
            "hf_other": User("bob"),
        }
        self.repos: dict[tuple[str, str], Repo] = {}
        self.large_files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.lock = threading.RLock()
        self._faults: list[Callable[[str], int | None]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "LoopbackHub":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def environment(self, token: str | None = "hf_writer") -> dict[str, str]:
        """Return the variables that point the real clients of another process here."""
        found = {
            "HF_ENDPOINT": self.url,
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        return {**found, "HF_TOKEN": token} if token else found

    def repo(self, repo_id: str, type: str = "model") -> Repo:
        return self.repos[type, repo_id]

    def add_repo(
        self, repo_id: str, type: str = "model", files: dict[str, bytes] | None = None, **options: Any
    ) -> Repo:
        """Put a repository there without going through HTTP; it starts with the commit that the Hub itself makes."""
        repo = Repo(type, repo_id, **options)
        first = Commit("initial commit", "", repo.namespace, {".gitattributes": Blob(GITATTRIBUTES.encode())})
        content = {path: Blob(data) for path, data in (files or {}).items()}
        repo.branches["main"] = (
            Commit("files", "", repo.namespace, {**first.files, **content}, first) if files else first
        )
        self.repos[type, repo_id] = repo
        return repo

    @contextmanager
    def failing(
        self, pattern: str = ".*", status: int = 503, after: int = 0, times: int | None = None
    ) -> Iterator[None]:
        """Make requests fail whose "METHOD /path" matches.

        Args:
            pattern: Regular expression, searched for in "METHOD /path".
            status: The answer; 0 cuts the connection instead.
            after: How many matching requests still succeed.
            times: How many fail then; None is all.
        """
        seen = 0

        def fault(line: str) -> int | None:
            nonlocal seen
            if not re.search(pattern, line):
                return None
            seen += 1
            return status if seen > after and (times is None or seen <= after + times) else None

        self._faults.append(fault)
        try:
            yield
        finally:
            self._faults.remove(fault)

    def fault(self, line: str) -> int | None:
        """Note a request and return the status that it must fail with, if any."""
        with self.lock:
            self.requests.append(line)
            if self.log:
                self.log.write(line + "\n")
            return next((status for status in [fault(line) for fault in self._faults] if status is not None), None)


def _handler(hub: LoopbackHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def log_message(self, *_: object) -> None:
            """Requests are kept in `hub.requests` instead."""

        def answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status = hub.fault(f"{self.command} {unquote(parts.path)}")
            if status == 0:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            try:
                if status:
                    raise HubError(status, "this request fails on purpose")
                request = routes.Request(
                    hub, self.command, parts.path, parse_qs(parts.query), self.headers, body, self.user()
                )
                self.send(*routes.respond(request))
            except HubError as error:
                headers = {"X-Error-Message": error.message}
                if error.code:
                    headers["X-Error-Code"] = error.code
                self.send(error.status, error.body or {"error": error.message}, headers)

        def user(self) -> User | None:
            scheme, _, token = self.headers.get("Authorization", "").partition(" ")
            if scheme and token not in hub.tokens:
                raise HubError(401, "Invalid credentials in Authorization header")
            return hub.tokens.get(token)

        def send(
            self, status: int, content: bytes | dict | list | None, headers: dict[str, str] | None = None
        ) -> None:
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            kind = "application/octet-stream" if isinstance(content, bytes) else "application/json; charset=utf-8"
            self.send_response(HTTPStatus(status))
            for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

    return Handler
