"""The page about a data set."""

import json
import re

import numpy as np
import pytest

from hf_mri.data.dataset_folder import load_rows, read_table
from hf_mri.data.datasets_table import ACDC, UW_MADISON
from hf_mri.data.phantoms.draw import make_phantom
from hf_mri.data.sources import split_mask
from hf_mri.reports.dataset_page import draw_plots, explore_dataset


@pytest.fixture(scope="module")
def facts(lgg_dataset, tmp_path_factory) -> dict:
    """What is found in ten synthetic heads."""
    folder = tmp_path_factory.mktemp("explored")
    explore_dataset(lgg_dataset, folder)
    return json.loads((folder / "explore.json").read_text())


def test_counts_are_those_of_the_table(lgg_dataset, facts):
    table = read_table(lgg_dataset)
    assert facts["data"]["slices"] == len(table) == sum(part["slices"] for part in facts["splits"].values())
    for group, column in (("splits", "stored_split"), ("sites", "site")):
        for name, part in facts[group].items():
            rows = table[table[column] == name]
            assert part["patients"] == rows["patient"].nunique()
            assert part["positive"] == rows["label"].sum()
    assert [patient["patient"] for patient in facts["patients"]] == sorted(set(table["patient"]))


def test_distributions_are_those_of_the_pixels(lgg_dataset, facts):
    rows = list(load_rows(lgg_dataset))
    areas = [int(row["mask"].sum()) for row in rows if row["label"]]
    assert facts["area"]["tumor"]["pixels"]["0.5"] == np.median(areas)
    assert sum(facts["area"]["tumor"]["histogram"]["counts"]) == len(areas)
    flair = np.sort(np.concatenate([row["image"][::2, ::2, 1].ravel() for row in rows]))
    assert facts["intensity"]["FLAIR"]["quantiles"]["0.75"] == pytest.approx(np.quantile(flair, 0.75), abs=1)
    middle = [
        row["label"] for row in rows if row["slice"] == 4
    ]  # of 8 slices, 4 is four sevenths along: the sixth part
    assert facts["label_by_position"]["tumor"][5] == pytest.approx(np.mean(middle), abs=1e-4)


@pytest.mark.parametrize("layout", ["lgg", "acdc", "uw-madison"])
def test_the_page_needs_nothing_but_itself(layout, tmp_path):
    dataset = make_phantom(layout, tmp_path / "dataset", patients=3, size=32, slices=6)
    page = explore_dataset(dataset).read_text()
    assert (tmp_path / "dataset-explored" / "explore.html").exists()
    assert not list(dataset.glob("explore*"))  # what lies in the data set would be uploaded
    assert "<script" not in page
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert page.count('class="strip"') == 3
    assert page.count("<svg") == 6


def test_what_is_wrong_with_the_data_is_said(tmp_path, lgg_source):
    import shutil
    from pathlib import Path

    from PIL import Image

    from hf_mri.data.importing import import_dataset

    source = Path(shutil.copytree(lgg_source, tmp_path / "source"))
    patient = sorted(path for path in (source / "kaggle_3m").iterdir() if path.is_dir())[0]
    for path in patient.glob("*_mask.tif"):
        Image.fromarray(np.zeros((48, 48), np.uint8)).save(path)
    sorted(patient.glob("*_4_mask.tif"))[0].unlink()
    import_dataset("lgg", source, tmp_path / "dataset", skip_bad=True)
    explore_dataset(tmp_path / "dataset", tmp_path / "out")
    problems = " | ".join(json.loads((tmp_path / "out" / "explore.json").read_text())["problems"])
    assert f"1 patients have no foreground at all: {patient.name}" in problems
    assert "left out: kaggle_3m/" in problems
    assert "1 volumes lack 1 slices in between" in problems


def test_volumes_of_one_length_are_a_bar_in_the_middle_not_the_whole_plot(facts):
    assert list(facts["slices_per_volume"]) == ["8"]
    axes = draw_plots({**facts, "slices_per_volume": {8: 10}})["volumes"].axes[0]
    (bar,) = axes.patches
    low, high = axes.get_xlim()
    assert bar.get_width() < (high - low) / 4
    assert (low + high) / 2 == 8


def test_masks_come_apart_by_their_kind():
    mask = np.array([[0, 1, 2, 3]], np.uint8)
    by_index = split_mask(mask, ACDC)
    assert [inside.tolist() for inside in by_index.values()] == [
        [[False, True, False, False]],
        [[False, False, True, False]],
        [[False, False, False, True]],
    ]
    volume = split_mask(np.stack([mask, mask]), ACDC)  # slices of a volume as one slice
    assert volume["myocardium"].tolist() == [by_index["myocardium"].tolist()] * 2
    by_bit = split_mask(mask, UW_MADISON)  # 3 is both the first organ and the second
    assert by_bit["large_bowel"].tolist() == [[False, True, False, True]]
    assert by_bit["small_bowel"].tolist() == [[False, False, True, True]]
    assert not by_bit["stomach"].any()
