"""A model that anybody's program trained and saved is a whole repository: with the package and without it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSemanticSegmentation,
    Trainer,
    TrainingArguments,
    pipeline,
)

import hf_mri
from hf_mri import (
    MriImageProcessor,
    ResUNetConfig,
    ResUNetForSemanticSegmentation,
    SliceClassifierConfig,
    SliceClassifierForImageClassification,
    TwoStageForSemanticSegmentation,
)
from hf_mri.modeling.mri_model_weights import has_weights_of

STRANGER = """
import sys
sys.modules["hf_mri"] = None
import numpy as np
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, pipeline
folder = sys.argv[1]
where = {"trust_remote_code": True}
AutoModel.from_pretrained(folder, **where)
AutoImageProcessor.from_pretrained(folder, **where)
reading = pipeline("mri-reading", model=folder, engine="torch", **where)(np.zeros((2, 32, 32, 3), np.uint8))
stock = "image-segmentation" if reading.masks else "image-classification"
assert pipeline(stock, model=folder, **where)(Image.new("RGB", (32, 32))) is not None
print(type(reading).__module__.split(".")[0], len(reading.probability))
"""


def make_model(kind: str):
    classifier = SliceClassifierForImageClassification(SliceClassifierConfig(backbone="test_resnet", image_size=32))
    config = ResUNetConfig(hidden_sizes=[4, 8], decoder_channels=[4], image_size=32)
    segmenter = ResUNetForSemanticSegmentation(config)
    if kind == "two-stage":
        return TwoStageForSemanticSegmentation.from_stages(classifier, segmenter)
    return classifier if kind == "classifier" else segmenter


@pytest.fixture(params=["classifier", "resunet", "two-stage"])
def saved(request, tmp_path) -> Path:
    """A saved model, loaded by its Auto class, trained for a step and saved again, as fine-tuning does."""
    make_model(request.param).save_pretrained(tmp_path / "published")
    auto = AutoModelForImageClassification if request.param == "classifier" else AutoModelForSemanticSegmentation
    model = auto.from_pretrained(tmp_path / "published").train()
    labels = torch.ones(2, dtype=torch.long) if request.param == "classifier" else torch.ones(2, 32, 32).long()
    model(pixel_values=torch.randn(2, 3, 32, 32), labels=labels).loss.backward()
    torch.optim.SGD(model.parameters(), 0.1).step()
    model.save_pretrained(tmp_path / "tuned")
    MriImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path / "tuned")
    return tmp_path / "tuned"


def test_it_reads_with_the_package(saved):
    reading = pipeline("mri-reading", model=str(saved), engine="torch")(np.zeros((2, 32, 32, 3), np.uint8))
    assert type(reading) is hf_mri.Reading


def test_it_reads_where_the_package_does_not_exist(saved, tmp_path):
    environment = {"PATH": "/usr/bin:/bin", "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-IB", "-c", STRANGER, str(saved)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "transformers_modules 2\n"


def test_a_model_in_memory_reads_as_it_is(saved):
    model = make_model("resunet")
    read = model.make_pipeline(MriImageProcessor(size={"height": 32, "width": 32}), engine="torch")
    assert read.reader.engine.model is model


def test_transformers_own_trainer_tunes_and_saves_it(tmp_path):
    make_model("classifier").save_pretrained(tmp_path / "published")
    model = AutoModelForImageClassification.from_pretrained(tmp_path / "published")
    rows = [{"pixel_values": torch.randn(3, 32, 32), "labels": torch.tensor(number % 2)} for number in range(4)]
    options = {"max_steps": 1, "per_device_train_batch_size": 2, "report_to": [], "save_strategy": "no"}
    processor = MriImageProcessor(size={"height": 32, "width": 32})
    trainer = Trainer(
        model,
        TrainingArguments(str(tmp_path / "run"), use_cpu=True, **options),
        train_dataset=rows,
        eval_dataset=rows,
        processing_class=processor,
    )
    trainer.train()
    assert trainer.evaluate()["eval_loss"] > 0
    trainer.save_model(str(tmp_path / "tuned"))
    image = Image.fromarray(np.zeros((32, 32, 3), np.uint8))
    assert len(pipeline("image-classification", model=str(tmp_path / "tuned"))(image)) == 2
    assert len(pipeline("mri-reading", model=str(tmp_path / "tuned"), engine="torch")(image).probability) == 1


def test_a_model_that_was_trained_in_memory_leaves_its_folder_alone(tmp_path):
    """Graphs and what a model knows of itself lie beside the weights that it was loaded from, not beside its own."""
    make_model("resunet").save_pretrained(tmp_path)
    model = ResUNetForSemanticSegmentation.from_pretrained(tmp_path)
    assert has_weights_of(model, tmp_path)
    assert has_weights_of(ResUNetForSemanticSegmentation.from_pretrained(tmp_path, dtype=torch.bfloat16), tmp_path)
    with torch.no_grad():
        next(model.parameters()).add_(0.05)
    assert not has_weights_of(model, tmp_path)
    assert not has_weights_of(model, tmp_path / "nowhere")
