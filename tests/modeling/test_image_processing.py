"""The processor: every kind of image and setting, alone and in batches, and back to the original size."""

import json
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor

from hf_mri import MriImageProcessor, ResUNetConfig
from hf_mri.modeling.mri_pixels_intensity import find_percentiles

RNG = np.random.default_rng(0)
SIZE = {"height": 16, "width": 16}


def make_slice(height: int = 16, width: int = 16, dtype=np.uint8, channels: int | None = 3) -> np.ndarray:
    shape = (height, width) if channels is None else (height, width, channels)
    return RNG.integers(0, np.iinfo(dtype).max, shape, endpoint=True).astype(dtype)


def prepare(processor: MriImageProcessor, images, **kwargs) -> torch.Tensor:
    return processor(images, return_tensors="pt", **kwargs)["pixel_values"]


def test_fixed_window_by_hand():
    processor = MriImageProcessor(
        size=SIZE, num_channels=1, window="fixed", intensity_range=(100, 300), image_mean=[0.5], image_std=[0.25]
    )
    image = np.full((16, 16), 150, np.uint16)
    image[0, :3] = 50, 300, 60000
    values = prepare(processor, image)[0, 0]
    # (150 - 100) / 200 = 0.25, then (0.25 - 0.5) / 0.25 = -1; below the window -2, above it 2.
    assert values[1, 1] == -1
    assert values[0, :3].tolist() == [-2, 2, 2]
    assert prepare(processor, image, do_normalize=False)[0, 0, 1, 1] == 0.25


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_percentiles_are_numpys(dtype):
    pixels = (RNG.random(1237) ** 3 * 200).astype(dtype)
    assert find_percentiles(pixels, (0.0, 1.5, 50, 99.5, 100)) == pytest.approx(
        np.percentile(pixels, (0.0, 1.5, 50, 99.5, 100)).tolist()
    )


