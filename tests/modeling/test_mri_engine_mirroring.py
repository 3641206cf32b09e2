"""Each slice and its mirror image: what is found does not depend on the side."""

import numpy as np
import pytest

from hf_mri import Reader

SCAN = np.random.default_rng(0).integers(0, 255, (3, 64, 64), dtype=np.uint8)
MIRRORED = SCAN[..., ::-1].copy()


@pytest.mark.parametrize("kind", ["two_stage", "classifier", "segmenter"])
def test_a_mirrored_scan_gets_the_mirrored_answer(kind, request, processor):
    model = request.getfixturevalue(kind)
    plain, flipping = (
        Reader(model, processor, engine="torch", precision="float32", flips=flips) for flips in (False, True)
    )
    straight, mirrored = flipping(SCAN), flipping(MIRRORED)
    np.testing.assert_allclose(straight.probability, mirrored.probability, atol=1e-5)
    for label, mask in straight.masks.items():
        assert (mask == mirrored.masks[label][..., ::-1]).mean() > 0.999
    assert not np.allclose(plain(SCAN).probability, plain(MIRRORED).probability, atol=1e-5)
    assert straight.model["flips"]
    assert "flips" not in plain(SCAN).model


def test_an_answer_is_the_mean_of_both_sides(classifier, processor):
    plain = Reader(classifier, processor, engine="torch", precision="float32")
    both = [plain(side).gate_logit for side in (SCAN, MIRRORED)]
    flipping = Reader(classifier, processor, engine="torch", precision="float32", flips=True)
    np.testing.assert_allclose(flipping(SCAN).gate_logit, np.mean(both, axis=0), atol=1e-4)
