"""The page's own markup, behavior and looks, read from the package wherever it lies, a zipped wheel included."""

from importlib.resources import files


def read_static(name: str) -> str:
    """Return a file of `hf_mri/page/static/`."""
    return files("hf_mri.page").joinpath("static", name).read_text(encoding="utf-8")
