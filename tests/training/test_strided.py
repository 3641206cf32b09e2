import copy

import pytest
import timm
import torch

from hf_mri.training.strided import speed_up_strided


@pytest.mark.parametrize("padding", ["", "same"])
@pytest.mark.parametrize("size", [64, 47])
def test_the_same_features_and_gradients(padding, size):
    torch.manual_seed(0)
    model = timm.create_model("mobilenetv2_050", features_only=True, pad_type=padding).eval()
    quick = speed_up_strided(copy.deepcopy(model))
    images = torch.rand(2, 3, size, size)
    for net in (model, quick):
        sum(feature.square().mean() for feature in net(images)).backward()
    for one, other in zip(model(images), quick(images), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    for (name, one), other in zip(model.named_parameters(), quick.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-5, rtol=1e-3, msg=name)
