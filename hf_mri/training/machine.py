"""What the machine of a run is and what it is fast at."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from hf_mri.modeling.mri_engine import gains_by_bfloat16, has_fast_bfloat16

RECORDED = (
    "hf_mri",
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "accelerate",
    "datasets",
    "huggingface_hub",
    "numpy",
)


def choose_precision(wanted: str) -> str:
    """Return accelerate's word for the number format: `auto` is bf16 where the machine is fast at it."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return "bf16" if gains_by_bfloat16() else "no"


def choose_algorithms(deterministic: bool) -> None:
    """Choose the fastest algorithms, or those that give the same bits on every run of the same machine."""
    torch.backends.cudnn.benchmark = not deterministic
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)


def describe_machine() -> dict:
    """Return hardware and library versions, for the record of a run."""
    versions = {}
    for name in RECORDED:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    if torch.cuda.is_available():
        hardware = torch.cuda.get_device_name()
    else:
        hardware = f"{os.cpu_count()} CPU cores ({platform.machine()}{', AMX' if has_fast_bfloat16() else ''})"
    return {"hardware": hardware, "versions": {"python": platform.python_version(), **versions}}


def describe_code() -> str:
    """Return the package's version, with the commit where this is a git checkout."""
    root = Path(__file__).resolve().parents[2]
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return found.stdout.strip() or "unknown"
