"""How much one may send outside an upload: such a body lies in memory as a whole before anybody looks at it."""

import asyncio

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

MOST_BYTES = 64 * 2**20
LARGE = 2**20  # bytes; what the page itself sends is less, but for drawn outlines of large scans
AT_ONCE = 4  # large bodies


class Bodies:
    """ASGI middleware.

    Args:
        app: what answers.
        free: the path of the upload, which goes to the disk piece by piece and has a limit of its own.
    """

    def __init__(self, app, free: str):
        self.app = app
        self.free = free
        self.large = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, scope, receive, send) -> None:
        """Answer one request."""
        is_free = scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS")
        if is_free or scope["path"].rstrip("/") == self.free:
            return await self.app(scope, receive, send)
        headers = HTTPConnection(scope).headers
        length = headers.get("content-length", "")
        # A body in chunks ends when its sender likes, whatever length is told beside it.
        if not length.isdigit() or int(length) > MOST_BYTES or "transfer-encoding" in headers:
            sentence = f"A request says its length, of at most {MOST_BYTES >> 20} MB; larger scans are uploaded."
            return await JSONResponse({"detail": sentence}, 413)(scope, receive, send)
        if int(length) <= LARGE:
            return await self.app(scope, receive, send)
        async with self.large:
            return await self.app(scope, receive, send)
