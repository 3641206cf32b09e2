"""Options of one call: they hold for these slices, are checked, and leave the processor as it is."""

import numpy as np
import pytest
import torch
from PIL import Image

from hf_mri import MriImageProcessor

RNG = np.random.default_rng(0)
SIZE = {"height": 16, "width": 16}


@pytest.fixture
def processor():
    return MriImageProcessor(size=SIZE)


def make_slice(*shape: int) -> np.ndarray:
    return RNG.integers(0, 200, shape).astype(np.uint8)


def prepare(processor, images, **options) -> torch.Tensor:
    return processor(images, return_tensors="pt", **options)["pixel_values"]


@pytest.mark.parametrize("size", [{"height": 8, "width": 8}, [8, 8], 8])
def test_another_size_for_one_call(processor, size):
    image = make_slice(20, 24, 3)
    assert prepare(processor, image, size=size).shape == (1, 3, 8, 8)
    assert torch.equal(
        prepare(processor, image, size=size), prepare(MriImageProcessor(size={"height": 8, "width": 8}), image)
    )
    assert prepare(processor, image).shape == (1, 3, 16, 16)
    assert prepare(processor, image, do_resize=False).shape == (1, 3, 20, 24)
    assert prepare(processor, image, size_divisor=16).shape == (1, 3, 32, 32)
    assert prepare(processor, image, size=None, do_resize=True).shape == (1, 3, 16, 16)


def test_values_that_lie_between_0_and_1_already(processor):
    image = RNG.random((16, 16, 3)).astype(np.float32) / 2
    values = prepare(processor, image, do_rescale=False, do_normalize=False)[0]
    assert np.allclose(values, image.transpose(2, 0, 1), atol=1e-6)


def test_other_means_and_channels(processor):
    assert prepare(processor, make_slice(16, 16, 3), image_mean=0.25, image_std=0.5).max() == 1.5
    four = {"num_channels": 4, "image_mean": [0.5] * 4, "image_std": [0.5] * 4}
    assert prepare(processor, make_slice(16, 16, 4), **four).shape == (1, 4, 16, 16)


def test_where_the_channels_are(processor):
    first = make_slice(3, 16, 3)
    assert prepare(processor, first, do_resize=False, input_data_format="channels_first").shape == (1, 3, 16, 3)
    assert prepare(processor, first, do_resize=False).shape == (1, 3, 3, 16)
    with pytest.raises(ValueError, match="channels_first"):
        prepare(processor, first, input_data_format="first")


def test_gray_slices_are_repeated_on_request(processor):
    gray = make_slice(16, 16)
    values = prepare(processor, [gray, Image.fromarray(gray)], do_convert_rgb=True)
    assert values.shape == (2, 3, 16, 16)
    assert torch.equal(values[0, 0], values[1, 2])
    with pytest.raises(ValueError, match="repeat a gray slice"):
        prepare(processor, gray)


def test_masks_and_devices_go_along(processor):
    inputs = processor(make_slice(20, 20, 3), make_slice(20, 20), size=8, device="cpu", return_tensors="pt")
    assert inputs["labels"].shape == (1, 8, 8)
    assert inputs["pixel_values"].device.type == "cpu"


def test_unknown_options_are_named(processor):
    with pytest.raises(TypeError, match=r"crop_size, resample: no option of this processor, which takes .*scope"):
        prepare(processor, make_slice(16, 16, 3), resample=3, crop_size=4)
    with pytest.raises(ValueError, match="size must be"):
        prepare(processor, make_slice(16, 16, 3), size={"shortest_edge": 4})


def test_scores_beside_the_masks(processor):
    outputs = type("Outputs", (), {"logits": torch.randn(2, 3, 16, 16)})
    masks = processor.post_process_semantic_segmentation(outputs, target_sizes=[(8, 9)] * 2)
    both = processor.post_process_semantic_segmentation(
        outputs, target_sizes=[(8, 9)] * 2, return_segmentation_scores=True
    )
    assert torch.equal(both[1].segmentation, masks[1])
    assert both[1].segmentation_scores.shape == (3, 8, 9)
