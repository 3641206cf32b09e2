"""The door for assistants (MCP): for users only, where there are accounts."""

import base64
import binascii
from collections.abc import Callable

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

from hf_mri.page.accounts import make_gate
from hf_mri.page.logins import SlowDown, TooManyError, address_of

PLACE = "/gradio_api/mcp"


class ToolDoor:
    """ASGI middleware. An assistant keeps no cookie: where there are accounts it sends name and password each time.

    Args:
        app: what answers.
        logins: wrong passwords count here as they do at the page's own login.
        list_users: the users at this moment; None where everybody may come in.
    """

    def __init__(self, app, logins: SlowDown, list_users: Callable[[], dict[str, str]] | None):
        self.app = app
        self.logins = logins
        self.admit = make_gate(list_users) if list_users else None

    async def __call__(self, scope, receive, send) -> None:
        """Answer one call."""
        headers = HTTPConnection(scope).headers
        if self.admit is None:
            return await self.app(scope, receive, send)
        try:
            async with self.logins.turn(address_of(scope)) as record:
                known = await self.admit(*read_password(headers.get("authorization", "")))
                record.note(known)
        except TooManyError as error:
            return await JSONResponse({"detail": str(error)}, 429, {"retry-after": "60"})(scope, receive, send)
        if known:
            return await self.app(scope, receive, send)
        sentence = "This page is for people with an account: send `Authorization: Basic` with name and password."
        answer = JSONResponse({"detail": sentence}, 401, {"www-authenticate": 'Basic realm="hf_mri"'})
        return await answer(scope, receive, send)


def read_password(header: str) -> tuple[str, str]:
    """Return name and password of an `Authorization: Basic` header; nobody's where it holds none."""
    kind, _, value = header.partition(" ")
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return (name, password) if kind.lower() == "basic" else ("", "")
