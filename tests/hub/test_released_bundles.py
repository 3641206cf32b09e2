"""Bundles that were written by earlier code still load, with the package and by the code that they brought along.

`released/first_published.tar.xz` holds one of each kind as commit 64a9932 wrote them, the first that published models:
tiny networks, trained for seconds on the discs that `draw` draws, with all their code files, and in `answers.json`
what that commit's Reader said of these discs. A release adds its archive beside it; none is ever written anew.
"""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoModel, pipeline

from hf_mri import Reader

ARCHIVES = sorted((Path(__file__).parent / "released").glob("*.tar.xz"))
KINDS = ("classifier", "resunet", "two-stage")
PROGRAM = """
import json, sys
import numpy as np
from transformers import AutoModel, pipeline

pages, answers = np.load(sys.argv[1]), {}
for folder in sys.argv[2:]:
    AutoModel.from_pretrained(folder, trust_remote_code=True)
    reading = pipeline("mri-reading", model=folder, trust_remote_code=True)({"slices": list(pages)})
    areas = {label: mask.sum(axis=(1, 2)).tolist() for label, mask in reading.masks.items()}
    stages = list(map(str, reading.stage))
    answers[folder] = {"stage": stages, "probability": reading.probability.tolist(), "areas": areas}
print("ANSWERS", json.dumps(answers))
"""


def draw() -> np.ndarray:
    """Slices (4, 48, 48, 3) with a disc in the second channel that grows from nothing."""
    rows, columns = np.mgrid[:48, :48]
    pages = []
    for number in range(4):
        disc = (rows - 20) ** 2 + (columns - 26) ** 2 < 25 * number
        pages.append(np.stack([60 + rows + columns, 40 + rows + 100 * disc, 90 + columns], axis=-1))
    return np.stack(pages).astype(np.uint8)


@pytest.fixture(scope="module", params=ARCHIVES, ids=lambda path: path.name.partition(".")[0])
def released(request, tmp_path_factory) -> Path:
    """The bundles of one release, unpacked."""
    folder = tmp_path_factory.mktemp("released")
    with tarfile.open(request.param) as archive:
        archive.extractall(folder, filter="data")
    return folder


def check(found: dict, folder: Path) -> None:
    """Compare with what was recorded; another processor may turn a pixel at a disc's border."""
    recorded = json.loads((folder.parent / "answers.json").read_text(encoding="utf-8"))[folder.name]
    assert found["stage"] == recorded["stage"]
    assert found["probability"] == pytest.approx(recorded["probability"], abs=0.005)
    assert found["areas"].keys() == recorded["areas"].keys()
    for label, areas in recorded["areas"].items():
        assert found["areas"][label] == pytest.approx(areas, abs=3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_reads_with_them_as_ever(released, kind):
    folder = released / kind
    for read in (Reader.from_pretrained(folder, engine="torch"), pipeline("mri-reading", model=str(folder))):
        reading = read(draw()) if isinstance(read, Reader) else read({"slices": list(draw())})
        areas = {label: mask.sum(axis=(1, 2)).tolist() for label, mask in reading.masks.items()}
        stages = list(map(str, reading.stage))
        check({"stage": stages, "probability": reading.probability.tolist(), "areas": areas}, folder)
    assert type(AutoModel.from_pretrained(folder)).__module__.startswith("hf_mri.")


def test_without_the_package_their_own_code_reads_as_ever(released, run_apart, tmp_path):
    np.save(tmp_path / "pages.npy", draw())
    folders = [released / kind for kind in KINDS]
    said = run_apart(PROGRAM, str(tmp_path / "pages.npy"), *map(str, folders))
    answers = json.loads(said.rpartition("ANSWERS")[2])
    for folder in folders:
        check(answers[str(folder)], folder)
