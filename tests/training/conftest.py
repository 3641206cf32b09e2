"""A small phantom data set, and trainings that take seconds."""

from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState, GradientState, PartialState

from hf_mri.data.phantoms.draw import make_phantom
from hf_mri.training import train as script
from hf_mri.training.arguments import TrainingArguments

TINY = {
    "backbone": "test_resnet",
    "image_size": 48,
    "batch_size": 8,
    "learning_rate": 3e-3,
    "mixed_precision": "no",
    "ema": 0.9,
    "decoder_channels": [16, 16, 8, 8],
    "validate_every": 100,
}
# So few slices are learned in seconds only as they are.
GENTLE = dict.fromkeys(("rotation", "scale", "shift", "gamma", "bias_field", "noise", "drop_channel"), 0.0)


@pytest.fixture(scope="session")
def phantom(tmp_path_factory) -> Path:
    """Sixteen synthetic LGG patients as an imported data set."""
    return make_phantom("lgg", tmp_path_factory.mktemp("data") / "lgg", patients=16, size=48, slices=8)


@pytest.fixture(scope="session")
def overlapping_phantom(tmp_path_factory) -> Path:
    """Six synthetic abdomens, whose three organs may overlap."""
    return make_phantom("uw-madison", tmp_path_factory.mktemp("data") / "gi", patients=6, size=48, slices=6)


@pytest.fixture(scope="session")
def heart_phantom(tmp_path_factory) -> Path:
    """Five synthetic hearts of 5 mm between pixels, end diastole and end systole."""
    return make_phantom("acdc", tmp_path_factory.mktemp("data") / "acdc", patients=5, size=64, slices=4)


@pytest.fixture
def train(phantom, tmp_path):
    """Run train.py's main in this process with a tiny model: `train(task="segment", …)` returns the run folder."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def run(**options) -> Path:
        for state in (AcceleratorState, GradientState, PartialState):
            state._reset_state()
        settings = {"data": str(phantom), "output_dir": str(tmp_path / "run"), "rows_cache": str(tmp_path / "rows")}
        arguments = TrainingArguments(**TINY | settings | options)
        script.main(arguments)
        return Path(arguments.output_dir)

    yield run
    torch.set_num_threads(threads)
