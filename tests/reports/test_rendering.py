"""The pages' templates."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from jinja2 import UndefinedError

import hf_mri
from hf_mri.reports.rendering import render

PACKAGE = Path(hf_mri.__file__).parent
LOAD = """
import sys
sys.path.insert(0, sys.argv[1])
import hf_mri.reports.rendering as pages
assert pages.__file__.startswith(sys.argv[1]), pages.__file__
for name in ("reading", "evaluation", "dataset"):
    print(pages._make_environment().get_template(f"{name}.html").name)
"""


def test_a_missing_fact_is_an_error():
    with pytest.raises(UndefinedError, match="headline"):
        render("reading", facts={"source": "a scan"})


def test_the_templates_are_found_in_a_zipped_package(tmp_path):
    with ZipFile(tmp_path / "package.zip", "w") as archive:
        for path in PACKAGE.rglob("*"):
            if path.suffix in (".py", ".html", ".css"):
                archive.write(path, path.relative_to(PACKAGE.parent))
    command = [sys.executable, "-c", LOAD, str(tmp_path / "package.zip")]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["reading.html", "evaluation.html", "dataset.html"]
