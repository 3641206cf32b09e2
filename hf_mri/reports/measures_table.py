"""The measurements of a reading as a table, for the page and for notebooks."""

from html import escape

from hf_mri.reports.headline import format_diameter, format_volume
from hf_mri.tasks.registry import find_task


def tabulate(facts: dict) -> str:
    """Return the measurements as a table: a row for each label, at each time point of a cine that counts."""
    if not facts["labels"]:
        return "<p>This model outlines nothing.</p>"
    phases = {f" at {name}": phase for name, (_, phase) in find_moments(facts).items()} or {"": 0}
    rows = []
    for label in facts["labels"]:
        for when, phase in phases.items():
            volume = facts["volumes"][phase][label]
            first, last = volume["first_slice"], volume["last_slice"]
            where = "none" if first is None else f"{first + 1} to {last + 1}"
            name = f"{label[:1].upper()}{label[1:]}{when}".replace("_", " ")
            cells = [name, format_volume(volume), format_diameter(volume), where, f"{volume['voxels']:,}"]
            rows.append("".join(f"<td>{escape(cell or 'none')}</td>" for cell in cells))
    names = ("Label", "Volume", "Largest diameter", "Outlined in slices", "Pixels")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    region = '<div class="table" role="region" aria-label="Measurements" tabindex="0">'
    return (
        f"{region}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div><p>{say_spacing(facts)}</p>"
    )


def find_moments(facts: dict) -> dict[str, tuple[str, int]]:
    """Return the time points of a cine that count in this organ: a short name, what it means, and its index."""
    return find_task(facts["labels"]).find_moments(facts["cine"] or {})


def say_spacing(facts: dict) -> str:
    """Return what is known about the millimeters, and what to do where nothing is."""
    if facts["spacing_mm"] is None:
        return "The file does not say how far apart pixels are: give it under “Spacing” for mm² and mL."
    return f"Spacing {' x '.join('unknown' if mm is None else f'{mm:.2f}' for mm in facts['spacing_mm'])} mm."