def test_percentile_window_of_each_channel():
    processor = MriImageProcessor(size=SIZE, percentiles=(10, 90), image_mean=[0] * 3, image_std=[1] * 3)
    image = make_slice(dtype=np.uint16)
    low, high = np.percentile(image, (10, 90), axis=(0, 1))
    expected = ((image - low) / (high - low)).clip(0, 1).transpose(2, 0, 1)
    assert np.allclose(prepare(processor, image)[0], expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("fat", [0.0, 0.04, 0.1])
def test_the_tissue_window_keeps_tissue_where_it_is_whatever_is_bright(dtype, fat):
    processor = MriImageProcessor(size={"height": 64, "width": 64}, num_channels=1, window="tissue")
    image = np.zeros((64, 64), dtype)
    image[8:56, 8:56] = 80  # tissue, of which a part is a lesion, in air
    image[20:28, 20:28] = 104
    image.flat[: int(fat * image.size)] = 220
    values = prepare(processor, image, do_normalize=False)[0, 0]
    assert values[40, 40] == pytest.approx(0.4)
    assert values[24, 24] == pytest.approx(0.4 * 1.3)
    assert values[60, 60] == 0
    assert values.max() <= 1


@pytest.mark.parametrize("window", ["percentile", "tissue"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int16, np.float32])
def test_a_nearly_empty_slice_of_any_depth(dtype, window):
    image = np.zeros((32, 32), dtype)
    image[5, 6] = 7  # both percentiles are 0: the maximum becomes the upper limit
    processor = MriImageProcessor(size_divisor=1, num_channels=1, window=window)
    values = processor(image, do_normalize=False)["pixel_values"]
    expected = 1 if window == "percentile" else pytest.approx(0.4)  # one pixel is its own tissue
    assert (values.max(), values.sum()) == (expected, expected)


def test_a_large_volume_is_sampled_by_rows():
    processor = MriImageProcessor(size={"height": 256, "width": 256}, scope="volume", num_channels=1)
    volume = (RNG.random((40, 256, 256)) ** 3 * 4000).astype(np.uint16)
    values = prepare(processor, list(volume), volume_ids=[0] * 40, do_normalize=False)
    exact = (volume / np.percentile(volume, 99.5)).clip(0, 1)
    assert np.abs(values[:, 0].numpy() - exact).max() < 0.005


@pytest.mark.parametrize("scope", ["slice", "volume"])
@pytest.mark.parametrize("zscore", [False, True])
def test_dark_and_constant_slices_are_finite(scope: str, zscore: bool):
    processor = MriImageProcessor(size=SIZE, num_channels=1, scope=scope, zscore=zscore)
    dark = make_slice(channels=None) // 15  # a maximum of 17
    constant = np.full((16, 16), 18, np.uint8)
    spot = np.zeros((16, 16), np.uint8)
    spot[3, 3] = 18  # both percentiles are 0
    for image in (dark, constant, spot):
        assert prepare(processor, image).isfinite().all()
    assert prepare(processor, dark, do_normalize=False).max() > (1 if zscore else 0.99)
    assert (prepare(processor, constant, do_normalize=False) == 0).all()
    assert prepare(processor, spot).argmax() == 3 * 16 + 3


def test_sixteen_bits_are_never_clipped():
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    processor = MriImageProcessor(num_channels=1, percentiles=(0, 100))
    assert len(prepare(processor, ramp).unique()) == 65536
    for image in (
        Image.fromarray(ramp),
        Image.fromarray(ramp.astype(np.int32)),
        Image.fromarray(ramp.astype(np.float32)),
    ):
        assert image.mode in ("I;16", "I", "F")
        assert torch.equal(prepare(processor, image), prepare(processor, ramp))


def test_pil_numpy_and_torch_give_the_same_pixels():
    processor = MriImageProcessor(size={"height": 20, "width": 12})
    image = make_slice(31, 17)
    expected = prepare(processor, image)
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    alternatives = [
        Image.fromarray(image),
        torch.from_numpy(planes),
        torch.from_numpy(image),
        planes,
        image[::-1][::-1],
    ]
    alternatives += [[image], image[None], torch.from_numpy(planes)[None], image.astype(">u2"), image.astype(float)]
    for alternative in alternatives:
        assert torch.allclose(prepare(processor, alternative), expected, atol=1e-6)
    assert expected.shape == (1, 3, 20, 12)


def test_palette_and_bilevel_images():
    gray = make_slice(channels=None)
    palette = Image.fromarray(np.stack([gray] * 3, axis=-1)).quantize(8)
    assert prepare(MriImageProcessor(size=SIZE), palette).shape == (1, 3, 16, 16)
    assert prepare(MriImageProcessor(size=SIZE, num_channels=1), Image.fromarray(gray > 99)).unique().tolist() == [
        -1,
        1,
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"zscore": True},
        {"window": "fixed", "intensity_range": (0, 255)},
        {"size": None, "size_divisor": 32},
        {"neighbors": 1},
    ],
)
def test_a_slice_alone_and_in_any_batch(settings: dict):
    processor = MriImageProcessor(**{"size": {"height": 24, "width": 40}} | settings)
    images = [make_slice(50, 37) for _ in range(5)]
    batch = prepare(processor, images)
    for number, image in enumerate(images):
        assert torch.equal(prepare(processor, image)[0], batch[number])
    assert torch.equal(prepare(processor, images[3:1:-1]), batch[[3, 2]])


def test_volumes_share_statistics_in_any_order_of_slices():
    processor = MriImageProcessor(size=SIZE, num_channels=1, scope="volume")
    dark, bright = make_slice(channels=None) // 4, make_slice(channels=None)
    alone = prepare(processor, [dark, bright])
    together = prepare(processor, [dark, bright], volume_ids=["a", "a"])
    apart = prepare(processor, [bright, dark, dark], volume_ids=["b", "a", "b"])
    assert not torch.equal(alone[0], together[0])
    assert torch.equal(apart[1], alone[0])  # a volume of one: the stated fallback
    assert torch.equal(apart[[2, 0]], together)
    assert together[0].max() < -0.3  # the dark slice stays dark beside the bright one


def test_neighbors_are_the_slices_before_and_after():
    processor = MriImageProcessor(size=SIZE, num_channels=2, neighbors=1, window="fixed", intensity_range=(0, 255))
    volume = [make_slice(channels=2) for _ in range(3)]
    plain = prepare(MriImageProcessor(size=SIZE, num_channels=2, window="fixed", intensity_range=(0, 255)), volume)
    values = prepare(processor, volume, volume_ids=[7, 7, 7])
    assert values.shape == (3, 6, 16, 16)
    assert torch.equal(values[1], torch.cat([plain[0], plain[1], plain[2]]))
    assert torch.equal(values[0], torch.cat([plain[0], plain[0], plain[1]]))
    assert torch.equal(values[2], torch.cat([plain[1], plain[2], plain[2]]))
    mixed = prepare(processor, [volume[0], volume[2], volume[1]], volume_ids=["a", "b", "a"])
    assert torch.equal(mixed[1], torch.cat([plain[2]] * 3))  # alone: its own neighbor
    assert torch.equal(mixed[0], torch.cat([plain[0], plain[0], plain[1]]))


