"""A body that would fill the memory is refused before a byte of it is read; an upload has a limit of its own."""

import http.client

import pytest

from hf_mri.page.bodies import MOST_BYTES
from tests.page.visits import open_page


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The address of a page without a model."""
    folder = tmp_path_factory.mktemp("page")
    with open_page(folder, folder / "nothing") as address:
        yield address


def post(page, place, body=(), **headers):
    """Send headers, and then as many pieces of a body as the answer takes; return its status."""
    caller = http.client.HTTPConnection(page.removeprefix("http://"), timeout=60)
    caller.putrequest("POST", place)
    for name, value in headers.items():
        caller.putheader(name.replace("_", "-"), value)
    caller.endheaders()
    for piece in body:
        caller.send(piece)
    return caller.getresponse().status


PLACES = ("/gradio_api/queue/join", "/gradio_api/call/read", "/gradio_api/run/read_scan", "/gradio_api/mcp/", "/login")


@pytest.mark.parametrize("place", PLACES)
def test_huge_bodies_and_those_of_unknown_length_are_refused(page, place):
    assert post(page, place, content_length=str(MOST_BYTES + 1)) == 413
    chunk = [b"2\r\n{}\r\n0\r\n\r\n"]
    assert post(page, place, chunk, transfer_encoding="chunked") == 413
    assert post(page, place, chunk, transfer_encoding="chunked", content_length="2") in (400, 413)
    assert post(page, place, content_length="-1") in (400, 413)
    assert post(page, place, [b"{}"], content_length="2", content_type="application/json") != 413
