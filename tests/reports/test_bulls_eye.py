"""The wall's bull's-eyes."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from hf_mri.modeling.mri_reading_segments import measure_wall
from hf_mri.modeling.mri_scan import Scan
from hf_mri.modeling.mri_scan_geometry import Geometry
from hf_mri.reports.bulls_eye import DISCS, draw_disc, draw_wall
from hf_mri.reports.measures_table import tabulate
from hf_mri.reports.reading_page import render_html
from tests.modeling.hearts import SPACING, draw_ring, turn_affine
from tests.reports.conftest import make_reading


def measure(affine=None) -> dict:
    return measure_wall([draw_ring(), draw_ring(cavity=16, wall=12, right=26)], SPACING, affine)


def test_every_segment_is_drawn_with_its_name_and_figure():
    wall = measure(turn_affine())
    svg = ElementTree.fromstring(draw_disc(DISCS[0], wall["segments"], wall["anterior_known"]))
    said = [title.text for title in svg.iter("title")]
    assert said == [f"{part['name']}: {part['ed_mm']:.1f} mm" for part in wall["segments"]]
    assert said[0].startswith("basal anterior: ")
    assert len({path.get("d") for path in svg.iter("path")}) == 16
    assert "anterior" in [text.text for text in svg.iter("text")]


@pytest.mark.parametrize(("place", "x", "y"), [(0, 0, -1), (3, 0, 1), (13, -1, 0), (15, 1, 0)])
def test_anterior_is_above_inferior_below_and_the_septum_to_the_left(place, x, y):
    wall = measure(turn_affine())
    svg = ElementTree.fromstring(draw_disc(DISCS[0], wall["segments"], True))
    figure = list(svg.iter("g"))[place].find("text")
    assert float(figure.get("x")) * x >= 0
    assert float(figure.get("y")) * y >= 0
    assert abs(float(figure.get("x")) if x == 0 else float(figure.get("y"))) < 0.1


def test_thick_is_darker_than_thin_and_a_gap_is_empty():
    segments = measure()["segments"]
    segments[0]["ed_mm"], segments[1]["ed_mm"], segments[2]["ed_mm"] = 4, 16, None
    thin, thick, gap = list(ElementTree.fromstring(draw_disc(DISCS[0], segments, False)).iter("path"))[:3]
    assert thin.get("fill") == "#e2f0ee"
    assert thick.get("fill") == "#0b4854"
    assert gap.get("fill") == "none"


def test_where_no_side_is_anterior_the_plot_says_so():
    told, unknown = ({"cine": {"wall": measure(affine)}} for affine in (turn_affine(), None))
    assert "does not say which side is anterior" in draw_wall(unknown)
    assert "does not say" not in draw_wall(told)
    assert len(re.findall("<svg", draw_wall(told))) == len(DISCS)


@pytest.mark.parametrize("cine", [None, {}, {"wall": None}, {"wall": {"anterior_known": False, "segments": []}}])
def test_without_segments_nothing_is_drawn(cine):
    assert draw_wall({"cine": cine}) == ""


def make_heart():
    """A drawn heart as a reading: two time points of nine slices."""
    times = (draw_ring(), draw_ring(cavity=16, wall=12, right=26))
    labels = {"right ventricle": "right", "myocardium": "muscle", "left ventricle": "cavity"}
    reading = make_reading(phases=2, labels=tuple(labels), slices=9)
    reading.masks = {label: np.concatenate([getattr(ring, name) for ring in times]) for label, name in labels.items()}
    reading.geometry, reading.spacing = Geometry((216, 216, 9)), SPACING
    gray = np.zeros((18, 216, 216, 1), np.uint8)
    reading.scan = Scan(gray, SPACING, reading.geometry, source="heart", phases=2)
    return reading


def test_report_and_page_show_the_wall_and_say_what_research_makes_of_it():
    reading = make_heart()
    report = render_html(reading)
    assert report.count('class="bulls-eye"') == 1
    assert "Research, not a diagnosis" in report
    assert tabulate(reading.to_dict()).count("<svg") == len(DISCS)
    reading.doubts = ["It looks like no heart."]
    assert "Research, not a diagnosis" not in render_html(reading)
