"""The loopback Hub's interface: a function for each request, found by method and path."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from .store import HubError, Repo, User

if TYPE_CHECKING:
    from .server import LoopbackHub

Answer = tuple[int, Any, dict[str, str]]
TYPES = {"models": "model", "datasets": "dataset", "spaces": "space"}
PREFIXES = {"model": "", "dataset": "datasets/", "space": "spaces/"}
ROUTES: list[tuple[str, re.Pattern, Callable]] = []
REPO = r"/api/(?P<type>models|datasets|spaces)/(?P<id>[^/]+/[^/]+)"
FILE = r"/(?:(?P<type>datasets|spaces)/)?(?P<id>[^/]+/[^/]+?)"


@dataclass
class Request:
    hub: "LoopbackHub"
    method: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    body: bytes
    user: User | None

    def json(self) -> dict:
        return json.loads(self.body or b"{}")

    def repo(self, type: str | None, id: str, write: bool = False) -> Repo:
        """Return the repository if this user may do that to it; the errors are the Hub's."""
        repo = self.hub.repos.get((TYPES[type or "models"], unquote(id)))
        if repo is None or (repo.private and not (self.user and self.user.may_read(repo.namespace))):
            status = 404 if self.user else 401
            raise HubError(
                status, "Repository not found" if self.user else "Invalid username or password.", "RepoNotFound"
            )
        if write and self.user is None:
            raise HubError(401, "Invalid username or password.")
        if write and not self.user.may_write(repo.namespace):
            raise HubError(403, f"You don't have the required permissions to write to {repo.type} {repo.id}")
        return repo


def route(method: str, pattern: str) -> Callable[[Callable], Callable]:
    """Register a function for a method and a path; named groups become its arguments, unquoted."""

    def register(function: Callable) -> Callable:
        ROUTES.append((method, re.compile(pattern + "$"), function))
        return function

    return register


def respond(request: Request) -> Answer:
    """Answer one request; HubError is an answer too, given by the caller."""
    method = "GET" if request.method == "HEAD" else request.method
    for wanted, pattern, function in ROUTES:
        match = pattern.match(request.path) if wanted == method else None
        if match:
            arguments = {name: value and unquote(value) for name, value in match.groupdict().items()}
            with request.hub.lock:
                answer = function(request, **arguments)
            return answer if isinstance(answer, tuple) else (200, answer, {})
    raise HubError(404, f"Sorry, we can't find the page {request.method} {request.path}")
