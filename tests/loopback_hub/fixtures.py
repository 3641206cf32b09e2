"""Pytest fixtures: a Hub, the clients of this process pointed at it, and processes where the package is absent."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from .server import LoopbackHub


@contextmanager
def connected_hub(cache: Path) -> Iterator[LoopbackHub]:
    """Run a Hub that `huggingface_hub` of this process talks to, as user ada, without waiting between retries."""
    from datasets import config as datasets_config  # keeps an address of its own, from when it was imported
    from huggingface_hub import close_session, constants
    from huggingface_hub.utils import _http

    with LoopbackHub() as hub, pytest.MonkeyPatch.context() as patch:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE
        patch.setattr(constants, "ENDPOINT", hub.url)
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + template[template.index("/{repo_id}") :])
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        patch.setattr(datasets_config, "HF_ENDPOINT", hub.url)
        patch.setattr(datasets_config, "HF_HUB_OFFLINE", False)
        patch.setattr(_http, "time", SimpleNamespace(**{**vars(time), "sleep": lambda seconds: None}))
        for name, value in hub.environment("hf_writer").items():  # for processes that a test starts
            patch.setenv(name, value)
        yield hub
        close_session()


@pytest.fixture
def loopback_hub(tmp_path: Path) -> Iterator[LoopbackHub]:
    """A running Hub; see `connected_hub`."""
    with connected_hub(tmp_path / "hub-cache") as hub:
        yield hub


@pytest.fixture
def run_apart(tmp_path: Path) -> Callable[..., str]:
    """Run code in a process where hf_mri cannot be imported and nothing is cached; returns what it printed."""

    def run(code: str, *arguments: str, check: bool = True, **environment: str) -> str:
        program = 'import sys\nsys.modules["hf_mri"] = None\n' + textwrap.dedent(code)
        settings = {"HF_HOME": str(tmp_path / "hf-home"), "OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env={**kept, "HF_HUB_OFFLINE": "1", **settings, **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
        )
        if check and done.returncode:
            pytest.fail(f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout if check else done.stdout + done.stderr

    return run
