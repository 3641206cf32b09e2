"""Paths and addresses under one name."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest
from PIL import Image

from hf_mri.modeling.mri_addresses import fetched, name_of_address
from hf_mri.modeling.mri_scan import read_scan
from hf_mri.modeling.mri_scan_errors import ScanError
from hf_mri.storage.places import as_place, exists, expand, join, list_files, locate, name_of_place, parent_name


@pytest.fixture
def shelf():
    store = fsspec.filesystem("memory")
    store.pipe({"/shelf/p1/a.png": b"one", "/shelf/p1/b.png": b"four", "/shelf/p2/a.png": b"x"})
    yield "memory://shelf"
    store.rm("/", recursive=True)


@pytest.fixture
def website(tmp_path):
    """A web server on this machine's loopback."""
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    handler.log_message = lambda *args: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_patterns_of_addresses_are_expanded_as_those_of_paths(shelf, tmp_path):
    assert expand(f"{shelf}/*/a.png") == ["memory:///shelf/p1/a.png", "memory:///shelf/p2/a.png"]
    assert expand(f"{shelf}/p1") == [f"{shelf}/p1"]
    (tmp_path / "odd[1].png").touch()
    assert expand(str(tmp_path / "odd[1].png")) == [tmp_path / "odd[1].png"]


def test_a_change_at_an_address_is_noticed(shelf):
    before = list_files(f"{shelf}/p1")
    assert [(name, size) for name, size, _ in before] == [("/shelf/p1/a.png", 3), ("/shelf/p1/b.png", 4)]
    fsspec.filesystem("memory").pipe("/shelf/p1/b.png", b"five!")
    assert list_files(f"{shelf}/p1") != before


def test_names_places_and_parents(shelf, tmp_path):
    assert name_of_place(f"{shelf}/p1/") == "p1"
    assert parent_name(f"{shelf}/p1/a.png") == "p1"
    assert parent_name(tmp_path / "a.png") == tmp_path.name
    assert join(f"{shelf}/", "p3") == f"{shelf}/p3"
    assert join(tmp_path, "p3") == tmp_path / "p3"
    assert exists(f"{shelf}/p1")
    assert not exists(f"{shelf}/p9")
    assert locate(f"{shelf}/p1/") == f"{shelf}/p1"
    assert as_place("a/b") == Path("a/b")


def test_a_signed_link_keeps_its_key_to_itself(website, tmp_path):
    Image.new("L", (32, 24), 90).save(tmp_path / "scan 7.png")
    link = f"{website}/scan%207.png?signature=SECRET&part=*"
    assert name_of_address(link) == "scan 7.png"
    assert expand(link) == [link]
    scan = read_scan(link)
    assert scan.source == "scan 7"
    assert scan.slices.shape == (1, 24, 32, 1)
    with pytest.raises(ScanError, match="no such file or folder") as told:
        read_scan(f"{website}/none.png?signature=SECRET")
    assert "SECRET" not in str(told.value)


def test_what_was_fetched_is_gone_afterwards(shelf):
    with fetched(f"{shelf}/p1") as local:
        assert sorted(path.name for path in local.iterdir()) == ["a.png", "b.png"]
    assert not local.exists()
