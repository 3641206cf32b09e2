import pytest
import torch

from hf_mri.training.transplant import transplant


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Six round heads of two sequences; the first has a lesion, brighter in the second sequence alone."""
    rows, columns = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    head = ((rows - 64) ** 2 + (columns - 64) ** 2 < 56**2).float() * 0.5
    images = head.expand(6, 2, 128, 128).clone()
    lesion = torch.zeros(6, 128, 128)
    lesion[0, 50:60, 70:82] = 1
    images[:, 1] += 0.4 * lesion
    return images, torch.stack([1 - lesion, lesion], dim=1)


def test_a_lesion_comes_with_its_mask_and_its_contrast(batch):
    images, masks = batch
    before = images.clone()
    transplant(images, masks, 1.0, generator())
    received = [index for index in range(1, 6) if masks[index, 1].any()]
    assert received
    for index in received:
        laid = masks[index, 1] > 0
        gained = images[index] - before[index]
        assert torch.allclose(gained[0], torch.zeros(()), atol=1e-3)  # the first sequence does not show the lesion
        assert 0.1 < gained[1][laid].mean() < 0.5
        far = torch.nn.functional.max_pool2d(laid[None].float(), 9, stride=1, padding=4)[0] == 0
        assert torch.equal(images[index][:, far], before[index][:, far])


def test_masks_stay_one_hot(batch):
    images, masks = batch
    transplant(images, masks, 1.0, generator(1))
    assert torch.equal(masks.sum(1), torch.ones(6, 128, 128))


def test_lesions_lie_in_the_brain(batch):
    images, masks = batch
    brain = images[1, 0] > 0
    transplant(images, masks, 1.0, generator(2))
    assert masks[:, 1].any(0)[~brain].sum() == 0


def test_nothing_changes_without_a_lesion_or_a_chance(batch):
    images, masks = batch
    before = images.clone(), masks.clone()
    transplant(images, masks, 0.0, generator())
    transplant(images[1:], masks[1:], 1.0, generator())
    assert torch.equal(images, before[0])
    assert torch.equal(masks, before[1])


def test_a_seed_means_the_same_again(batch):
    once = [part.clone() for part in batch]
    again = [part.clone() for part in batch]
    transplant(*once, 1.0, generator(3))
    transplant(*again, 1.0, generator(3))
    assert torch.equal(once[0], again[0])
