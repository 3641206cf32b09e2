"""Words for figures that nobody should overlook; and silence where there is nothing to warn of."""

import json
import re
from pathlib import Path

import pytest

from hf_mri.evaluation.judgment import judge

ROOT = Path(__file__).parents[2]
GOOD = {
    "data": {"patients": 40},
    "classification": {"roc_auc": 0.9, "ci95": {"roc_auc": [0.85, 0.95]}},
    "segmentation_mean": {"volume_dice": {"mean": 0.8}},
    "gate": {"area_lost": 0.004, "slices_saved": 0.5, "classifier": {"roc_auc": 0.9}},
}


def test_good_figures_need_no_words():
    assert judge(GOOD) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"classification": {"roc_auc": 0.43}}, "No better than chance: the model .* ROC AUC of 0.43; a coin"),
        (
            {"classification": {"roc_auc": 0.6, "ci95": {"roc_auc": [0.48, 0.71]}}},
            r"ROC AUC of 0.60 \(95 % interval 0.48 to 0.71\)",
        ),
        ({"segmentation_mean": {"volume_dice": {"mean": 0.03}}}, "outlines are useless: their mean Dice is 0.03"),
        (
            {"gate": {"area_lost": 0.199, "slices_saved": 0.16}},
            r"loses 19.9 % of the outlined area \(it may lose 1 %\) for 16 % of the slices saved",
        ),
        (
            {"gate": {"classifier": {"roc_auc": 0.41}}},
            "the gate tells positive slices from others with a ROC AUC of 0.41",
        ),
        ({"data": {"patients": 1}}, "Too few to judge by: 1 patient. .*`hf-mri cross-validate`"),
    ],
)
def test_each_weakness_has_its_sentence(changed, said):
    (sentence,) = judge(GOOD | changed)
    assert re.search(said, sentence)


def test_nobody_to_judge_by_is_said():
    assert judge(None) == judge({})
    assert judge(None)[0].startswith("Not judged: no patient was set apart")


@pytest.mark.parametrize("name", ["lgg-classifier", "lgg-resunet", "lgg-two-stage", "acdc-resunet"])
def test_the_published_models_need_no_words(name):
    assert judge(json.loads((ROOT / "model_cards" / name / "metrics.json").read_text())) == []
