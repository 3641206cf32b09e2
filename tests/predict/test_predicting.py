"""`hf-mri predict`, from files to files."""

import json
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hf_mri.modeling.mri_reading_run_length import decode_run_length
from hf_mri.predict import predicting as predict_module
from hf_mri.predict.predicting import ALL_KINDS, predict
from tests.environments import BARE
from tests.killing import kill_all
from tests.reports.conftest import SIDE, write_scan


def list_files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_every_output_is_written_and_says_the_same(model, tmp_path):
    nibabel = pytest.importorskip("nibabel")
    outcome = predict([write_scan(tmp_path / "scan")], str(model), tmp_path / "out", spacing=(1.0, 2.0, 3.0))
    (folder,) = outcome.read
    pages = [f"{number:04d}.png" for number in (1, 2, 3)]
    assert list_files(folder) == sorted(
        [".predict.json", "montage.png", "reading.json", "report.html", "run_lengths.csv", "tumor.nii.gz"]
        + [f"masks/tumor/{page}" for page in pages]
        + [f"overlays/{page}" for page in pages]
    )
    masks = np.stack([np.asarray(Image.open(folder / "masks" / "tumor" / page)) > 0 for page in pages])
    assert masks.shape == (3, SIDE, SIDE)
    assert 0 < masks.sum() < masks.size, "a random model should find something, not everything"
    rows = (folder / "run_lengths.csv").read_text().splitlines()[1:]
    decoded = np.stack([decode_run_length(row.split(",")[-1], SIDE, SIDE) for row in rows])
    np.testing.assert_array_equal(decoded, masks)
    facts = json.loads((folder / "reading.json").read_text())
    assert facts["volumes"][0]["tumor"]["voxels"] == masks.sum()
    volume = nibabel.load(folder / "tumor.nii.gz")
    assert (np.asarray(volume.dataobj) > 0).sum() == masks.sum()
    assert sorted(volume.header.get_zooms()) == [1, 2, 3]


def test_a_given_name_is_in_every_output_and_the_folders_own_in_none(model, tmp_path):
    out = tmp_path / "out"
    predict([write_scan(tmp_path / "doe_jane")], str(model), out, name="case")
    for path in out.rglob("*"):
        assert "doe_jane" not in str(path)
        assert path.is_dir() or b"doe_jane" not in path.read_bytes()
    assert json.loads((out / "case" / "reading.json").read_text())["source"] == "case"


def test_a_scan_that_cannot_be_written_leaves_nothing(model, tmp_path, monkeypatch):
    def fail(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(predict_module, "write_text", fail)  # the last that is written
    outcome = predict([write_scan(tmp_path / "scan")], str(model), tmp_path / "out")
    assert list(outcome.failed.values()) == ["No space left on device"]
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_done_is_not_done_again(model, tmp_path, monkeypatch):
    scans = [write_scan(tmp_path / name, seed) for seed, name in enumerate(("a", "b"))]
    out = tmp_path / "out"
    first = predict(scans, str(model), out, only=["json"])
    assert len(first.read) == 2
    with monkeypatch.context() as patch:
        patch.setattr(predict_module, "Reader", None)  # a second run needs no model
        assert len(predict(scans, str(model), out, only=["json"]).skipped) == 2
    (out / "a" / "reading.json").unlink()
    (scans[1] / "slice_3.tif").unlink()  # changes the scan
    changed = predict(scans, str(model), out, only=["json"])
    assert [path.name for path in changed.read] == ["b"]
    assert len(json.loads((out / "b" / "reading.json").read_text())["slices"]) == 2


def test_asking_for_more_keeps_what_is_there(model, tmp_path):
    scan, out = write_scan(tmp_path / "scan"), tmp_path / "out"
    predict([scan], str(model), out, only=["json"])
    predict([scan], str(model), out, only=["rle"])
    assert list_files(out / "scan") == [".predict.json", "reading.json", "run_lengths.csv"]
    predict([scan], str(model), out, only=["rle"], spacing=(1.0, 1.0, 1.0))  # another reading replaces both
    assert list_files(out / "scan") == [".predict.json", "run_lengths.csv"]


def test_an_interrupted_run_leaves_whole_scans_and_goes_on(model, tmp_path, monkeypatch):
    scans = [write_scan(tmp_path / f"scan{number}", number) for number in range(4)]
    out, write_html = tmp_path / "out", predict_module.write_html

    def die(reading, path):
        if reading.source == "scan2":
            raise KeyboardInterrupt
        return write_html(reading, path)

    with monkeypatch.context() as patch:
        patch.setattr(predict_module, "write_html", die)
        with pytest.raises(KeyboardInterrupt):
            predict(scans, str(model), out, only=["html", "json"])
    assert not (out / "scan2").exists()
    assert {"report.html", "reading.json"} <= set(list_files(out / "scan0"))
    outcome = predict(scans, str(model), out, only=["html", "json"])
    assert out / "scan0" in outcome.skipped
    assert out / "scan2" in outcome.read
    assert sorted(path.name for path in out.iterdir()) == ["scan0", "scan1", "scan2", "scan3", "summary.parquet"]


def test_a_share_of_the_scans_for_each_process_and_one_table_at_the_end(model, tmp_path, monkeypatch):
    scans = [write_scan(tmp_path / f"scan{number}", number) for number in range(3)]
    (scans[1] / "slice_1.tif").write_bytes(b"broken")
    monkeypatch.setenv("WORLD_SIZE", "2")
    outcomes = []
    for rank in ("1", "0"):
        monkeypatch.setenv("RANK", rank)
        outcomes.append(predict(scans, str(model), tmp_path / "out", only=["json"]))
    second, first = outcomes
    assert [path.name for path in first.read] == ["scan0", "scan2"]
    assert list(second.failed) == ["scan1"]
    assert second.summary is None, "the other process was still reading"
    rows = pq.read_table(first.summary).to_pylist()
    assert [row["finding"] for row in rows] == [row.get("finding") for row in first.rows]
    assert [(row["scan"], row["status"]) for row in rows] == [
        ("scan0", "read"),
        ("scan1", "failed"),
        ("scan2", "read"),
    ]
    assert rows[0]["slices"] == 3
    assert str(tmp_path) not in str(rows), "a table travels, a machine's folders do not"
    monkeypatch.delenv("WORLD_SIZE")
    monkeypatch.delenv("RANK")
    again = predict(scans, str(model), tmp_path / "out", only=["json"])
    assert [row["status"] for row in again.rows] == ["read", "failed", "read"]


@pytest.mark.parametrize(("rank", "count"), [("2", "2"), ("-1", "2"), ("x", "2")])
def test_a_launcher_that_counts_wrong_is_told(model, tmp_path, monkeypatch, rank, count):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", count)
    with pytest.raises(ValueError, match=f"RANK={rank} of WORLD_SIZE=2"):
        predict([write_scan(tmp_path / "scan")], str(model), tmp_path / "out")


def start_processes(number, scans, model, out):
    """Read scans by the command in several processes, each a share."""
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={number}", "--master_port=0"]
    command += ["--rdzv_backend=c10d", "--rdzv_endpoint=127.0.0.1:0", "-m", "hf_mri", "predict", f"{scans}/*"]
    command += ["--model", str(model), "--output", str(out), "--only", "json,masks"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 4])
