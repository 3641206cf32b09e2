"""The card's figures as Markdown tables: each is read from metrics.json where it stands, none is typed."""

import numpy as np

from hf_mri.evaluation.figures import (
    MISSING,
    SLICE_FIGURES,
    SUMMARY_FIGURES,
    format_cell,
    format_figure,
    format_interval,
)
from hf_mri.evaluation.scores.new_group import POOR, expect_new_group
from hf_mri.hub.bundle_facts import BundleFacts
from hf_mri.hub.kept_apart import tabulate_kept_apart
from hf_mri.hub.markdown import table
from hf_mri.tasks.registry import find_scores

PROTOCOLS = {
    "patients": "patients that were kept apart from training",
    "validation": "the validation patients, which also chose the thresholds: a little flattering",
    "slices-leaky": "slices split at random, neighbors of test slices in training: flattering, only to compare",
    "buda": "patients kept apart, prepared and scored as Buda et al. did",
    "cross-validation": "cross-validation by patient: every patient was judged by a model that had not seen them",
    "leave-one-site-out": "each site judged by a model that had seen no patient of it",
}

DICE_FIGURES = {  # by name: in words, and where its interval stands
    "mean": ("mean", "ci95"),
    "median": ("median", "median_ci95"),
    "worst_fifth": ("mean of the worst fifth", ""),
    "min": ("min", ""),
}

# Columns whose values a reader understands. Clusters and codes without the data's own code book help nobody.
BREAKDOWNS = {
    "site": "site",
    "group": "clinical group",
    "lesion size": "lesion size",
    "missing_pre": "pre-contrast sequence missing",
    "missing_post": "post-contrast sequence missing",
    "age_at_initial_pathologic": "age at diagnosis",
}


