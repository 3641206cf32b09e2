"""Figures on patients kept apart are shown while they are about the weights beside them, and not a moment longer."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from hf_mri.evaluation.scores.new_group import expect_new_group
from hf_mri.hub.bundle_contents import list_contents
from hf_mri.hub.card import check_card, write_card
from hf_mri.hub.results_table import results_table
from hf_mri.modeling.mri_model_folder import hash_weights

JUDGED = {
    "patients": 22,
    "slices": 799,
    "protocol": "patients kept apart",
    "judged": "2026-01-31",
    "volume_dice": {"mean": 0.7123, "median": 0.8, "min": 0.2, "ci95": [0.6, 0.8], "share_below_0.6": 0.25},
    "slices_called": {"roc_auc": 0.9, "f1": 0.8, "accuracy": 0.85, "ci95": {"roc_auc": [0.85, 0.95]}},
}


@pytest.fixture
def judged(bundle: Path) -> Path:
    (bundle / "kept_apart.json").write_text(json.dumps(JUDGED | {"weights_sha256": hash_weights(bundle)}))
    return bundle


def test_card_and_table_show_them_with_interval_and_protocol(judged):
    card = write_card(judged).read_text()
    assert "## Patients kept apart" in card
    assert "22 further patients (799 slices), judged on 2026-01-31" in card
    assert "| Dice per patient volume, mean | 0.712 | 0.600 to 0.800 |" in card
    check_card(judged)
    assert "kept_apart.json" in list_contents(judged)
    assert "| 22 | patients kept apart | 0.712 (0.600 to 0.800) | 0.800 | 0.200 | 0.900 |" in results_table(
        judged.parent
    )


def test_after_new_training_they_are_gone(judged):
    weights = load_file(judged / "model.safetensors")
    save_file({name: value + 0 for name, value in weights.items()}, judged / "model.safetensors", {"format": "new"})
    assert "Patients kept apart" not in write_card(judged).read_text()
    assert "kept apart" not in results_table(judged.parent)


def test_a_new_group_scatters_more_than_the_mean_of_all():
    values = np.random.default_rng(0).beta(9, 1.5, 80)
    expected = expect_new_group(values)
    assert expected["share_below"] == pytest.approx((values < 0.6).mean())
    low, high = expected["range"]
    assert low < values.mean() < high
    assert high - low == pytest.approx(4 * values.std() / np.sqrt(20), rel=0.1)
    assert expect_new_group(values[:19]) is None
