"""The documentation site: built without warnings, with every page in its navigation and the API from docstrings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def list_pages(part) -> list[str]:
    """Return the pages of a navigation."""
    if isinstance(part, str):
        return [part]
    values = part.values() if isinstance(part, dict) else part
    return [page for value in values for page in list_pages(value)]


def test_every_page_stands_in_the_navigation():
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert set(list_pages(settings["nav"])) == pages


@pytest.mark.slow
def test_it_is_built_without_warnings(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-3000:]
    page = (tmp_path / "site/api/reading/index.html").read_text(encoding="utf-8")
    assert "from_pretrained" in page
    assert "fonts.googleapis" not in page, "nothing is fetched from elsewhere"
