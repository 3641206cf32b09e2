"""An installed wheel does the main things where there is no checkout: import, train, read, serve, write a Space."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TINY = "--backbone none --image_size 32 --batch_size 4 --max_steps 2 --mixed_precision no --ema 0".split()
PAGE = """
import hf_mri
from pathlib import Path
from hf_mri.page.layout import build_page
from hf_mri.page.pack import pack
assert Path(hf_mri.__file__).is_relative_to({site!r}), hf_mri.__file__
page = build_page()
print("endpoints", sorted(page.get_api_info()["named_endpoints"]))
print("space", sorted(path.name for path in pack(Path("space")).iterdir()))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """What pip would install, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


@pytest.mark.slow
def test_a_wheel_imports_trains_judges_reads_shows_serves_and_writes_a_space(site, tmp_path):
    places = {
        "PYTHONPATH": str(site),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "home"),
        "OMP_NUM_THREADS": "1",
    }

    def run(*words: str, **more: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env=os.environ | places | more,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    hf_mri = ("-m", "hf_mri")
    run(*hf_mri, "data", "phantom", "lgg", "source", "--patients", "6", "--size", "32")
    run(*hf_mri, "data", "import", "lgg", "source", "data")
    run(*hf_mri, "train", "--task", "segment", "--data", "data", "--output_dir", "run", *TINY)
    scan = next((tmp_path / "source" / "kaggle_3m").glob("TCGA*"))
    assert "1 scans read" in run(*hf_mri, "predict", str(scan), "--model", "run/bundle", "--output", "out")
    assert (tmp_path / "out" / scan.name / "report.html").exists()
    assert "patients" in run(*hf_mri, "evaluate", "--model", "run/bundle", "--data", "data", "--output", "figures")
    shown = run(*hf_mri, "demo", "--model", "run/bundle", "--output", "demo")
    assert "The truth: tumor in " in shown
    assert (tmp_path / "demo" / "truth.png").exists()
    said = run("-c", PAGE.format(site=str(site)), HF_MRI_MODEL="run/bundle")
    assert "endpoints ['/list_models', '/models', '/read', '/read_scan', '/write']" in said
    assert "app.py" in said
    assert ".whl" in said
