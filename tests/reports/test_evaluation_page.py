"""What lies in the output folder, and whether the page opens in a real browser without a complaint."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from hf_mri.evaluation.evaluate import evaluate_model, evaluate_predictions
from hf_mri.evaluation.metrics_file import read_metrics, write_headline
from hf_mri.reports.evaluation_page import write_report
from hf_mri.reports.worst_pictures import WorstCases
from tests.evaluation.builders import make_case, make_masks, make_reader, write_lgg


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    patients = tuple(f"TCGA_{site}_000{number}_20000101" for number, site in enumerate(("CS", "CS", "DU")))
    reader, _ = make_reader(gate_threshold=0.3)
    worst = WorstCases()
    metrics = evaluate_model(reader, write_lgg(folder / "raw", patients), layout="lgg", observe=worst.consider)
    write_report(metrics, worst.sort(), folder / "out")
    return folder / "out"


def test_the_folder_holds_metrics_page_and_plots(output: Path) -> None:
    metrics = json.loads((output / "metrics.json").read_text())
    assert metrics["schema"] == 1
    names = {path.stem for path in (output / "plots").glob("*.png")}
    assert names >= {"dice_by_patient", "volume_agreement", "roc", "precision_recall", "reliability", "confusion"}
    assert read_metrics(output) == read_metrics(output / "metrics.json") == metrics
    assert write_headline(metrics).startswith("Dice 1.000 per patient")


def test_the_page_needs_nothing_else(output: Path) -> None:
    page = (output / "report.html").read_text()
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert "<script" not in page
    assert page.count("data:image/jpeg") == 9  # three patients of three slices: image, truth and prediction
    for part in ("masks", "slices", "gate", "parts", "method", "worst"):
        assert f'id="{part}"' in page
    identifiers = re.findall(r'\sid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1100, "light"), (390, "dark")])
def test_the_page_opens_without_errors(output: Path, chromium, width: int, scheme: str) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if "http" in request.url[:5] else None)
    page.goto((output / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width  # nothing sticks out sideways
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert complaints == []
    page.close()


def test_only_the_lowest_cases_are_kept() -> None:
    from hf_mri.evaluation.cases import reduce_case

    worst = WorstCases(shown=2)
    truth, _ = make_masks(0)
    for shift, patient in ((3, "low"), (0, "perfect"), (1, "fair"), (4, "lowest")):
        case = make_case(truth, np.roll(truth, shift, axis=2), patient, images=np.zeros((*truth.shape, 3), np.uint8))
        worst.consider(case, reduce_case(case))
    assert [picture.row.patient for picture in worst.sort()] == ["lowest", "low"]


def test_a_foreign_file_is_no_evaluation(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(ValueError, match="not the metrics of an evaluation"):
        read_metrics(tmp_path)
    with pytest.raises(ValueError, match="no such file"):
        read_metrics(tmp_path / "other.json")


@pytest.mark.parametrize("kind", ["organs", "heart", "classifier"])
def test_every_kind_of_model_has_its_page(tmp_path: Path, kind: str) -> None:
    labels = {
        "organs": ("large_bowel", "small_bowel", "stomach"),
        "heart": ("right ventricle", "myocardium", "left ventricle"),
        "classifier": ("tumor",),
    }[kind]
    cases = []
    for seed in range(6):
        truth, predicted = make_masks(seed)
        columns = {"phase": ("ED", "ES")[seed % 2], "group": "NOR"}
        case = make_case(
            truth,
            predicted,
            f"P{seed // 2}",
            volume=f"P{seed // 2}/{seed % 2}",
            spacing=(1.5, 1.5, 8.0),
            columns=columns,
        )
        case.truth = dict.fromkeys(labels, truth)
        case.predicted = None if kind == "classifier" else dict.fromkeys(labels, predicted)
        cases.append(case)
    metrics = evaluate_predictions(cases, "patients")
    write_report(metrics, [], tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert ("competition" in metrics) == ('id="competition"' in page) == (kind == "organs")
    assert ("cardiac" in metrics) == ('id="heart"' in page) == (kind == "heart")
    assert ("segmentation" in metrics) == ('id="masks"' in page) == (kind != "classifier")
    if kind == "heart":
        assert (tmp_path / "plots" / "lv_ef_agreement.png").exists()
    if kind == "organs":
        assert 0 < metrics["competition"]["score"] < 1
        assert set(metrics["competition"]["per_case"]) == {case.volume for case in cases}


def test_a_page_about_two_patients_says_why_there_are_no_intervals(tmp_path: Path) -> None:
    cases = [make_case(*make_masks(seed), f"P{seed}") for seed in range(2)]
    metrics = evaluate_predictions(cases, "patients", model={"name": "small"}, data={"name": "two"})
    write_report(metrics, [], tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "Without intervals: fewer than 3 patients" in page
    assert "95 % interval by bootstrap" not in page
