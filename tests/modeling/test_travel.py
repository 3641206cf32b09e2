"""The code that travels to the Hub works there: without the package, and without timm where no backbone needs it."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import hf_mri
from hf_mri import (
    MriImageProcessor,
    ResUNetConfig,
    ResUNetForSemanticSegmentation,
    SliceClassifierConfig,
    SliceClassifierForImageClassification,
    TwoStageForSemanticSegmentation,
)
from tests.closeness import assert_close_outputs
from tests.environments import BARE

MODELING = Path(hf_mri.__file__).parent / "modeling"
HUB_FILES = sorted(path for path in MODELING.glob("*.py") if path.name != "__init__.py")

# What a model repository may count on: transformers' own requirements (fsspec is huggingface_hub's), torch and what
# requirements.txt there names.
AVAILABLE = {
    "fsspec",
    "huggingface_hub",
    "numpy",
    "PIL",
    "safetensors",
    "scipy",
    "torch",
    "torchvision",
    "transformers",
}


@pytest.mark.parametrize("path", HUB_FILES, ids=lambda path: path.name)
def test_hub_file_imports_only_what_travels(path: Path):
    tree = ast.parse(path.read_text())
    optional = {
        id(node)
        for statement in ast.walk(tree)
        if isinstance(statement, ast.Try)
        for line in statement.body
        for node in ast.walk(line)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level == 1, f"line {node.lineno}: only siblings travel"
            assert node.module, f"line {node.lineno}: `from . import x` is not copied"
            assert "." not in node.module, f"line {node.lineno}: sub-folders do not travel"
            assert (MODELING / f"{node.module}.py").is_file()
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            for name in (name.split(".")[0] for name in names):
                known = name in AVAILABLE or name in sys.stdlib_module_names
                assert known or id(node) in optional, f"line {node.lineno}: import {name} inside try, it is optional"


def make_classifier() -> SliceClassifierForImageClassification:
    return SliceClassifierForImageClassification(SliceClassifierConfig(backbone="test_resnet")).eval()


def make_segmenter(**kwargs) -> ResUNetForSemanticSegmentation:
    return ResUNetForSemanticSegmentation(
        ResUNetConfig(hidden_sizes=[4, 8, 8], decoder_channels=[8, 4], **kwargs)
    ).eval()


def run_without(module: str, folder: Path, code: str) -> str:
    """Run Python where that module cannot be imported, with a cache of its own for code from repositories."""
    setup = f"import sys; sys.modules[{module!r}] = None\nfolder = {str(folder)!r}\n"
    result = subprocess.run(
        [sys.executable, "-c", setup + code],
        capture_output=True,
        text=True,
        timeout=120,
        env={
            **BARE,
            "HF_MODULES_CACHE": str(folder / "cache"),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "PATH": "",
        },
        cwd=folder,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


LOAD_AND_COMPARE = """
import torch, transformers
from transformers import AutoImageProcessor, AutoModel

for kind, auto in ("classifier", "ImageClassification"), ("segmenter", "SemanticSegmentation"), (
    "two_stage", "SemanticSegmentation"
):
    auto = getattr(transformers, "AutoModelFor" + auto)
    inputs = torch.load(f"{folder}/{kind}.pt")
    for auto in (AutoModel, auto):
        model = auto.from_pretrained(f"{folder}/{kind}", trust_remote_code=True)
        with torch.no_grad():
            assert torch.allclose(model(inputs["pixel_values"]).logits, inputs["logits"], atol=1e-4)
    assert type(model).__module__.startswith("transformers_modules")
    processor = AutoImageProcessor.from_pretrained(f"{folder}/{kind}", trust_remote_code=True)
    assert torch.equal(processor(inputs["images"], return_tensors="pt")["pixel_values"], inputs["pixel_values"])

    # Fine-tune one step there, save, and load that again.
    model.train()(inputs["pixel_values"], labels=inputs["labels"]).loss.backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    model.eval().save_pretrained(f"{folder}/{kind}_tuned")
    processor.save_pretrained(f"{folder}/{kind}_tuned")
    again = auto.from_pretrained(f"{folder}/{kind}_tuned", trust_remote_code=True)
    with torch.no_grad():
        tuned, loaded = model(inputs["pixel_values"]).logits, again(inputs["pixel_values"]).logits
    assert torch.allclose(tuned, loaded, atol=1e-4) and not torch.equal(tuned, inputs["logits"])
    torch.save(tuned, f"{folder}/{kind}_tuned.pt")
