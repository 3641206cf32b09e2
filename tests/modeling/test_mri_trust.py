"""What a model knows of itself: its scans, and how good its outlines get."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from hf_mri import MriImageProcessor, ResUNetConfig, ResUNetForSemanticSegmentation
from hf_mri.data.phantoms.scan import draw_scan
from hf_mri.modeling.mri_reader import Reader
from hf_mri.modeling.mri_trust import TRUST, Trust, load_trust, save_trust
from hf_mri.modeling.mri_trust_masks import AREA, INSIDE, OUTSIDE, Confidence, describe_evidence, gather_evidence
from hf_mri.modeling.mri_trust_scans import KnownScans, choose_slices, describe_slices

CHANNELS = 3


def describe(slices: np.ndarray) -> np.ndarray:
    """Features of uint8 slices (S, H, W, C)."""
    chosen = slices[choose_slices(len(slices))]
    return describe_slices(torch.from_numpy(chosen).permute(0, 3, 1, 2).float() / 255)


@pytest.fixture(scope="module")
def known() -> KnownScans:
    """Knows twelve drawn heads; a thirteenth lies at about 1."""
    rows = np.concatenate([describe(draw_scan("lgg", seed, 96)[0]) for seed in range(12)])
    mean, scale = rows.mean(0), rows.std(0) + 1e-3
    shrunk = 0.5 * np.cov(((rows - mean) / scale).T) + 0.5 * np.eye(rows.shape[1])
    return KnownScans(mean, scale, np.linalg.inv(shrunk), 2.0, 3.0)


def test_features_count_as_documented():
    for channels in (1, 3):
        features = describe_slices(torch.rand(2, channels, 80, 64))
        assert features.shape == (2, 31 * channels + 2 + channels * (channels - 1) // 2)
        assert np.isfinite(features).all()


def test_flat_slices_have_features():
    assert np.isfinite(describe_slices(torch.zeros(1, 3, 64, 64))).all()


def test_another_head_is_known_and_what_is_no_head_is_not(known):
    assert known.measure(describe(draw_scan("lgg", 50, 96)[0])) < 1
    noise = np.random.default_rng(0).integers(0, 256, (20, 96, 96, CHANNELS), np.uint8)
    assert known.measure(describe(noise)) > 1
    heart = np.repeat(draw_scan("acdc", 0, 96)[0][0, ..., None], CHANNELS, axis=-1)
    assert known.measure(describe((255.0 * heart / heart.max()).astype(np.uint8))) > 1


def test_a_slice_alone_has_its_own_limit(known):
    features = describe(draw_scan("lgg", 50, 96)[0])[:1]
    assert known.measure(features) == pytest.approx(known.distances(features)[0] / known.slice_limit)


def test_middle_slices_undo_what_the_processor_added():
    processor = MriImageProcessor(size={"height": 32, "width": 32}, neighbors=1, image_mean=[0.4] * 3)
    slices = list(np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), np.uint8))
    wanted = processor(slices, volume_ids=[0] * 4, do_normalize=False, return_tensors="pt")["pixel_values"][:, 3:6]
    given = processor(slices, volume_ids=[0] * 4, return_tensors="pt")["pixel_values"]
    assert torch.allclose(processor.middle_slices(given), wanted, atol=1e-6)


def test_evidence_counts_what_lies_inside_and_outside():
    probability = np.zeros((8, 8), np.float32)
    probability[2:4, 2:4] = 0.9
    probability[5, 5] = 0.4
    mask = probability >= 0.5
    (row,) = gather_evidence({"tumor": probability}, {"tumor": mask})
    assert row[AREA] == 4
    assert row[INSIDE] == pytest.approx(3.6)
    assert row[OUTSIDE] == pytest.approx(0.4)


def test_a_blurred_outline_is_believed_less_and_no_outline_has_no_confidence():
    judge = Confidence(np.array([1.0, 0, 0, 0, 0]), 0.0)
    sharp, blurred = np.zeros((16, 16)), np.full((16, 16), 0.3)
    sharp[4:12, 4:12], blurred[4:12, 4:12] = 0.99, 0.6
    estimates = []
    for probability in (sharp, blurred):
        evidence = gather_evidence({"tumor": probability}, {"tumor": probability >= 0.5})[None]
        estimates.append(judge.estimate(describe_evidence(evidence)))
    assert estimates[0] > 0.95
    assert estimates[1] < 0.7
    assert describe_evidence(np.zeros((3, 1, 5))) is None


@pytest.fixture
def folder(tmp_path, known):
    torch.manual_seed(0)
    config = ResUNetConfig(hidden_sizes=[8, 16], decoder_channels=[8], num_channels=CHANNELS)
    ResUNetForSemanticSegmentation(config).save_pretrained(tmp_path)
    MriImageProcessor(size={"height": 96, "width": 96}, num_channels=CHANNELS, scope="volume").save_pretrained(
        tmp_path
    )
    save_trust(tmp_path, Trust(known, Confidence(np.array([0.5, 0, 0, 0, 0]), 0.2)))
    return tmp_path


def test_the_file_comes_back_and_belongs_to_its_weights(folder, known, caplog):
    found = load_trust(folder)
    assert np.allclose(found.known.mean, known.mean)
    assert found.known.volume_limit == known.volume_limit
    assert found.confidence.bias == 0.2
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes() + b" ")
    with caplog.at_level(logging.WARNING):
        assert load_trust(folder) == Trust()
    assert "other weights" in caplog.text


def test_a_broken_file_is_left_alone(folder, caplog):
    (folder / TRUST).write_bytes(b"not a file of tensors")
    assert load_trust(folder) == Trust()
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("part", ["known", "confidence"])
def test_a_file_whose_arrays_do_not_fit_is_left_alone(folder, known, part, caplog):
    trust = {
        "known": Trust(replace(known, precision=known.precision[:3])),
        "confidence": Trust(confidence=Confidence(np.ones(2), 0.0)),
    }[part]
    save_trust(folder, trust)
    assert load_trust(folder) == Trust()
    assert "cannot be read" in caplog.text


def test_a_reading_says_both_and_begins_with_the_doubt(folder):
    reader = Reader.from_pretrained(folder, keep="all")
    reading = reader(draw_scan("lgg", 50, 96)[0])
    facts = reading.to_dict()
    assert reading.novelty < 1
    assert facts["novelty"] == round(reading.novelty, 3)
    lower = reading.at(mask_threshold=0.0)
    assert 0.2 <= lower.confidence <= 0.7  # everything is outlined, so there is something to be confident about
    noise = reader(np.random.default_rng(0).integers(0, 256, (5, 96, 96, CHANNELS), np.uint8))
    assert any("unlike those that the model was trained on" in doubt for doubt in noise.doubts)


def test_one_picture_in_all_channels_is_doubted(folder):
    slices = np.repeat(draw_scan("lgg", 50, 96)[0][..., :1], CHANNELS, axis=-1)
    reading = Reader.from_pretrained(folder)(slices)
    assert any("the same picture" in doubt for doubt in reading.doubts)


def test_a_model_that_was_trained_further_says_nothing_of_itself(folder, tmp_path):
    model = ResUNetForSemanticSegmentation.from_pretrained(folder)
    model.save_pretrained(tmp_path / "further")
    assert load_trust(tmp_path / "further") == Trust()
