"""A reading in one sentence, from its JSON."""

from typing import Any

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


def write_finding(reading: dict[str, Any]) -> str:
    """Say what was found, whatever the doubts.

    Args:
        reading: What `Reading.to_dict()` returns.
    """
    labels = reading["labels"] or [reading["finding"] or "finding"]
    measured = find_task(labels).measure(reading)
    if measured:
        return _capitalize("; ".join(f"{_words(label)}: {_list(found)}" for label, found in measured.items())) + "."
    if len(labels) > 1:
        return _several_labels(reading, labels)
    count, positive = len(reading["slices"]), sum(page["positive"] for page in reading["slices"])
    slices = "1 slice" if count == 1 else f"{count} slices"
    if not positive:
        return f"No {labels[0]} in {slices}."
    where = (
        f"{_capitalize(labels[0])} in {positive} of {slices}"
        if count > 1
        else f"{_capitalize(labels[0])} in the slice"
    )
    volume = reading["volumes"][0].get(labels[0], {})
    return ", ".join([where, *_measures(volume)]) + "."


def format_confidence(reading: dict[str, Any]) -> str | None:
    """The Dice that the model expects of its outlines; None where there are none, or where it cannot tell."""
    return None if reading["confidence"] is None else f"{reading['confidence']:.2f}"


def format_volume(volume: dict[str, Any]) -> str | None:
    """A label's volume in mL, or in voxels where the spacing is not known; None where there is none."""
    if not volume.get("voxels"):
        return None
    return f"{volume['voxels']:,} pixels" if volume["ml"] is None else f"{_short(volume['ml'])} mL"


def format_diameter(volume: dict[str, Any]) -> str | None:
    """A label's largest diameter; None where it was not found."""
    if not volume.get("voxels"):
        return None
    if volume["largest_diameter_mm"] is None:
        return f"{volume['largest_diameter_pixels']:.0f} pixels"
    return f"{volume['largest_diameter_mm']:.0f} mm"


def format_measure(measure: Measure) -> str:
    """A measure with its unit; of a share in percent the digits after the point mean nothing."""
    return f"{measure.value:.0f} %" if measure.unit == "%" else f"{_short(measure.value)} {measure.unit}"


def _several_labels(reading: dict[str, Any], labels: list[str]) -> str:
    found = [(label, format_volume(reading["volumes"][0][label])) for label in labels]
    parts = [f"{_words(label)} {volume}" for label, volume in found if volume]
    missing = [_words(label) for label, volume in found if not volume]
    if not parts:
        return f"Nothing found: no {', no '.join(missing)}."
    sentence = _capitalize(", ".join(parts))
    return f"{sentence}; no {', no '.join(missing)}." if missing else f"{sentence}."


def _measures(volume: dict[str, Any]) -> list[str]:
    diameter = format_diameter(volume)
    return [part for part in (format_volume(volume), diameter and f"largest diameter {diameter}") if part]


def _list(measures: list[Measure]) -> str:
    first, *others = [f"{measure.name} {format_measure(measure)}" for measure in measures]
    return f"{first} ({', '.join(others)})" if others else first


def _short(number: float) -> str:
    """Three digits are all that a mask is worth."""
    return f"{number:.0f}" if number >= 100 else f"{number:.1f}" if number >= 1 else f"{number:.2f}"


def _words(label: str) -> str:
    return label.replace("_", " ")


def _capitalize(text: str) -> str:
    text = _words(text)
    return text[:1].upper() + text[1:]
