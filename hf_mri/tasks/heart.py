"""The heart in cine MR: both ventricles and the muscle, ejection fraction and mass, as ACDC judges them.

What a bundle computes on its own, the ejection fraction of a cine, stands in `mri_reading_measures.py`, which travels.
"""

from typing import Any

import numpy as np

from hf_mri.tasks.heart_patterns import tabulate_patterns, tell_pattern
from hf_mri.tasks.task import Agree, Agreement, Label, Measure, OwnScores, ScanExample, Table, Task

CHAMBERS = {"lv": "left ventricle", "rv": "right ventricle"}
MYOCARDIUM = "myocardium"
PHASES = ("ED", "ES")
DENSITY = 1.05  # g/mL
MEASURES = {
    "edv": "EDV, mL",
    "esv": "ESV, mL",
    "sv": "stroke volume, mL",
    "ef": "ejection fraction, points",
    "mass": "mass, g",
}


def measure(reading: dict[str, Any]) -> dict[str, list[Measure]]:
    """Give a beat's ejection fractions with their volumes, the left ventricle first, and the muscle's mass."""
    cine = reading["cine"] or {}
    found = {label: _measure_ventricle(cine[label]) for label in CHAMBERS.values() if label in cine}
    mass = cine.get("myocardium_g")
    return found | ({} if mass is None else {MYOCARDIUM: [Measure("mass", mass, "g")]})


