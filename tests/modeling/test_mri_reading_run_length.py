"""Run-length text, both ways."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hf_mri.modeling.mri_reading_run_length import decode_run_length, encode_run_length


def test_counts_from_one_along_the_rows():
    mask = np.array([[0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 0, 0]])
    # Row by row, pixels 2, 3, then 5, then 8, 9 (the run goes on in the next row).
    assert encode_run_length(mask) == "2 2 5 1 8 2"
    assert np.array_equal(decode_run_length("2 2 5 1 8 2", 3, 4), mask)


@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_decoding_undoes_encoding(mask):
    assert np.array_equal(decode_run_length(encode_run_length(mask), *mask.shape), mask)


@pytest.mark.parametrize("text", ["", "  ", None, float("nan")])
def test_no_text_is_an_empty_mask(text):
    assert not decode_run_length(text, 3, 5).any()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 2 3", "odd count"),
        ("a 2", "whole number"),
        ("0 2", "below 1"),
        ("3 0", "below 1"),
        ("11 3", "beyond the image"),
        ("9223372036854775807 9223372036854775807", "beyond the image"),
        ("99999999999999999999 1", "whole number"),
    ],
)
def test_what_is_no_run_length_is_named(text, reason):
    with pytest.raises(ValueError, match=reason):
        decode_run_length(text, 3, 4)
