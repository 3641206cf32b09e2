"""What stands between options and a model."""

import pytest

from hf_mri.training.weights_to_have import find_weights


def test_imagenet_weights_are_found_by_their_bare_name_beside_the_data(tmp_path):
    data, weights = tmp_path / "lgg", tmp_path / "backbone.safetensors"
    data.mkdir()
    with pytest.raises(ValueError, match=r"backbone\.safetensors: no such file.*--pretrained timm"):
        find_weights(weights.name, str(data))
    weights.touch()
    assert find_weights(weights.name, str(data)) == weights
    assert find_weights(str(weights), None) == weights
    assert find_weights("timm", None) is True
