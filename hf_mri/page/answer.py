"""The answer in words: one clear sentence, the measurements behind it, and what is wrong where something is."""

from html import escape

from hf_mri.reports.headline import format_confidence, write_finding, write_remark
from hf_mri.reports.measures_table import find_moments


def card(sentence: str, detail: str, kind: str, warnings: tuple[str, ...] = ()) -> str:
    """Return the answer's card; `kind` is `found`, `measured`, `clear`, `doubt`, `idle` or `error`."""
    role = "alert" if kind == "error" else "status"
    listed = "".join(f"<li>{escape(line[:1].upper() + line[1:].rstrip('.'))}.</li>" for line in warnings)
    return (
        f'<div class="answer answer-{kind}" role="{role}"><p class="sentence">{escape(sentence)}</p>'
        f'<p class="detail">{escape(detail)}</p>{f"<ul>{listed}</ul>" if listed else ""}</div>'
    )


IDLE = card(
    "Drop a scan to read it.",
    "One slice, several slices, a NIfTI, DICOM files or a zip of them. Or try an example.",
    "idle",
)

READING = card("Reading the scan …", "The answer comes here.", "idle")
BUSY = card(
    "This could not be read now.", "The page is busy, or the connection is gone; try again in a minute.", "error"
)


def say_answer(facts: dict, better: str | None = None) -> str:
    """Return the sentence that answers the visitor's question, with what the reader warned about; a doubt comes first.

    Args:
        facts: `reading.to_dict()`.
        better: the tab that may fit better, where the scan is in doubt.
    """
    slices = facts["slices"]
    positive = [row["index"] + 1 for row in slices if row["positive"]]
    details = [f"Highest probability {max(row['probability'] for row in slices):.0%}."]
    moments = [f"{words} is time point {phase + 1}" for words, phase in find_moments(facts).values()]
    if moments:
        details = [f"{', '.join(moments).capitalize()}, of {facts['phases']}."]
    elif positive and len(slices) > 1:
        details.insert(0, f"Slices {positive[0]} to {positive[-1]}." if len(positive) > 1 else f"Slice {positive[0]}.")
    threshold = facts["thresholds"]["slice_threshold"]
    if not moments:
        details.append(f"A slice counts from {threshold:.0%}.")
    if expected := format_confidence(facts):
        details.append(f"Expected agreement of the outline with a reader's (Dice): {expected}.")
    if remark := write_remark(facts):
        details.append(remark)
    if facts["doubts"]:
        first, *others = facts["doubts"]
        said = f"What the model says all the same: {write_finding(facts)} {' '.join(details)}"
        hint = [f"The tab “{better}” may fit better"] if better else []
        return card(f"Doubtful. {first}", said, "doubt", (*hint, *others, *facts["warnings"]))
    kind = "clear" if not positive else "measured" if len(facts["labels"]) > 1 else "found"
    return card(write_finding(facts), " ".join(details), kind, tuple(facts["warnings"]))
