"""The web page: drop a scan, read the answer."""

import os

# Read by the libraries when they are imported, so they are said here, before any file of the page imports them.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
