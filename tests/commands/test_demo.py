"""What `make demo` runs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hf_mri import addresses
from hf_mri.addresses import find_address
from hf_mri.commands import demo, extras
from hf_mri.hub import model_cards
from hf_mri.modeling import mri_model_folder
from hf_mri.reports.truth_picture import compare_in_words
from tests.reports.conftest import make_model


@pytest.fixture
def small(monkeypatch):
    """A scan that is drawn in no time."""
    slices, truth = np.zeros((4, 32, 32, 3), np.uint8), np.zeros((4, 32, 32), bool)
    slices[1:3, 8:16, 8:16], truth[1:3, 8:16, 8:16] = 200, True
    monkeypatch.setattr(demo, "draw_patient", lambda: (slices, truth))


def test_a_phantom_is_read_and_the_truth_stands_beside_the_answer(tmp_path, small):
    found = demo.run_demo(tmp_path / "demo", str(make_model(tmp_path / "model")))
    assert found.headline.endswith(".")
    assert found.verdict.startswith("The truth: tumor in 2 of 4 slices. The answer misses ")
    for path in (found.scan / "scan_1.tif", found.reading / "reading.json", found.reading / "report.html"):
        assert path.is_file()
    assert Image.open(found.picture).size[1] == 2 * 224
    assert demo.run_demo(tmp_path / "demo", str(tmp_path / "model")).headline == found.headline


def test_the_verdict_counts_what_was_missed_and_what_was_invented():
    truth = np.zeros((5, 8, 8), bool)
    truth[1:4, 2:6, 2:6] = True
    answer = truth.copy()
    answer[1], answer[0, 0, 0] = False, True
    said = compare_in_words(answer, truth, "tumor")
    assert "tumor in 3 of 5 slices. The answer misses 1 of them and marks 1 besides" in said
    assert "a Dice of 0.79" in said
    assert "marks none besides; its outline overlaps the true one by a Dice of 1.00" in compare_in_words(
        truth, truth, ""
    )


def test_without_a_model_and_without_training_every_way_on_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda module: None if module == "pandas" else object())
    with pytest.raises(ImportError, match=r'--model FOLDER or Hub id; .* pip install "hf_mri\[train\]"'):
        demo.train_tiny(tmp_path / "model")


def test_the_published_model_is_looked_for_where_pyproject_says(monkeypatch):
    assert find_address("Models") is None, "no address is known yet, and none is invented"
    assert demo.find_on_hub() is None
    monkeypatch.setattr(addresses, "metadata", lambda _: Message({"Models": "https://huggingface.co/someone"}))
    monkeypatch.setattr(mri_model_folder, "find_folder", lambda name: Path(name))
    assert demo.find_on_hub() == "someone/lgg-two-stage"


class Message(dict):
    """Metadata of a package, as importlib gives it."""

    def get_all(self, name: str) -> list[str]:
        return [f"{key}, {value}" for key, value in self.items()]


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
    assert "(1 is perfect)" in found.verdict


def test_a_folder_without_a_model_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(OSError, match="holds no model"):
        demo.run_demo(tmp_path / "demo", str(tmp_path))
    assert not (tmp_path / "demo").exists()
