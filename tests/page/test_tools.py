"""Assistants at the served page, by MCP's own client: a scan comes with the call, and nothing else can be reached."""

import asyncio
import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from hf_mri.page.accounts import write_user
from hf_mri.page.tools import summarize
from tests.page.visits import PASSWORDS, Caller, open_page

pytest.importorskip("mcp")


def ask(address, tool=None, headers=None, **arguments):
    """Return the tools of a page, or what one of them answers: whether it failed, and the text."""
    import httpx
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def talk():
        async with (
            httpx.AsyncClient(headers=headers, timeout=60) as http,
            streamable_http_client(f"{address}/gradio_api/mcp/", http_client=http) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            if tool is None:
                return {tool.name: tool for tool in (await session.list_tools()).tools}
            answer = await session.call_tool(tool, arguments)
            return answer.isError, answer.content[0].text

    with ThreadPoolExecutor(1) as thread:  # the browser tests' loop may be running in this one
        return thread.submit(asyncio.run, talk()).result()


def png():
    """A picture of noise, in base64."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)).save(file, "png")
    return base64.b64encode(file.getvalue()).decode()


@pytest.fixture(scope="module")
def page(model, tmp_path_factory):
    """The address of a page that is open to all."""
    with open_page(tmp_path_factory.mktemp("page"), model) as address:
        yield address


def test_only_the_tools_that_take_no_upload_are_offered(page):
    tools = ask(page)
    assert set(tools) == {"list_models", "read_scan"}
    assert set(tools["read_scan"].inputSchema["properties"]) == {
        "file_name", "content", "model", "row_mm", "column_mm", "slice_mm"
    }  # fmt: skip
    assert "base64" in tools["read_scan"].inputSchema["properties"]["content"]["description"]
    failed, text = ask(page, "read", files=["http://127.0.0.1:1/scan.png"], model="heart")
    assert failed
    assert "Unknown tool" in text, "no address is fetched for a stranger"


def test_a_scan_that_comes_with_the_call_is_read(page):
    failed, text = ask(page, "read_scan", file_name="slice.png", content=png(), row_mm=1, column_mm=1)
    answer = json.loads(text)
    assert not failed
    assert next(iter(answer)) == "answer"
    assert (answer["slices_read"], answer["spacing_mm"][:2]) == (1, [1, 1])
    assert "not a medical device" in answer["use"]
    named = ask(page, "read_scan", file_name="a.png", content=f"data:image/png;base64,{png()}", model="heart")
    assert not named[0]
    assert [model["name"] for model in json.loads(ask(page, "list_models")[1])] == ["heart"]


def test_an_answer_in_doubt_begins_with_the_doubt():
    page = {"index": 0, "phase": 0, "probability": 0.9, "positive": True, "regions": {"tumor": [{"area_pixels": 3}]}}
    facts = {
        "labels": ["tumor"], "finding": "tumor", "slices": [page, page | {"index": 1, "positive": False}],
        "doubts": ["This looks like a CT."], "volumes": [{"tumor": {}}], "warnings": [], "confidence": None,
        "model": "brain", "spacing_mm": None, "cine": None, "phases": 1,
    }  # fmt: skip
    answer = summarize(facts)
    assert answer["answer"].startswith("Doubtful: This looks like a CT.")
    assert answer["slices_read"] == 2
    assert answer["positive_slices"] == [{"slice": 1, "phase": 1, "probability": 0.9, "tumor": [{"area_pixels": 3}]}]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"content": "not base64!"}, "is not base64"),
        ({"content": base64.b64encode(b"text").decode()}, "slice.png"),
        ({"content": "", "file_name": "../../x.png"}, "x.png"),
        ({"model": "knee", "content": ""}, "There is no model 'knee' here: name one of heart"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence_without_folders(page, arguments, reason):
    failed, text = ask(page, "read_scan", **{"file_name": "slice.png"} | arguments)
    assert failed
    assert reason in text
    assert not any(folder in text for folder in ("/tmp", "tool-"))


def test_where_there_are_accounts_an_assistant_sends_name_and_password(tmp_path, model):
    def basic(name, password):
        return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}

    for user, password in PASSWORDS.items():
        write_user(tmp_path / "users.txt", user, password)
    with open_page(tmp_path, model, HF_MRI_AUTH=str(tmp_path / "users.txt")) as address:
        assert set(ask(address, headers=basic("anna", PASSWORDS["anna"]))) == {"list_models", "read_scan"}
        for headers in (None, basic("anna", "wrong"), {"authorization": "Basic %%%"}, {"authorization": "Bearer x"}):
            for place in ("/gradio_api/mcp", "/gradio_api/mcp/schema", "/gradio_api/mcp/sse"):
                answer = Caller(address).send("GET", place, headers=headers)
                assert answer.status_code in (401, 429), place
