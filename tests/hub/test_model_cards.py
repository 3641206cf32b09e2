"""Every model in model_cards/ is fit to be published as it stands, and finds what it is there to find."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from hf_mri.data.phantoms.draw import draw_phantom
from hf_mri.data.sources import iterate_rows
from hf_mri.hub.bundle import assemble
from hf_mri.hub.bundle_contents import list_contents
from hf_mri.hub.card import check_card

BUNDLES = sorted(path.parent for path in Path(__file__).parents[2].glob("model_cards/*/config.json"))
PATIENTS = 4
# As a stranger would: the model's own code, and no package of this name.
READ = """
import sys
sys.modules["hf_mri"] = None
from pathlib import Path
import numpy as np
from transformers import pipeline
read = pipeline("mri-reading", model=sys.argv[1], trust_remote_code=True)
for scan in sorted(Path(sys.argv[2]).glob("kaggle_3m/*/")):
    reading = read(str(scan))
    np.savez(f"{sys.argv[3]}/{scan.name}.npz", probability=reading.probability, **reading.masks)
"""


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.name)
def test_contents_and_card(bundle):
    list_contents(bundle)
    check_card(bundle)


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.name)
def test_it_holds_no_code(bundle):
    """The code that travels is added when a bundle is made, so that no copy can grow old."""
    assert list(bundle.glob("*.py")) == []
    assert not {"auto_map", "custom_pipelines"} & set(json.loads((bundle / "config.json").read_text()))


@pytest.fixture(scope="module")
def heads(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "heads"
    draw_phantom("lgg", folder, patients=PATIENTS, seed=3)
    return folder


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.name)
def test_most_lesions_of_synthetic_heads_are_found_without_the_package(bundle, heads, tmp_path):
    whole = assemble(bundle, tmp_path / "bundle")
    subprocess.run(
        [sys.executable, "-IB", "-c", READ, str(whole), str(heads), str(tmp_path)],
        env={"PATH": "/usr/bin:/bin", "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"},
        check=True,
    )
    truth = {}
    for row in iterate_rows("lgg", heads):
        truth.setdefault(row["patient"], []).append(row["mask"] > 0)
    assert len(truth) == PATIENTS
    lesions = found = 0
    probability, labels = [], []
    for patient, slices in truth.items():
        reading, mask = np.load(tmp_path / f"{patient}.npz"), np.stack(slices)
        probability.append(reading["probability"])
        labels.append(mask.any(axis=(1, 2)))
        if "tumor" in reading:  # a classifier outlines nothing
            pieces, number = ndimage.label(mask)
            lesions += number
            found += sum(reading["tumor"][pieces == piece].any() for piece in range(1, number + 1))
    # Which slices are likelier, not by how much: models of real patients are too sure of synthetic heads.
    assert roc_auc_score(np.concatenate(labels), np.concatenate(probability)) > 0.8
    assert found > lesions / 2 or "classifier" in bundle.name
