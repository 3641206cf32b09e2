"""Folded norms: the same answers, and only where a norm has a convolution to itself."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from hf_mri import MriImageProcessor, Reader, ResUNetConfig, ResUNetForSemanticSegmentation
from hf_mri.modeling.mri_engine_folding import fold_norms


def stir(network):
    """Give norms statistics and weights that are not those of a fresh one."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.weight.data, module.bias.data):
                values.normal_(0.5, 0.2)
            module.running_var.uniform_(0.5, 2)
    return network.eval()


@pytest.mark.parametrize("backbone", [None, "test_resnet", "test_mambaout"])
def test_a_folded_network_answers_as_before(backbone):
    sizes = {"hidden_sizes": [8, 16]} if backbone is None else {"backbone": backbone}
    config = ResUNetConfig(**sizes, decoder_channels=[8], num_channels=3, image_size=64)
    model = stir(ResUNetForSemanticSegmentation(config))
    pixel_values = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        before = model(pixel_values=pixel_values).logits
        norms = sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())
        assert fold_norms(model, pixel_values[:1]) == norms
        torch.testing.assert_close(model(pixel_values=pixel_values).logits, before, atol=1e-4, rtol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


class Odd(nn.Module):
    """A norm without a convolution of its own, and one that serves twice."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.first, self.twice = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, pixel_values):
        one = self.twice(self.conv(self.first(pixel_values)))
        return SimpleNamespace(logits=self.twice(one))


class Beside(nn.Module):
    """A convolution whose output is taken by a norm and, past it, by a sum."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, pixel_values):
        out = self.conv(pixel_values)
        return SimpleNamespace(logits=out + self.norm(out))


@pytest.mark.parametrize("kind", [Odd, Beside])
def test_norms_that_cannot_be_folded_stay(kind):
    model = stir(kind())
    pixel_values = torch.rand(1, 3, 8, 8)
    before = model(pixel_values).logits
    assert fold_norms(model, pixel_values) == 0
    torch.testing.assert_close(model(pixel_values).logits, before)


def test_a_reader_folds_the_model_that_it_loaded_and_leaves_one_that_it_was_given(tmp_path):
    config = ResUNetConfig(hidden_sizes=[8, 16], decoder_channels=[8], num_channels=1, image_size=64)
    model, processor = stir(ResUNetForSemanticSegmentation(config)), MriImageProcessor(num_channels=1)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    scan = np.random.default_rng(0).integers(0, 255, (2, 64, 64)).astype(np.uint8)
    given = Reader(model, processor, engine="torch", precision="float32")
    loaded = Reader.from_pretrained(tmp_path, engine="torch", precision="float32", device="cpu")
    np.testing.assert_allclose(loaded(scan).mask_logit, given(scan).mask_logit, atol=1e-4)
    kinds = [
        any(isinstance(part, nn.BatchNorm2d) for part in reader.engine.model.modules()) for reader in (given, loaded)
    ]
    assert kinds == [True, False]
