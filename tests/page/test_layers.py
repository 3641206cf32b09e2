"""What the page sends of a layer."""

import base64
import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from hf_mri.page.layers import encode_page, find_doubt


def kept(overlapping, **labels):
    """As much of a reading as a layer asks for."""
    pages = {name: np.array(values, np.float16).reshape(1, 1, -1) for name, values in labels.items()}
    return SimpleNamespace(foreground_probability=pages, overlapping=overlapping)


def test_doubt_is_largest_where_two_answers_are_equally_likely():
    doubt = find_doubt(kept(False, tumor=[0.0, 0.25, 0.5, 0.75, 1.0]))[0, 0]
    assert doubt == pytest.approx([0, 0.5, 1, 0.5, 0], abs=1e-3)
    two = find_doubt(kept(False, wall=[0.5, 0.5, 0.0, 0.9], cavity=[0.5, 0.25, 0.0, 0.1]))[0, 0]
    assert two == pytest.approx([1, 1, 0, 0.2], abs=1e-3)
    apart = find_doubt(kept(True, stomach=[0.9, 0.5], bowel=[0.9, 0.0]))[0, 0]
    assert apart == pytest.approx([0.2, 1], abs=1e-3), "labels that overlap are asked one by one"


def test_a_page_with_nothing_to_show_is_not_sent():
    assert encode_page(np.zeros((8, 8))) is None
    sent = encode_page(np.full((600, 900), 0.5, np.float16))
    picture = Image.open(io.BytesIO(base64.b64decode(sent.partition(",")[2])))
    assert (picture.size, picture.mode, picture.getpixel((3, 3))) == ((512, 341), "L", 128)
