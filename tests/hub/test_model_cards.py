"""Every model in model_cards/ is fit to be published as it stands, and finds what it is there to find."""

import json
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from hf_mri import Reader
from hf_mri.data.phantoms.draw import draw_phantom
from hf_mri.data.sources import iterate_rows
from hf_mri.hub.bundle import assemble
from hf_mri.hub.bundle_contents import list_contents
from hf_mri.hub.card import check_card
from hf_mri.modeling import mri_engine_openvino
from tests.environments import BARE

BUNDLES = sorted(path.parent for path in Path(__file__).parents[2].glob("model_cards/*/config.json"))
BRAINS = [bundle for bundle in BUNDLES if bundle.name.startswith("lgg-")]
PATIENTS = 4
# As a stranger would: the model's own code, and no package of this name.
READ = """
import sys
sys.modules["hf_mri"] = None
from pathlib import Path
import numpy as np
from transformers import pipeline
read = pipeline("mri-reading", model=sys.argv[1], trust_remote_code=True)
for scan in sorted(Path(sys.argv[2]).glob(sys.argv[4])):
    reading = read(str(scan))
    np.savez(f"{sys.argv[3]}/{scan.name}.npz", probability=reading.probability, **reading.masks)
"""
HEART = Path(__file__).parents[2] / "model_cards/acdc-resunet"
STRUCTURES = ("right ventricle", "myocardium", "left ventricle")


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


def read_apart(bundle: Path, scans: Path, pattern: str, folder: Path) -> None:
    """Write each scan's masks as NAME.npz, read by the model's own code in another process."""
    whole = assemble(bundle, folder / "bundle")
    subprocess.run(
        [sys.executable, "-IB", "-c", READ, str(whole), str(scans), str(folder), pattern],
        env={**BARE, "PATH": "/usr/bin:/bin", "HF_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "1"},
        check=True,
    )


@pytest.mark.parametrize("bundle", BRAINS, ids=lambda bundle: bundle.name)
def test_most_lesions_of_synthetic_heads_are_found_without_the_package(bundle, heads, tmp_path):
    read_apart(bundle, heads, "kaggle_3m/*/", tmp_path)
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


@pytest.fixture(scope="module")
def hearts(tmp_path_factory) -> Path:
    """A healthy heart and one after an infarction, at end diastole and end systole."""
    folder = tmp_path_factory.mktemp("phantom") / "hearts"
    draw_phantom("acdc", folder, patients=2)
    return folder


def test_drawn_hearts_are_outlined_and_their_ejection_fraction_measured_without_the_package(hearts, tmp_path):
    read_apart(HEART, hearts, "training/*/*_frame[0-9][0-9].nii.gz", tmp_path)
    dice = []
    for path in sorted(hearts.glob("training/*/*_gt.nii.gz")):
        truth = np.asarray(nibabel.load(path).dataobj).transpose(2, 1, 0)
        reading = np.load(tmp_path / f"{path.name.replace('_gt', '')}.npz")
        for value, name in enumerate(STRUCTURES, 1):
            both = (reading[name] & (truth == value)).sum()
            dice.append(2 * both / (reading[name].sum() + (truth == value).sum()))
    assert np.mean(dice) > 0.85
    assert min(dice) > 0.7
    facts = json.loads((hearts / "PHANTOM.json").read_text())["truth"]
    for patient, known in facts.items():
        full, empty = (
            int(np.load(path)["left ventricle"].sum()) for path in sorted(tmp_path.glob(f"{patient}_*.npz"))
        )
        assert 100 * (1 - empty / full) == pytest.approx(known["left"]["ef_percent"], abs=8)


def test_a_drawn_cine_is_read_with_volumes_by_time(hearts, tmp_path):
    """Only end diastole and end systole of patients are at hand: a beat between a drawn heart's two phases."""
    (ed, es) = sorted(hearts.glob("training/patient001/*_frame[0-9][0-9].nii.gz"))
    full, empty = (np.asarray(nibabel.load(path).dataobj) for path in (ed, es))
    shares = (1 - np.cos(2 * np.pi * np.arange(6) / 6)) / 2
    # What lies between the phases is nearer to one of them: mixed pictures would show two hearts at once.
    cine = np.stack([full if share < 0.5 else empty for share in shares], axis=-1)
    image = nibabel.Nifti1Image(cine, nibabel.load(ed).affine)
    image.header.set_zooms((*nibabel.load(ed).header.get_zooms(), 0.15))
    nibabel.save(image, tmp_path / "cine.nii.gz")
    answer = Reader.from_pretrained(HEART, device="cpu")(tmp_path / "cine.nii.gz").to_dict()["cine"]
    known = json.loads((hearts / "PHANTOM.json").read_text())["truth"]["patient001"]["left"]
    assert len(answer["ml_by_phase"]["left ventricle"]) == 6
    assert answer["left ventricle"]["ef_percent"] == pytest.approx(known["ef_percent"], abs=8)
    assert answer["left ventricle"]["edv_ml"] == pytest.approx(known["edv_ml"], rel=0.12)
    assert answer["myocardium_g"] > 30


def test_the_hearts_card_says_what_its_patients_cannot_teach():
    card = (HEART / "README.md").read_text(encoding="utf-8")
    assert "labeled at end diastole and end systole alone" in card
    assert "license: cc-by-nc-sa-4.0" in card
    assert "| right ventricle, ES |" in card
    assert "| lv: ejection fraction, points |" in card


@pytest.mark.parametrize("installed", [True, False])
def test_the_heart_is_read_by_its_graph_where_openvino_is_and_by_pytorch_where_it_is_not(monkeypatch, installed):
    if installed:
        pytest.importorskip("openvino")
    else:
        monkeypatch.setattr(mri_engine_openvino, "has_library", lambda: False)
    assert Reader.from_pretrained(HEART, device="cpu").engine.name == ("openvino" if installed else "torch")
