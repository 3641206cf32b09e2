"""The page's standing texts."""

from importlib.metadata import PackageNotFoundError, version

from hf_mri.page.models import Bundle

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
<p>{privacy}</p>
<p>{versions}</p>
"""
PRIVACY = (
    "Your scan is read in memory and forgotten when you close this page; the uploaded file is deleted within "
    "ten minutes, and only this browser, known by a cookie, can have it read. "
    "Nothing about its content is logged, and nothing is sent to anyone else."
)


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
