"""Exported graphs travel with a bundle: onto the card, to the Hub, into the reader, and from the Hub into a copy."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from hf_mri import Reader
from hf_mri.export import exporting, inputs
from hf_mri.export.exporting import export_model as run_export
from hf_mri.hub import publishing
from hf_mri.hub.card import check_card, write_card
from hf_mri.hub.load_check import answers_of
from hf_mri.hub.publishing import publish
from hf_mri.predict.predicting import predict
from tests.reports.conftest import make_model, write_scan

pytest.importorskip("openvino")
SLICES = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module", autouse=True)
def read_noise():
    """Export looks at three slices of noise instead of drawing phantoms of the real size, which takes long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            exporting, "load_inputs", lambda reader, data: inputs.Inputs("noise", [reader.read_scan(SLICES)])
        )
        yield


@pytest.fixture(scope="module")
def exported(finished_bundles, tmp_path_factory) -> Path:
    """A bundle whose weights take 64 x 64 slices, with graphs that were chosen for every reading on a CPU."""
    bundle = Path(shutil.copytree(finished_bundles("two-stage"), tmp_path_factory.mktemp("exported") / "two"))
    model = make_model(tmp_path_factory.mktemp("model"))
    for name in ("config.json", "preprocessor_config.json"):
        ours, theirs = (json.loads((folder / name).read_text()) for folder in (bundle, model))
        code = {key: ours[key] for key in ("auto_map", "custom_pipelines") if key in ours}
        (bundle / name).write_text(json.dumps(theirs | code))
    shutil.copyfile(model / "model.safetensors", bundle / "model.safetensors")
    write_card(bundle)
    run_export(bundle)
    record = json.loads((bundle / "export.json").read_text())
    record["choice"] = {"engine": "openvino", "precision": "float32", "format": "openvino"}  # not what was faster here
    (bundle / "export.json").write_text(json.dumps(record))
    write_card(bundle)
    return bundle


@pytest.fixture
def bundle(exported, tmp_path, monkeypatch) -> Path:
    """A copy of one's own, whose publishing does not ask another process (test_published_models.py does)."""
    monkeypatch.setattr(publishing, "answers_of", lambda *_, **__: {})
    return Path(shutil.copytree(exported, tmp_path / "two"))


def test_the_card_tells_of_the_graphs_and_keeps_ones_own_words(bundle):
    card = bundle / "README.md"
    shutil.rmtree(bundle / "graphs/openvino")
    (bundle / "export.json").unlink()
    with pytest.raises(ValueError, match="tells of graphs"):
        check_card(bundle)
    write_card(bundle)
    plain = card.read_text() + "\n## Thanks\n\nTo all.\n"
    card.write_text(plain)
    record = run_export(bundle)
    check_card(bundle)
    section = card.read_text().partition("## Exported graphs\n")[2].partition("\n## ")[0]
    parity = record["exports"][0]["parity"]
    assert f"| `openvino/` | float32 | {parity['probability']:.1g} | {parity['dice']:.4f} |" in section
    assert "on 3 slices (noise)" in section
    assert card.read_text().replace(f"## Exported graphs\n{section}\n", "") == plain
    (bundle / "export.json").write_text(json.dumps(record | {"exports": []}))
    with pytest.raises(ValueError, match=r"'Exported graphs' differs from export\.json"):
        check_card(bundle)


def test_a_published_model_is_read_by_the_engine_that_export_chose(loopback_hub, bundle):
    publish(bundle, "ada/two")
    assert "graphs/openvino/gate.bin" in loopback_hub.repo("ada/two").files
    reader = Reader.from_pretrained("ada/two", device="cpu")
    assert reader.engine.name == "openvino"
    plain = Reader.from_pretrained(bundle, device="cpu", engine="torch", precision="float32")
    np.testing.assert_allclose(reader(SLICES).probability, plain(SLICES).probability, atol=2e-3)


@pytest.mark.slow
def test_graphs_run_where_the_package_is_not_installed(exported):
    assert len(answers_of(exported)["mri-reading"]) == 3  # and handler.py has answered, by the engine of the choice


def test_a_model_on_the_hub_is_exported_into_a_copy(loopback_hub, exported, bundle, tmp_path):
    shutil.rmtree(bundle / "graphs/openvino")
    (bundle / "export.json").unlink()
    write_card(bundle)
    publish(bundle, "ada/two")
    copy = tmp_path / "copy"
    run_export("ada/two", output=copy)
    assert Reader.from_pretrained(copy, device="cpu", engine="openvino").engine.name == "openvino"
    publish(copy, "ada/faster")
    assert set(loopback_hub.repo("ada/faster").files) - set(loopback_hub.repo("ada/two").files) == {
        "export.json",
        *(f"graphs/openvino/{stage}.{ending}" for stage in ("gate", "segmenter") for ending in ("xml", "bin")),
    }


def test_a_new_revision_on_the_hub_is_read_anew(loopback_hub, bundle, tmp_path):
    publish(bundle, "ada/two")
    scan, output = write_scan(tmp_path / "scan"), tmp_path / "out"
    assert len(predict([scan], "ada/two", output, only=["json"]).read) == 1
    assert len(predict([scan], "ada/two", output, only=["json"]).skipped) == 1
    config = json.loads((bundle / "config.json").read_text()) | {"slice_threshold": 0.123}
    operation = CommitOperationAdd("config.json", json.dumps(config).encode())
    HfApi().create_commit("ada/two", [operation], commit_message="Another threshold")
    assert len(predict([scan], "ada/two", output, only=["json"]).read) == 1
    assert json.loads((output / "scan" / "reading.json").read_text())["thresholds"]["slice_threshold"] == 0.123