def segmentation_results(facts: BundleFacts) -> str:
    """One table a label: every average beside the others, with its interval."""
    parts = []
    for label, found in facts.metrics.get("segmentation", {}).items():
        volume, intervals = found.get("volume_dice", {}), found.get("ci95", {})
        rows = [
            [f"Dice per patient volume, {words}", format_figure(volume.get(name)), format_interval(volume.get(ci))]
            for name, (words, ci) in DICE_FIGURES.items()
            if name in volume
        ]
        unit = found.get("distance_unit", "mm")
        for key, words in SUMMARY_FIGURES.items():
            if key in found:
                words = f"{words}, {unit}" if key in ("hd95", "average_surface_distance") else words
                rows.append([words, format_figure(found[key]), format_interval(intervals.get(key))])
        if "sensitivity" in found.get("lesions", {}):
            lesions = found["lesions"]
            rows.append([f"lesions found, of {lesions['truth']}", format_figure(lesions["sensitivity"]), MISSING])
        if "bias" in found.get("volume", {}):
            size = found["volume"]
            rows.append(
                [
                    f"volume bias and limits of agreement, {size['unit']}",
                    format_figure(size["bias"]),
                    format_interval(size.get("limits")),
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
        [words, format_figure(found[key]), format_interval(intervals.get(key)), format_figure(patients.get(key))]
        for key, words in SLICE_FIGURES.items()
        if key in found
    ]
    text = "### Slices\n\n"
    if "decision" in found:
        text += f"Decision: {found['decision']}. Score: {found.get('score', 'probability of the slice')}.\n\n"
    text += table(["figure", "per slice", "95 % interval", "per patient"], rows)
    if "confusion" in found:
        right = found["confusion"]
        rows = [
            ["nothing there", format_figure(right["tn"]), format_figure(right["fp"])],
            ["something there", format_figure(right["fn"]), format_figure(right["tp"])],
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
    rows = [[text, format_figure(gate[key])] for key, text in words.items() if key in gate]
    for label, without in gate.get("without", {}).get("segmentation", {}).items():
        dice = without.get("volume_dice")
        rows.append(
            [
                f"{label}: Dice per patient volume without the gate",
                format_figure(dice["mean"] if isinstance(dice, dict) else dice),
            ]
        )
    return f"### The gate (threshold {gate['threshold']:g})\n\n" + table(["figure", "value"], rows)


def own_results(facts: BundleFacts) -> str:
    """What is scored of this organ alone."""
    parts = []
    for own, found in find_scores(facts.metrics):
        tables = [
            table(list(part.header), [[format_cell(value) for value in row] for row in part.rows])
            for part in own.tables(found)
        ]
        parts.append("\n\n".join([f"### {own.title}", *tables]))
    return "\n\n".join(parts)


def kept_apart_results(facts: BundleFacts) -> str:
    """How these very weights did on patients that nobody who built them has seen."""
    found = facts.kept_apart
    if not found:
        return ""
    judged = table(["figure", "value", "95 % interval"], tabulate_kept_apart(found))
    return (
        f"{found['patients']} further patients ({found['slices']} slices), judged on {found['judged']} with these "
        f"very weights and thresholds. Protocol: {found['protocol']}.\n\n{judged}"
    )


def new_group_results(facts: BundleFacts) -> str:
    """How much the mean of a few new patients may differ, and how many are badly outlined."""
    lines = []
    for label, found in facts.metrics.get("segmentation", {}).items():
        expected = expect_new_group(np.array(list(found["volume_dice"].get("per_patient", {}).values())))
        if expected:
            low, high = (format_figure(bound) for bound in expected["range"])
            lines.append(
                f"- {label}: the mean Dice of a new group of {expected['patients']} patients like these lies between "
                f"{low} and {high} in 95 of 100 cases; {expected['share_below']:.0%} of the patients are below {POOR}."
            )
    if not lines:
        return ""
    text = "The interval of a mean says how well the mean of all patients is known. A few new patients scatter more:"
    return f"{text}\n\n" + "\n".join(lines) + "\n\nOther scanners and other patients may differ by more than chance."


def confidence_results(facts: BundleFacts) -> str:
    """What the model's own estimate of each reading is worth, and how many of these known scans it doubted."""
    parts = []
    # Figures of these very weights' folds, or of a fit that was brought to them, whose record says from where.
    if found := facts.metrics.get("confidence") or facts.training.get("confidence"):
        rows = [
            [f"{entry['set_aside']:.0%}", format_figure(entry["dice"]), format_figure(entry["lowest"])]
            for entry in found["retention"]
        ]
        parts.append(
            "`reading.confidence` estimates the Dice of a reading's outlines. "
            f"Over {found['volumes']} volumes, each estimated by a fit on the other folds: rank correlation with the "
            f"true Dice {format_figure(found['rank_correlation'])}, mean error "
            f"{format_figure(found['mean_absolute_error'])}; "
            f"of the {found['worst']} worst volumes {found['worst_among_least_confident']} are among the "
            f"{found['least_confident']} least confident."
        )
        parts.append(found.get("protocol", ""))
        parts.append(table(["least confident set aside", "mean Dice of the others", "lowest"], rows))
    scans = facts.training.get("known_scans")
    if scans:
        parts.append(
            f"The model also knows what its training scans look like. Of these, {scans['doubted']} of "
            f"{scans['volumes']} are doubted by a fit that had not seen them; a scan that lies farther away is read "
            "all the same, but its answer begins with the doubt (`reading.doubts`)."
        )
    return "\n\n".join(part for part in parts if part)


def breakdown_results(facts: BundleFacts) -> str:
    """One table a column that the patients differ in, where its values say something; metrics.json has them all."""
    parts = []
    breakdowns = facts.metrics.get("breakdowns", {})
    for column, words in [(column, words) for column, words in BREAKDOWNS.items() if column in breakdowns]:
        values = breakdowns[column]
        labels = [
            label
            for label in facts.foreground
            if any(label in found.get("segmentation", {}) for found in values.values())
        ]
        rows = []
        for value, found in values.items():
            row = [str(value), format_figure(found.get("patients")), format_figure(found.get("slices"))]
            for label in labels:
                scores = found.get("segmentation", {}).get(label, {})
                dice = scores.get("volume_dice")
                value = format_figure(dice["mean"] if isinstance(dice, dict) else dice)
                row.append(f"{value} ({format_interval(scores['ci95'])})" if scores.get("ci95") else value)
            classification = found.get("classification", {})
            rows.append(
                [*row, format_figure(classification.get("accuracy")), format_figure(classification.get("roc_auc"))]
            )
        header = [
            words,
            "patients",
            "slices",
            *(f"{label}: Dice per volume" for label in labels),
            SLICE_FIGURES["accuracy"],
            SLICE_FIGURES["roc_auc"],
        ]
        parts.append(f"By {words}:\n\n{table(header, rows)}")
    return "\n\n".join(parts)


def worst_cases(facts: BundleFacts) -> str:
    """The lowest patients, in the evaluation's own words."""
    found = [case for case in facts.metrics.get("worst", [])[:5] if case.get("words")]
    return "\n".join(f"- {case['patient']}, Dice {format_figure(case['dice'])}. {case['words']}" for case in found)
