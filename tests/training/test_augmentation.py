from dataclasses import fields

import numpy as np
import pytest
import torch

from hf_mri.training.arguments import TrainingArguments
from hf_mri.training.augmentation import Augmentation

OFF = {field.name: 0.0 for field in fields(Augmentation)}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Four slices of three sequences with a bright square, and its mask (background, tumor)."""
    images = torch.rand(4, 3, 32, 32, generator=generator(1)) * 0.2
    images[:, :, 8:14, 18:26] += 0.7
    mask = (images.mean(1) > 0.5).float()
    return images, torch.stack([1 - mask, mask], dim=1)


def test_everything_off_changes_nothing(batch):
    images, masks = Augmentation(**OFF)(*batch, generator())
    assert torch.equal(images, batch[0])
    assert torch.equal(masks, batch[1])


@pytest.mark.parametrize("name", [field.name for field in fields(Augmentation) if "crop" not in field.name])
def test_each_switch_changes_the_images_alone(batch, name):
    augment = Augmentation(**OFF | {name: 10.0 if name == "rotation" else 0.9})
    images, _ = augment(*batch, generator(), stand_in=1)
    assert not torch.allclose(images, batch[0])
    assert images.shape == batch[0].shape
    assert torch.isfinite(images).all()


@pytest.mark.parametrize(("name", "axis"), [("flip", -1), ("flip_vertical", -2)])
def test_flips_are_exact_and_undo_themselves(batch, name, axis):
    augment = Augmentation(**OFF | {name: 1.0})
    once, mask = augment(*batch, generator())
    torch.testing.assert_close(once, batch[0].flip(axis), atol=1e-5, rtol=0)
    torch.testing.assert_close(mask, batch[1].flip(axis), atol=1e-5, rtol=0)
    twice, _ = augment(once, None, generator())
    torch.testing.assert_close(twice, batch[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["rotation", "scale", "shift", "elastic"])
def test_image_and_mask_move_together(batch, name):
    _, masks = batch
    strength = 25.0 if name == "rotation" else 0.15
    picture = masks[:, 1:].expand(-1, 3, -1, -1).contiguous()  # an image that shows its own mask
    moved, moved_masks = Augmentation(**OFF | {name: strength})(picture, masks, generator(3))
    torch.testing.assert_close(moved[:, :1], moved_masks[:, 1:])
    assert not torch.allclose(moved, picture)


def test_the_same_seed_draws_the_same_and_slices_differ(batch):
    one = batch[0][:1].expand(4, -1, -1, -1)
    first, _ = Augmentation.from_arguments(TrainingArguments())(one, None, generator(5))
    second, _ = Augmentation.from_arguments(TrainingArguments())(one, None, generator(5))
    other, _ = Augmentation.from_arguments(TrainingArguments())(one, None, generator(6))
    assert torch.equal(first, second)
    assert not torch.allclose(first, other)
    assert not torch.allclose(first[0], first[1])


def test_a_dropped_sequence_shows_the_one_that_stands_in_where_the_organ_has_one(batch):
    drop = Augmentation(**OFF | {"drop_channel": 1.0})
    assert torch.equal(drop(batch[0], None, generator(2))[0], batch[0])
    images, _ = drop(batch[0], None, generator(2), stand_in=1)
    assert not torch.equal(images, batch[0])
    for before, after in zip(batch[0], images, strict=True):
        for channel in range(3):
            assert torch.equal(after[channel], before[channel]) or torch.equal(after[channel], before[1])


def test_neighbors_change_like_their_slice(batch):
    slices = batch[0].repeat(1, 3, 1, 1)  # three equal neighbors
    images, _ = Augmentation(**OFF | {"gamma": 0.5, "intensity": 0.5, "drop_channel": 1.0})(
        slices, None, generator(), sequences=3, stand_in=1
    )
    torch.testing.assert_close(images[:, :3], images[:, 3:6])
    torch.testing.assert_close(images[:, :3], images[:, 6:])


def test_a_window_shows_a_part_of_the_slice_unchanged_and_every_part_gets_its_turn():
    places = torch.arange(64.0 * 64).reshape(1, 1, 64, 64)
    found = set()
    for seed in range(30):
        window, mask = Augmentation(crop=32)(places, places, generator(seed))
        assert window.shape == mask.shape == (1, 1, 32, 32)
        torch.testing.assert_close(window, mask)
        # Neighboring pixels of the window are neighbors of the slice: nothing was enlarged.
        torch.testing.assert_close(window.diff(dim=-1), torch.ones(1, 1, 32, 31), atol=1e-2, rtol=0)
        found.add(divmod(round(window[0, 0, 16, 16].item() / 64), 8)[0])
    assert len(found) >= 3
    assert Augmentation(crop=128)(places, None, generator())[0].shape == places.shape


def test_windows_stray_no_further_than_their_reach():
    places = torch.arange(64 * 64.0).view(1, 1, 64, 64)
    for reach, farthest in ((0.0, 0), (0.5, 8), (1.0, 16)):
        augment = Augmentation(crop=32, crop_reach=reach)
        middles = [augment(places, None, generator(seed))[0].mean().item() for seed in range(40)]
        rows = np.array([divmod(middle, 64)[0] for middle in middles])  # in the middle 31.5: row 31
        assert abs(rows - 31).max() <= farthest + 1
        assert abs(rows - 31).max() >= 0.6 * farthest


def test_blur_smooths_the_chosen_slices_only(batch):
    images, _ = Augmentation(blur=0.5)(batch[0].repeat(8, 1, 1, 1), None, generator(1))
    changed = [
        not torch.equal(after, before) for before, after in zip(batch[0].repeat(8, 1, 1, 1), images, strict=True)
    ]
    assert any(changed)
    assert not all(changed)
    assert torch.equal(Augmentation(blur=1e-9)(batch[0], None, generator(1))[0], batch[0])
