"""The left ventricle's wall as bull's-eyes by the AHA's segments: base outside, apex inside, the septum to the left.

SVG in the page's own text color, so that it reads on light and dark ground; every segment carries its name and figure.
"""

from html import escape
from typing import Any, NamedTuple

import numpy as np

from hf_mri.languages.words import ENGLISH, Words

RINGS = ((68, 96, 6), (40, 68, 6), (14, 40, 4))  # inner and outer radius, segments: base, middle, apex
AROUND = {True: ("anterior", "septum", "inferior", "lateral"), False: ("side a", "septum", "side b", "lateral")}
ANCHORS = ("middle", "end", "middle", "start")
PALE, DEEP = np.array([226, 240, 238]), np.array([11, 72, 84])  # of the least and of the largest value
WHITE_FROM = 0.68  # of the way between them, white reads better than black


class Disc(NamedTuple):
    """One bull's-eye."""

    title: str
    key: str  # in a segment's JSON
    unit: str
    least: float  # fixed, so that two hearts can be compared
    largest: float


DISCS = (
    Disc("End diastole, mm", "ed_mm", "mm", 4, 16),
    Disc("End systole, mm", "es_mm", "mm", 4, 24),
    Disc("Thickening, %", "thickening_percent", "%", 0, 100),
)


def draw_wall(facts: dict[str, Any], words: Words = ENGLISH) -> str:
    """Return HTML of thickness at both times and thickening; empty where a reading holds no segments.

    Args:
        facts: `reading.to_dict()`.
        words: the language.
    """
    wall = (facts["cine"] or {}).get("wall")
    if not wall or not wall["segments"]:
        return ""
    discs = "".join(draw_disc(disc, wall["segments"], wall["anterior_known"], words) for disc in DISCS)
    caption = [words.say("table.wall"), *([] if wall["anterior_known"] else [words.say("table.sides")])]
    row = '<div style="display: flex; flex-wrap: wrap; gap: 1rem">'
    return f'<div class="bulls-eye">{row}{discs}</div><p>{escape(" ".join(caption), quote=False)}</p></div>'


def draw_disc(disc: Disc, segments: list[dict[str, Any]], anterior_known: bool, words: Words = ENGLISH) -> str:
    """Return one bull's-eye as SVG."""
    shapes, number = [], 0
    for inner, outer, count in RINGS:
        for place in range(count):
            told = escape(_say(disc, segments[number], words))
            middle, half = 90 + 360 * place / count, 180 / count
            shapes.append(_draw_segment(disc, segments[number][disc.key], told, (inner, outer), middle, half, words))
            number += 1
    around = [
        f'<text x="{112 * np.cos(np.radians(angle)):.0f}" y="{-105 * np.sin(np.radians(angle)):.0f}" '
        f'text-anchor="{anchor}" dominant-baseline="middle" fill="currentColor">{words.name(word)}</text>'
        for word, angle, anchor in zip(AROUND[anterior_known], (90, 180, 270, 0), ANCHORS, strict=True)
    ]
    return (
        '<svg viewBox="-172 -135 344 255" width="344" role="img" font-family="system-ui, sans-serif" font-size="12" '
        f'style="flex: 1 1 15rem; max-width: 25rem; height: auto" aria-label="{_list_values(disc, segments, words)}">'
        f'<text x="0" y="-123" text-anchor="middle" font-weight="600" font-size="14" fill="currentColor">'
        f"{words.name(disc.title)}</text>{''.join(shapes)}{''.join(around)}</svg>"
    )


def _draw_segment(
    disc: Disc,
    value: float | None,
    told: str,
    radii: tuple[float, float],
    middle: float,
    half: float,
    words: Words,
) -> str:
    """One segment around the angle `middle`, in degrees against the clock from the right."""
    inner, outer = radii
    corners = [
        _place(radius, middle + turn)
        for radius, turn in ((outer, half), (outer, -half), (inner, -half), (inner, half))
    ]
    path = "M{} A{r} {r} 0 0 1 {} L{} A{s} {s} 0 0 0 {} Z".format(*corners, r=outer, s=inner)
    share = 0.0 if value is None else float(np.clip((value - disc.least) / (disc.largest - disc.least), 0, 1))
    color = "none" if value is None else "#{:02x}{:02x}{:02x}".format(*(PALE + share * (DEEP - PALE)).astype(int))
    ink = "currentColor" if value is None else "#ffffff" if share > WHITE_FROM else "#000000"
    x, y = _place((inner + outer) / 2, middle).split(",")
    said = "–" if value is None else f"{value:.0f}" if disc.unit == "%" or value >= 9.95 else f"{value:.1f}"
    said = words.number(said)
    return (
        f"<g><title>{told}</title>"
        f'<path d="{path}" fill="{color}" stroke="currentColor" stroke-width="1"/>'
        f'<text x="{x}" y="{y}" text-anchor="middle" dominant-baseline="central" fill="{ink}">{said}</text></g>'
    )


def _place(radius: float, degrees: float) -> str:
    angle = np.radians(degrees)
    return f"{radius * np.cos(angle):.1f},{-radius * np.sin(angle):.1f}"


def _say(disc: Disc, segment: dict[str, Any], words: Words) -> str:
    value, (third, place) = segment[disc.key], segment["name"].split(" ", 1)
    name = words.say("table.segment", third=words.name(third), place=words.name(place))
    told = words.say("page.unknown") if value is None else f"{words.number(f'{value:.1f}')} {disc.unit}"
    return f"{name}{words.say('join.colon')}{told}"


def _list_values(disc: Disc, segments: list[dict[str, Any]], words: Words) -> str:
    listed = words.say("join.semicolon").join(_say(disc, segment, words) for segment in segments)
    return escape(f"{words.name(disc.title)}. {listed}")
