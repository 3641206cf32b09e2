"""The handler as hosted containers use it: loaded by its place, behind HTTP, asked by `InferenceClient`."""

import base64
import importlib.util
import io
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import InferenceClient
from PIL import Image

from hf_mri.hub.load_check_script import draw_slices
from hf_mri.modeling.serve_endpoint import make_server

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
    """Put a handler behind the server that travels with a bundle."""
    servers = []

    def start(handler) -> InferenceClient:
        server = make_server(handler, "127.0.0.1", 0)
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


def test_the_hubs_standard_parameters_are_taken(handlers, serve):
    client = serve(handlers("resunet"))
    everything, something = (
        client.image_segmentation(encode(SLICES[0]), mask_threshold=value) for value in (0.0, 0.45)
    )
    assert np.asarray(everything[0].mask).all()
    assert something == [] or not np.asarray(something[0].mask).all()
    same = client.image_segmentation(encode(SLICES[0]), subtask="semantic", overlap_mask_area_threshold=0.5)
    assert len(same) == len(client.image_segmentation(encode(SLICES[0])))
    assert len(serve(handlers("classifier")).image_classification(encode(SLICES[0]), function_to_apply="softmax")) == 2


def test_the_server_takes_numbers_as_text_and_refuses_what_is_none(handlers, serve):
    address = serve(handlers("resunet")).model

    def ask(place: str, body: bytes = b"", kind: str = "image/png") -> tuple[int, object]:
        request = urllib.request.Request(f"{address}{place}", body or None, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    assert ask("/health") == (200, {"status": "ok"})
    assert ask("/?threshold=1.0", encode(SLICES[0])) == (200, [])
    status, answer = ask("/?threshold=high", encode(SLICES[0]))
    assert (status, answer["error"]) == (400, "parameters.threshold must be a number of at least 0, got 'high'")
    assert ask("/", b"[1, 2]", "application/json")[0] == 400
    assert ask("/", b"{", "application/json")[0] == 400
    status, answer = ask("/", b"no scan at all", "application/octet-stream")
    assert status == 400
    assert "/tmp" not in answer["error"]
    assert ask("/?colour=red", encode(SLICES[0]))[1]["error"].startswith("parameters colour are unknown")


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
        ({"inputs": encode(SLICES[0])[:200]}, "is the file whole"),
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


def test_doubts_about_a_scan_stand_in_the_stock_answer_too(handlers):
    photograph = np.full((64, 64, 3), 200, np.uint8)
    photograph[20:40, 20:40] = 90
    answers = handlers("classifier")({"inputs": encode(photograph)})
    assert all(any("photograph" in doubt for doubt in answer["doubts"]) for answer in answers)
    clipped = np.zeros((64, 64, 3), np.uint8)
    clipped[16:48, 16:48] = 255
    answers = handlers("classifier")({"inputs": Image.fromarray(clipped)})  # as containers decode image/png
    assert any("16 bits" in doubt for doubt in answers[0]["doubts"])
