"""docs/own-data.md, walked: three layouts of images of one's own become a data set, then a model, then a reading."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hf_mri import Reader
from hf_mri.commands.app import build_app
from hf_mri.data import read_table

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "own_data_example.py"))


def run(*words: object) -> str:
    result = CliRunner().invoke(build_app(), [str(word) for word in words])
    assert result.exit_code == 0, result.output + str(result.exception)
    return result.output


@pytest.mark.parametrize("layout", EXAMPLE["LAYOUTS"])
def test_each_layout_is_imported_alike(layout, tmp_path):
    EXAMPLE["LAYOUTS"][layout](tmp_path / "own", patients=4)
    run("data", "import", "folder", tmp_path / "own", tmp_path / "data", "--labels", "disc", "--spacing", "0.9,0.9,5")
    table = read_table(tmp_path / "data")
    assert sorted(set(table["patient"])) == ["P1", "P2", "P3", "P4"]
    assert table.groupby("patient")["label"].sum().tolist() == [int(m.any(axis=(1, 2)).sum()) for m in masks()]
    assert np.allclose(np.stack(table["spacing"]), (0.9, 0.9, 5.0))
    assert ("age" in table) == (layout == "table")


def masks() -> list[np.ndarray]:
    return [EXAMPLE["draw_patient"](number)[1] for number in range(1, 5)]


def test_from_png_to_a_reading(train, tmp_path):
    EXAMPLE["write_flat"](tmp_path / "own", patients=4)
    run("data", "import", "folder", tmp_path / "own", tmp_path / "data", "--labels", "disc")
    bundle = train(task="segment", data=str(tmp_path / "data"), max_steps=2) / "bundle"
    EXAMPLE["write_two_folders"](tmp_path / "new", patients=1)
    reading = Reader.from_pretrained(bundle)(tmp_path / "new/images/P1", spacing=(0.9, 0.9, 5))
    assert reading.masks["disc"].shape == (10, 96, 96)


def test_spacing_and_labels_belong_to_the_layout_folder(tmp_path):
    result = CliRunner().invoke(build_app(), ["data", "import", "lgg", "x", str(tmp_path), "--spacing", "1,1,5"])
    assert "--spacing belongs to the layout folder; the files of lgg say it" in str(result.exception)
    result = CliRunner().invoke(build_app(), ["data", "import", "folder", "x", str(tmp_path), "--spacing", "1,1"])
    assert "give three numbers above 0" in str(result.exception)


def test_the_help_shows_the_layouts():
    said = run("data", "import", "--help")
    assert "images/P7/012.png, masks/P7/012.png" in said
    assert "file_name, mask_file_name" in said
