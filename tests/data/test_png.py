"""PNG in and out: every depth comes back to the last bit."""

import numpy as np
import pytest

from hf_mri.data.png import decode_picture, encode_png, read_picture
from hf_mri.modeling.mri_scan_errors import ScanError


@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 3)], ids=["gray", "color"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_written_comes_back(tmp_path, shape, dtype):
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    back = decode_picture(encode_png(image))
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, image)
    (tmp_path / "a.png").write_bytes(encode_png(image))
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), image)


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(ScanError, match=r"a\.png: can't be read \(No such file or directory\)"):
        read_picture(tmp_path / "a.png")
