"""The page's examples against their truth, read by the published model: what a visitor clicks first is right."""

import numpy as np
import pytest

from hf_mri import Reader
from hf_mri.commands.demo import PATIENT_SEED
from hf_mri.data.phantoms.scan import draw_scan
from hf_mri.hub.model_cards import find_published
from hf_mri.page.answer import say_answer
from hf_mri.page.examples import SEED, draw_examples
from hf_mri.tasks.brain_tumor import BRAIN_TUMOR
from hf_mri.tasks.heart import HEART, compute_ejection_fraction


@pytest.fixture(scope="module")
def reader():
    folder = find_published("lgg-two-stage")
    if folder is None:
        pytest.skip("the model is not here")
    return Reader.from_pretrained(folder)


@pytest.fixture(scope="module")
def drawn():
    return draw_scan(BRAIN_TUMOR.phantom, SEED)


def test_the_tumor_is_found_where_it_was_drawn(reader, drawn):
    slices, masks, _ = drawn
    found = reader(slices).masks["tumor"]
    truth = masks.astype(bool)
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) >= 0.85


def test_no_slice_without_a_tumor_is_called(reader, drawn):
    slices, masks, _ = drawn
    examples = {example.name: example.slices for example in BRAIN_TUMOR.pick_examples(slices, masks)}
    for name in ("clear-volume", "clear-slice"):
        reading = reader(examples[name])
        assert not reading.positive.any()
        assert not reading.masks["tumor"].any()
    assert reader(examples["tumor-slice"]).positive.all()
    assert all(reader(example).doubts == [] for example in examples.values())


def test_the_demo_shows_the_pages_head():
    assert PATIENT_SEED == SEED


def test_the_examples_are_drawn_alike(drawn):
    np.testing.assert_array_equal(drawn[0], draw_scan(BRAIN_TUMOR.phantom, SEED)[0])


def test_the_beat_is_outlined_and_its_ejection_fraction_told():
    folder = find_published("acdc-resunet")
    if folder is None:
        pytest.skip("the model is not here")
    _, truth, _ = draw_scan(HEART.phantom, SEED)  # (2, S, H, W): end diastole, end systole
    (example,) = draw_examples(HEART)
    reading = Reader.from_pretrained(folder)(example.path)
    assert reading.doubts == []
    for value, (label, least) in enumerate(
        {"right ventricle": 0.85, "myocardium": 0.75, "left ventricle": 0.9}.items(), 1
    ):
        found, drawn = reading.masks[label], (truth == value).reshape(reading.masks[label].shape)
        assert 2 * (found & drawn).sum() / (found.sum() + drawn.sum()) >= least
    facts = reading.to_dict()
    full, empty = (int((phase == 3).sum()) for phase in truth)
    measured = facts["cine"]["left ventricle"]["ef_percent"]
    assert measured == pytest.approx(compute_ejection_fraction(full, empty), abs=8)
    assert f"eft ventricle: ejection fraction {measured:.0f} %" in say_answer(facts)
    assert "End diastole is time point 1, end systole is time point 2, of 2" in say_answer(facts)
