"""A stranger and the Hub: models published here are loaded in a process where the package cannot be imported."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import HfApi
from PIL import Image
from transformers import AutoModel

from hf_mri import Reader, TwoStageForSemanticSegmentation
from hf_mri.hub.bundle_contents import list_contents
from hf_mri.hub.card import name_model
from hf_mri.hub.load_check import answers_of
from hf_mri.hub.load_check_script import draw_slices
from hf_mri.hub.publishing import publish, upload
from tests.loopback_hub import LoopbackHub
from tests.loopback_hub.fixtures import connected_hub

STRANGER = """
import json, sys
from pathlib import Path
import numpy as np
import torch
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoModelForSemanticSegmentation, pipeline

remote = {"trust_remote_code": True}
image = np.load("slice.npy")
answers = {}
for revision in ("main", "v1"):
    processor = AutoImageProcessor.from_pretrained("ada/two", revision=revision, **remote)
    model = AutoModelForSemanticSegmentation.from_pretrained("ada/two", revision=revision, **remote)
    with torch.no_grad():
        answers[revision] = model(**processor(image, return_tensors="pt")).logits.sum().item()
again = AutoModel.from_pretrained("ada/two", config=AutoConfig.from_pretrained("ada/two", **remote), **remote)
answers["class"] = type(again).__name__
answers["module"] = type(again).__module__
for repo in ("bob/private", "bob/gated"):
    try:
        AutoConfig.from_pretrained(repo, token="hf_reader", **remote)
    except (OSError, GatedRepoError, RepositoryNotFoundError) as error:
        answers[repo] = " ".join(str(error).split())
answers["with access"] = AutoConfig.from_pretrained("bob/private", token="hf_other", **remote).model_type
print("ANSWERS" + json.dumps(answers))
for block in json.loads(Path("blocks.json").read_text()):
    exec(block)
print("imported hf_mri:", sys.modules["hf_mri"])
"""
OFFLINE = """
from transformers import pipeline
reading = pipeline("mri-reading", model="ada/two", trust_remote_code=True)("scan.tif")
print(len(reading.probability), sorted(reading.masks))
try:
    pipeline("mri-reading", model="ada/three", trust_remote_code=True)
except OSError as error:
    print(type(error).__name__)
"""


@pytest.fixture(scope="module")
def hub(finished_bundles, tmp_path_factory) -> Iterator[LoopbackHub]:
    """A Hub with a published model, a second version of it, and models that others may not see."""
    folder = tmp_path_factory.mktemp("published")
    bundle = Path(shutil.copytree(finished_bundles("two-stage"), folder / "two"))
    with connected_hub(folder / "cache") as hub:
        first = publish(bundle, "ada/two", tag="v1")
        model = TwoStageForSemanticSegmentation.from_pretrained(bundle)
        model.segmenter.load_state_dict({name: value * 0.5 for name, value in model.segmenter.state_dict().items()})
        config = (bundle / "config.json").read_bytes()
        model.save_pretrained(bundle)
        (bundle / "config.json").write_bytes(config)
        name_model(bundle, "ada/two")
        second = upload(HfApi(), list_contents(bundle), "ada/two", "Second")
        assert first.revision != second.revision
        files = hub.repo("ada/two").files
        hub.add_repo("bob/private", private=True, files=files)
        hub.add_repo("bob/gated", gated=True, files=files)
        yield hub


def test_a_stranger_loads_by_name_pins_a_revision_and_runs_the_card(hub, tmp_path, run_apart):
    card = hub.repo("ada/two").files["README.md"].decode()
    blocks = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    (tmp_path / "blocks.json").write_text(json.dumps(blocks))
    image = draw_slices(3)[0]
    np.save(tmp_path / "slice.npy", image)
    Image.fromarray(image).save(tmp_path / "slice.png")
    Image.fromarray(image).save(tmp_path / "scan.tif")

    out = run_apart(STRANGER, **hub.environment())
    answers = json.loads(re.search(r"ANSWERS(.*)", out)[1])
    assert answers["main"] != pytest.approx(answers["v1"])
    assert answers["class"] == "TwoStageForSemanticSegmentation"
    assert answers["module"].startswith("transformers_modules.ada.two.")
    assert "not a valid model identifier" in answers["bob/private"]
    assert "gated" in answers["bob/gated"]
    assert answers["with access"] == "mri_two_stage"
    assert len(blocks) == 2
    assert re.search(r"^slice 0: \d\.\d\d$", out, re.MULTILINE)
    assert "background (80, 96)" in out or "tumor (80, 96)" in out
    assert out.rstrip().endswith("imported hf_mri: None")

    offline = run_apart(OFFLINE, HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert offline.split("\n")[:2] == ["1 ['tumor']", "OSError"]


def test_with_the_package_local_code_loads_it_without_asking(hub):
    reader = Reader.from_pretrained("ada/two", revision="v1")
    reading = reader(draw_slices(3)[0])
    assert reading.probability.shape == (1,)
    assert reading.model["revision"] == hub.repo("ada/two").tags["v1"].oid
    loaded = AutoModel.from_pretrained("ada/two", revision="v1")
    assert type(loaded) is TwoStageForSemanticSegmentation


@pytest.mark.slow
def test_a_bundle_that_lacks_code_does_not_work_elsewhere(finished_bundles, tmp_path):
    bundle = Path(shutil.copytree(finished_bundles("resunet"), tmp_path / "broken"))
    (bundle / "mri_model_losses.py").unlink()
    with pytest.raises(ValueError, match=r"does not work where hf_mri is not installed: .*mri_model_losses"):
        answers_of(bundle)


def test_a_data_set_streams_from_the_hub(hub, tmp_path, run_apart):
    from datasets import ClassLabel, Dataset, Features, Value
    from datasets import Image as ImageFeature

    features = Features(
        {"image": ImageFeature(), "label": ClassLabel(names=["no tumor", "tumor"]), "patient": Value("string")}
    )
    rows = [{"image": Image.new("L", (8, 8), n), "label": n % 2, "patient": f"p{n}"} for n in range(6)]
    Dataset.from_list(rows, features=features).push_to_hub("ada/scans")
    out = run_apart(
        """
        import datasets
        rows = list(datasets.load_dataset("ada/scans", split="train", streaming=True))
        print(len(rows), rows[5]["patient"], rows[5]["label"], rows[5]["image"].getpixel((0, 0)))
        print(datasets.load_dataset("ada/scans", split="train").features["label"].names)
        """,
        **hub.environment(),
    )
    assert out.splitlines() == ["6 p5 1 5", "['no tumor', 'tumor']"]
