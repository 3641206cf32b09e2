"""An evaluation that is killed goes on, and one that several processes share says the same as one alone."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hf_mri.evaluation.evaluate import evaluate_model
from hf_mri.reports.worst_pictures import WorstCases
from tests.evaluation.builders import make_reader, write_lgg
from tests.killing import kill_all
from tests.reports.conftest import make_model

PATIENTS = tuple(f"TCGA_{'CS' if number % 2 else 'DU'}_{number:04d}_20000101" for number in range(9))
OWN = ("created", "engine", "gate")  # what a second run need not say again: when, and how fast


def judge(data: Path, kept_in: Path | None = None, **options: object) -> dict | None:
    reader, _ = make_reader("two-stage")
    return evaluate_model(reader, data, layout="lgg", kept_in=kept_in, **options)


def without_times(metrics: dict | None) -> dict:
    assert metrics is not None
    return json.loads(json.dumps({name: part for name, part in metrics.items() if name not in OWN}))


def test_processes_share_the_volumes_and_the_last_one_reports(tmp_path: Path, monkeypatch) -> None:
    data = write_lgg(tmp_path / "raw", PATIENTS)
    alone, shared = WorstCases(), WorstCases()
    expected = judge(data, observe=alone.consider)
    monkeypatch.setenv("WORLD_SIZE", "3")
    read: list[int] = []
    for rank in ("2", "0", "1"):
        monkeypatch.setenv("RANK", rank)
        shared = WorstCases()
        metrics = judge(data, tmp_path / "out", observe=shared.consider, progress=read.append)
        assert (metrics is None) == (rank != "1"), "only the process that finishes last has all rows"
    assert sum(read) == 3 * len(PATIENTS), "every volume is read once"
    assert without_times(metrics) == without_times(expected)
    lowest = [picture.row.mean_dice for picture in alone.sort()]
    assert [picture.row.mean_dice for picture in shared.sort()] == lowest
    assert all(picture.gray.max() > 0 for picture in shared.sort()), "pictures of volumes that others read"


def test_what_a_killed_run_has_read_is_not_read_again(tmp_path: Path) -> None:
    data, out = write_lgg(tmp_path / "raw", PATIENTS), tmp_path / "out"
    expected = judge(data)

    def die(case, row):
        if row.volume == sorted(PATIENTS)[5]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(data, out, observe=die)
    read: list[int] = []
    metrics = judge(data, out, progress=read.append)
    assert len(read) == len(PATIENTS) - 5
    assert without_times(metrics) == without_times(expected)


def test_rows_of_other_thresholds_are_not_taken_for_these(tmp_path: Path) -> None:
    data, read = write_lgg(tmp_path / "raw", PATIENTS[:2]), []
    judge(data, tmp_path / "out", progress=read.append)
    reader, _ = make_reader("two-stage", gate_threshold=0.4)
    evaluate_model(reader, data, layout="lgg", kept_in=tmp_path / "out", progress=read.append)
    assert len(read) == 4


def test_patients_that_another_process_found_seen_are_marked(tmp_path: Path, monkeypatch) -> None:
    data = write_lgg(tmp_path / "raw", PATIENTS[:4])
    reader, _ = make_reader()
    reader.config.name_or_path = str(tmp_path)
    (tmp_path / "training.json").write_text(json.dumps({"patients": {"train": [PATIENTS[0]]}}))
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        metrics = evaluate_model(reader, data, layout="lgg", kept_in=tmp_path / "out", allow_seen=True)
    assert metrics["seen_in_training"] == {"patients": [PATIENTS[0]], "images": 0}


def start(number: int, data: Path, model: Path, out: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={number}", "--rdzv_backend=c10d"]
    command += ["--rdzv_endpoint=127.0.0.1:0", "-m", "hf_mri", "evaluate", "--data", str(data), "--layout", "lgg"]
    command += ["--model", str(model), "--output", str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 4])
def test_the_command_in_several_processes_survives_a_kill(tmp_path: Path, number: int) -> None:
    patients = tuple(f"TCGA_CS_{index:04d}_20000101" for index in range(90))  # several portions a process
    data, model, out = write_lgg(tmp_path / "raw", patients), make_model(tmp_path / "model"), tmp_path / "out"
    killed = start(number, data, model, out)
    while not list(out.glob(".rows/*/[!.]*.json")):
        assert killed.poll() is None, killed.stderr.read()
        time.sleep(0.005)
    kill_all(killed)
    there = {path: path.stat().st_mtime_ns for path in out.glob(".rows/*/[!.]*.json")}
    assert 0 < len(there) < len(patients), "killed in the middle"
    resumed = start(number, data, model, out)
    printed, errors = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, errors
    assert printed.count("report.html") >= 1
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["data"]["patients"] == len(patients)
    assert metrics["engine"]["seconds"] > 0
    assert (out / "report.html").exists()
    assert not (out / ".rows").exists(), "rows are kept until the report is written"
