"""A small server around handler.py, for a container of one's own: `python serve_endpoint.py --port 80`.

`POST /` takes what Inference Endpoints take: the bytes of a scan (the address line may hold parameters), or JSON with
`inputs` and `parameters`. `GET /health` says that the model is loaded. One request is read at a time; others wait.
"""

import argparse
import json
import os
import runpy
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

LARGEST = 2**29  # bytes of a request


def load_handler(folder: str) -> Any:
    """Load the handler that lies beside this file."""
    place = os.path.join(os.path.dirname(os.path.abspath(__file__)), "handler.py")
    return runpy.run_path(place)["EndpointHandler"](folder)


def make_server(handler: Any, host: str = "0.0.0.0", port: int = 8080) -> ThreadingHTTPServer:
    """Return a server that answers with this handler; `serve_forever()` starts it."""
    turn = threading.Lock()

    class Endpoint(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200 if urlsplit(self.path).path in ("/", "/health") else 404, {"status": "ok"})

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            if not 0 < size <= LARGEST:
                self.close_connection = True  # what it sends is not read
                return self.answer(413 if size else 400, {"error": f"send a body of 1 to {LARGEST} bytes"})
            try:
                data = self.understand(self.rfile.read(size))
                with turn:
                    found = handler(data)
            except ValueError as error:
                return self.answer(400, {"error": str(error)})
            return self.answer(200, found)

        def understand(self, body: bytes) -> dict[str, Any]:
            """Return a request as the handler takes it."""
            if "json" not in self.headers.get("Content-Type", ""):
                return {"inputs": body, "parameters": dict(parse_qsl(urlsplit(self.path).query))}
            data = json.loads(body)  # its errors are ValueErrors, too
            if not isinstance(data, dict):
                raise ValueError('the body must be a JSON object such as {"inputs": "base64…", "parameters": {}}')
            return data

        def answer(self, status: int, content: Any) -> None:
            text = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Quiet: an address line may name a patient."""

    return ThreadingHTTPServer((host, port), Endpoint)


def main() -> None:
    """Load the model of this folder and serve it until stopped."""
    parser = argparse.ArgumentParser(description="Serve the model beside this file.")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args()
    make_server(load_handler(os.path.dirname(os.path.abspath(__file__))), options.host, options.port).serve_forever()


if __name__ == "__main__":
    main()
