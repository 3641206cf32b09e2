"""Task `mri-reading`: every kind of input, and the round trip without the package."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from transformers import pipeline

from hf_mri import MriPipeline, Reading
from tests.modeling.phantom_files import head

APART = """
import sys, json
sys.modules["hf_mri"] = None  # whoever imports the package fails
from transformers import pipeline
pipe = pipeline("mri-reading", model=sys.argv[1], trust_remote_code=True, device="cpu", precision="float32")
reading = pipe(sys.argv[2])
reading.save(sys.argv[3])
print(json.dumps({"module": type(pipe).__module__, "probability": reading.probability.tolist()}))
"""


@pytest.fixture(scope="module")
def pipe(two_stage, processor):
    return pipeline("mri-reading", model=two_stage, image_processor=processor, device="cpu", precision="float32")


@pytest.fixture
def png(tmp_path):
    Image.fromarray(head(3, 40, 48)[1]).save(tmp_path / "slice.png")
    return tmp_path / "slice.png"


def test_every_kind_of_input_is_one_reading(pipe, png):
    page = head(3, 40, 48)[1]
    answers = [
        pipe(source)
        for source in (str(png), Image.open(png), page, {"slices": [str(png)]}, {"slices": [page]}, {"only": str(png)})
    ]
    assert isinstance(pipe, MriPipeline)
    for answer in answers:
        assert isinstance(answer, Reading)
        np.testing.assert_array_equal(answer.probability, answers[0].probability)


def test_a_list_is_several_scans_and_slices_are_one(pipe, png):
    several = pipe([str(png), head(3, 40, 48)])
    assert [len(reading.probability) for reading in several] == [1, 3]
    assert len(pipe({"slices": [str(png)] * 4}).probability) == 4
    assert [len(reading.probability) for reading in pipe(scan for scan in [str(png)] * 2)] == [1, 1]


def test_a_lazy_column_of_a_data_set_is_several_scans(pipe, png):
    datasets = pytest.importorskip("datasets")
    column = datasets.Dataset.from_dict({"image": [str(png)] * 2}).cast_column("image", datasets.Image())["image"]
    assert [len(reading.probability) for reading in pipe(column)] == [1, 1]


def test_an_answer_in_plain_json_types_and_options_of_reading(pipe, png):
    answer = pipe(str(png), as_dict=True, spacing=(1.0, 2.0))
    assert json.loads(json.dumps(answer)) == answer
    assert answer["spacing_mm"] == [1.0, 2.0, None]
    with pytest.raises(ValueError, match="unknown size; takes as_dict"):
        pipe(str(png), size=3)


def test_the_pipeline_travels_without_the_package(pipe, png, tmp_path):
    pipe.save_pretrained(tmp_path / "bundle")
    run = subprocess.run(
        [sys.executable, "-c", APART, tmp_path / "bundle", png, tmp_path / "out"],
        env={**os.environ, "HF_MODULES_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout.splitlines()[-1])
    assert answer["module"].startswith("transformers_modules")
    here = pipe(str(png))
    np.testing.assert_allclose(answer["probability"], here.probability, atol=1e-4)
    mask = np.asarray(Image.open(tmp_path / "out" / "masks" / "tumor" / "0001.png"))
    assert ((mask > 0) != here.masks["tumor"][0]).mean() < 1e-3
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "masks",
        "reading.json",
        "run_lengths.csv",
        "tumor.nii.gz",
    ]
