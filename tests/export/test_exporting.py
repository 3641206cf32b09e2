"""Exported graphs: the same answers as the model, in the Reader and in the plain libraries."""

import copy
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from timm.layers import Conv2dSame

from hf_mri import (
    ResUNetConfig,
    ResUNetForSemanticSegmentation,
    SliceClassifierConfig,
    SliceClassifierForImageClassification,
)
from hf_mri.export import checks, exporting, inputs
from hf_mri.export.checks import compare_readings, within_bounds
from hf_mri.export.exporting import export_model as run_export
from hf_mri.export.graphs import EXACT_CONVOLUTIONS, with_plain_padding
from hf_mri.modeling.mri_engine import has_fast_bfloat16
from hf_mri.modeling.mri_engine_choice import load_engine
from hf_mri.modeling.mri_engine_openvino import load_openvino_engine, side_multiple
from hf_mri.modeling.mri_reader import Reader
from tests.closeness import assert_close_outputs
from tests.reports.conftest import SIDE, make_model

openvino = pytest.importorskip("openvino")


@pytest.fixture(scope="module")
def noise():
    """A scan of noise, which the random model outlines in half."""
    return np.random.default_rng(0).integers(0, 255, (6, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture(scope="module", autouse=True)
def read_noise(noise):
    """Export looks at the scan of noise instead of drawing phantoms of the real size, which takes long."""

    def load(reader, data):
        return inputs.Inputs("noise", [reader.read_scan(noise)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "load_inputs", load)
        yield


@pytest.fixture(scope="module")
def exported(tmp_path_factory, read_noise):
    """A bundle with OpenVINO graphs."""
    folder = make_model(tmp_path_factory.mktemp("exported"))
    run_export(folder)
    return folder


def test_the_record_says_what_was_exported_and_how_close_it_is(exported):
    record = json.loads((exported / "export.json").read_text())
    by_precision = {entry["precision"]: entry for entry in record["exports"]}
    assert by_precision["float32"]["parity"]["probability"] < 2e-3
    assert by_precision["float32"]["parity"]["dice"] > 0.998
    for entry in record["exports"]:
        assert all((exported / file).is_file() for file in entry["files"].values())
    assert {entry["engine"] for entry in record["timings"]} == {"torch", "openvino"}
    assert record["choice"]["engine"] in ("torch", "openvino")
    assert record["inputs"] == {"name": "noise", "scans": 1, "slices": 6}


def test_any_batch_height_and_width_give_the_models_answer(exported):
    reader = Reader.from_pretrained(exported, engine="torch", precision="float32", device="cpu")
    engine = load_openvino_engine(reader.engine.model, exported, "float32")
    for shape in ((1, 3, 64, 64), (3, 3, 96, 128), (2, 3, 50, 70)):  # the last goes through PyTorch
        pixels = torch.randn(shape)
        for mine, theirs in ((engine.gate, reader.engine.gate), (engine.segment, reader.engine.segment)):
            difference = (mine(pixels) - theirs(pixels)).abs()  # graphs keep their weights in 16 bits
            assert difference.mean() < 2e-3 * theirs(pixels).std()
    assert_close_outputs(engine.gate(pixels), engine.gate(list(pixels)))


def test_same_padding_of_sides_that_divide_evenly_is_a_fixed_number():
    config = SliceClassifierConfig(
        backbone="test_efficientnet", downsample=2, image_size=SIDE, backbone_kwargs={"pad_type": "same"}
    )
    network = SliceClassifierForImageClassification(config).eval()
    plain = with_plain_padding(network)
    assert any(isinstance(module, Conv2dSame) for module in network.modules())
    assert not any(isinstance(module, Conv2dSame) for module in plain.modules())
    multiple = side_multiple(network)
    assert multiple == 64  # the backbone divides by 32, after slices were halved
    pixels = torch.randn(2, 3, multiple, 3 * multiple)
    with torch.inference_mode():
        assert_close_outputs(plain(pixels).logits, network(pixels).logits)


def test_the_first_convolutions_run_in_float32_always(exported):
    for stage in ("gate", "segmenter"):
        settings = {"INFERENCE_PRECISION_HINT": "bf16" if has_fast_bfloat16() else "f32"}
        graph = openvino.Core().compile_model(exported / "graphs/openvino" / f"{stage}.xml", "CPU", settings)
        nodes = [node.get_rt_info() for node in graph.get_runtime_model().get_ordered_ops()]
        convolutions = [node for node in nodes if "Conv" in node["layerType"].astype(str)]
        precisions = [node["runtimePrecision"].astype(str) for node in convolutions]
        assert set(precisions[:EXACT_CONVOLUTIONS]) == {"f32"}
        assert ("bf16" in precisions[EXACT_CONVOLUTIONS:]) == has_fast_bfloat16()


def test_slices_that_the_gate_treats_otherwise_are_counted_apart(exported, noise):
    reader = Reader.from_pretrained(exported, engine="torch", precision="float32", device="cpu")
    reader.engine.model.config.gate_threshold = 0.5
    other = copy.copy(reader.engine)
    logits = torch.tensor([[0.0, 9]] * 4 + [[9.0, 0]] * 2)  # passes four slices of six
    reader.engine.gate = lambda pixels: logits[: len(pixels)]
    expected = [reader(noise)]
    shifted = logits[:, [0, 1]].clone()
    shifted[3] = shifted[4]
    other.gate = lambda pixels: shifted[: len(pixels)]
    parity = compare_readings(reader, other, expected)
    assert parity["probability"] == 0
    assert parity["gate"] == pytest.approx(1 / 6, abs=1e-4)
    assert parity["dice"] < 1
    assert not within_bounds(parity, "float32")
    assert within_bounds(compare_readings(reader, reader.engine, expected), "float32")


def test_the_reader_takes_the_engine_that_export_chose(exported, noise, tmp_path):
    folder = shutil.copytree(exported, tmp_path / "model")
    record = json.loads((folder / "export.json").read_text())
    for name in ("openvino", "torch"):
        choice = {"engine": name, "precision": "float32", "format": "openvino"}
        (folder / "export.json").write_text(json.dumps(record | {"choice": choice}))
        reader = Reader.from_pretrained(folder, device="cpu")
        assert reader.engine.name == name
        assert reader(noise).model["engine"] == name
    assert Reader.from_pretrained(folder, device="cpu", engine="openvino").engine.name == "openvino"


def test_graphs_of_other_weights_are_never_used(exported, tmp_path, caplog):
    folder = shutil.copytree(exported, tmp_path / "model")
    model = Reader.from_pretrained(folder, engine="torch", device="cpu").engine.model
    with torch.no_grad():
        model.classifier.head.bias += 1
    model.save_pretrained(folder)
    record = json.loads((folder / "export.json").read_text())
    choice = {"engine": "openvino", "precision": "float32", "format": "openvino"}
    (folder / "export.json").write_text(json.dumps(record | {"choice": choice}))
    assert load_engine(model, "auto", folder=folder).name == "torch"
    assert "other weights" in caplog.text
    with pytest.raises(ValueError, match="exported from other weights"):
        load_engine(model, "openvino", folder=folder)


def test_a_graph_that_cannot_be_loaded_leaves_the_reading_to_pytorch(exported, noise, tmp_path, caplog):
    folder = shutil.copytree(exported, tmp_path / "model")
    record = json.loads((folder / "export.json").read_text())
    choice = {"engine": "openvino", "precision": "float32", "format": "openvino"}
    (folder / "export.json").write_text(json.dumps(record | {"choice": choice}))
    (folder / "graphs/openvino/segmenter.xml").write_text("<net")
    assert Reader.from_pretrained(folder, device="cpu")(noise).model["engine"] == "torch"
    assert "PyTorch reads instead" in caplog.text


def test_without_graphs_the_error_says_how_to_make_them(tmp_path):
    folder = make_model(tmp_path)
    with pytest.raises(ValueError, match="hf-mri export"):
        Reader.from_pretrained(folder, engine="openvino", device="cpu")


def test_beyond_the_bound_nothing_is_written(exported, tmp_path, monkeypatch):
    folder = make_model(tmp_path)
    graphs = {stage: exported / "graphs/openvino" / f"{stage}.xml" for stage in ("gate", "segmenter")}
    monkeypatch.setattr(exporting, "convert_stages", lambda *_, **__: graphs)
    monkeypatch.setattr(exporting, "remove_graphs", lambda graphs: None)  # they are those of other tests
    before = sorted(path.name for path in folder.iterdir())
    monkeypatch.setitem(checks.BOUNDS, "float32", {"probability": -1.0, "dice": 0.0, "gate": 0.0})
    with pytest.raises(ValueError, match=r"float32 differ too much.*allowed: -1.*train longer; --data DATASET"):
        run_export(folder)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_weights_that_16_bits_cannot_hold_are_stored_in_32(exported, tmp_path, monkeypatch):
    folder = make_model(tmp_path)
    rounded = json.loads((exported / "export.json").read_text())["exports"][0]["parity"]["probability"]
    assert rounded > 0
    bound = {"probability": rounded / 2, "dice": 0.998, "gate": 0.005}  # as if this model were a delicate one
    monkeypatch.setitem(checks.BOUNDS, "float32", bound)
    record = run_export(folder)
    assert record["exports"][0]["parity"]["probability"] <= rounded / 2
    for stage in ("gate", "segmenter"):
        full, half = (place / "graphs/openvino" / f"{stage}.bin" for place in (folder, exported))
        assert full.stat().st_size > half.stat().st_size


def test_eight_bits_that_differ_too_much_are_left_out_and_the_rest_is_kept(tmp_path, noise, monkeypatch):
    folder = make_model(tmp_path)

    def copy_graphs(graphs, kind, slices):  # takes the place of quantizing, which takes long
        copies = {}
        for stage, path in graphs.items():
            copies[stage] = path.with_name(f"{stage}_int8.xml")
            shutil.copyfile(path, copies[stage])
            shutil.copyfile(path.with_suffix(".bin"), copies[stage].with_suffix(".bin"))
        return copies

    monkeypatch.setattr(exporting, "quantize_graphs", copy_graphs)
    monkeypatch.setitem(checks.BOUNDS, "int8", {"probability": -1.0, "dice": 0.0, "gate": 0.0})  # nothing keeps it
    record = run_export(folder, int8=True)
    assert "float32" in {entry["precision"] for entry in record["exports"]}
    assert "int8" not in {entry["precision"] for entry in record["exports"]}
    (left_out,) = [entry for entry in record["left_out"] if entry["precision"] == "int8"]
    assert left_out["bound"]["probability"] == -1.0
    assert not list(folder.rglob("*int8*"))
    assert Reader.from_pretrained(folder, device="cpu", engine="openvino")(noise).model["engine"] == "openvino"


def test_a_copy_gets_the_graphs_and_the_model_stays_as_it_is(tmp_path, monkeypatch):
    folder = make_model(tmp_path / "model")
    before = sorted(path.name for path in folder.iterdir())
    copy = tmp_path / "new" / "copy"
    with monkeypatch.context() as patch:
        patch.setitem(checks.BOUNDS, "float32", {"probability": -1.0, "dice": 0.0, "gate": 0.0})
        with pytest.raises(ValueError, match="nothing was exported"):
            run_export(folder, output=copy)
    assert list(copy.parent.iterdir()) == []
    run_export(folder, output=copy)
    assert sorted(path.name for path in folder.iterdir()) == before
    assert sorted(path.name for path in copy.iterdir()) == sorted([*before, "export.json", "graphs"])
    with pytest.raises(ValueError, match="exists already"):
        run_export(folder, output=copy)
    with pytest.raises(ValueError, match="--output"):
        run_export("ada/two")


def test_onnx_graphs_work_in_plain_onnxruntime_and_in_the_reader(tmp_path, noise):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    folder = make_model(tmp_path)
    record = run_export(folder, "onnx")
    reader = Reader.from_pretrained(folder, engine="torch", precision="float32", device="cpu")
    pixels = torch.randn(3, 3, 96, 64)
    for stage, network in (("gate", reader.engine.model.gate), ("segmenter", reader.engine.model.segmenter)):
        session = onnxruntime.InferenceSession(folder / "graphs/onnx" / f"{stage}.onnx")
        (logits,) = session.run(["logits"], {"pixel_values": pixels.numpy()})
        with torch.inference_mode():
            np.testing.assert_allclose(logits, network(pixels).logits.numpy(), atol=1e-3)
    assert {entry["format"] for entry in record["exports"]} == {"onnx"}
    theirs = Reader.from_pretrained(folder, engine="openvino", precision="float32", device="cpu")(noise)
    np.testing.assert_allclose(theirs.probability, reader(noise).probability, atol=2e-3)


def test_eight_bits_are_calibrated_and_close(tmp_path):
    pytest.importorskip("nncf")
    from hf_mri.export.graphs import convert_stages, quantize_graphs

    torch.manual_seed(0)
    model = ResUNetForSemanticSegmentation(
        ResUNetConfig(hidden_sizes=[4, 8, 8, 8, 8, 8], decoder_channels=[8, 8, 8, 8, 8], image_size=SIDE)
    ).eval()
    pixels = torch.rand(6, 3, SIDE, SIDE) * 2 - 1
    slices = inputs.Slices(pixels, pixels, 1.0)
    graphs = convert_stages(model, "openvino", tmp_path, slices)
    quantized = quantize_graphs(graphs, "openvino", slices)
    assert list(quantized) == ["segmenter"]
    kinds = {node.get_type_name() for node in openvino.Core().read_model(quantized["segmenter"]).get_ops()}
    assert "FakeQuantize" in kinds
    logits = openvino.compile_model(quantized["segmenter"], "CPU")([pixels.numpy()])[0]
    with torch.inference_mode():
        expected = model(pixels).logits.numpy()
    assert np.abs(logits - expected).mean() < 0.1 * expected.std()


def test_nobody_is_told_of_an_export():
    """OpenVINO's converter reports its use over the network where it can: not in a process that reads scans."""
    code = (
        "from hf_mri.modeling.mri_engine_openvino import load_library; load_library(); "
        "from openvino.tools.ovc import telemetry_utils; print(telemetry_utils.tm.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "openvino.tools.ovc.telemetry_stub"
