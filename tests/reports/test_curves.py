"""Curves of a run, alone and with the folds that chose its thresholds."""

import json

import numpy as np
from PIL import Image

from hf_mri.reports.curves import draw_curves, list_histories, read_fold_histories

FOLD = [{"epoch": 1, "loss": 1.0, "volume_dice": 0.3}, {"epoch": 2, "loss": 0.5, "volume_dice": 0.6}]
LAST = [{"epoch": 3, "loss": 0.4}]  # a run on all patients validates on nobody


def count_colored(path) -> int:
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return int((pixels.max(axis=-1) - pixels.min(axis=-1) > 60).sum())


def test_a_run_on_all_patients_shows_the_curves_of_its_folds(tmp_path):
    for number in (1, 2):
        folder = tmp_path / "run" / f"fold-{number}-of-2"
        folder.mkdir(parents=True)
        lines = [json.dumps({"time": 17.0, **record}) for record in FOLD]
        (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    folds = read_fold_histories(tmp_path / "run")
    assert folds == [FOLD, FOLD]
    assert list_histories({"history": LAST, "folds": folds}) == [LAST, FOLD, FOLD]
    draw_curves([LAST], tmp_path / "alone.png")
    draw_curves([LAST, *folds], tmp_path / "folds.png")
    assert count_colored(tmp_path / "alone.png") > 0  # one point is a point, not an empty picture
    assert count_colored(tmp_path / "folds.png") > 3 * count_colored(tmp_path / "alone.png")
