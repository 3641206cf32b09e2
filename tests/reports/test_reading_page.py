"""The page of a reading."""

import re

import numpy as np

from hf_mri.reports.reading_page import render_html, write_html
from tests.reports.conftest import make_reading


def test_the_page_stands_alone_and_says_the_essential(tmp_path):
    page = write_html(make_reading(), tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Tumor in 1 of 4 slices, 0.12 mL" in page
    assert "Not a medical device" in page
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert addresses
    assert all(address.startswith(("data:image/", "#slice-")) for address in addresses)
    assert "http" not in page
    assert "<script" not in page


def test_every_bar_and_row_leads_to_a_slice_that_is_shown():
    page = render_html(make_reading())
    targets = set(re.findall(r'<figure id="(slice-\d+)"', page))
    assert targets == set(re.findall(r'href="#(slice-\d+)"', page)) == {f"slice-000{n}" for n in range(1, 5)}


def test_areas_and_boxes_are_in_the_table():
    # 12 pixels of 2 mm²; left 6, top 2, 4 wide, 3 high.
    assert re.search(r"<td>24</td><td>6 2 4 3</td>", render_html(make_reading()))


def test_warnings_and_names_are_text_and_never_markup():
    reading = make_reading()
    reading.source, reading.warnings = "<b>x</b>", ["<script>alert(1)</script>"]
    page = render_html(reading)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<b>x</b>" not in page


def test_a_cine_shows_volume_over_time_and_a_classifier_shows_no_masks():
    assert "Volume over time" in render_html(make_reading(phases=3, labels=("left ventricle", "myocardium")))
    reading = make_reading()
    reading.masks, reading.stage, reading.finding = {}, np.full(4, "gate"), "tumor"
    page = render_html(reading)
    assert "Tumor in 1 of 4 slices" in page
    assert 'class="outline"' not in page
