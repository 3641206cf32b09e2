"""The web page as a Space, or by `python app.py`; the README beside this file tells its settings."""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("hf_mri") is None:
    # On a Space the package lies beside this file as a wheel: pure Python, so it need not be installed.
    sys.path[:0] = [str(wheel) for wheel in sorted(Path(__file__).parent.glob("hf_mri-*.whl"))[-1:]]

from hf_mri.page.layout import build_page, serve

demo = build_page()

if __name__ == "__main__":
    serve(demo)
