"""The Space as it is shipped: its header, its requirements, and a start with nothing else installed."""

import os
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from hf_mri.hub.requirements import floors
from hf_mri.page.pack import EXTRAS, list_files, pack
from tests.environments import link_requirements
from tests.page.conftest import SPACE

# Runs in the shipped folder, with -S: neither this environment's packages nor the editable install are there.
START = """
import runpy
space = runpy.run_path("app.py")
import hf_mri
from hf_mri.page.models import load_bundles, list_names
assert ".whl" in hf_mri.__file__, hf_mri.__file__
print("tabs:", [bundle.title for bundle in load_bundles(list_names())[0]])
print("endpoints:", sorted(space["demo"].get_api_info()["named_endpoints"]))
"""


def test_the_checkouts_space_is_the_packages():
    assert {path.name: path.read_text(encoding="utf-8") for path in SPACE.iterdir() if path.is_file()} == list_files()
    assert {"gradio", "torch", "timm", "transformers", "nibabel", "pydicom"} <= set(floors(*EXTRAS))


def test_the_space_installs_the_tested_versions_with_the_fast_engine():
    lines = list_files()["requirements.txt"].splitlines()[1:]
    assert all("==" in line for line in lines)
    assert any(line.startswith("openvino==") for line in lines)


def test_the_header_names_the_gradio_that_was_tested():
    header = re.match(r"---\n(.*?)\n---\n", (SPACE / "README.md").read_text(encoding="utf-8"), re.DOTALL).group(1)
    assert re.search(r"^sdk_version: (\S+)$", header, re.MULTILINE).group(1) == version("gradio")
    assert re.search(r"^app_file: app\.py$", header, re.MULTILINE)
    assert len(re.search(r"^short_description: (.*)$", header, re.MULTILINE).group(1)) <= 60  # the Hub's limit


@pytest.mark.slow
def test_it_starts_with_only_what_the_requirements_install(tmp_path, bundles):
    folder = pack(tmp_path / "space")
    assert len(list(folder.glob("hf_mri-*.whl"))) == 1
    site = tmp_path / "site"
    site.mkdir()
    link_requirements(folder / "requirements.txt", site)
    assert (site / "gradio").exists()
    assert not (site / "datasets").exists()
    environment = os.environ | {"HF_MRI_MODEL": str(bundles["brain"]), "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", START],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "tabs: ['Brain tumor']" in done.stdout
    assert "endpoints: ['/list_models', '/models', '/read', '/read_scan', '/write']" in done.stdout


def test_a_folder_in_use_is_not_packed_into(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty"):
        pack(tmp_path)
