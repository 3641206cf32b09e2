"""The card's figures as Markdown tables: each is read from metrics.json where it stands, none is typed."""

from hf_mri.hub.facts import BundleFacts

PROTOCOLS = {
    "patients": "patients that were kept apart from training",
    "validation": "the validation patients, which also chose the thresholds: a little flattering",
    "slices-leaky": "slices split at random, neighbors of test slices in training: flattering, only to compare",
    "buda": "patients kept apart, prepared and scored as Buda et al. did",
    "cross-validation": "cross-validation by patient: every patient was judged by a model that had not seen them",
    "leave-one-site-out": "each site judged by a model that had seen no patient of it",
}
VOLUME_KEYS = {
    "volume_iou": "IoU, per patient volume",
    "slice_dice": "Dice, all slices",
    "positive_slice_dice": "Dice, slices that show it",
    "pooled_dice": "Dice, all pixels pooled",
    "volume_precision": "precision, per patient volume",
    "volume_recall": "recall, per patient volume",
    "pooled_tversky": "Tversky index (alpha 0.7), pooled",
    "hd95": "Hausdorff distance, 95th percentile",
    "average_surface_distance": "average surface distance",
    "surface_dice": "surface Dice",
}
CLASSIFICATION_KEYS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "brier": "Brier score",
    "expected_calibration_error": "expected calibration error",
}
CARDIAC_KEYS = {
    "edv": "EDV, mL",
    "esv": "ESV, mL",
    "sv": "stroke volume, mL",
    "ef": "ejection fraction, points",
    "mass": "mass, g",
}


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; numbers stand right."""
    line = "| " + " | ".join(header) + " |"
    rule = "|" + "|".join(" --- " if index == 0 else " ---: " for index in range(len(header))) + "|"
    return "\n".join([line, rule, *("| " + " | ".join(row) + " |" for row in rows)])


def number(value: float | int | None) -> str:
    """Return a figure with three significant decimals, or a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def interval(bounds: list[float] | None) -> str:
    return f"{number(bounds[0])} to {number(bounds[1])}" if bounds else "–"


def segmentation_results(facts: BundleFacts) -> str:
    """One table a label: every average beside the others, with its interval."""
    parts = []
    for label, found in facts.metrics.get("segmentation", {}).items():
        volume, intervals = found.get("volume_dice", {}), found.get("ci95", {})
        rows = [
            [f"Dice per patient volume, {name}", number(volume.get(name)), interval(volume.get(ci))]
            for name, ci in (("mean", "ci95"), ("median", "median_ci95"), ("min", ""))
            if name in volume
        ]
        unit = found.get("distance_unit", "mm")
        for key, words in VOLUME_KEYS.items():
            if key in found:
                words = f"{words}, {unit}" if key in ("hd95", "average_surface_distance") else words
                rows.append([words, number(found[key]), interval(intervals.get(key))])
        if "sensitivity" in found.get("lesions", {}):
            lesions = found["lesions"]
            rows.append([f"lesions found, of {lesions['truth']}", number(lesions["sensitivity"]), "–"])
        if "bias" in found.get("volume", {}):
            size = found["volume"]
            rows.append(
                [
                    f"volume bias and limits of agreement, {size['unit']}",
                    number(size["bias"]),
                    interval(size.get("limits")),
                ]
            )
        heading = f"### Outlines: {label}\n\n"
        parts.append(heading + table(["figure", "value", "95 % interval"], rows))
    return "\n\n".join(parts)


def classification_results(facts: BundleFacts) -> str:
    """Figures a slice and a patient, and the table of right and wrong."""
    found = facts.metrics.get("classification")
    if not found:
        return ""
    patients, intervals = found.get("per_patient", {}), found.get("ci95", {})
    rows = [
        [words, number(found[key]), interval(intervals.get(key)), number(patients.get(key))]
        for key, words in CLASSIFICATION_KEYS.items()
        if key in found
    ]
    text = "### Slices\n\n"
    if "decision" in found:
        text += f"Decision: {found['decision']}. Score: {found.get('score', 'tumor probability')}.\n\n"
    text += table(["figure", "per slice", "95 % interval", "per patient"], rows)
    if "confusion" in found:
        right = found["confusion"]
        rows = [
            ["nothing there", number(right["tn"]), number(right["fp"])],
            ["something there", number(right["fn"]), number(right["tp"])],
        ]
        text += "\n\n" + table(["slices", "called empty", "called positive"], rows)
    return text


