"""Fixtures that several parts of the tests share."""

import os
import shutil
from pathlib import Path

import pytest

from tests.loopback_hub.fixtures import loopback_hub, run_apart  # noqa: F401 - fixtures

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")


def _real(folder: str) -> Path:
    root = os.environ.get("HF_MRI_REAL_DATA")
    if not root or not (Path(root) / folder).is_dir():
        pytest.skip(f"set HF_MRI_REAL_DATA to a folder that holds {folder}/ to run this test on real patients")
    return Path(root)


@pytest.fixture
def real_lgg() -> Path:
    """A folder that holds kaggle_3m/ as its publisher ships it."""
    return _real("kaggle_3m")


@pytest.fixture
def real_acdc() -> Path:
    """A folder that holds acdc/ as its publisher ships it."""
    return _real("acdc") / "acdc"


@pytest.fixture(scope="session")
def chromium():
    """A browser, where Debian's Chromium is installed; one a process, since Playwright allows no second."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()