def find_moments(cine: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """Name the time points at which the left ventricle is fullest and emptiest."""
    if "end_diastole_phase" not in cine:
        return {}
    return {"ED": ("end diastole", cine["end_diastole_phase"]), "ES": ("end systole", cine["end_systole_phase"])}


def pick_examples(slices: np.ndarray, masks: Any) -> list[ScanExample]:
    """Show a beat: slices (T, S, H, W) of a drawn heart."""
    return [ScanExample("heart", "Heart at ED and ES", slices, slices[0, 3])]


def compute_ejection_fraction(edv: float, esv: float) -> float:
    """Share of the end-diastolic volume that a beat pumps out, in percent; 0 where there is no volume."""
    return 100 * (edv - esv) / edv if edv > 0 else 0.0


def score_heart(rows: list[Any], agree: Agree) -> dict[str, Any] | None:
    """Compare chamber measures over the patients with both phases; None where this is no heart with spacing.

    Args:
        rows: of an evaluation, one a volume, with the column `phase`.
        agree: compares truth with measured values.
    """
    hearts = [row for row in rows if CHAMBERS["lv"] in row.labels and row.columns.get("phase") in PHASES]
    measured = [row for row in hearts if row.spacing is not None]
    phases: dict[str, dict[str, Any]] = {}
    for row in measured:
        phases.setdefault(row.patient, {})[row.columns["phase"]] = row
    values = {name: _measure_patient(both["ED"], both["ES"]) for name, both in phases.items() if len(both) == 2}
    if not values:
        return None
    summary: dict[str, Any] = {}
    for name in next(iter(values.values())):
        part, key = name.split("_")
        summary.setdefault(part, {})[key] = _agree([patient[name] for patient in values.values()], agree)
    table = _make_table(measured)
    cells = [cell for phases in table.values() for cell in phases.values()]
    return summary | {
        "table": table,
        "mean_dice": float(np.mean([cell["dice"] for cell in cells])),
        "lowest_dice": min(cell["lowest_dice"] for cell in cells),
        "by_group": _compare_groups(measured, values, agree),
        "per_patient": values,
    }


def tabulate(found: dict[str, Any]) -> list[Table]:
    """Show the outlines by structure and phase, the measures against the truth, and both by clinical group."""
    parts = (_tabulate_outlines(found), _tabulate_measures(found), _tabulate_groups(found.get("by_group", {})))
    return [table for table in parts if table.rows] + tabulate_patterns(found.get("patterns", {}))


def pick_tiles(found: dict[str, Any]) -> list[tuple[str, float]]:
    """Give the correlation of each ventricle's ejection fraction with the truth."""
    fractions = {chamber: found.get(chamber, {}).get("ef", {}) for chamber in CHAMBERS}
    return [(f"{name.upper()} ejection fraction, r", part["r"]) for name, part in fractions.items() if "r" in part]


def _tabulate_outlines(found: dict[str, Any]) -> Table:
    rows: list[list[Any]] = [
        [f"{label}, {phase}", *(cell.get(key) for key in ("dice", "lowest_dice", "hd95", "hd"))]
        for label, phases in found.get("table", {}).items()
        for phase, cell in phases.items()
    ]
    whole = [["mean of all, lowest of all", found.get("mean_dice"), found.get("lowest_dice"), None, None]]
    return Table(("structure and phase", "Dice", "lowest Dice", "HD95, mm", "HD, mm"), rows and rows + whole)


def _tabulate_measures(found: dict[str, Any]) -> Table:
    rows = [
        [f"{part}: {words}", *_list_agreement(found[part][key], "r")]
        for part in (*CHAMBERS, MYOCARDIUM)
        for key, words in MEASURES.items()
        if key in found.get(part, {})
    ]
    return Table(("measure", "correlation", "bias", "limits of agreement", "mean absolute error"), rows)


def _tabulate_groups(groups: dict[str, Any]) -> Table:
    labels = list(next(iter(groups.values()), {}).get("dice", {}))
    rows = [
        [
            f"{name} ({group['patients']} patients)",
            *(group["dice"][label] for label in labels),
            *_list_agreement(group.get("lv_ef", {})),
        ]
        for name, group in groups.items()
    ]
    figures = [f"LVEF {name}, points" for name in ("bias", "limits", "mean absolute error")]
    return Table(("group", *(f"Dice, {label}" for label in labels), *figures), rows)


def _list_agreement(part: dict[str, Any], *first: str) -> list[Any]:
    return [part.get(name) for name in (*first, "bias", "limits", "mean_absolute_error")]


def _measure_ventricle(beat: dict[str, Any]) -> list[Measure]:
    fraction = Measure("ejection fraction", beat["ef_percent"], "%")
    if beat["edv_ml"] is None:
        return [fraction]
    volumes = (("end diastole", "edv_ml"), ("end systole", "esv_ml"), ("stroke volume", "sv_ml"))
    return [fraction, *(Measure(words, beat[name], "mL") for words, name in volumes)]


def _measure_patient(ed: Any, es: Any) -> dict[str, list[float]]:
    """Each measure of one patient as [truth, predicted]."""
    measures = {}
    for chamber, label in CHAMBERS.items():
        if label in ed.labels:
            edv, esv = _volumes(ed, label), _volumes(es, label)
            measures[f"{chamber}_edv"], measures[f"{chamber}_esv"] = edv, esv
            measures[f"{chamber}_sv"] = [large - small for large, small in zip(edv, esv, strict=True)]
            measures[f"{chamber}_ef"] = [compute_ejection_fraction(*pair) for pair in zip(edv, esv, strict=True)]
    if MYOCARDIUM in ed.labels:
        measures[f"{MYOCARDIUM}_mass"] = [DENSITY * volume for volume in _volumes(ed, MYOCARDIUM)]
    return measures


def _volumes(row: Any, label: str) -> list[float]:
    part = row.labels[label]
    return [row.measure_volume(part.truth_pixels), row.measure_volume(part.predicted_pixels)]


def _make_table(rows: list[Any]) -> dict[str, Any]:
    """Dice and Hausdorff distances in mm of each structure at each phase."""
    table: dict[str, Any] = {}
    for row in rows:
        for label, part in row.labels.items():
            cell = table.setdefault(label, {}).setdefault(row.columns["phase"], {"dice": [], "hd": [], "hd95": []})
            cell["dice"].append(part.volume_dice)
            cell["hd"].append(part.surfaces.hd)
            cell["hd95"].append(part.surfaces.hd95)
    for phases in table.values():
        for phase, cell in phases.items():
            known = {name: values for name, values in cell.items() if not np.all(np.isnan(values))}
            means = {name: float(np.nanmean(values)) for name, values in known.items()}
            phases[phase] = means | {"lowest_dice": float(min(cell["dice"]))}
    return table


def _compare_groups(rows: list[Any], values: dict[str, dict[str, list[float]]], agree: Agree) -> dict[str, Any]:
    """Dice of each structure, and ejection fractions and mass against the truth, by clinical group."""
    groups: dict[str, list[Any]] = {}
    for row in rows:
        if "group" in row.columns:
            groups.setdefault(str(row.columns["group"]), []).append(row)
    return {group: _summarize_group(members, values, agree) for group, members in sorted(groups.items())}


def _summarize_group(rows: list[Any], values: dict[str, dict[str, list[float]]], agree: Agree) -> dict[str, Any]:
    patients = [values[name] for name in sorted({row.patient for row in rows}) if name in values]
    dice = {label: float(np.mean([row.labels[label].volume_dice for row in rows])) for label in rows[0].labels}
    measured = [name for name in ("lv_ef", "rv_ef", f"{MYOCARDIUM}_mass") if patients and name in patients[0]]
    found = {name: _agree([patient[name] for patient in patients], agree) for name in measured}
    return {"patients": len(patients), "dice": dice} | found


def _agree(pairs: list[list[float]], agree: Agree) -> dict[str, Any]:
    """Compare the truth with what was measured, a pair a patient."""
    return agree(*np.array(pairs).T) | {"patients": len(pairs)}


def _plot_fraction(chamber: str, label: str) -> Agreement:
    caption = f"Ejection fraction of the {label}: difference by mean, with limits of agreement"
    return Agreement(f"{chamber}_ef", "ejection fraction, %", caption)


HEART = Task(
    name="heart",
    title="Heart",
    finding="heart",
    body_part="HEART",
    labels={
        "right ventricle": Label("#ff5a5f", ("AnatomicalStructure", "RightVentricle")),
        "myocardium": Label("#2ec4b6", ("AnatomicalStructure", "LeftVentricleMyocardium")),
        "left ventricle": Label("#ffd166", ("AnatomicalStructure", "LeftVentricle")),
    },
    phantom="acdc",
    pick_examples=pick_examples,
    measure=measure,
    remark=tell_pattern,
    find_moments=find_moments,
    scores=(
        OwnScores(
            key="cardiac",
            title="Heart",
            score=score_heart,
            tables=tabulate,
            tiles=pick_tiles,
            agreements=tuple(_plot_fraction(*chamber) for chamber in CHAMBERS.items()),
        ),
    ),
)
