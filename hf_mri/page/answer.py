"""The answer in words: one clear sentence, the measurements behind it, and what is wrong where something is."""

from html import escape

from hf_mri.languages.words import ENGLISH, Words
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


def say_idle(words: Words) -> str:
    """Return the card of a page without a scan."""
    return card(words.say("answer.idle"), words.say("answer.idle_detail"), "idle")


def say_reading(words: Words) -> str:
    """Return the card that stands while a scan is read."""
    return card(words.say("answer.reading"), words.say("answer.reading_detail"), "idle")


def say_busy(words: Words) -> str:
    """Return the card of a scan that was not read, as nobody had time."""
    return card(words.say("answer.busy"), words.say("answer.busy_detail"), "error")


def say_error(words: Words, kind: str, error: object) -> str:
    """Return the card of what failed: `unread` or `undone`, and why."""
    return card(words.say(f"answer.{kind}"), words.retell(str(error)), "error")


def say_answer(facts: dict, better: str | None = None, words: Words = ENGLISH) -> str:
    """Return the sentence that answers the visitor's question, with what the reader warned about; a doubt comes first.

    Args:
        facts: `reading.to_dict()`.
        better: the tab that may fit better, where the scan is in doubt.
        words: the visitor's language.
    """
    finding, details = write_finding(facts, words), " ".join(say_details(facts, words))
    warnings = [words.retell(line) for line in facts["warnings"]]
    if facts["doubts"]:
        first, *others = [words.retell(doubt) for doubt in facts["doubts"]]
        said = f"{words.say('answer.all_the_same', finding=finding)} {details}"
        hint = [words.say("answer.better", tab=words.name(better))] if better else []
        return card(words.say("answer.doubtful", doubt=first), said, "doubt", (*hint, *others, *warnings))
    positive = any(row["positive"] for row in facts["slices"])
    kind = "clear" if not positive else "measured" if len(facts["labels"]) > 1 else "found"
    return card(finding, details, kind, tuple(warnings))


def say_details(facts: dict, words: Words) -> list[str]:
    """Return where something was found, how likely it is, and from where on it counts."""
    slices = facts["slices"]
    positive = [row["index"] + 1 for row in slices if row["positive"]]
    moments = [
        words.say("answer.moment", moment=words.name(meaning), number=phase + 1)
        for meaning, phase in find_moments(facts).values()
    ]
    details = []
    if moments:
        joined = ", ".join(moments).capitalize()
        details.append(words.say("answer.moments", moments=joined, count=facts["phases"]))
    else:
        if len(positive) > 1:
            details.append(words.say("answer.slices", first=positive[0], last=positive[-1]))
        elif positive and len(slices) > 1:
            details.append(words.say("answer.slice", number=positive[0]))
        highest = max(row["probability"] for row in slices)
        details.append(words.say("answer.highest", percent=f"{100 * highest:.0f}"))
        threshold = facts["thresholds"]["slice_threshold"]
        details.append(words.say("answer.counts_from", percent=f"{100 * threshold:.0f}"))
    if expected := format_confidence(facts, words):
        details.append(words.say("answer.agreement", dice=expected))
    if remark := write_remark(facts):
        details.append(words.retell(remark))
    return details
