import json

import pytest
import torch
from safetensors.torch import load_file

from hf_mri import TwoStageForSemanticSegmentation
from hf_mri.hub.bundle import HOSTED, add_code, assemble, remove_code, write_bundle
from hf_mri.hub.bundle_contents import list_contents
from hf_mri.hub.requirements import floors

from .conftest import TRAIN_CONFIG, TRAINING, make_model, make_processor


@pytest.mark.parametrize("kind", ["classifier", "resunet", "two-stage"])
def test_a_bundle_holds_what_belongs_and_nothing_else(finished_bundles, kind):
    names = set(list_contents(finished_bundles(kind)))
    assert {"model.safetensors", "config.json", "README.md", "handler.py", "pipeline_mri.py", "metrics.json"} <= names
    assert ("modeling_resunet.py" in names) == (kind != "classifier")
    assert ".eval_results/lgg.yaml" in names


def test_config_names_a_class_for_every_auto_class(bundle):
    config = json.loads((bundle / "config.json").read_text())
    model = "modeling_two_stage.TwoStageForSemanticSegmentation"
    assert config["auto_map"] == {
        "AutoConfig": "configuration_mri.TwoStageConfig",
        "AutoImageProcessor": "image_processing_mri.MriImageProcessor",
        "AutoModel": model,
        "AutoModelForSemanticSegmentation": model,
    }
    assert config["custom_pipelines"]["mri-reading"]["impl"] == "pipeline_mri.MriPipeline"


def test_half_weights_run_in_float32_and_keep_the_statistics_of_norms(bundle):
    stored = load_file(bundle / "model.safetensors")
    assert {value.dtype for value in stored.values() if value.ndim == 4} == {torch.float16}
    assert all(value.dtype == torch.float32 for name, value in stored.items() if name.endswith("running_var"))
    model = TwoStageForSemanticSegmentation.from_pretrained(bundle)
    assert model.dtype == torch.float32
    pixels = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model(pixels).logits, make_model("two-stage")(pixels).logits, atol=2e-2, rtol=2e-2)


def test_full_weights_come_back_bit_for_bit(tmp_path):
    model = make_model("resunet")
    folder = write_bundle(
        tmp_path / "full", model, make_processor(), train_config=TRAIN_CONFIG, training=TRAINING, half=False
    )
    stored = load_file(folder / "model.safetensors")
    assert all(torch.equal(value, stored[name]) for name, value in model.state_dict().items())
    assert not (folder / "metrics.json").exists()
    assert "## Results" not in (folder / "README.md").read_text()


def test_places_of_this_machine_stay_here(bundle):
    assert json.loads((bundle / "train_config.json").read_text()) == {
        "task": "two-stage",
        "pretrained": "weights.safetensors",
        "seed": 3,
    }


def test_requirements_are_the_packages_own_floors(bundle):
    lines = (bundle / "requirements.txt").read_text().splitlines()
    assert lines == [floors()[name] for name in HOSTED]


def test_a_bundle_replaces_a_bundle_but_nothing_else(bundle, tmp_path):
    arguments = {"train_config": TRAIN_CONFIG, "training": TRAINING}
    write_bundle(bundle, make_model("resunet"), make_processor(), **arguments)
    assert json.loads((bundle / "config.json").read_text())["model_type"] == "mri_resunet"
    assert not (bundle / "modeling_two_stage.py").exists()
    other = tmp_path / "letters"
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    with pytest.raises(ValueError, match="holds no model"):
        write_bundle(other, make_model("resunet"), make_processor(), **arguments)
    assert [path.name for path in tmp_path.iterdir() if "writing" in path.name or "old" in path.name] == []
    assert (other / "letter.txt").read_text() == "dear"


def test_a_failure_leaves_the_old_bundle(bundle):
    before = (bundle / "config.json").read_bytes()
    with pytest.raises(TypeError):
        write_bundle(bundle, make_model("resunet"), make_processor(), train_config={"bad": {1, 2}}, training=TRAINING)
    assert (bundle / "config.json").read_bytes() == before
    assert [path.name for path in bundle.parent.iterdir()] == [bundle.name]


def test_code_files_are_brought_up_to_date(bundle):
    before = {path.name: path.read_bytes() for path in bundle.iterdir() if path.is_file()}
    (bundle / "mri_reader.py").write_text("old")
    (bundle / "no_longer_there_mri.py").write_text("older")
    add_code(bundle)
    assert {path.name: path.read_bytes() for path in bundle.iterdir() if path.is_file()} == before


def test_a_model_without_its_code_is_made_whole_again(bundle, tmp_path):
    before = {path.name: path.read_bytes() for path in bundle.iterdir() if path.is_file()}
    own = assemble(bundle, tmp_path / "own", code=False)
    assert not list(own.glob("*.py"))
    assert not {"auto_map", "custom_pipelines"} & set(json.loads((own / "config.json").read_text()))
    whole = assemble(own, tmp_path / "whole")
    assert {path.name: path.read_bytes() for path in whole.iterdir() if path.is_file()} == before
    remove_code(whole)
    assert {path.name for path in whole.iterdir()} == {path.name for path in own.iterdir()}


def test_what_is_no_model_is_not_assembled(bundle, tmp_path):
    with pytest.raises(ValueError, match="holds no model"):
        assemble(tmp_path / "nothing", tmp_path / "new")
    with pytest.raises(ValueError, match="is the model itself"):
        assemble(bundle, bundle)
