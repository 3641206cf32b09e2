"""What an attacker tries by plain HTTP: nobody reads another's scan, knows where it lies, or listens to its page."""

import json
import uuid
from pathlib import Path

import numpy as np
import pytest

from tests.page.scans import write_formats
from tests.page.visits import PASSWORDS, Caller, open_page

FORMATS = ["png", "jpeg", "tiff", "pages", "slices", "nifti", "dicom"]
SMALL = 40


@pytest.fixture(scope="module")
def formats(tmp_path_factory):
    """One gray scan in every format."""
    gray = np.random.default_rng(0).integers(0, 255, (3, SMALL, SMALL, 1)).astype(np.uint8)
    return write_formats(tmp_path_factory.mktemp("formats"), gray.repeat(3, axis=-1))


@pytest.fixture(scope="module", params=["open", "accounts"])
def place(request, model, tmp_path_factory):
    """The page without and with accounts: its address, its upload folder, and the users."""
    from hf_mri.page.accounts import write_user

    folder, environment = tmp_path_factory.mktemp("page"), {}
    if request.param == "accounts":
        for user, password in PASSWORDS.items():
            write_user(folder / "users.txt", user, password)
        environment["HF_MRI_AUTH"] = str(folder / "users.txt")
    users = list(PASSWORDS) if environment else [None, None]
    with open_page(folder, model, **environment) as address:
        yield address, folder / "uploads", users


@pytest.fixture
def pair(place):
    """A victim and an attacker."""
    address, _, users = place
    return Caller(address, users[0]), Caller(address, users[1])


@pytest.mark.parametrize("kind", FORMATS)
def test_own_uploads_are_read_and_written(pair, formats, kind):
    visitor, _ = pair
    paths = visitor.upload(formats[kind])
    ended, [reading] = visitor.call("read", paths)
    assert (ended, len(reading["slices"])) == ("complete", 3 if kind in ("pages", "slices", "nifti", "dicom") else 1)
    assert visitor.call("write", paths, kind="rle")[0] == "complete"


WAYS = {
    "file": lambda path, root: str(path),
    "folder": lambda path, root: str(path.parent),
    "root": lambda path, root: str(root),
    "link": lambda path, root: link_to(path, root / f"link{path.suffix}"),
    "linked folder": lambda path, root: link_to(path.parent, root / "link"),
    "detour": lambda path, root: f"{path.parent}/../{path.parent.name}/./{path.name}",
}


def link_to(path: Path, link: Path) -> str:
    """Lay a link that nobody has uploaded."""
    link.unlink(missing_ok=True)
    link.symlink_to(path)
    return str(link)


@pytest.mark.parametrize("kind", FORMATS)
def test_nobody_elses_upload_is_read_in_any_format(place, pair, formats, kind):
    victim, attacker = pair
    theirs = [Path(path) for path in victim.upload(formats[kind])]
    for named in (theirs, [theirs[0].parent], [place[1]]):
        ended, told = attacker.call("read", list(map(str, named)))
        assert ended == "error"
        assert_silent(told, place[1], theirs)


@pytest.mark.parametrize("way", WAYS)
def test_nobody_elses_upload_is_read_by_any_door(place, pair, formats, way):
    victim, attacker = pair
    theirs = [Path(path) for path in victim.upload(formats["nifti"])]
    named = WAYS[way](theirs[0], place[1])
    for endpoint in ("read", "write"):
        ended, told = attacker.call(endpoint, [named])
        assert ended == "error"
        assert_silent(told, place[1], theirs)
    files = [{"path": named, "meta": {"_type": "gradio.FileData"}}]
    for number in attacker.list_events():
        told = attacker.press(number, [files, None], uuid.uuid4().hex)
        assert "not uploaded in this session" in told or "inputs do not fit" in told  # the endpoints take more
        assert_silent(told, place[1], theirs)


def assert_silent(told, root: Path, theirs: list[Path]) -> None:
    """The answer names no folder, and is a sentence."""
    text = json.dumps(told)
    assert str(root) not in text
    assert theirs[0].parent.name not in text
    assert '"error": null' not in text
    assert '"error":null' not in text


def test_nobody_elses_files_are_sent(pair, formats):
    victim, attacker = pair
    (path,) = victim.upload(formats["nifti"])
    _, [written] = victim.call("write", [path], kind="json")
    for mine in (path, written["path"]):
        assert victim.send("GET", f"/gradio_api/file={mine}").status_code == 200
        assert attacker.send("GET", f"/gradio_api/file={mine}").status_code == 403
        assert attacker.send("GET", f"/gradio_api/file={Path(mine).parent}/%2E/{Path(mine).name}").status_code == 403


def test_a_program_has_to_keep_the_pages_cookie(place, formats):
    address, _, users = place
    if users[0]:
        pytest.skip("a login is a cookie")
    program = Caller(address, cookies=False)
    ended, told = program.call("read", program.upload(formats["nifti"]))
    assert ended == "error"
    assert "keep its cookie" in told["error"]


def test_a_pages_number_is_not_enough_to_listen_to_it_or_to_end_it(pair):
    victim, attacker = pair
    victim.press(victim.list_events()[-1], [None, None], "victimspage")
    assert attacker.send("GET", "/gradio_api/heartbeat/victimspage").status_code == 403
    assert attacker.send("GET", "/gradio_api/queue/data?session_hash=victimspage").status_code == 403


def test_nothing_tells_where_the_server_keeps_things(place, pair, model, formats):
    visitor, _ = pair
    folders = (str(place[1]), str(model.parent), "/tmp/hf-mri", "site-packages")
    paths = visitor.upload(formats["nifti"])
    _, [reading] = visitor.call("read", paths)
    assert reading["model"]["id"] == "heart"
    _, [written] = visitor.call("write", paths, kind="report")
    report = visitor.send("GET", f"/gradio_api/file={written['path']}").text
    for text in (visitor.send("GET", "/config").text, visitor.send("GET", "/").text, json.dumps(reading), report):
        assert not [folder for folder in folders if folder in text]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"mask_threshold": 7}, "mask_threshold 7: must lie between 0 and 1"),
        ({"gate_threshold": -0.5}, "gate_threshold -0.5: must lie between 0 and 1"),
        ({"gate_threshold": "high"}, "The inputs do not fit this endpoint"),
        ({"row_mm": -3}, "must be two or three positive numbers"),
        ({"model": "none"}, "not in the list of choices"),
    ],
)
def test_wrong_inputs_are_told_in_a_sentence(pair, formats, wrong, told):
    visitor, _ = pair
    ended, data = visitor.call("read", visitor.upload(formats["nifti"]), **wrong)
    assert ended == "error"
    assert told in data["error"]


def test_the_older_call_with_too_few_inputs_is_told_in_a_sentence(pair, formats):
    visitor, _ = pair
    files = [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in visitor.upload(formats["nifti"])]
    answer = visitor.send("POST", "/gradio_api/call/read", json={"data": [files]})
    told = visitor.send("GET", f"/gradio_api/call/read/{answer.json()['event_id']}").text
    assert "The inputs do not fit this endpoint" in told


def test_answers_carry_headers_that_keep_the_page_safe(pair):
    answer = pair[0].send("GET", "/")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "frame-ancestors 'self' https://huggingface.co" in answer.headers["content-security-policy"]
    assert "HttpOnly" in Caller(pair[0].http.base_url).send("GET", "/").headers["set-cookie"]
