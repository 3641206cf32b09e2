"""Where a classifier looked: bright where its finding is, dark where it finds none."""

import numpy as np
import pytest
import torch

from hf_mri import MriImageProcessor, Reader, SliceClassifierConfig, SliceClassifierForImageClassification
from hf_mri.modeling.mri_model_attention import find_attention

SIZE = 64


def draw(count, seed):
    """Noise, in every second picture with a bright square; and where the squares are."""
    generator = np.random.default_rng(seed)
    pictures = generator.normal(0.3, 0.05, (count, 1, SIZE, SIZE)).astype(np.float32)
    squares = np.zeros((count, SIZE, SIZE), bool)
    for at in range(0, count, 2):
        row, column = generator.integers(4, SIZE - 20, 2)
        squares[at, row : row + 16, column : column + 16] = True
    pictures[:, 0][squares] += 0.4
    return torch.from_numpy(pictures), squares


@pytest.fixture(scope="module")
def classifier():
    """A classifier that has learned in a second to find bright squares."""
    torch.manual_seed(0)
    config = SliceClassifierConfig(backbone="test_resnet", num_channels=1, image_size=SIZE, freeze_backbone=False)
    model = SliceClassifierForImageClassification(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for step in range(40):
        pictures, squares = draw(16, step)
        loss = model(pixel_values=pictures, labels=torch.from_numpy(squares.any((1, 2))).long()).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    optimizer.zero_grad()
    return model.eval()


def test_the_brightest_pixel_lies_on_what_was_found(classifier):
    pictures, squares = draw(24, seed=1000)
    seen = find_attention(classifier, pictures).numpy()
    hits = [square.flat[page.argmax()] for page, square in zip(seen[::2], squares[::2], strict=True)]
    assert np.mean(hits) >= 0.75, "a square covers a sixteenth of the picture"
    assert seen.min() >= 0
    with torch.no_grad():
        probability = classifier(pixel_values=pictures).logits.softmax(-1)[:, 1].numpy()
    assert np.allclose(seen.max((1, 2)), probability, atol=1e-5), "no picture is brighter than its probability"
    assert all(weight.grad is None for weight in classifier.parameters()), "looking trains nothing"


@pytest.mark.parametrize("shape", [(40, 70), (64, 64), (33, 31)])
def test_maps_have_the_size_of_what_was_given_and_frozen_weights_do_not_matter(classifier, shape):
    classifier.requires_grad_(False)
    try:
        assert find_attention(classifier, torch.rand(2, 1, *shape)).shape == (2, *shape)
    finally:
        classifier.requires_grad_(True)


def test_a_reader_shows_it_on_the_scans_grid(classifier):
    processor = MriImageProcessor(size={"height": SIZE, "width": SIZE}, num_channels=1)
    reader = Reader(classifier, processor, batch_size=2, engine="torch")
    volume = np.random.default_rng(0).integers(0, 255, (3, 50, 80)).astype(np.uint8)
    reading = reader(volume)
    seen = reader.attention(reading)
    assert seen.shape == (3, 50, 80)
    assert seen.max() <= reading.probability.max() + 1e-3
