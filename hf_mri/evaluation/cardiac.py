"""Chamber volumes at both phases, stroke volume, ejection fraction, myocardial mass, the ACDC table, and by group."""

import numpy as np

from hf_mri.evaluation.agreement import measure_agreement
from hf_mri.evaluation.cases import CaseRow

CHAMBERS = {"lv": "left ventricle", "rv": "right ventricle"}
MYOCARDIUM = "myocardium"
DENSITY = 1.05  # g/mL


def compute_ejection_fraction(edv: float, esv: float) -> float:
    """Share of the end-diastolic volume that a beat pumps out, in percent; 0 where there is no volume."""
    return 100 * (edv - esv) / edv if edv > 0 else 0.0


def summarize_cardiac(rows: list[CaseRow]) -> dict | None:
    """Compare chamber measures over the patients with both phases; None where this is no heart with spacing."""
    hearts = [row for row in rows if CHAMBERS["lv"] in row.labels and row.columns.get("phase") in ("ED", "ES")]
    measured = [row for row in hearts if row.spacing is not None]
    phases: dict[str, dict[str, CaseRow]] = {}
    for row in measured:
        phases.setdefault(row.patient, {})[row.columns["phase"]] = row
    pairs = {patient: both for patient, both in phases.items() if len(both) == 2}
    if not pairs:
        return None
    values = {patient: _measure_patient(both["ED"], both["ES"]) for patient, both in pairs.items()}
    summary: dict = {}
    for chamber in CHAMBERS:
        summary[chamber] = {
            name: _agree([patient[f"{chamber}_{name}"] for patient in values.values()])
            for name in ("edv", "esv", "sv", "ef")
            if f"{chamber}_{name}" in next(iter(values.values()))
        }
    if all("myocardium_mass" in patient for patient in values.values()):
        summary[MYOCARDIUM] = {"mass": _agree([patient["myocardium_mass"] for patient in values.values()])}
    summary["table"] = _make_table(measured)
    cells = [cell for cells in summary["table"].values() for cell in cells.values()]
    summary["mean_dice"] = float(np.mean([cell["dice"] for cell in cells]))
    summary["lowest_dice"] = min(cell["lowest_dice"] for cell in cells)
    summary["by_group"] = _compare_groups(measured, values)
    summary["per_patient"] = values
    return {name: part for name, part in summary.items() if part != {}}


def _measure_patient(ed: CaseRow, es: CaseRow) -> dict[str, list[float]]:
    """Each measure of one patient as [truth, predicted]."""
    measures = {}
    for chamber, label in CHAMBERS.items():
        if label not in ed.labels:
            continue
        edv, esv = _volumes(ed, label), _volumes(es, label)
        measures[f"{chamber}_edv"], measures[f"{chamber}_esv"] = edv, esv
        measures[f"{chamber}_sv"] = [large - small for large, small in zip(edv, esv, strict=True)]
        measures[f"{chamber}_ef"] = [compute_ejection_fraction(*pair) for pair in zip(edv, esv, strict=True)]
    if MYOCARDIUM in ed.labels:
        measures["myocardium_mass"] = [DENSITY * volume for volume in _volumes(ed, MYOCARDIUM)]
    return measures


def _volumes(row: CaseRow, label: str) -> list[float]:
    part = row.labels[label]
    return [row.measure_volume(part.truth_pixels), row.measure_volume(part.predicted_pixels)]


def _agree(pairs: list[list[float]]) -> dict:
    truth, predicted = np.array(pairs).T
    return measure_agreement(truth, predicted) | {"patients": len(pairs)}


def _make_table(rows: list[CaseRow]) -> dict:
    """Dice and Hausdorff distances in mm of each structure at each phase."""
    table: dict = {}
    for row in rows:
        for label, part in row.labels.items():
            cell = table.setdefault(label, {}).setdefault(row.columns["phase"], {"dice": [], "hd": [], "hd95": []})
            cell["dice"].append(part.volume_dice)
            cell["hd"].append(part.surfaces.hd)
            cell["hd95"].append(part.surfaces.hd95)
    for phases in table.values():
        for phase, cell in phases.items():
            phases[phase] = {
                name: float(np.nanmean(values)) for name, values in cell.items() if not np.all(np.isnan(values))
            } | {"lowest_dice": float(min(cell["dice"]))}
    return table


def _compare_groups(rows: list[CaseRow], values: dict[str, dict[str, list[float]]]) -> dict:
    """Dice of each structure, and ejection fractions and mass against the truth, by clinical group."""
    groups: dict[str, list[CaseRow]] = {}
    for row in rows:
        if "group" in row.columns:
            groups.setdefault(str(row.columns["group"]), []).append(row)
    found = {}
    for group, members in sorted(groups.items()):
        patients = [values[name] for name in sorted({row.patient for row in members}) if name in values]
        dice = {label: float(np.mean([row.labels[label].volume_dice for row in members])) for label in rows[0].labels}
        found[group] = {"patients": len(patients), "dice": dice} | {
            measure: _agree([patient[measure] for patient in patients])
            for measure in ("lv_ef", "rv_ef", "myocardium_mass")
            if patients and measure in patients[0]
        }
    return found
