"""The handler as hosted containers use it: loaded by its place, behind HTTP, asked by `InferenceClient`."""

import base64
import importlib.util
import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from PIL import Image

from hf_mri.hub.load_check_script import draw_slices

SLICES = draw_slices(3)


def encode(image: np.ndarray, kind: str = "PNG") -> bytes:
    sink = io.BytesIO()
    Image.fromarray(image).save(sink, kind)
    return sink.getvalue()


def load_handler(bundle: Path):
    """Load handler.py by its place, as module `handler` outside any package."""
    spec = importlib.util.spec_from_file_location("handler", bundle / "handler.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.EndpointHandler(str(bundle))


@pytest.fixture(scope="module")
def handlers(finished_bundles) -> Callable:
    made = {}
    return lambda kind: made.get(kind) or made.setdefault(kind, load_handler(finished_bundles(kind)))


@pytest.fixture
def serve() -> Iterator[Callable]:
    """Put a handler behind HTTP: images are decoded to PIL, JSON to a dictionary, as hosted containers do."""
    servers = []

    def start(handler) -> InferenceClient:
        class Container(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                as_json = "json" in self.headers.get("Content-Type", "")
                data = json.loads(body) if as_json else {"inputs": Image.open(io.BytesIO(body)).convert("RGB")}
                try:
                    status, answer = 200, handler(data)
                except ValueError as error:
                    status, answer = 400, {"error": str(error)}
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Container)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return InferenceClient(model=f"http://127.0.0.1:{server.server_port}")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


def test_segmentation_over_http_gives_the_pipelines_own_mask(handlers, serve):
    handler = handlers("resunet")
    (found,) = serve(handler).image_segmentation(encode(SLICES[0]))
    reading = handler.read(Image.fromarray(SLICES[0]))
    assert found.label == "tumor"
    assert found.score == pytest.approx(reading.probability[0], abs=1e-5)
    assert np.array_equal(np.asarray(found.mask) > 0, reading.masks["tumor"][0])
    with_parameters = serve(handler).image_segmentation(encode(SLICES[0]), threshold=0.01)  # posted as JSON and base64
    assert np.array_equal(np.asarray(with_parameters[0].mask), np.asarray(found.mask))
    assert serve(handler).image_segmentation(encode(SLICES[0]), threshold=1.0) == []
    with pytest.raises(HfHubHTTPError, match="mask_threshold are unknown"):
        serve(handler).image_segmentation(encode(SLICES[0]), mask_threshold=0.3)


def test_classification_over_http(handlers, serve):
    handler = handlers("classifier")
    found = serve(handler).image_classification(encode(SLICES[0]))
    assert {answer.label for answer in found} == {"tumor", "no tumor"}
    assert found[0].score >= found[1].score
    assert sum(answer.score for answer in found) == pytest.approx(1)
    assert len(serve(handler).image_classification(encode(SLICES[0]), top_k=1)) == 1


def test_scans_of_every_kind(handlers):
    handler = handlers("resunet")
    expected = handler({"inputs": encode(SLICES[0])})
    text = base64.b64encode(encode(SLICES[0])).decode()
    for same in (text, f"data:image/png;base64,{text}", encode(SLICES[0], "TIFF"), Image.fromarray(SLICES[0])):
        assert handler({"inputs": same}) == expected
    assert handler({"inputs": [text, text]}) == [expected, expected]
    scan = handler({"inputs": {"slices": [base64.b64encode(encode(image)).decode() for image in SLICES]}})
    assert [entry["slice"] for entry in scan] == [0, 1, 2]
    assert {**scan[0], "slice": 0} == {**expected[0], "slice": 0}


def test_the_whole_reading_on_request(handlers):
    parameters = {"outputs": "reading", "spacing": [1.0, 1.0, 5.0]}
    reading = handlers("resunet")({"inputs": encode(SLICES[0]), "parameters": parameters})
    json.dumps(reading)
    assert reading["spacing_mm"] == [1.0, 1.0, 5.0]
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(reading["masks"]["tumor"][0])))) > 0
    region = reading["slices"][0]["regions"]["tumor"]
    assert region["area_mm2"] == pytest.approx(mask.sum())
    answers = handlers("two-stage")({"inputs": encode(SLICES[0]), "parameters": {"outputs": "image-classification"}})
    assert {answer["label"] for answer in answers} == {"tumor", "no tumor"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"inputs": "/etc/passwd"}, "not base64"),
        ({"inputs": "http://127.0.0.1/scan.png"}, "not base64"),
        ({"inputs": base64.b64encode(b"hello").decode()}, "is not PNG"),
        ({"inputs": encode(SLICES[0])[:200]}, "scan"),
        ({"inputs": 5}, "not int"),
        ({}, "not NoneType"),
        ({"inputs": []}, "empty list"),
        ({"inputs": {"path": "/etc/passwd"}}, "slices"),
        ({"inputs": {"slices": []}}, "slices"),
        ({"inputs": encode(SLICES[0]), "parameters": {"outputs": "poem"}}, "must be one of"),
    ],
)
def test_requests_that_cannot_be_answered_say_why(handlers, data, reason):
    with pytest.raises(ValueError, match=reason):
        handlers("resunet")(data)


def test_a_classifier_outlines_nothing(handlers):
    with pytest.raises(ValueError, match="outlines nothing"):
        handlers("classifier")({"inputs": encode(SLICES[0]), "parameters": {"outputs": "image-segmentation"}})
