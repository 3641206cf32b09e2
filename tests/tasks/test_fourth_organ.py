"""A fourth organ, told in one place: everything else of the project then knows its words, color and measures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hf_mri import MriImageProcessor, ResUNetConfig, ResUNetForSemanticSegmentation
from hf_mri.data.datasets_table import FOLDER
from hf_mri.evaluation.evaluate import evaluate_predictions
from hf_mri.hub.bundle import write_bundle
from hf_mri.page.answer import say_answer
from hf_mri.page.examples import draw_examples
from hf_mri.page.models import Bundle, load_bundle
from hf_mri.page.viewer import show_scan
from hf_mri.reports.evaluation_page import write_report
from hf_mri.reports.headline import write_headline
from hf_mri.reports.reading_page import render_html
from hf_mri.tasks import Agreement, Label, Measure, OwnScores, ScanExample, Table, Task, find_task, register, registry
from tests.evaluation.builders import make_case, make_masks, make_reader
from tests.hub.conftest import TRAIN_CONFIG, TRAINING

LABELS = {0: "background", 1: "kidney"}


def _score(rows, agree):
    pairs = {row.patient: [row.measure_volume(pixels) for pixels in _pixels(row)] for row in rows}
    found = agree(*np.array(list(pairs.values())).T)
    return {"volume": found, "per_patient": {patient: {"kidney_volume": pair} for patient, pair in pairs.items()}}


def _pixels(row):
    return row.labels["kidney"].truth_pixels, row.labels["kidney"].predicted_pixels


KIDNEY = Task(
    name="kidney",
    title="Kidneys",
    finding="kidney",
    labels={"kidney": Label("#123456", ("AnatomicalStructure", "Kidney"))},
    sequences=("T1", "T2", "water"),
    main_sequence="water",
    pick_examples=lambda slices, masks: [ScanExample("kidneys", "Two kidneys", slices, slices[0, ..., 0])],
    measure=lambda reading: {"kidney": [Measure("slices", len(reading["slices"]), "pages")]},
    scores=(
        OwnScores(
            key="nephrology",
            title="Kidneys",
            score=_score,
            tables=lambda found: [Table(("measure", "bias"), [["kidney volume", found["volume"]["bias"]]])],
            tiles=lambda found: [("kidney volume, bias", found["volume"]["bias"])],
            agreements=(Agreement("kidney_volume", "volume, mL", "Volume of the kidneys by two readers"),),
        ),
    ),
)


@pytest.fixture(autouse=True)
def _known(monkeypatch) -> None:
    """Make the kidney known, here alone, for one test."""
    monkeypatch.setattr(registry, "TASKS", [*registry.TASKS])
    register(KIDNEY)


@pytest.fixture
def reading():
    """Four slices with something bright in two of them, and in one sequence only."""
    reader, _ = make_reader("resunet", id2label=LABELS)
    slices = np.zeros((4, 32, 32, 3), np.uint8)
    slices[1:3, 8:16, 8:16, 2] = 250
    return reader(slices)


def evaluate() -> dict:
    cases = [make_case(*make_masks(seed), f"P{seed}", label="kidney", spacing=(1.0, 1.0, 5.0)) for seed in range(6)]
    return evaluate_predictions(cases, "patients", data={"name": "kidneys"})


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle whose model outlines kidneys, with figures of its own."""
    config = ResUNetConfig(hidden_sizes=[4, 8, 8], decoder_channels=[8, 4], image_size=32, id2label=LABELS)
    processor = MriImageProcessor(size={"height": 32, "width": 32})
    training = TRAINING | {"dataset": "kidneys"}
    model = ResUNetForSemanticSegmentation(config)
    facts = {"train_config": TRAIN_CONFIG, "training": training, "metrics": evaluate()}
    return write_bundle(tmp_path / "kidney-model", model, processor, **facts)


def test_it_is_read_and_reported(reading):
    assert write_headline(reading.to_dict()) == "Kidney: slices 4.0 pages."
    page = render_html(reading)
    assert "#123456" in page
    assert "kidney, slices" in page


def test_it_is_evaluated(tmp_path):
    metrics = evaluate()
    assert list(metrics["classification"]["by_class"]) == ["no kidney", "kidney"]
    assert set(metrics["nephrology"]["per_patient"]) == {f"P{seed}" for seed in range(6)}
    write_report(metrics, [], tmp_path)
    page = (tmp_path / "report.html").read_text()
    for words in ('id="kidneys"', "kidney volume, bias", "Volume of the kidneys by two readers", "#123456"):
        assert words in page
    assert (tmp_path / "plots" / "kidney_volume_agreement.png").exists()


def test_its_card_has_its_figures(bundle):
    card = (bundle / "README.md").read_text()
    assert "### Kidneys" in card
    assert "| kidney volume | 0.000 |" in card
    assert "Volume of the kidneys by two readers" in card


def test_the_page_speaks_its_words(bundle, reading):
    shown: Bundle = load_bundle(str(bundle))
    assert (shown.title, shown.task) == ("Kidneys", KIDNEY)
    facts = reading.to_dict()
    assert "Kidney: slices 4.0 pages." in say_answer(facts)
    scan = show_scan(reading, facts, shown.task, KIDNEY.sequences)
    assert scan["labels"] == [{"name": "kidney", "color": "#123456"}]
    assert (scan["channel"], scan["finding"]) == (2, "Kidney")
    assert [example.title for example in draw_examples(KIDNEY, size=48)] == ["Two kidneys"]


def test_a_data_set_of_it_has_its_words():
    assert replace(FOLDER, id2label=LABELS).slice_labels == ("no kidney", "kidney")


def test_most_labels_decide_and_unknown_ones_speak_for_themselves():
    assert find_task(["background", "kidney", "tumor"]).name == "brain-tumor"  # the first of equals
    assert find_task(["no heart", "heart"]).name == "heart"
    unknown = find_task(["background", "lesion"])
    assert (unknown.name, unknown.title, unknown.slice_labels) == ("other", "Lesion", ("no lesion", "lesion"))
    assert find_task(["liver", "spleen"]).title == "Liver, spleen"
