"""Which of ACDC's five groups a beat's measures are closest to: research, not a diagnosis.

A linear model (multinomial logistic regression) of a reading's measures. Its numbers stand in `heart_patterns.json`,
which `hf_mri/evaluation/heart_patterns.py` writes; how it did on patients that it had not seen, in the card of
`acdc-resunet`.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from hf_mri.tasks.task import Table

STORED = "heart_patterns.json"
GROUPS = {
    "NOR": "hearts without finding",
    "MINF": "hearts after infarction",
    "DCM": "dilated cardiomyopathy",
    "HCM": "hypertrophic cardiomyopathy",
    "RV": "hearts with an abnormal right ventricle",
}
MEASURES = {
    "lv_ef": "LV ejection fraction, %",
    "rv_ef": "RV ejection fraction, %",
    "lv_edv": "LV EDV, mL (ln)",
    "rv_lv": "RV EDV by LV EDV (ln)",
    "mass_edv": "mass by LV EDV, g/mL (ln)",
    "ed_mean": "wall at ED, mean, mm",
    "ed_max": "wall at ED, thickest segment, mm",
    "es_mean": "wall at ES, mean, mm",
    "es_max": "wall at ES, thickest segment, mm",
    "es_min": "wall at ES, thinnest segment, mm",
    "es_spread": "wall at ES, standard deviation by mean",
    "thickening_mean": "thickening, mean, %",
    "thickening_min": "thickening, least segment, %",
    "thickening_spread": "thickening, standard deviation, points",
}
JUDGED = {
    "predicted": "from outlines of models that had not seen the patient",
    "chosen_within": "the same, with measures and strength chosen anew in each fold",
    "truth": "from the true outlines",
}
FARTHEST = 6.0  # standard deviations of a measure from the mean of ACDC's hearts; beyond, the model says nothing


def describe_beat(cine: dict[str, Any]) -> dict[str, float] | None:
    """Give the measures that the model looks at; None where one of them is missing or in doubt.

    Args:
        cine: of a reading's JSON.
    """
    left, right, wall = cine.get("left ventricle"), cine.get("right ventricle"), cine.get("wall")
    mass = cine.get("myocardium_g")
    if not (left and right and wall and mass and left["edv_ml"] and right["edv_ml"]) or cine["doubts"]:
        return None
    full, empty, gain = (
        np.array([part[key] for part in wall["segments"] if part[key] is not None])
        for key in ("ed_mm", "es_mm", "thickening_percent")
    )
    if not len(gain):
        return None
    values = (
        *(left["ef_percent"], right["ef_percent"], np.log(left["edv_ml"]), np.log(right["edv_ml"] / left["edv_ml"])),
        *(np.log(mass / left["edv_ml"]), full.mean(), full.max()),
        *(empty.mean(), empty.max(), empty.min(), empty.std() / empty.mean()),
        *(gain.mean(), gain.min(), gain.std()),
    )
    return {name: float(value) for name, value in zip(MEASURES, values, strict=True)}


def estimate_groups(measures: dict[str, float], model: dict[str, Any]) -> tuple[dict[str, float], float]:
    """Give each group's probability, and how far the farthest measure lies from the model's hearts, in deviations."""
    values = np.array([measures[name] for name in model["measures"]])
    distance = (values - model["mean"]) / model["deviation"]
    scores = np.array(list(model["coefficients"].values())) @ distance + list(model["intercepts"].values())
    shares = np.exp(scores - scores.max())
    groups = zip(model["coefficients"], shares / shares.sum(), strict=True)
    return {name: float(share) for name, share in groups}, float(np.abs(distance).max())


def tell_pattern(reading: dict[str, Any]) -> str | None:
    """Say which group a beat is closest to; None without a beat, with any doubt, or far from ACDC's hearts."""
    measures = None if reading["doubts"] or not reading["cine"] else describe_beat(reading["cine"])
    if measures is None:
        return None
    shares, farthest = estimate_groups(measures, load_model())
    if farthest > FARTHEST:
        return None
    best = max(shares, key=lambda name: shares[name])
    return (
        f"Research, not a diagnosis: of the five groups of the ACDC data, the measures are closest to {GROUPS[best]} "
        f"({best}, probability {shares[best]:.2f})."
    )


def tabulate_patterns(figures: dict[str, Any]) -> list[Table]:
    """Show who was taken for whom, how often it was right, and the model itself."""
    if not figures:
        return []
    confusion = figures["predicted"]["confusion"]
    rows: list[list[Any]] = [[f"{GROUPS[name]} ({name})", *told.values()] for name, told in confusion.items()]
    judged = [[words, figures[key]["accuracy"], figures[key]["ci95"]] for key, words in JUDGED.items()]
    model = load_model()
    numbers = [
        [MEASURES[name], *line]
        for name, *line in zip(
            model["measures"], model["mean"], model["deviation"], *model["coefficients"].values(), strict=True
        )
    ]
    numbers.append(["intercept", None, None, *model["intercepts"].values()])
    return [
        Table(("research: group told from the measures", *GROUPS, "not told"), rows),
        Table(("research: groups told", "accuracy", "95 % interval"), judged),
        Table(("research: the model", "mean", "deviation", *GROUPS), numbers),
    ]


@cache
def load_model() -> dict[str, Any]:
    """Load the model's numbers."""
    return json.loads(files("hf_mri.tasks").joinpath(STORED).read_text(encoding="utf-8"))
