import json

import pytest
from accelerate import Accelerator

from hf_mri.training.checkpoints import claim_folder, list_checkpoints, load_newest, save_checkpoint


def test_another_run_in_the_folder_is_refused_with_what_differs(tmp_path):
    claim_folder(tmp_path, {"seed": 1, "data_fingerprint": "a"}, resume=False)
    with pytest.raises(ValueError, match="data_fingerprint: 'a' there, 'b' now; seed: 1 there, 2 now"):
        claim_folder(tmp_path, {"seed": 2, "data_fingerprint": "b"}, resume=True)


def test_a_run_with_checkpoints_is_not_started_over_by_accident(tmp_path):
    claim_folder(tmp_path, {"seed": 1}, resume=False)
    (tmp_path / "checkpoints" / "step-00000005").mkdir()
    with pytest.raises(ValueError, match="go on with --resume"):
        claim_folder(tmp_path, {"seed": 1}, resume=False)
    claim_folder(tmp_path, {"seed": 1}, resume=True)


def test_resuming_nothing_says_so(tmp_path):
    with pytest.raises(ValueError, match="finds no run here"):
        claim_folder(tmp_path / "new", {"seed": 1}, resume=True)
    with pytest.raises(ValueError, match="finds no checkpoint here"):
        load_newest(Accelerator(cpu=True), tmp_path)


def test_the_newest_checkpoints_are_kept_and_leftovers_go(tmp_path):
    (tmp_path / ".writing-step-00000001").mkdir()  # what a killed process left
    for step in (1, 2, 3):
        save_checkpoint(Accelerator(cpu=True), tmp_path, step, keep=2)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-00000002", "step-00000003"]
    assert not list(tmp_path.glob(".writing*"))


def test_a_full_disk_leaves_the_earlier_checkpoints(tmp_path, monkeypatch):
    accelerator = Accelerator(cpu=True)
    save_checkpoint(accelerator, tmp_path, 1, keep=2)

    def fill(folder, **_):
        (tmp_path / ".writing-step-00000002").mkdir()
        raise OSError(28, "No space left on device", folder)

    monkeypatch.setattr(accelerator, "save_state", fill)
    with pytest.raises(OSError, match="free some space and go on with --resume"):
        save_checkpoint(accelerator, tmp_path, 2, keep=2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_the_identity_is_readable(tmp_path):
    claim_folder(tmp_path, {"seed": 1}, resume=False)
    assert json.loads((tmp_path / "run.json").read_text()) == {"seed": 1}


def test_a_full_disk_advises_what_will_work(tmp_path, monkeypatch):
    accelerator = Accelerator(cpu=True)

    def fail(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(accelerator, "save_state", fail)
    with pytest.raises(OSError, match="free some space and start again"):
        save_checkpoint(accelerator, tmp_path, 5, keep=2)
    (tmp_path / "step-00000005").mkdir()
    with pytest.raises(OSError, match="go on with --resume"):
        save_checkpoint(accelerator, tmp_path, 6, keep=2)
