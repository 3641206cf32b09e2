"""Written aside, then renamed: whole or not at all, whatever ends the run."""

import os
import signal
import subprocess
import sys

import pytest

from hf_mri.modeling import mri_files
from hf_mri.modeling.mri_files import folder_aside, replace_file, write_text

POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes, signals and locks")


def test_a_file_is_replaced_in_one_piece(tmp_path):
    path = tmp_path / "a.txt"
    assert write_text(path, "old") == path
    with pytest.raises(RuntimeError):
        replace_file(path, lambda aside: (aside.write_text("half"), broken()))
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@POSIX
def test_the_mode_is_the_one_asked_for(tmp_path):
    assert write_text(tmp_path / "a", "text").stat().st_mode & 0o777 == 0o644
    assert write_text(tmp_path / "a", "secret", mode=0o600).stat().st_mode & 0o777 == 0o600


def broken():
    raise RuntimeError


def test_a_folder_takes_its_place_when_all_is_written(tmp_path):
    place = tmp_path / "new" / "result"
    for text in ("first", "second"):
        with folder_aside(place) as folder:
            (folder / "a").write_text(text)
            (folder.parent / "scratch").write_text("not kept")
    assert [(p.name, p.read_text()) for p in place.iterdir()] == [("a", "second")]
    with pytest.raises(OSError, match="new"), folder_aside(place) as folder:  # Windows has another one for it
        folder.write_text("a folder")
    assert (place / "a").read_text() == "second"
    assert list(place.parent.iterdir()) == [place]


# The command line, but for a command that writes half and then waits.
WRITE_AND_WAIT = """
import sys, time
from pathlib import Path
from hf_mri.commands import app
from hf_mri.modeling import mri_files
from hf_mri.modeling.mri_files import folder_aside

def work():
    with folder_aside(Path(sys.argv[1])) as folder:
        (folder / "half").write_text("half")
        print("ready", flush=True)
        time.sleep(60)

app.build_app = lambda: work
app.main()
"""


@pytest.fixture
def writer(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_AND_WAIT, tmp_path / "place"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


@POSIX
def test_a_command_that_is_told_to_end_leaves_nothing(writer, tmp_path):
    os.kill(writer.pid, signal.SIGTERM)
    assert writer.wait(30) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


@POSIX
def test_what_a_killed_run_left_is_removed_by_the_next_and_a_running_ones_is_not(writer, tmp_path):
    with folder_aside(tmp_path / "place"):
        assert len(list(tmp_path.iterdir())) == 2  # the other process is writing still
    writer.kill()
    writer.wait(30)
    assert len(list(tmp_path.iterdir())) == 2  # the place, and what was left
    with folder_aside(tmp_path / "place"):
        pass
    assert list(tmp_path.iterdir()) == [tmp_path / "place"]


def test_a_text_keeps_its_line_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "linesep", "\r\n")
    assert write_text(tmp_path / "a.csv", "a,b\r\n1,2\n").read_bytes() == b"a,b\r\n1,2\n"


def test_without_locks_folders_are_filled_and_what_is_left_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(mri_files, "fcntl", None)  # as on Windows
    left = tmp_path / ".place.killed.aside"
    left.mkdir()
    with folder_aside(tmp_path / "place") as folder:
        (folder / "a").write_text("a")
    assert sorted(tmp_path.iterdir()) == [left, tmp_path / "place"], "nobody can tell whether its run goes on"