"""


def test_round_trip_where_the_package_cannot_be_imported(tmp_path: Path):
    torch.manual_seed(0)
    classifier, segmenter = make_classifier(), make_segmenter()
    two_stage = TwoStageForSemanticSegmentation.from_stages(classifier, segmenter, gate_threshold=0.0)
    models = {"classifier": classifier, "segmenter": segmenter, "two_stage": two_stage}
    processor = MriImageProcessor(size={"height": 64, "width": 64})
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 60000, (2, 3, 64, 64)).astype(np.uint16))
    pixel_values = processor(images, return_tensors="pt")["pixel_values"]
    for kind, model in models.items():
        with torch.no_grad():
            logits = model(pixel_values).logits
        labels = torch.ones(2, *([] if kind == "classifier" else [64, 64]), dtype=torch.long)
        inputs = {"images": images, "pixel_values": pixel_values, "logits": logits, "labels": labels}
        torch.save(inputs, tmp_path / f"{kind}.pt")
        model.save_pretrained(tmp_path / kind)
        processor.save_pretrained(tmp_path / kind)

    run_without("hf_mri", tmp_path, LOAD_AND_COMPARE)

    for kind, model in models.items():  # what was tuned without the package loads with it
        tuned = type(model).from_pretrained(tmp_path / f"{kind}_tuned")
        with torch.no_grad():
            assert_close_outputs(tuned(pixel_values).logits, torch.load(tmp_path / f"{kind}_tuned.pt"))


def test_residual_encoder_needs_no_timm(tmp_path: Path):
    model = make_segmenter()
    model.save_pretrained(tmp_path / "model")
    code = """
import torch
from transformers import AutoModelForSemanticSegmentation
model = AutoModelForSemanticSegmentation.from_pretrained(folder + "/model", trust_remote_code=True)
print(tuple(model(torch.zeros(1, 3, 40, 24)).logits.shape))
model.config.backbone = "resnet18"
try:
    type(model)(model.config)
except ImportError as error:
    print(error)
"""
    setup = "sys.modules['hf_mri'] = None\n"
    shape, error = run_without("timm", tmp_path, setup + code).splitlines()
    assert shape == "(1, 2, 40, 24)"
    assert "pip install timm" in error


def test_stock_pipelines_without_the_package(tmp_path: Path):
    processor = MriImageProcessor(size={"height": 32, "width": 32})
    for name, model in (("classifier", make_classifier()), ("segmenter", make_segmenter())):
        model.save_pretrained(tmp_path / name)
        processor.save_pretrained(tmp_path / name)
    Image.fromarray(np.arange(48 * 40, dtype=np.uint8).reshape(48, 40)).save(tmp_path / "slice.png")
    code = """
import json
from transformers import pipeline
classify = pipeline("image-classification", model=folder + "/classifier", trust_remote_code=True)
segment = pipeline("image-segmentation", model=folder + "/segmenter", trust_remote_code=True)
labels = {answer["label"] for answer in classify(folder + "/slice.png")}
sizes = {answer["label"]: answer["mask"].size for answer in segment(folder + "/slice.png")}
print(json.dumps([sorted(labels), sizes]))
"""
    labels, sizes = json.loads(run_without("hf_mri", tmp_path, code))
    assert labels == ["no tumor", "tumor"]
    assert set(sizes) <= {"background", "tumor"}
    assert all(size == [40, 48] for size in sizes.values())
