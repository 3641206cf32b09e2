"""The page's own markup, behavior and looks, read from the package wherever it lies, a zipped wheel included."""

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from starlette.responses import FileResponse
from starlette.routing import Route

DAY = {"cache-control": "public, max-age=86400"}


def read_static(name: str) -> str:
    """Return a file of `hf_mri/page/static/`."""
    return files("hf_mri.page").joinpath("static", name).read_text(encoding="utf-8")


def find_niivue() -> Path | None:
    """Return NiiVue as the installed package ipyniivue brings it, None where that is missing."""
    spec = find_spec("ipyniivue")
    script = Path(spec.origin).parent / "static" / "widget.js" if spec and spec.origin else None
    return script if script and script.is_file() else None


def list_routes() -> list[Route]:
    """Return what the page serves beside Gradio: the library of the three planes, for browsers that ask for them."""
    script = find_niivue()
    if script is None:
        return []

    def send(request):
        return FileResponse(script, media_type="text/javascript", headers=DAY)

    return [Route("/hf-mri/niivue.js", send)]
