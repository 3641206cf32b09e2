"""`Reader`: a scan in, a reading out; alone, in batches, in other orientations, in 16 bits."""

import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest
import torch
from huggingface_hub import HfApi
from PIL import Image

from hf_mri import MriImageProcessor, Reader, ResUNetConfig, ResUNetForSemanticSegmentation, read_scan
from hf_mri.modeling.mri_engine import TorchEngine, pick_dtype
from hf_mri.modeling.mri_reading_decisions import keep_largest_component, remove_small_components
from hf_mri.modeling.mri_scan_errors import ScanError
from tests.modeling.phantom_files import head, write_nifti
from tests.modeling.test_mri_scan_geometry import turn


def make_scans() -> list[np.ndarray]:
    """Volumes of different lengths and sizes, and single slices between them."""
    sizes = [(5, 40, 48), (1, 64, 64), (1, 64, 64), (3, 40, 48), (9, 50, 30), (1, 33, 47)]
    return [head(*size, dtype=np.uint16) // (number + 1) for number, size in enumerate(sizes)]


@pytest.fixture
def reader(two_stage, processor):
    return Reader(two_stage, processor, precision="float32", batch_size=4)


def middle_threshold(reader, scans) -> float:
    """A gate threshold that half of the slices pass, and none meets."""
    ranked = np.sort(np.concatenate([reader(scan).gate_probability for scan in scans]))
    return float(ranked[len(ranked) // 2 - 1 : len(ranked) // 2 + 1].mean())


def same(one, other, tolerance):
    np.testing.assert_allclose(one.probability, other.probability, atol=tolerance)
    for label, mask in one.masks.items():
        both = (mask & other.masks[label]).sum()
        total = mask.sum() + other.masks[label].sum()
        assert total == 0 or 2 * both / total >= 0.99


def test_a_reading_is_complete(reader):
    scan = head(5, 40, 48)
    reading = reader(scan, spacing=(1, 2, 3))
    assert reading.probability.shape == (5,)
    assert set(reading.stage) <= {"gate", "empty", "mask"}
    assert {label: mask.shape for label, mask in reading.masks.items()} == {"tumor": (5, 40, 48)}
    assert reading.masks["tumor"].dtype == bool
    assert reading.spacing == (1.0, 2.0, 3.0)
    assert (reading.model["engine"], reading.model["precision"]) == ("torch", "float32")
    np.testing.assert_array_equal(reading.scan.slices[..., 0], scan)


def test_the_reading_is_what_the_model_says(two_stage, processor, reader):
    scan = head(5, 40, 48)
    batch = processor(list(scan), volume_ids=[0] * 5, return_tensors="pt")
    with torch.inference_mode():
        outputs = two_stage(**batch)
    masks = processor.post_process_semantic_segmentation(outputs, target_sizes=[(40, 48)] * 5)
    reading = reader(scan)
    np.testing.assert_allclose(reading.gate_probability, outputs.gate_probability, atol=1e-4)
    found = np.stack([mask == 1 for mask in masks])
    remove_small_components(found, two_stage.config.smallest_lesion)
    assert (reading.masks["tumor"] != found).mean() < 1e-3


def test_alone_and_in_a_batch_are_the_same(reader):
    scans = make_scans()
    alone = [reader(scan) for scan in scans]
    together = list(reader.batch(scans))
    assert len(together) == len(scans)
    for one, other in zip(alone, together, strict=True):
        assert one.masks["tumor"].shape == other.masks["tumor"].shape
        same(one, other, 1e-4)


def test_16_bits_agree_with_32(two_stage, processor, reader):
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this build of PyTorch has no oneDNN")
    lower = Reader(two_stage, processor, precision="bfloat16")
    for scan in make_scans()[:3]:
        np.testing.assert_allclose(reader(scan).probability, lower(scan).probability, atol=2e-2)


def test_the_gate_saves_the_segmenter_its_slices(two_stage, processor, reader, monkeypatch):
    scans = make_scans()
    monkeypatch.setattr(two_stage.config, "gate_threshold", middle_threshold(reader, scans))
    seen = []
    engine = TorchEngine(two_stage, "float32")
    segment = engine.segment
    engine.segment = lambda pixels: (seen.append(len(pixels)), segment(pixels))[1]
    readings = list(Reader(two_stage, processor, engine=engine, batch_size=4).batch(scans))
    passed = sum(int((reading.stage != "gate").sum()) for reading in readings)
    assert sum(seen) == passed
    assert 0 < passed < sum(len(reading.stage) for reading in readings)
    for reading in readings:
        rejected = reading.stage == "gate"
        assert not reading.masks["tumor"][rejected].any()
        assert np.isnan(reading.mask_logit[rejected]).all()
        np.testing.assert_allclose(reading.probability[rejected], reading.gate_probability[rejected])


def test_batches_are_filled_over_scans(reader, processor):
    sizes = []
    gate = reader.engine.gate
    reader.engine.gate = lambda pixels: (sizes.append(len(pixels)), gate(pixels))[1]
    list(reader.batch([head(1, 40, 48) for _ in range(8)]))
    assert sizes == [4, 4]


def test_kept_probabilities_give_the_same_reading_and_every_other_threshold(two_stage, processor, reader, monkeypatch):
    scan = make_scans()[0]
    monkeypatch.setattr(two_stage.config, "gate_threshold", middle_threshold(reader, [scan]))
    keeping = Reader(two_stage, processor, precision="float32", keep="all")
    kept, plain = keeping(scan), reader(scan)
    np.testing.assert_allclose(kept.probability, plain.probability, atol=1e-4)
    assert kept.stage.tolist() == plain.stage.tolist()
    assert kept.foreground_probability["tumor"].dtype == np.float16
    again = kept.at()
    np.testing.assert_array_equal(again.masks["tumor"], kept.masks["tumor"])
    np.testing.assert_array_equal(again.probability, kept.probability)
    # A reading at other thresholds is what a model with these thresholds reads.
    other = kept.at(gate_threshold=0.0, mask_threshold=0.45, smallest_lesion=5)
    for name, value in (("gate_threshold", 0.0), ("mask_threshold", 0.45), ("smallest_lesion", 5)):
        monkeypatch.setattr(two_stage.config, name, value)
    read = keeping(scan)
    np.testing.assert_array_equal(other.masks["tumor"], read.masks["tumor"])
    np.testing.assert_allclose(other.probability, read.probability, atol=1e-6)
    assert other.stage.tolist() == read.stage.tolist()


def test_single_slices_before_a_long_volume(reader):
    # Many single slices are read ahead; the volume after them asks for fewer than are already under way.
    scans = [head(1, 32, 32)] * 6 + [head(12, 32, 32)] + [head(1, 32, 32)] * 3
    assert [len(reading.probability) for reading in reader.batch(scans)] == [1] * 6 + [12] + [1] * 3


def test_unnamed_labels_leave_the_background_out(processor):
    torch.manual_seed(4)
    config = ResUNetConfig(hidden_sizes=[8], decoder_channels=[8], num_channels=1, num_labels=3)
    found = Reader(ResUNetForSemanticSegmentation(config).eval(), processor, precision="float32")(head(2, 40, 48))
    assert list(found.masks) == ["LABEL_1", "LABEL_2"]


def test_each_kind_of_model_reads(classifier, segmenter, heart_segmenter, processor):
    scan = head(3, 40, 48)
    only_gate = Reader(classifier, processor)(scan)
    assert (only_gate.masks, set(only_gate.stage), only_gate.mask_logit) == ({}, {"gate"}, None)
    only_masks = Reader(segmenter, processor)(scan)
    assert only_masks.gate_logit is None
    assert set(only_masks.stage) <= {"empty", "mask"}
    heart = Reader(heart_segmenter, processor)(scan)
    assert list(heart.masks) == ["right ventricle", "myocardium", "left ventricle"]
    assert np.stack(list(heart.masks.values())).sum(axis=0).max() <= 1
    assert only_gate.to_dict()["labels"] == []


def test_overlapping_labels_may_overlap(processor):
    config = ResUNetConfig(
        hidden_sizes=[8, 16],
        decoder_channels=[8],
        num_channels=1,
        loss="bce_dice",
        problem_type="multi_label_classification",
        id2label={0: "large_bowel", 1: "small_bowel", 2: "stomach"},
    )
    torch.manual_seed(0)
    model = ResUNetForSemanticSegmentation(config).eval()
    torch.nn.init.constant_([p for p in model.parameters() if p.ndim == 1][-1], 5.0)  # everything is everything
    overlapping = MriImageProcessor(
        size={"height": 64, "width": 64}, num_channels=1, problem_type="multi_label_classification"
    )
    reading = Reader(model, overlapping)(head(2, 40, 48))
    assert list(reading.masks) == ["large_bowel", "small_bowel", "stomach"]
    assert np.stack(list(reading.masks.values())).sum(axis=0).max() == 3


def test_what_lies_in_the_padding_says_nothing_of_the_slice(segmenter):
    reader = Reader(segmenter, MriImageProcessor(size_divisor=32, num_channels=1), precision="float32")
    segment = reader.engine.segment

    def find_something_in_the_padding(pixel_values):
        logits = 0 * segment(pixel_values)
        logits[:, 0] = 9
        logits[:, 1, 40:, 48:] = 99  # of slices of 40 x 48, padded to 64 x 64
        return logits

    reader.engine.segment = find_something_in_the_padding
    reading = reader(head(2, 40, 48))
    assert reading.probability.max() < 0.001
    assert not reading.masks["tumor"].any()


@pytest.mark.parametrize("codes", ["RAS", "PSR", "LPI", "SAL"])
def test_another_orientation_gives_the_same_reading_in_its_own_geometry(tmp_path, reader, codes):
    turn("LPS").to_filename(tmp_path / "usual.nii")
    turn(codes).to_filename(tmp_path / "turned.nii")
    usual, turned = reader(tmp_path / "usual.nii"), reader(tmp_path / "turned.nii")
    np.testing.assert_array_equal(usual.masks["tumor"], turned.masks["tumor"])
    np.testing.assert_array_equal(usual.probability, turned.probability)
    assert turned.in_source_order("tumor").shape == turn(codes).shape


def test_neighbors_are_taken_from_the_whole_volume():
    config = ResUNetConfig(hidden_sizes=[8, 16], decoder_channels=[8], num_channels=3)
    torch.manual_seed(0)
    model = ResUNetForSemanticSegmentation(config).eval()
    beside = MriImageProcessor(size={"height": 64, "width": 64}, num_channels=1, neighbors=1, scope="volume")
    reader = Reader(model, beside, precision="float32", batch_size=2, keep="all")
    scan = head(5, 40, 48)
    changed = scan.copy()
    changed[2] = changed[2, ::-1]
    one, other = (reader(pixels).foreground_probability["tumor"] for pixels in (scan, changed))
    # Changing the third slice reaches its neighbors and no others.
    assert (one != other).any(axis=(1, 2)).tolist() == [False, True, True, True, False]


def test_phases_of_a_cine_are_volumes_of_their_own(tmp_path, heart_segmenter, processor):
    cine = np.stack([head(4, 40, 48, np.int16).transpose(2, 1, 0) // (n + 1) for n in range(3)], axis=-1)
    path = write_nifti(tmp_path / "cine.nii.gz", cine, np.diag([-1.5, -1.5, 8, 1.0]))
    reading = Reader(heart_segmenter, processor, precision="float32")(path)
    assert (reading.phases, len(reading.probability)) == (3, 12)
    single = Reader(heart_segmenter, processor, precision="float32")(
        write_nifti(tmp_path / "second.nii.gz", cine[..., 1], np.diag([-1.5, -1.5, 8, 1.0]))
    )
    np.testing.assert_allclose(reading.probability[4:8], single.probability, atol=1e-4)
    answer = reading.to_dict()
    assert len(answer["volumes"]) == 3
    assert [len(v) for v in answer["cine"]["ml_by_phase"].values()] == [3, 3, 3]


def test_a_gray_scan_for_a_model_of_three_channels_is_repeated_and_says_so():
    config = ResUNetConfig(hidden_sizes=[8, 16], decoder_channels=[8], num_channels=3)
    model = ResUNetForSemanticSegmentation(config).eval()
    reader = Reader(model, MriImageProcessor(size={"height": 64, "width": 64}, num_channels=3))
    gray = reader(head(2, 40, 48))
    assert "repeated" in gray.doubts[0]
    color = reader(np.repeat(head(2, 40, 48)[..., None], 3, axis=-1))
    assert "the same picture" in color.doubts[0]
    np.testing.assert_array_equal(gray.probability, color.probability)


def test_channels_that_do_not_fit_are_refused(reader, tmp_path):
    Image.fromarray(np.stack([head(1, 40, 48)[0]] * 3, -1)).save(tmp_path / "gray.png")
    assert reader(tmp_path / "gray.png").doubts == []  # three equal channels are gray
    colors = np.random.default_rng(0).integers(0, 255, (40, 48, 3), dtype=np.uint8)
    Image.fromarray(colors).save(tmp_path / "color.png")
    with pytest.raises(ScanError, match="color: has 3 channels, the model takes 1"):
        reader(tmp_path / "color.png")


@pytest.mark.parametrize(
    ("scan", "doubt"),
    [
        (np.zeros((1, 40, 48), np.uint8), "same value"),
        (np.random.default_rng(0).integers(0, 255, (1, 40, 48), dtype=np.uint8), "noise"),
        (255 - head(1, 40, 48) // 2, "photograph"),
        (head(1, 40, 48).astype(np.int16) * 8 - 1000, "CT"),
    ],
)
def test_what_does_not_look_like_mr_is_read_with_a_doubt(reader, scan, doubt):
    reading = reader(scan)
    assert any(doubt in line for line in reading.doubts)
    assert reading.to_dict()["doubts"] == reading.doubts


def test_a_scan_that_fails_is_reported_and_the_rest_go_on(reader, tmp_path):
    good = head(1, 40, 48)
    answers = list(reader.batch([good, tmp_path / "missing.png", good], errors="yield"))
    assert [type(answer).__name__ for answer in answers] == ["Reading", "ScanError", "Reading"]
    with pytest.raises(ScanError, match=r"missing\.png"):
        list(reader.batch([good, tmp_path / "missing.png", good]))
    with pytest.raises(ValueError, match="errors"):
        next(reader.batch([good], errors="ignore"))


def test_scans_are_taken_as_they_are_needed_and_let_go(reader):
    taken = []

    def scans():
        for _ in range(1000):
            scan = read_scan(head(8, 40, 48))
            taken.append(weakref.ref(scan))
            yield scan

    readings = reader.batch(scans())
    for _ in range(30):
        next(readings)
    assert len(taken) < 40
    assert sum(scan() is not None for scan in taken) < 10
    before = threading.active_count()
    readings.close()
    assert threading.active_count() <= before
    assert list(reader.batch([])) == []


def test_from_pretrained_reads_as_the_model_in_memory(two_stage, processor, reader, tmp_path):
    two_stage.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    scan = make_scans()[0]
    loaded = Reader.from_pretrained(tmp_path, device="cpu", precision="float32")(scan)
    same(loaded, reader(scan), 1e-6)
    assert loaded.model["id"] == str(tmp_path)


def test_from_a_hub_with_the_exported_graphs_beside(two_stage, processor, reader, tmp_path, loopback_hub):
    two_stage.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    HfApi().create_repo("ada/reader")
    HfApi().upload_folder(repo_id="ada/reader", folder_path=tmp_path / "model")
    scan = make_scans()[0]
    loaded = Reader.from_pretrained("ada/reader", device="cpu", precision="float32")
    same(loaded(scan), reader(scan), 1e-6)
    answer = loaded(scan).model
    assert answer["id"] == "ada/reader"
    assert answer["revision"] == HfApi().model_info("ada/reader").sha


def test_precision_by_name():
    assert pick_dtype(torch.device("cpu"), "bf16") is torch.bfloat16
    assert pick_dtype(torch.device("cpu")) in (torch.bfloat16, torch.float32)
    assert pick_dtype(torch.device("cpu"), torch.float16) is torch.float16
    with pytest.raises(ValueError, match="precision 'int3'"):
        pick_dtype(torch.device("cpu"), "int3")


def test_weights_loaded_in_16_bits_are_run_in_16_bits(segmenter, processor, tmp_path):
    segmenter.save_pretrained(tmp_path)
    model = ResUNetForSemanticSegmentation.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert Reader(model, processor).engine.precision == "bfloat16"
    assert Reader(model, processor)(head(2, 40, 48)).probability.shape == (2,)


def test_another_process_reads_the_same(two_stage, processor, reader, tmp_path):
    two_stage.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    np.save(tmp_path / "scan.npy", make_scans()[0])
    code = (
        "import sys, numpy as np; from hf_mri import Reader; folder = sys.argv[1]\n"
        "reader = Reader.from_pretrained(folder + '/model', device='cpu', precision='float32')\n"
        "reading = reader(np.load(folder + '/scan.npy'))\n"
        "np.savez(folder + '/answer.npz', probability=reading.probability, **reading.masks)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, timeout=120)
    answer = np.load(tmp_path / "answer.npz")
    here = reader(make_scans()[0])
    np.testing.assert_allclose(answer["probability"], here.probability, atol=1e-4)
    assert (answer["tumor"] != here.masks["tumor"]).mean() < 1e-3


def test_a_folder_without_a_model_says_where_one_is(tmp_path):
    with pytest.raises(OSError, match=r"holds no model; give a folder with config\.json"):
        Reader.from_pretrained(tmp_path)
    (tmp_path / "bundle").mkdir()  # as in a training run
    with pytest.raises(OSError, match=r"holds no model; give .*bundle$"):
        Reader.from_pretrained(tmp_path)


def test_a_scan_is_resampled_to_the_models_spacing_and_said_where_it_has_none(heart_segmenter):
    processor = MriImageProcessor(size={"height": 64, "width": 64}, pixel_spacing=1.5, num_channels=1)
    reader = Reader(heart_segmenter, processor, precision="float32")
    scan = head(3, 90, 71)
    known, unknown = reader(scan, spacing=(1.0, 1.2, 8.0)), reader(scan)
    assert known.warnings == []
    assert [line for line in unknown.warnings if "taken as 1.5 mm" in line]
    batch = processor(list(scan), volume_ids=[0] * 3, spacings=[(1.0, 1.2)] * 3, return_tensors="pt")
    with torch.inference_mode():
        outputs = heart_segmenter(**batch)
    masks = processor.post_process_semantic_segmentation(
        outputs, target_sizes=[(90, 71)] * 3, spacings=[(1.0, 1.2)] * 3
    )
    for index, label in reader.foreground.items():
        assert known.masks[label].shape == (3, 90, 71)
        assert (known.masks[label] != np.stack([mask == index for mask in masks])).mean() < 1e-3


def test_only_the_largest_region_of_each_label_and_phase(heart_segmenter, processor, monkeypatch):
    scan = head(3, 40, 48)
    keeping = Reader(heart_segmenter, processor, precision="float32", keep="all")
    everything = keeping(scan)
    monkeypatch.setattr(heart_segmenter.config, "largest_component", True)
    reading = keeping(scan)
    again = everything.at(largest_component=True)
    assert any((everything.masks[label] != mask).any() for label, mask in reading.masks.items())
    for label, mask in reading.masks.items():
        np.testing.assert_array_equal(mask, keep_largest_component(everything.masks[label].copy()))
        np.testing.assert_array_equal(mask, again.masks[label])
        np.testing.assert_array_equal(reading.at(largest_component=False).masks[label], everything.masks[label])
    assert reading.to_dict()["thresholds"]["largest_component"] is True
    plain = Reader(heart_segmenter, processor, precision="float32")(scan)
    with pytest.raises(ValueError, match="all components again"):
        plain.at(largest_component=False)
