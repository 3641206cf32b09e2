"""A lower gate: the model runs for the slices that are let in newly, and for no others."""

import numpy as np
import pytest

from hf_mri.modeling.mri_reader import Reader
from tests.modeling.phantom_files import head


def test_only_the_slices_newly_let_in_are_segmented(two_stage, processor, monkeypatch):
    scan = head(9, 40, 48, dtype=np.uint16)
    everything = Reader(two_stage, processor, precision="float32", keep="all")(scan)
    gate = np.sort(everything.gate_probability)
    three, seven = (float(gate[index - 1 : index + 1].mean()) for index in (6, 2))  # how many of nine pass
    monkeypatch.setattr(two_stage.config, "gate_threshold", three)
    reader = Reader(two_stage, processor, precision="float32", keep="passed")
    seen = []
    segment = reader.engine.segment
    reader.engine.segment = lambda slices: (seen.append(len(slices)), segment(slices))[1]
    first = reader(scan)
    assert sum(seen) == 3
    assert len(first.unseen(seven)) == 4
    with pytest.raises(ValueError, match="look_further"):
        first.at(gate_threshold=seven)
    lower = reader.look_further(first, seven)
    assert sum(seen) == 3 + 4
    expected = everything.at(gate_threshold=seven)
    assert lower.stage.tolist() == expected.stage.tolist()
    np.testing.assert_allclose(lower.probability, expected.probability, atol=1e-4)
    assert (lower.masks["tumor"] != expected.masks["tumor"]).mean() < 1e-3
    again = reader.look_further(lower, three)  # higher again: nothing runs
    assert sum(seen) == 3 + 4
    assert again.stage.tolist() == first.stage.tolist()


def test_it_needs_what_was_kept(two_stage, processor, monkeypatch):
    monkeypatch.setattr(two_stage.config, "gate_threshold", 1.0)
    reader = Reader(two_stage, processor, precision="float32")
    with pytest.raises(ValueError, match="keep='passed'"):
        reader.look_further(reader(head(2, 40, 48)), 0.0)
    with pytest.raises(ValueError, match="nothing, passed, all"):
        Reader(two_stage, processor, keep="everything")
