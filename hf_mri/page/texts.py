"""The page's standing texts."""

from html import escape
from importlib.metadata import PackageNotFoundError, version

from hf_mri.page.models import Bundle
from hf_mri.tasks.registry import TASKS

HEAD = """
<header class="page-head">
  <h1>hf_mri</h1>
  <p>Drop an MR scan, read what a model sees in it.</p>
  <span class="badge" title="For research and teaching only">Not a medical device</span>
  <button type="button" class="theme-toggle" aria-label="Dark or light" title="Dark or light">◐</button>
</header>
"""
ABOUT = """
<p><b>Not a medical device.</b> For research and teaching; never base a decision about a patient on it.</p>
<p>{organs}</p>
<p>{privacy}</p>
<p>{versions}</p>
"""
PRIVACY = (
    "Your scan is read in memory and forgotten when you close this page; the uploaded file is deleted within "
    "ten minutes, and only this browser, known by a cookie, can have it read. "
    "Nothing about its content is logged, and nothing is sent to anyone else."
)


DRAWN = "drawn by a computer"  # so says the card of a model that no patient was scanned for


def say_organs(bundles: list[Bundle]) -> str:
    """Return which organs the page's models read, which they do not, and which of them know drawn scans only."""
    parts = []
    if bundles:
        parts.append(f"The models here read: {', '.join(bundle.title for bundle in bundles)}.")
    known = {bundle.task.name for bundle in bundles}
    if missing := [task.title for task in TASKS if task.name not in known]:
        parts.append(f"No model here reads: {', '.join(missing)}; it takes one that you train on labels of your own.")
    if drawn := [bundle.title for bundle in bundles if DRAWN in bundle.card]:
        parts.append(f"Trained on drawn scans, not on patients: {', '.join(drawn)}.")
    return escape(" ".join(parts))


def list_versions(bundles: list[Bundle]) -> str:
    """Return the versions of what answers, and the models."""
    packages = ("hf_mri", "gradio", "transformers", "timm", "torch")
    parts = []
    for package in packages:
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return " · ".join([*parts, *(f"model {bundle.name}" for bundle in bundles)])
