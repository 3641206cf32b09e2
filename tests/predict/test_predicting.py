"""`hf-mri predict`, from files to files."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from hf_mri.modeling.mri_reading_run_length import decode_run_length
from hf_mri.predict import predicting as predict_module
from hf_mri.predict.predicting import ALL_KINDS, predict
from tests.reports.conftest import SIDE, write_scan


def list_files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


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

    monkeypatch.setattr(predict_module, "write_record", fail)  # the last that is written
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
    assert sorted(path.name for path in out.iterdir()) == ["scan0", "scan1", "scan2", "scan3"]


def test_a_share_of_the_scans_for_each_process(model, tmp_path, monkeypatch):
    scans = [write_scan(tmp_path / f"scan{number}", number) for number in range(3)]
    monkeypatch.setenv("WORLD_SIZE", "2")
    names = []
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        names.append([path.name for path in predict(scans, str(model), tmp_path / "out", only=["json"]).read])
    assert names == [["scan0", "scan2"], ["scan1"]]


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
    done = subprocess.run(command, capture_output=True, text=True, env={"COLUMNS": "40", "PATH": ""}, check=False)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("hf-mri: ")]
    assert str(bad) in line
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith("1 scans read, 0 done before, 1 failed")
    assert list_files(tmp_path / "out" / "good") == [".predict.json", "montage.png", "reading.json"]
