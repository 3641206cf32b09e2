"""The measurements of a reading as a table, for the page and for notebooks."""

from html import escape

from hf_mri.languages.words import ENGLISH, Words
from hf_mri.reports.bulls_eye import draw_wall
from hf_mri.reports.headline import format_diameter, format_volume
from hf_mri.tasks.registry import find_task

COLUMNS = ("label", "volume", "diameter", "where", "pixels")


def tabulate(facts: dict, words: Words = ENGLISH) -> str:
    """Return the measurements as a table: a row for each label, at each time point of a cine that counts."""
    if not facts["labels"]:
        return f"<p>{escape(words.say('table.nothing'))}</p>"
    phases = {name: phase for name, (_, phase) in find_moments(facts).items()} or {"": 0}
    rows = []
    for label in facts["labels"]:
        for moment, phase in phases.items():
            cells = _fill_row(label, moment, facts["volumes"][phase][label], words)
            rows.append("".join(f"<td>{escape(cell)}</td>" for cell in cells))
    head = "".join(f'<th scope="col">{escape(words.say(f"table.{column}"))}</th>' for column in COLUMNS)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    region = f'<div class="table" role="region" aria-label="{escape(words.say("page.measurements"))}" tabindex="0">'
    spacing = escape(say_spacing(facts, words), quote=False)
    table = f"{region}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    return f"{table}<p>{spacing}</p>{draw_wall(facts, words)}"


def _fill_row(label: str, moment: str, volume: dict, words: Words) -> list[str]:
    none = words.say("table.none")
    name = words.name(label)
    if moment:
        name = words.say("table.at", label=name, moment=words.name(moment))
    where = none
    if volume["first_slice"] is not None:
        where = words.say("table.from_to", first=volume["first_slice"] + 1, last=volume["last_slice"] + 1)
    size, diameter = format_volume(volume, words) or none, format_diameter(volume, words) or none
    return [name[:1].upper() + name[1:], size, diameter, where, words.number(f"{volume['voxels']:,}")]


def find_moments(facts: dict) -> dict[str, tuple[str, int]]:
    """Return the time points of a cine that count in this organ: a short name, what it means, and its index."""
    return find_task(facts["labels"]).find_moments(facts["cine"] or {})


def say_spacing(facts: dict, words: Words = ENGLISH) -> str:
    """Return what is known about the millimeters, and what to do where nothing is."""
    if facts["spacing_mm"] is None:
        return words.say("table.no_spacing")
    unknown = words.say("page.unknown")
    sizes = [unknown if mm is None else words.number(f"{mm:.2f}") for mm in facts["spacing_mm"]]
    return words.say("table.spacing", sizes=" x ".join(sizes))
