"""A Hub on 127.0.0.1: small, faithful, and driven only by the real clients (`python -m tests.loopback_hub`)."""

from .server import LoopbackHub
from .store import HubError, Repo, User

__all__ = ["HubError", "LoopbackHub", "Repo", "User"]