@pytest.mark.parametrize("mean", [[0.5], [0.1, 0.2], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]])
def test_neighbors_may_share_their_memory(mean):
    processor = MriImageProcessor(size=SIZE, num_channels=2, neighbors=1, image_mean=mean, scope="volume")
    volume = [make_slice(channels=2) for _ in range(3)]
    for names in ([7, 7, 7], [1, 2, 1]):
        copied = prepare(processor, volume, volume_ids=names)
        shared = prepare(processor, volume, volume_ids=names, share_neighbors=True)
        assert torch.equal(shared, copied)
        # Slice by slice one after the other, with a copy of the first and the last: where one volume is normalized
        # before its neighbors are joined.
        once = names == [7, 7, 7] and len(mean) <= 2
        assert shared.untyped_storage().nbytes() == (5 * 2 if once else 3 * 6) * 16 * 16 * 4


def test_zscore_of_slice_and_volume():
    volume = [make_slice(channels=1), make_slice(channels=1) // 2]
    for scope in ("slice", "volume"):
        processor = MriImageProcessor(size=SIZE, num_channels=1, scope=scope, zscore=True)
        values = prepare(processor, volume, volume_ids=[0, 0])
        for part in values if scope == "slice" else [values]:
            assert part.mean().item() == pytest.approx(0, abs=1e-5)
            assert part.std(correction=0).item() == pytest.approx(1, abs=1e-4)
        assert torch.equal(processor.normalize(values), values)


def test_normalize_later_is_normalize_now():
    processor = MriImageProcessor(size=SIZE, image_mean=[0.1, 0.2, 0.3], image_std=[0.5, 0.6, 0.7], neighbors=1)
    images = [make_slice(), make_slice()]
    cached = prepare(processor, images, do_normalize=False)
    before = cached.clone()
    assert cached.min() >= 0
    assert cached.max() <= 1
    assert torch.equal(processor.normalize(cached), prepare(processor, images))
    assert torch.equal(cached, before)


def test_masks_stay_aligned_with_their_images():
    processor = MriImageProcessor(size={"height": 32, "width": 32}, num_channels=1)
    mask = np.zeros((64, 96), np.uint8)
    mask[16:32, 48:96] = 2
    batch = processor((mask * 100), mask, return_tensors="pt")
    assert batch["labels"].dtype == torch.int64
    assert batch["labels"].shape == (1, 32, 32)
    assert set(batch["labels"].unique().tolist()) == {0, 2}
    assert torch.equal(batch["labels"] == 2, batch["pixel_values"][:, 0] > 0)


def test_overlapping_masks():
    processor = MriImageProcessor(size_divisor=32, num_channels=1)
    masks = [RNG.integers(0, 2, (3, 20, 40)).astype(bool) for _ in range(2)]
    labels = processor([make_slice(20, 40, channels=None)] * 2, masks, return_tensors="pt")["labels"]
    assert labels.shape == (2, 3, 32, 64)
    assert labels.dtype == torch.float32
    assert torch.equal(labels[1, :, :20, :40], torch.from_numpy(masks[1]).float())
    assert labels[:, :, 20:].sum() == labels[..., 40:].sum() == 0


@pytest.mark.parametrize("settings", [{"size": {"height": 32, "width": 32}}, {"size_divisor": 32}])
def test_back_to_the_original_size(settings: dict):
    processor = MriImageProcessor(num_channels=1, **settings)
    mask = np.zeros((20, 44), np.uint8)
    mask[5:15, 11:33] = 1
    labels = processor(mask, mask, return_tensors="pt")["labels"]
    logits = torch.stack([10.0 * (labels != label) * -1 for label in (0, 1, 2)], dim=1)
    result = processor.post_process_semantic_segmentation(SimpleNamespace(logits=logits), target_sizes=[(20, 44)])
    assert result[0].shape == (20, 44)
    assert result[0].dtype == torch.int64
    assert (result[0].numpy() == mask).mean() > (0.97 if "size" in settings else 0.999)


def test_probabilities_on_request():
    processor = MriImageProcessor(size=SIZE)
    logits = torch.randn(2, 3, 16, 16)
    results = processor.post_process_semantic_segmentation(
        SimpleNamespace(logits=logits), [(16, 16), (30, 20)], return_probabilities=True
    )
    assert torch.allclose(results[0], logits[0].softmax(dim=0))
    assert results[1].shape == (3, 30, 20)
    assert torch.allclose(results[1].sum(dim=0), torch.ones(30, 20), atol=1e-5)


def test_overlapping_answers_come_back_label_by_label():
    processor = MriImageProcessor(size=SIZE, problem_type="multi_label_classification")
    logits = torch.tensor([3.0, -3, 0.5]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    (result,) = processor.post_process_semantic_segmentation(SimpleNamespace(logits=logits), [(8, 9)])
    assert result.dtype == torch.bool
    assert result.flatten(1).all(dim=1).tolist() == [True, False, True]
    (strict,) = processor.post_process_semantic_segmentation(SimpleNamespace(logits=logits), [(8, 9)], threshold=0.9)
    assert strict.flatten(1).all(dim=1).tolist() == [True, False, False]


def test_the_threshold_is_foreground_against_background():
    processor = MriImageProcessor(size=SIZE)
    # Probabilities 0.5, 0.3, 0.2: label 1 against the background alone has 0.3 / 0.8 = 0.375.
    logits = torch.tensor([0.5, 0.3, 0.2]).log().view(1, 3, 1, 1).expand(1, 3, 16, 16)
    for threshold, label in ((0.5, 0), (0.38, 0), (0.37, 1), (0.0, 1)):
        (result,) = processor.post_process_semantic_segmentation(SimpleNamespace(logits=logits), threshold=threshold)
        assert result.unique().tolist() == [label]


SETTINGS = [
    {},
    {"size_divisor": 32, "num_channels": 1, "neighbors": 2, "scope": "volume", "zscore": True},
    {"size": SIZE, "num_channels": 4, "window": "fixed", "intensity_range": (0, 4095), "orientation": "LPS axial"},
    {"percentiles": (1, 99), "image_mean": [0.1, 0.2, 0.3], "problem_type": "multi_label_classification"},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_save_and_load(settings: dict, tmp_path):
    processor = MriImageProcessor(**settings)
    processor.save_pretrained(tmp_path)
    ResUNetConfig().save_pretrained(tmp_path)  # where the class stands that reads the settings
    for auto in (MriImageProcessor, AutoImageProcessor):
        loaded = auto.from_pretrained(tmp_path)
        assert type(loaded) is MriImageProcessor
        assert loaded.to_dict() == processor.to_dict()
    assert MriImageProcessor.from_pretrained(tmp_path, orientation="LAS").orientation == "LAS"


@pytest.mark.parametrize(
    ("images", "settings", "message"),
    [
        ([], {}, "images is empty"),
        (np.zeros((0, 16, 3)), {}, r"images\[0\] is empty"),
        (np.full((16, 16, 3), np.nan), {}, r"images\[0\] holds NaN or infinity"),
        (np.zeros((16, 16)), {}, r"takes slices of 3 channels: repeat a gray slice"),
        (make_slice(channels=4), {}, r"images\[0\] has shape \(16, 16, 4\)"),
        (
            make_slice(channels=3),
            {"num_channels": 1},
            r"has shape \(16, 16, 3\), this processor takes slices of 1 chan",
        ),
        (np.zeros((20, 16, 16)), {"num_channels": 1}, "give a volume as a list of slices"),
        (np.zeros((2, 2, 16, 16, 3)), {}, r"images\[0\] has shape \(2, 2, 16, 16, 3\)"),
        (np.array([["a", "b"]]), {}, "images must hold numbers"),
        ([make_slice(40, 40), make_slice(70, 40)], {"size_divisor": 32}, "different sizes after padding"),
    ],
)
def test_bad_images_are_refused(images, settings, message):
    with pytest.raises(ValueError, match=message):
        MriImageProcessor(**settings)(images, return_tensors="pt")


def test_bad_companions_are_refused():
    processor = MriImageProcessor(size=SIZE)
    with pytest.raises(ValueError, match="1 volume_ids for 2 images"):
        processor([make_slice()] * 2, volume_ids=["a"])
    with pytest.raises(ValueError, match="volume 'a' has slices of different sizes"):
        processor([make_slice(), make_slice(20)], volume_ids=["a", "a"])
    with pytest.raises(ValueError, match="1 segmentation_maps for 2 images"):
        processor([make_slice()] * 2, np.zeros((16, 16), np.uint8))
    with pytest.raises(ValueError, match=r"segmentation_maps\[0\] is \(8, 8\), its image \(16, 16\)"):
        processor(make_slice(), np.zeros((8, 8), np.uint8))
    with pytest.raises(ValueError, match="1 target_sizes for 2 slices"):
        processor.post_process_semantic_segmentation(SimpleNamespace(logits=torch.zeros(2, 2, 4, 4)), [(8, 8)])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": SIZE, "size_divisor": 32}, "size to resize or size_divisor to pad, not both"),
        ({"size": {"shortest_edge": 3}}, "size must be"),
        ({"size_divisor": 0}, "size_divisor must be"),
        ({"scope": "patient"}, "scope must be 'slice' or 'volume'"),
        ({"window": "fixed"}, "needs intensity_range"),
        ({"window": "auto"}, "window must be 'percentile' or 'tissue' or 'fixed'"),
        ({"percentiles": (99, 1)}, "percentiles must be"),
        ({"image_mean": [0.5, 0.5]}, "image_mean must hold one number for each of 3 channels"),
        ({"image_std": [0.5, 0, 0.5]}, "image_std must be above 0"),
        ({"num_channels": 0}, "num_channels must be"),
        ({"neighbors": -1}, "neighbors must be"),
        ({"problem_type": "regression"}, "problem_type must be"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        MriImageProcessor(**settings)


def make_disc(height: int, width: int, spacing: tuple[float, float], radius: float) -> np.ndarray:
    """A disc of a radius in mm around the middle of a slice, 0 or 1."""
    rows, columns = np.mgrid[:height, :width]
    rows, columns = (rows + 0.5 - height / 2) * spacing[0], (columns + 0.5 - width / 2) * spacing[1]
    return (np.hypot(rows, columns) < radius).astype(np.uint8)


def answer(labels: torch.Tensor, num_labels: int = 2) -> SimpleNamespace:
    """A model's answer that is sure of these labels (B, H, W)."""
    return SimpleNamespace(logits=20.0 * torch.nn.functional.one_hot(labels, num_labels).permute(0, 3, 1, 2).float())


@pytest.mark.parametrize(
    ("height", "width", "spacing"),
    [
        (64, 64, (1.5, 1.5)),  # as large as the network's view
        (41, 133, (1.5, 0.9)),  # lower and wider than it, pixels that are not square
        (200, 155, (0.7, 0.7)),
        (39, 38, (1.9, 1.9)),
        (300, 301, (1.0, 1.0)),  # far larger than it
    ],
)
def test_one_spacing_there_and_back(height: int, width: int, spacing: tuple[float, float]):
    processor = MriImageProcessor(size={"height": 64, "width": 64}, pixel_spacing=1.5, num_channels=1)
    disc = make_disc(height, width, spacing, 22)
    batch = processor(disc * 200, disc, spacings=[spacing], do_normalize=False, return_tensors="pt")
    assert batch["pixel_values"].shape == (1, 1, 64, 64)
    area = batch["labels"].sum().item() * 1.5**2
    assert area == pytest.approx(np.pi * 22**2, rel=0.05)
    assert ((batch["pixel_values"][0, 0] > 0.5) != batch["labels"][0]).float().mean() < 0.02
    (back,) = processor.post_process_semantic_segmentation(
        answer(batch["labels"]), target_sizes=[(height, width)], spacings=[spacing]
    )
    assert back.shape == (height, width)
    assert 2 * (back.numpy() & disc).sum() / (back.sum() + disc.sum()) > 0.96


def test_what_was_cropped_away_is_background():
    for problem_type in ("single_label_classification", "multi_label_classification"):
        processor = MriImageProcessor(
            size={"height": 10, "width": 10}, pixel_spacing=1.0, num_channels=1, problem_type=problem_type
        )
        outputs = SimpleNamespace(logits=torch.stack([torch.full((10, 10), -9.0), torch.full((10, 10), 9.0)])[None])
        (found,) = processor.post_process_semantic_segmentation(
            outputs, target_sizes=[(20, 30)], spacings=[(1, 1)], return_probabilities=True
        )
        assert (found[1] > 0.9).sum() == 100
        assert found[1, 5:15, 10:20].min() > 0.9
        outside = found[1] < 0.9
        assert (found[1][outside] == 0).all()
        assert (found[0][outside] == (problem_type == "single_label_classification")).all()


def test_without_spacing_a_slice_is_taken_at_the_models_own():
    processor = MriImageProcessor(size={"height": 32, "width": 32}, pixel_spacing=1.5, num_channels=1)
    image = make_slice(50, 21, channels=None)
    expected = prepare(processor, image, spacings=[(1.5, 1.5)])
    for spacings in (None, [None]):
        assert torch.equal(prepare(processor, image, spacings=spacings), expected)
    values = prepare(processor, image, do_normalize=False)[0, 0]
    assert (values[:, :6] == 0).all()
    assert (values[:, 27:] == 0).all()
    low, high = np.percentile(image, (0, 99.5))
    assert np.allclose(values[:, 6:27], ((image[9:41] - low) / (high - low)).clip(0, 1), atol=1e-5)


def test_neighbors_at_one_spacing():
    processor = MriImageProcessor(
        size={"height": 16, "width": 16}, pixel_spacing=2.0, neighbors=1, scope="volume", num_channels=1
    )
    slices = [make_slice(20, 24, channels=None) for _ in range(3)]
    volume = {"volume_ids": [0] * 3, "spacings": [(1.0, 1.5, 8.0)] * 3}
    values = prepare(processor, slices, **volume)
    assert values.shape == (3, 3, 16, 16)
    assert torch.equal(values[0, 2], values[1, 1])
    assert torch.equal(prepare(processor, slices, share_neighbors=True, **volume), values)


def test_a_spacing_that_is_none_says_so():
    processor = MriImageProcessor(size=SIZE, pixel_spacing=1.5, num_channels=1)
    with pytest.raises(ValueError, match="1 spacings for 2 slices"):
        processor([make_slice(channels=None)] * 2, spacings=[(1, 1)])
    with pytest.raises(ValueError, match="give mm between rows"):
        processor(make_slice(channels=None), spacings=[(1, 0)])
    with pytest.raises(ValueError, match="different spacings"):
        MriImageProcessor(size=SIZE, pixel_spacing=1.5, num_channels=1, scope="volume")(
            [make_slice(channels=None)] * 2, volume_ids=[0, 0], spacings=[(1, 1), (2, 2)]
        )
    with pytest.raises(ValueError, match="pixel_spacing must be in mm"):
        MriImageProcessor(size_divisor=32, pixel_spacing=1.5)
    with pytest.raises(ValueError, match="pixel_spacing must be in mm"):
        MriImageProcessor(pixel_spacing=-1)


def test_spacing_stays_out_of_the_settings_of_those_who_do_not_resample(tmp_path):
    plain = MriImageProcessor(size=SIZE)
    assert "pixel_spacing" not in plain.to_dict()
    image = make_slice(33, 20)
    assert torch.equal(prepare(plain, image, spacings=[(0.3, 4)]), prepare(plain, image))
    MriImageProcessor(size=SIZE, pixel_spacing=1.25).save_pretrained(tmp_path)
    assert MriImageProcessor.from_pretrained(tmp_path).pixel_spacing == 1.25


def test_a_processor_saved_alone_loads_by_its_auto_class(tmp_path):
    MriImageProcessor(neighbors=1).save_pretrained(tmp_path)
    loaded = AutoImageProcessor.from_pretrained(tmp_path)
    assert type(loaded) is MriImageProcessor
    assert loaded.neighbors == 1
    saved = json.loads((tmp_path / "preprocessor_config.json").read_text())
    assert saved["auto_map"] == {"AutoImageProcessor": "image_processing_mri.MriImageProcessor"}
    assert (tmp_path / "image_processing_mri.py").exists()


def test_beside_a_model_only_the_config_names_the_code(tmp_path):
    """The stock pipelines take a processor that names code for a video processor's, and ask whether to run it."""
    ResUNetConfig().save_pretrained(tmp_path)
    MriImageProcessor().save_pretrained(tmp_path)
    assert "auto_map" not in json.loads((tmp_path / "preprocessor_config.json").read_text())


@pytest.mark.parametrize(("values", "told"), [([0, 255], True), ([0, 1], False), ([0, 1, 255], False), ([0], False)])
def test_masks_of_0_and_255_are_not_ignored_in_silence(values, told):
    mask = np.resize(np.array(values, np.uint8), (16, 16))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MriImageProcessor(size={"height": 16, "width": 16})(np.zeros((16, 16, 3), np.uint8), mask)
    assert any("(mask > 0)" in str(warning.message) for warning in caught) == told
