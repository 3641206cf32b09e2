import pytest

from hf_mri.hub.load_check import differences


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ({"a": [0.25, 1]}, {"a": [0.250001, 1]}, []),
        ({"a": [0.25]}, {"a": [0.26]}, ["a: 0.25 became 0.26"]),
        ({"a": [["tumor", 3]]}, {"a": [["tumor", 3]]}, []),
        ({"a": ["tumor"]}, {"a": ["no tumor"]}, ["a: tumor became no tumor"]),
        ({"a": [1, 2]}, {"a": [1]}, ["a: [1, 2] became [1]"]),
        ({"a": 1}, {"b": 1}, ["answer: {'a': 1} became {'b': 1}"]),
    ],
)
def test_differences_beyond_rounding_are_named(first, second, found):
    assert differences(first, second) == found
