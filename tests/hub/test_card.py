import json
import re

import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries
from PIL import Image

from hf_mri.hub.bundle import assemble
from hf_mri.hub.bundle_facts import read_facts
from hf_mri.hub.card import check_card, name_model, take_metrics, write_card
from hf_mri.hub.load_check_script import draw_slices


def rewrite(path, change) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_metadata_is_what_the_hub_reads(bundle):
    data = ModelCard((bundle / "README.md").read_text()).data
    assert (data.license, data.library_name, data.pipeline_tag) == (
        "cc-by-nc-sa-4.0",
        "transformers",
        "image-segmentation",
    )
    assert data.datasets == ["lgg"]
    assert data.model_name == "lgg-two-stage"
    metrics = json.loads((bundle / "metrics.json").read_text())
    figures = {result.metric_name: result.metric_value for result in data.eval_results}
    assert figures["tumor, mean Dice per patient volume"] == metrics["segmentation"]["tumor"]["volume_dice"]["mean"]
    assert figures["roc_auc per slice"] == metrics["classification"]["roc_auc"]
    entries = parse_eval_result_entries(yaml.safe_load((bundle / ".eval_results/lgg.yaml").read_text()))
    assert [entry.value for entry in entries] == list(figures.values())


def test_every_figure_of_the_card_stands_in_metrics_json(bundle):
    card = (bundle / "README.md").read_text()
    text = card[card.index("## Results") : card.index("## Curves and plots")]
    found = json.dumps(json.loads((bundle / "metrics.json").read_text()))
    known = [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", found)]
    shown = [float(number.replace(",", "")) for number in re.findall(r"(?<=[| ])-?[\d,]*\d\.\d+(?= )", text)]
    assert len(shown) > 40
    for number in shown:
        assert any(
            abs(number - value) <= 0.0501 if abs(value) >= 10 else abs(number - value) <= 0.000501 for value in known
        )


@pytest.mark.parametrize("kind", ["classifier", "resunet", "two-stage"])
def test_sections_appear_only_where_there_is_something_to_say(finished_bundles, kind):
    card = (finished_bundles(kind) / "README.md").read_text()
    headings = re.findall(r"^#+ (.+)$", card, re.MULTILINE)
    assert ("Outlines: tumor" in headings) == (kind != "classifier")
    assert any(heading.startswith("The gate") for heading in headings) == (kind == "two-stage")
    assert {"What it is for", "Quick start", "Training patients", "Limits and biases", "Reproduce"} <= set(headings)
    assert "not a medical device" in card.lower()
    assert "needed" not in card.lower()
    assert "None" not in card
    assert not re.findall(r"^(#+) .+\n+(?=\1 |\Z)", card, re.MULTILINE), "a heading without text"
    for picture in re.findall(r"\]\((plots/.+?)\)", card):
        assert (finished_bundles(kind) / picture).stat().st_size > 1000


def test_patients_sites_and_cost_come_from_training_json(bundle):
    card = (bundle / "README.md").read_text()
    assert "Patients: 4 for train, 2 for validation (20 training slices)." in card
    assert "| CS | 3 |" in card
    assert "Training took 1.4 minutes (10 steps, 2 epochs) on 2 CPU cores." in card  # 84 seconds


def test_figures_of_folds_are_called_so_and_patients_in_two_splits_too(bundle):
    assert "trained afterwards" not in (bundle / "README.md").read_text()
    everybody = [f"TCGA_{('CS', 'DU')[number % 2]}_{number}" for number in range(6)]
    rewrite(bundle / "training.json", lambda found: found.update(patients={"train": everybody}))
    write_card(bundle)
    assert "trained afterwards, by the same recipe, on all 6 patients" in (bundle / "README.md").read_text()
    leaky = {"train": everybody, "test": everybody[:2]}
    rewrite(bundle / "training.json", lambda found: found.update(patients=leaky))
    write_card(bundle)
    assert "**2 patients are in two splits.**" in (bundle / "README.md").read_text()


def test_figures_of_seen_patients_are_not_published(bundle):
    rewrite(bundle / "metrics.json", lambda metrics: metrics.update(seen_in_training={"patients": ["a"], "images": 3}))
    write_card(bundle)
    assert "**Seen in training" in (bundle / "README.md").read_text()
    with pytest.raises(ValueError, match="trained on; evaluate on others"):
        check_card(bundle)


def test_an_unchanged_card_passes_and_may_have_words_added(bundle):
    check_card(bundle)
    card = bundle / "README.md"
    card.write_text(card.read_text().replace("## Quick start", "## From us\n\nHello.\n\n## Quick start"))
    check_card(bundle)


def test_a_changed_figure_is_found(bundle):
    card = bundle / "README.md"
    text = card.read_text()
    dice = f"{json.loads((bundle / 'metrics.json').read_text())['segmentation']['tumor']['pooled_dice']:.3f}"
    card.write_text(text.replace(f"pooled | {dice}", "pooled | 0.999"))
    with pytest.raises(ValueError, match="'Results' differs"):
        check_card(bundle)
    card.write_text(re.sub(r"value: 0\.\d+", "value: 0.999", text, count=1))
    with pytest.raises(ValueError, match="model-index"):
        check_card(bundle)
    card.write_text(text)
    rewrite(bundle / "metrics.json", lambda metrics: metrics["classification"].update(accuracy=0.5))
    with pytest.raises(ValueError, match=r"run `hf-mri card"):
        check_card(bundle)


def test_writing_the_card_again_changes_nothing(bundle):
    before = {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
    write_card(bundle)
    assert {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()} == before


def test_the_name_on_the_hub_stands_in_the_quick_start(bundle):
    name_model(bundle, "ada/tumors")
    card = (bundle / "README.md").read_text()
    assert 'MODEL = "ada/tumors"' in card
    assert "hf-mri predict SCAN --model ada/tumors" in card
    check_card(bundle)
    write_card(bundle)
    assert read_facts(bundle).model_id == "ada/tumors"


def test_new_metrics_are_taken_in_unless_they_say_nothing(bundle, tmp_path):
    found = json.loads((bundle / "metrics.json").read_text())
    found["classification"]["accuracy"] = 0.4321
    (tmp_path / "new.json").write_text(json.dumps(found))
    take_metrics(bundle, tmp_path / "new.json")
    write_card(bundle)
    assert "| accuracy | 0.432 |" in (bundle / "README.md").read_text()
    (tmp_path / "seen.json").write_text(json.dumps({**found, "seen_in_training": {"patients": ["a"]}}))
    with pytest.raises(ValueError, match="trained on"):
        take_metrics(bundle, tmp_path / "seen.json")
    (tmp_path / "other.json").write_text(json.dumps({**found, "model": {"model_type": "mri_resunet"}}))
    with pytest.raises(ValueError, match="mri_resunet"):
        take_metrics(bundle, tmp_path / "other.json")


def test_heart_and_abdomen_have_their_own_tables(bundle):
    def add(metrics):
        metrics["cardiac"] = {
            "lv": {"ef": {"r": 0.97, "bias": -0.4, "limits": [-5.0, 4.2], "patients": 3}},
            "table": {"left ventricle": {"ED": {"dice": 0.961, "lowest_dice": 0.9, "hd95": 2.5}}},
            "mean_dice": 0.961,
            "lowest_dice": 0.9,
            "by_group": {"DCM": {"patients": 3, "dice": {"left ventricle": 0.96}, "lv_ef": {"bias": -0.4}}},
            "per_patient": {"a": {"lv_ef": [55.0, 54.0]}, "b": {"lv_ef": [30.0, 31.5]}, "c": {"lv_ef": [62.0, 60.0]}},
        }
        metrics["competition"] = {"score": 0.861, "dice": 0.84, "hausdorff": 0.875}

    rewrite(bundle / "metrics.json", add)
    write_card(bundle)
    card = (bundle / "README.md").read_text()
    assert "| lv: ejection fraction, points | 0.970 | -0.400 | -5.000 to 4.200 | – |" in card
    assert "| left ventricle, ED | 0.961 | 0.900 | 2.500 | – |" in card
    assert "| DCM (3 patients) | 0.960 | -0.400 | – | – |" in card
    assert "| score | 0.861 |" in card
    assert (bundle / "plots/lv_ef_agreement.png").exists()


def test_what_is_no_bundle_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"config.json is missing"):
        write_card(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="no JSON"):
        write_card(tmp_path)


def test_stock_pipelines_are_shown_only_where_they_give_the_models_answer(bundle):
    assert 'pipeline("image-segmentation"' in (bundle / "README.md").read_text()
    assert "Of 16 bits nearly all values then become 255" in (bundle / "README.md").read_text()
    rewrite(bundle / "preprocessor_config.json", lambda found: found.update(num_channels=1, neighbors=1))
    write_card(bundle)
    card = (bundle / "README.md").read_text()
    assert "stock pipeline" not in card
    assert "together with 1 on either side" in card


def test_a_card_says_what_its_figures_are_worth(bundle):
    """Six patients were judged."""
    assert "> **Too few to judge by: 6 patients." in (bundle / "README.md").read_text()
    rewrite(bundle / "metrics.json", lambda metrics: metrics["gate"].update(area_lost=0.2))
    write_card(bundle)
    assert "**The gate loses 20.0 % of the outlined area" in (bundle / "README.md").read_text()


def test_the_quick_start_of_a_fresh_bundle_runs_in_its_folder(bundle, tmp_path, run_apart):
    (bundle / "README.md").unlink()
    write_card(bundle)
    card = (bundle / "README.md").read_text()
    assert 'MODEL = "."' in card
    assert "in the model's folder, with a scan of yours" in card
    first = re.findall(r"```python\n(.*?)```", card, re.DOTALL)[0]
    assemble(bundle, tmp_path / "whole")
    Image.fromarray(draw_slices(3)[0]).save(tmp_path / "whole" / "scan.tif")
    assert "slice 0: " in run_apart(f"import os; os.chdir({str(tmp_path / 'whole')!r})\n{first}")
