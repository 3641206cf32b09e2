"""A page in this process, and visitors who speak plain HTTP to it: what the tests of its safety share."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import httpx

PASSWORDS = {"anna": "anna's password", "bob": "bob's password"}


@contextmanager
def open_page(folder: Path, model: Path, **environment: str) -> Iterator[str]:
    """Serve the page with one model from this process; yield its address."""
    from hf_mri.page.layout import build_page, serve

    variables = {"HF_MRI_MODEL": str(model), "GRADIO_TEMP_DIR": str(folder / "uploads")} | environment
    with mock.patch.dict(os.environ, variables):
        page = build_page()
        serve(page, prevent_thread_lock=True, quiet=True)
        try:
            yield page.local_url.rstrip("/")
        finally:
            page.close()


class Caller:
    """Someone at another computer: with a cookie jar unless told otherwise."""

    def __init__(self, address: str, user: str | None = None, cookies: bool = True):
        self.http = httpx.Client(base_url=address, timeout=120)
        self.keeps_cookies = cookies
        if user:
            self.http.post("/login", data={"username": user, "password": PASSWORDS[user]}).raise_for_status()

    def send(self, method: str, url: str, **options) -> httpx.Response:
        """Send a request; one who keeps no cookies starts anew each time."""
        if not self.keeps_cookies:
            self.http.cookies.clear()
        return self.http.request(method, url, **options)

    def upload(self, paths: list[Path]) -> list[str]:
        """Upload files; return their places on the server."""
        parts = [("files", (path.name, path.read_bytes())) for path in paths]
        return self.send("POST", "/gradio_api/upload", files=parts).raise_for_status().json()

    def call(self, endpoint: str, paths: list[str], **options) -> tuple[str, object]:
        """Call an endpoint by name; return how it ended ("complete" or "error") and its data."""
        body = {"files": [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in paths], **options}
        answer = self.send("POST", f"/gradio_api/call/v2/{endpoint}", json=body)
        if answer.status_code != 200:
            return "error", answer.text
        events = self.send("GET", f"/gradio_api/call/{endpoint}/{answer.json()['event_id']}").text
        kind, data = events.strip().split("\n\n")[-1].split("\n")[:2]
        return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))

    def press(self, number: int, data: list, session: str) -> str:
        """Send one of the page's own events, as its script does; return what comes back."""
        body = {"data": data, "fn_index": number, "session_hash": session}
        joined = self.send("POST", "/gradio_api/queue/join", json=body)
        if joined.status_code != 200:
            return joined.text
        return self.send("GET", "/gradio_api/queue/data", params={"session_hash": session}).text

    def list_events(self) -> list[int]:
        """Return the numbers of all events that take files."""
        config = self.send("GET", "/config").json()
        files = {part["id"] for part in config["components"] if part["type"] == "file"}
        return [event["id"] for event in config["dependencies"] if files & set(event["inputs"])]
