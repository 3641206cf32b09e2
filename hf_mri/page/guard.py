"""Between the network and Gradio: whose a file is, who is still a user, how fast one may guess, and safe headers."""

import json
import secrets
from collections.abc import Callable
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, unquote

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

from hf_mri.page.bodies import Bodies
from hf_mri.page.logins import SlowDown, TooManyError, address_of
from hf_mri.page.tool_door import PLACE, ToolDoor
from hf_mri.page.visitors import COOKIE, Sessions, Uploads, Visitor, read_cookie

UPLOAD, FILE, HEARTBEAT = "/gradio_api/upload", "/gradio_api/file=", "/gradio_api/heartbeat/"
# Gradio's page needs scripts within the page; another host is never asked. The Hub shows a Space in a frame.
POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self' https://huggingface.co https://*.hf.space"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """ASGI middleware.

    Args:
        app: what answers.
        uploads: gets to know each upload, and is asked before a file is sent.
        list_users: the users at this moment; None where everybody may come in.
    """

    def __init__(self, app, uploads: Uploads, list_users: Callable[[], dict[str, str]] | None = None):
        self.app = app = Bodies(app, free=UPLOAD)
        self.uploads = uploads
        self.list_users = list_users
        self.known = list_users() if list_users else {}
        self.logins = SlowDown()
        self.tools = ToolDoor(app, self.logins, list_users)
        self.sessions = Sessions()

    async def __call__(self, scope, receive, send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if self.list_users:
            self._dismiss(scope["app"])
        given = read_cookie(HTTPConnection(scope).cookies)
        visitor = Visitor(self._user_of(scope), given)
        fresh = None if given else secrets.token_urlsafe(24)
        send = with_headers(scope, send, fresh)
        path = unquote(scope["path"]).rstrip("/")
        if not self._is_own(path, parse_qs(scope["query_string"].decode("latin-1")), visitor):
            sentence = "This belongs to another visitor, or is no longer kept."
            return await JSONResponse({"detail": sentence}, 403)(scope, receive, send)
        if path == PLACE or path.startswith(f"{PLACE}/"):
            return await self.tools(scope, receive, send)
        if path == "/login" and scope["method"] == "POST":
            return await self._log_in(scope, receive, send)
        if path == UPLOAD:
            send = self._recording(send, Visitor(visitor.user, given or fresh))
        return await self.app(scope, receive, send)

    def _is_own(self, path: str, query: dict[str, list[str]], visitor: Visitor) -> bool:
        if path.startswith(FILE):
            return self.uploads.may_fetch(path.removeprefix(FILE), visitor)
        session = path.removeprefix(HEARTBEAT) if path.startswith(HEARTBEAT) else query.get("session_hash", [None])[-1]
        return session is None or self.sessions.admits(session, visitor)

    def _user_of(self, scope) -> str | None:
        app, cookies = scope["app"], HTTPConnection(scope).cookies
        names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
        return app.tokens.get(next((cookies[name] for name in names if cookies.get(name)), None))

    def _dismiss(self, app) -> None:
        """End the logins of users who are gone or have another password: at once, not at their next login."""
        users = self.list_users()
        if users is self.known:
            return
        for token, user in list(app.tokens.items()):
            if users.get(user) is None or users.get(user) != self.known.get(user):
                del app.tokens[token]
        self.known = users

    async def _log_in(self, scope, receive, send) -> None:
        try:
            async with self.logins.turn(address_of(scope)) as record:
                await self.app(scope, receive, self._counting(send, record))
        except TooManyError as error:
            await JSONResponse({"detail": str(error)}, 429, {"retry-after": "60"})(scope, receive, send)

    @staticmethod
    def _counting(send, record):
        async def count(message) -> None:
            if message["type"] == "http.response.start":
                record.note(message["status"] == 200)
            await send(message)

        return count

    def _recording(self, send, visitor: Visitor):
        """Note whose the files are before their names are told."""
        body, status = bytearray(), 0

        async def record(message) -> None:
            nonlocal status
            status = message.get("status", status)
            if message["type"] == "http.response.body" and status == 200:
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    for path in json.loads(body):
                        self.uploads.record(path, visitor)
            await send(message)

        return record


def with_headers(scope, send, fresh: str | None):
    """Return a `send` that adds the page's headers, and a cookie for one who has none."""

    async def add(message) -> None:
        if message["type"] == "http.response.start":
            headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            if fresh:
                headers.append((b"set-cookie", write_cookie(fresh, HTTPConnection(scope)).encode()))
            message = message | {"headers": [*message.get("headers", []), *headers]}
        await send(message)

    return add


def write_cookie(value: str, connection: HTTPConnection) -> str:
    """Return the header that gives a browser its name; in the Hub's frame only a secure and parted cookie is kept."""
    cookie = SimpleCookie({COOKIE: value})
    cookie[COOKIE]["path"], cookie[COOKIE]["httponly"] = "/", True
    secure = connection.headers.get("x-forwarded-proto", connection.url.scheme).startswith("https")
    return cookie[COOKIE].OutputString() + ("; SameSite=None; Secure; Partitioned" if secure else "; SameSite=Lax")
