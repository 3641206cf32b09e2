"""A reading in one sentence, from its JSON."""

from typing import Any

from hf_mri.languages.words import ENGLISH, Words
from hf_mri.tasks.registry import find_task
from hf_mri.tasks.task import Measure


def write_headline(reading: dict[str, Any]) -> str:
    """Say what was found, in the words of someone who has ten seconds; a doubt about the scan comes first.

    Args:
        reading: What `Reading.to_dict()` returns.
    """
    finding = write_finding(reading)
    return (
        f"Doubtful: {reading['doubts'][0]} The model's answer all the same: {finding}"
        if reading["doubts"]
        else finding
    )


def write_finding(reading: dict[str, Any], words: Words = ENGLISH) -> str:
    """Say what was found, whatever the doubts.

    Args:
        reading: What `Reading.to_dict()` returns.
        words: the language.
    """
    labels = reading["labels"] or [reading["finding"] or "finding"]
    measured = find_task(labels).measure(reading)
    if measured:
        colon, semicolon = words.say("join.colon"), words.say("join.semicolon")
        parts = [f"{words.name(label)}{colon}{_list(found, words)}" for label, found in measured.items()]
        return f"{_capitalize(semicolon.join(parts))}."
    if len(labels) > 1:
        return _several_labels(reading, labels, words)
    count, positive = len(reading["slices"]), sum(page["positive"] for page in reading["slices"])
    slices, label = words.count("finding.slices", count), words.name(labels[0])
    if not positive:
        own = f"finding.none.{labels[0]}"
        return _capitalize(words.say(own if own in words.texts else "finding.none", slices=slices, label=label))
    where = words.say(f"finding.{'some' if count > 1 else 'one'}", label=label, positive=positive, slices=slices)
    measures = _measures(reading["volumes"][0].get(labels[0], {}), words)
    measured_there = words.say("finding.measured", where=where, measures=", ".join(measures))
    return _capitalize(measured_there if measures else f"{where}.")


def write_remark(reading: dict[str, Any]) -> str | None:
    """What research makes of the measures, in one sentence that says so; None where it says nothing.

    Args:
        reading: What `Reading.to_dict()` returns.
    """
    return find_task(reading["labels"]).remark(reading)


def format_confidence(reading: dict[str, Any], words: Words = ENGLISH) -> str | None:
    """The Dice that the model expects of its outlines; None where there are none, or where it cannot tell."""
    return None if reading["confidence"] is None else words.number(f"{reading['confidence']:.2f}")


def format_volume(volume: dict[str, Any], words: Words = ENGLISH) -> str | None:
    """A label's volume in mL, or in voxels where the spacing is not known; None where there is none."""
    if not volume.get("voxels"):
        return None
    if volume["ml"] is None:
        return words.say("finding.pixels", number=words.number(f"{volume['voxels']:,}"))
    return f"{words.number(_short(volume['ml']))} mL"


def format_diameter(volume: dict[str, Any], words: Words = ENGLISH) -> str | None:
    """A label's largest diameter; None where it was not found."""
    if not volume.get("voxels"):
        return None
    if volume["largest_diameter_mm"] is None:
        return words.say("finding.pixels", number=f"{volume['largest_diameter_pixels']:.0f}")
    return f"{volume['largest_diameter_mm']:.0f} mm"


def format_measure(measure: Measure, words: Words = ENGLISH) -> str:
    """A measure with its unit; of a share in percent the digits after the point mean nothing."""
    return f"{measure.value:.0f} %" if measure.unit == "%" else f"{words.number(_short(measure.value))} {measure.unit}"


def _several_labels(reading: dict[str, Any], labels: list[str], words: Words) -> str:
    found = [(words.name(label), format_volume(reading["volumes"][0][label], words)) for label in labels]
    parts = [f"{label} {volume}" for label, volume in found if volume]
    missing = words.say("join.no").join(label for label, volume in found if not volume)
    if not parts:
        return words.say("finding.nothing", missing=missing)
    sentence = _capitalize(", ".join(parts))
    return words.say("finding.missing", found=sentence, missing=missing) if missing else f"{sentence}."


def _measures(volume: dict[str, Any], words: Words) -> list[str]:
    diameter = format_diameter(volume, words)
    told = diameter and words.say("finding.diameter", diameter=diameter)
    return [part for part in (format_volume(volume, words), told) if part]


def _list(measures: list[Measure], words: Words) -> str:
    first, *others = [f"{words.name(measure.name)} {format_measure(measure, words)}" for measure in measures]
    return f"{first} ({', '.join(others)})" if others else first


def _short(number: float) -> str:
    """Three digits are all that a mask is worth."""
    return f"{number:.0f}" if number >= 100 else f"{number:.1f}" if number >= 1 else f"{number:.2f}"


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:]
