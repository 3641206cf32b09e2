"""Phantoms and data sets that the tests of this folder share."""

from pathlib import Path

import pytest

from hf_mri.data.phantoms.draw import draw_phantom, make_phantom


@pytest.fixture(scope="session")
def lgg_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six synthetic heads as Kaggle would ship them. Read only: copy before changing anything."""
    folder = tmp_path_factory.mktemp("lgg") / "source"
    draw_phantom("lgg", folder, patients=6, size=48, slices=8)
    return folder


@pytest.fixture(scope="session")
def acdc_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five synthetic hearts, one of each group, as their publisher would ship them. Read only."""
    folder = tmp_path_factory.mktemp("acdc") / "source"
    draw_phantom("acdc", folder, patients=5, size=48, slices=6)
    return folder


@pytest.fixture(scope="session")
def uw_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four synthetic abdomens as their publisher would ship them. Read only."""
    folder = tmp_path_factory.mktemp("uw") / "source"
    draw_phantom("uw-madison", folder, patients=4, size=48, slices=8)
    return folder


@pytest.fixture(scope="session")
def lgg_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An imported data set of ten synthetic heads. Read only."""
    return make_phantom("lgg", tmp_path_factory.mktemp("lgg") / "dataset", patients=10, size=48, slices=8)
