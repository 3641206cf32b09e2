"""What is promised by name can be had by name, and no name hides a module."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import hf_mri

PACKAGES = (
    "hf_mri",
    *(f"hf_mri.{name}" for name in "tasks data evaluation reports predict export hub training".split()),
)
# A process that knows of the package and of transformers, and of nothing else.
FRESH = """
import hf_mri
from transformers import {auto}, AutoConfig, AutoImageProcessor, AutoModel, pipeline
folder = {folder!r}
model = {auto}.from_pretrained(folder)
assert type(model).__module__.startswith("hf_mri."), type(model)
assert type(AutoModel.from_pretrained(folder)) is type(model)
assert type(AutoConfig.from_pretrained(folder)) is type(model.config)
assert type(AutoImageProcessor.from_pretrained(folder)) is hf_mri.MriImageProcessor
read = pipeline("mri-reading", model=folder, engine="torch")
channels = read.image_processor.num_channels
import numpy
reading = read(numpy.zeros((2, 64, 64, channels), numpy.uint8))
assert type(reading) is hf_mri.Reading, type(reading)
"""
MODEL_CARDS = sorted(path.parent for path in Path(hf_mri.__file__).parents[1].glob("model_cards/*/config.json"))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there_and_is_no_module(package):
    module = importlib.import_module(package)
    below = {path.stem for path in Path(module.__file__).parent.glob("*.py")}
    for name in module.__all__:
        assert not isinstance(getattr(module, name), type(module)), name
        assert name not in below, f"{package}.{name} is a module, too"


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Raeder'"):
        hf_mri.Raeder  # noqa: B018


@pytest.mark.parametrize("folder", MODEL_CARDS, ids=lambda folder: folder.name)
def test_a_fresh_process_loads_published_models_by_registration(folder):
    classifier = folder.name.endswith("classifier")
    auto = "AutoModelForImageClassification" if classifier else "AutoModelForSemanticSegmentation"
    done = subprocess.run(
        [sys.executable, "-c", FRESH.format(auto=auto, folder=str(folder))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
