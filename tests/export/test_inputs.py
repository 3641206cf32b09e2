"""What an export is checked on, where nobody names a data set."""

from types import SimpleNamespace

import numpy as np
import pytest

from hf_mri import MriImageProcessor
from hf_mri.export import inputs
from hf_mri.modeling.mri_scan import read_scan


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_phantoms_have_the_models_channels(channels, monkeypatch):
    from hf_mri.data.phantoms import draw

    small = draw.draw_phantom
    monkeypatch.setattr(draw, "draw_phantom", lambda *given, **options: small(*given, size=32, slices=3, patients=1))
    reader = SimpleNamespace(
        config=SimpleNamespace(id2label={0: "background", 1: "tumor"}),
        processor=MriImageProcessor(num_channels=channels),
    )
    found = inputs.load_inputs(reader, None)
    assert [scan.slices.shape[-1] for scan in found.scans] == [channels]


def test_one_channel_is_the_one_that_is_shown():
    scan = read_scan(np.stack([np.full((8, 8), value, np.uint8) for value in (1, 2, 3)], axis=-1)[None])
    assert (inputs.take_channels(scan, 1, first=1).slices == 2).all()
    assert inputs.take_channels(scan, 4, first=1).slices[0, 0, 0].tolist() == [2, 3, 1, 2]
    assert inputs.take_channels(scan, 3, first=1) is scan
