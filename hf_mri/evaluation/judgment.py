"""What a reader of the figures must be told in words: no better than chance, a gate that loses much, too few patients.

Read from metrics.json alone, so that the end of a training, a card, a report and `publish` say the same.
"""

from typing import Any

CHANCE_AUC = 0.5
USELESS_DICE = 0.1  # a mask of nearly everything reaches as much
AREA_LOST = 0.01  # what a gate may lose of the outlined area
FEW_PATIENTS = 10  # below it one patient moves a mean by more than most changes of a recipe do
NOT_MEASURED = (
    "Not judged: no patient was set apart, so nothing says how good this model is; evaluate it on patients that it "
    "has not seen (`hf-mri evaluate`)."
)


def judge(metrics: dict[str, Any] | None) -> list[str]:
    """Return sentences that warn of what the figures show; none where there is nothing to warn of.

    Args:
        metrics: The contents of metrics.json; None or empty where nobody was there to judge by.
    """
    if not metrics:
        return [NOT_MEASURED]
    slices, gate = metrics.get("classification", {}), metrics.get("gate", {})
    found = [
        _judge_ranking(slices, "the model tells positive slices from others"),
        _judge_ranking(gate.get("classifier", {}), "the gate tells positive slices from others"),
        _judge_outlines(metrics.get("segmentation_mean", {}).get("volume_dice", {})),
        _judge_gate(gate),
        _judge_size(metrics.get("data", {})),
    ]
    return [sentence for sentence in found if sentence]


def _judge_ranking(scores: dict[str, Any], what: str) -> str:
    auc, interval = scores.get("roc_auc"), scores.get("ci95", {}).get("roc_auc")
    if auc is None or min([auc, *(interval or [])]) > CHANCE_AUC:
        return ""
    between = f" (95 % interval {interval[0]:.2f} to {interval[1]:.2f})" if interval else ""
    return f"No better than chance: {what} with a ROC AUC of {auc:.2f}{between}; a coin reaches 0.50. Do not use it."


def _judge_outlines(dice: dict[str, Any]) -> str:
    if dice.get("mean") is None or dice["mean"] >= USELESS_DICE:
        return ""
    return (
        f"The outlines are useless: their mean Dice is {dice['mean']:.2f}. Train longer, or look at the masks first."
    )


def _judge_gate(gate: dict[str, Any]) -> str:
    lost = gate.get("area_lost") or 0.0
    if lost <= AREA_LOST:
        return ""
    return (
        f"The gate loses {100 * lost:.1f} % of the outlined area (it may lose {100 * AREA_LOST:.0f} %) for "
        f"{100 * gate['slices_saved']:.0f} % of the slices saved: use the segmenter alone, or train a better gate."
    )


def _judge_size(data: dict[str, Any]) -> str:
    patients = data.get("patients")
    if patients is None or patients >= FEW_PATIENTS:
        return ""
    people = "1 patient" if patients == 1 else f"{patients} patients"
    return (
        f"Too few to judge by: {people}. These figures may be far off; keep {FEW_PATIENTS} or more apart, or judge "
        "everybody by `hf-mri cross-validate`."
    )
