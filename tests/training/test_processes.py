"""What several processes share: the answer must not depend on their number; and what a killed one leaves."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from tests.closeness import assert_same_run

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
TINY = (
    "--task segment --backbone test_resnet --image_size 48 --batch_size 8 --mixed_precision no --ema 0.9 "
    "--decoder_channels 16 16 8 8 --validate_every 100 --checkpoint_steps 3"
).split()


def launch(processes: int, *command: str) -> None:
    """Run a script in several processes on this machine."""
    finish(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), *command]
    )


def finish(command: list[str]) -> None:
    """Run a command to its good end."""
    found = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=250, check=False)
    assert found.returncode == 0, found.stderr[-2000:]


def test_two_processes_agree_with_one(phantom, tmp_path):
    for processes in (1, 2):
        output = str(tmp_path / f"{processes}.npz")
        launch(processes, str(ROOT / "tests/training/worker.py"), str(phantom), str(tmp_path / "rows"), output)
    one, two = (np.load(tmp_path / f"{processes}.npz") for processes in (1, 2))
    assert np.array_equal(one["scores"], two["scores"])
    for name in set(one.files) - {"scores"}:
        np.testing.assert_allclose(two[name], one[name], atol=1e-5)


@pytest.mark.slow
def test_two_processes_train_to_one_bundle(phantom, tmp_path):
    run = tmp_path / "run"
    options = ["--data", str(phantom), "--output_dir", str(run), "--rows_cache", str(tmp_path / "rows")]
    launch(2, str(ROOT / "train.py"), *TINY, *options, "--max_steps", "4")
    assert json.loads((run / "run.json").read_text())["processes"] == 2
    assert (run / "bundle" / "model.safetensors").exists()
    cases = list((run / "predictions").glob("*.npz"))
    assert len(cases) == len(json.loads((run / "bundle" / "training.json").read_text())["patients"]["validation"])


@pytest.mark.slow
def test_a_process_killed_at_any_moment_leaves_the_last_good_checkpoint(phantom, tmp_path):
    def command(folder: str, *more: str) -> list[str]:
        places = [
            "--data",
            str(phantom),
            "--output_dir",
            str(tmp_path / folder),
            "--rows_cache",
            str(tmp_path / "rows"),
        ]
        return [sys.executable, str(ROOT / "train.py"), *TINY, *places, "--max_steps", "24", *more]

    finish(command("whole"))
    resume: list[str] = []
    for delay in (0.0, 0.7, 1.9):  # seconds after the first new checkpoint: in a step, in a save, anywhere
        process = subprocess.Popen(command("killed", *resume), env=ENVIRONMENT, stderr=subprocess.DEVNULL)
        checkpoints = tmp_path / "killed" / "checkpoints"
        before, deadline = set(checkpoints.glob("step-*")), time.monotonic() + 120
        while process.poll() is None and set(checkpoints.glob("step-*")) <= before and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(delay)
        if process.poll() is None:
            process.kill()
        process.wait()
        resume = ["--resume", "true"]
    finish(command("killed", *resume))
    whole, killed = (load_file(tmp_path / name / "bundle" / "model.safetensors") for name in ("whole", "killed"))
    assert_same_run(whole, killed)


@pytest.mark.real_data
@pytest.mark.slow
def test_two_minutes_on_ten_patients_beat_a_constant_clearly(real_lgg, tmp_path):
    from hf_mri.data.importing import import_dataset

    import_dataset("lgg", real_lgg, tmp_path / "lgg")
    options = ["--data", str(tmp_path / "lgg"), "--output_dir", str(tmp_path / "run"), "--max_patients", "10"]
    options += [
        "--task",
        "segment",
        "--backbone",
        "none",
        "--max_minutes",
        "2",
        "--rows_cache",
        str(tmp_path / "rows"),
    ]
    found = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *options], timeout=900, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr[-2000:]
    scores = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert scores["volume_dice"] > 0.2  # all background gives 0, everything about 0.03
    assert scores["slice_auc"] > 0.7