def gate_results(facts: BundleFacts) -> str:
    """What the first stage saved and lost."""
    gate = facts.metrics.get("gate")
    if not gate:
        return ""
    words = {
        "slices_saved": "slices that the gate spared the segmenter",
        "time_saved": "time saved",
        "positive_slices_lost": "positive slices lost",
        "area_lost": "share of the true area lost",
    }
    rows = [[text, number(gate[key])] for key, text in words.items() if key in gate]
    for label, without in gate.get("without", {}).get("segmentation", {}).items():
        dice = without.get("volume_dice")
        rows.append(
            [
                f"{label}: Dice per patient volume without the gate",
                number(dice["mean"] if isinstance(dice, dict) else dice),
            ]
        )
    return f"### The gate (threshold {gate['threshold']:g})\n\n" + table(["figure", "value"], rows)


def cardiac_results(facts: BundleFacts) -> str:
    """Outlines by structure and phase; volumes, ejection fraction and mass against the truth; both by group."""
    found = facts.metrics.get("cardiac")
    if not found:
        return ""
    rows = [
        [
            f"{part}: {words}",
            number(found[part][key].get("r")),
            number(found[part][key].get("bias")),
            interval(found[part][key].get("limits")),
            number(found[part][key].get("mean_absolute_error")),
        ]
        for part in ("lv", "rv", "myocardium")
        for key, words in CARDIAC_KEYS.items()
        if key in found.get(part, {})
    ]
    header = ["measure", "correlation", "bias", "limits of agreement", "mean absolute error"]
    parts = [_cardiac_outlines(found), table(header, rows), _cardiac_groups(found)]
    return "### Heart\n\n" + "\n\n".join(part for part in parts if part)


def _cardiac_outlines(found: dict) -> str:
    rows = [
        [f"{label}, {phase}", *(number(cell.get(key)) for key in ("dice", "lowest_dice", "hd95", "hd"))]
        for label, phases in found.get("table", {}).items()
        for phase, cell in phases.items()
    ]
    if not rows:
        return ""
    rows.append(["mean of all, lowest of all", number(found["mean_dice"]), number(found["lowest_dice"]), "–", "–"])
    return table(["structure and phase", "Dice", "lowest Dice", "HD95, mm", "HD, mm"], rows)


def _cardiac_groups(found: dict) -> str:
    groups = found.get("by_group", {})
    if not groups:
        return ""
    labels = list(next(iter(groups.values()))["dice"])
    rows = [
        [
            f"{name} ({group['patients']} patients)",
            *(number(group["dice"][label]) for label in labels),
            number(group.get("lv_ef", {}).get("bias")),
            interval(group.get("lv_ef", {}).get("limits")),
            number(group.get("lv_ef", {}).get("mean_absolute_error")),
        ]
        for name, group in groups.items()
    ]
    figures = ["bias", "limits", "mean absolute error"]
    header = ["group", *(f"Dice, {label}" for label in labels), *(f"LVEF {name}, points" for name in figures)]
    return table(header, rows)


def competition_results(facts: BundleFacts) -> str:
    """The score of the GI competition."""
    found = facts.metrics.get("competition")
    if not found:
        return ""
    rows = [[key, number(found[key])] for key in ("score", "dice", "hausdorff", "dice_skipping_empty") if key in found]
    return "### Competition score\n\n" + table(["figure", "value"], rows)


def breakdown_results(facts: BundleFacts) -> str:
    """One table a column that the patients differ in."""
    parts = []
    for column, values in facts.metrics.get("breakdowns", {}).items():
        labels = [
            label
            for label in facts.foreground
            if any(label in found.get("segmentation", {}) for found in values.values())
        ]
        rows = []
        for value, found in values.items():
            row = [str(value), number(found.get("patients")), number(found.get("slices"))]
            for label in labels:
                scores = found.get("segmentation", {}).get(label, {})
                dice = scores.get("volume_dice")
                value = number(dice["mean"] if isinstance(dice, dict) else dice)
                row.append(f"{value} ({interval(scores['ci95'])})" if scores.get("ci95") else value)
            classification = found.get("classification", {})
            rows.append([*row, number(classification.get("accuracy")), number(classification.get("roc_auc"))])
        header = [
            column,
            "patients",
            "slices",
            *(f"{label}: Dice per volume" for label in labels),
            "accuracy",
            "ROC AUC",
        ]
        parts.append(f"By {column}:\n\n{table(header, rows)}")
    return "\n\n".join(parts)


def worst_cases(facts: BundleFacts) -> str:
    """The lowest patients, in the evaluation's own words."""
    found = [case for case in facts.metrics.get("worst", [])[:5] if case.get("words")]
    return "\n".join(f"- {case['patient']}, Dice {number(case['dice'])}. {case['words']}" for case in found)
