"""The web page: drop a scan, read the answer. `python app.py` serves it; `make page` does, too.

Environment: `HF_MRI_MODEL` (Hub ids or folders of bundles, separated by commas), `HF_MRI_AUTH` (a file of users, see
accounts.py), `HF_MRI_MAX_UPLOAD` (of one file, 500mb), and Gradio's own `GRADIO_SERVER_NAME` and `GRADIO_SERVER_PORT`.
"""

import importlib.util
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
sys.path.insert(0, str(HERE))
if importlib.util.find_spec("hf_mri") is None:
    # On a Space the package lies beside this file as a wheel: pure Python, so it need not be installed.
    sys.path[1:1] = [str(wheel) for wheel in sorted(HERE.glob("hf_mri-*.whl"))[-1:]]

from page import build_page, serve  # noqa: E402

demo = build_page()

if __name__ == "__main__":
    serve(demo)
