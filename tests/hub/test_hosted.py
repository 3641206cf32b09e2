"""A published bundle as hosted inference starts it: its folder first on `sys.path`, only its requirements there."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hf_mri
from hf_mri.hub.bundle import assemble
from tests.environments import BARE, link_requirements

MODEL_CARDS = sorted(path.parent for path in Path(hf_mri.__file__).parents[1].glob("model_cards/*/config.json"))
# What Hugging Face's inference toolkit does: the folder on the path, handler.py loaded by its place as `handler`.
PROGRAM = """
import importlib.util, sys
folder = sys.argv[1]
sys.path.insert(0, folder)
assert importlib.util.find_spec("hf_mri") is None
found = importlib.util.find_spec("openvino")
assert found is None or found.origin is None, "OpenVINO is not among the requirements"
spec = importlib.util.spec_from_file_location("handler", folder + "/handler.py")
handler = importlib.util.module_from_spec(spec)
sys.modules["handler"] = handler
spec.loader.exec_module(handler)
endpoint = handler.EndpointHandler(folder)
answer = endpoint({"inputs": open("slice.png", "rb").read(), "parameters": {"outputs": "reading"}})
print("ENGINE", answer["model"]["engine"], len(answer["slices"]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    whole = assemble(MODEL_CARDS[0], tmp_path_factory.mktemp("bundle") / "bundle")
    link_requirements(whole / "requirements.txt", folder)
    return folder


@pytest.mark.parametrize("model", MODEL_CARDS, ids=lambda model: model.name)
def test_a_published_model_starts_with_only_its_requirements(model, site, tmp_path):
    whole = assemble(model, tmp_path / "bundle")
    channels = hf_mri.MriImageProcessor.from_pretrained(model).num_channels
    pixels = np.random.default_rng(0).integers(0, 255, (96, 80, channels), dtype=np.uint8)
    Image.fromarray(pixels if channels == 3 else pixels[..., 0]).save(whole / "slice.png")
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROGRAM, str(whole)],
        cwd=whole,
        env={
            **BARE,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(site),
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_OFFLINE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.endswith("ENGINE torch 1\n")
