"""What `make demo` runs."""

import pytest

from hf_mri.commands import demo
from hf_mri.hub import model_cards
from tests.reports.conftest import make_model


def test_a_phantom_is_read_and_the_paths_are_there(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "draw_patient", lambda folder: draw_small(folder))
    found = demo.run_demo(tmp_path / "demo", str(make_model(tmp_path / "model")))
    assert found.scan.is_dir()
    assert found.headline.endswith(".")
    for name in ("reading.json", "montage.png", "report.html"):
        assert (found.reading / name).is_file()
    assert demo.run_demo(tmp_path / "demo", str(tmp_path / "model")).headline == found.headline


def draw_small(folder):
    from hf_mri.data.phantoms.draw import draw_phantom, find_phantoms

    if not folder.exists():
        draw_phantom("lgg", folder, patients=1, size=64, slices=4, seed=demo.PATIENT_SEED)
    return find_phantoms(folder)[0]


def test_the_trained_bundle_is_taken_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(model_cards, "MODEL_CARDS", tmp_path)
    assert model_cards.find_published(demo.BUNDLE) is None
    (tmp_path / demo.BUNDLE).mkdir()
    (tmp_path / demo.BUNDLE / "model.safetensors").touch()
    assert model_cards.find_published(demo.BUNDLE) == tmp_path / demo.BUNDLE
    assert model_cards.list_published() == [tmp_path / demo.BUNDLE]


@pytest.mark.slow
def test_without_a_bundle_a_tiny_model_is_trained_that_finds_the_lesion(tmp_path):
    bundle = demo.train_tiny(tmp_path / "model")
    found = demo.run_demo(tmp_path / "demo", str(bundle))
    assert found.headline.startswith("Tumor in ")