def test_processes_that_are_killed_lose_nothing_and_the_same_command_goes_on(model, tmp_path, number):
    for index in range(24):
        write_scan(tmp_path / "scans" / f"scan{index:02d}", index, slices=8)
    out = tmp_path / "out"
    killed = start_processes(number, tmp_path / "scans", model, out)
    while len(done := list(out.glob("scan*/reading.json"))) < 3:
        assert killed.poll() is None, killed.stderr.read()
        time.sleep(0.01)
    kill_all(killed)
    done = {path: path.stat().st_mtime_ns for path in out.glob("scan*/reading.json")}
    assert 3 <= len(done) < 24, "killed in the middle"
    assert all(len(json.loads(path.read_text())["slices"]) == 8 for path in done)

    time.sleep(1.5)  # what was begun a moment ago might still be in work
    resumed = start_processes(number, tmp_path / "scans", model, out)
    printed, errors = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, errors
    assert {path: path.stat().st_mtime_ns for path in done} == done, "what was read is not read again"
    assert {path.name for path in out.glob("scan*")} == {f"scan{index:02d}" for index in range(24)}
    assert "24 scans in all, 0 of them failed" in printed
    rows = pq.read_table(out / "summary.parquet").to_pylist()
    assert [row["scan"] for row in rows] == [f"scan{index:02d}" for index in range(24)]
    assert {row["slices"] for row in rows} == {8}
    assert not list(out.glob(".*.aside")), "nothing half-written stays"


def test_an_unknown_output_is_refused_before_anything_is_read(model, tmp_path):
    with pytest.raises(ValueError, match=r"unknown pdf; choose among json"):
        predict([tmp_path / "scan"], str(model), tmp_path / "out", only=["pdf"])
    assert not (tmp_path / "out").exists()
    assert len(set(ALL_KINDS)) == len(ALL_KINDS)


def test_the_command_reports_a_bad_scan_in_one_line_and_reads_the_others(model, tmp_path):
    good = write_scan(tmp_path / "good")
    bad = tmp_path / ("a-name-that-is-far-too-long-for-a-narrow-terminal-" * 2 + ".nii.gz")
    bad.write_bytes(b"no NIfTI")
    command = [sys.executable, "-m", "hf_mri.commands.app", "predict", str(bad), str(good), "--model", str(model)]
    command += ["--output", str(tmp_path / "out"), "--only", "json,montage"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**BARE, "COLUMNS": "40", "PATH": ""}, check=False
    )
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("hf-mri: ")]
    assert str(bad) in line
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith("1 scans read, 0 done before, 1 failed")
    assert list_files(tmp_path / "out" / "good") == [".predict.json", "montage.png", "reading.json"]
