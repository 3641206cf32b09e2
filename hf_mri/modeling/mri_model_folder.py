"""Where a model lies: a folder, or the cached folder of a commit on the Hub.

Nothing heavy is imported, so that a typo is answered at once.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

WEIGHTS = "model.safetensors"
# Graphs for faster engines, and what the model knows of itself, which is about these very weights.
BESIDE_WEIGHTS = ["config.json", "export.json", "graphs/*", "openvino/*", "onnx/*", "trust.safetensors", WEIGHTS]


def check_model_name(name_or_path: str | Path) -> Path | None:
    """Return a local model's folder, None for what may be a Hub id.

    Raises:
        OSError: neither; says which name, and what to give.
    """
    folder = Path(name_or_path)
    if folder.is_dir():
        if not (folder / "config.json").exists():
            fix = f"give {folder / 'bundle'}" if (folder / "bundle").is_dir() else "give a folder with config.json"
            raise OSError(f"{name_or_path}: holds no model; {fix}")
        return folder
    if folder.is_absolute() or len(folder.parts) != 2 or folder.parent.is_dir():
        raise OSError(f"{name_or_path}: no such folder; give one that holds a model, or a Hub id such as user/model")
    return None


def find_folder(name_or_path: str | Path, revision: str | None = None) -> Path:
    """Return a model's folder; of a model on the Hub the cached one, named by its commit, with exported graphs."""
    from huggingface_hub import snapshot_download

    folder = check_model_name(name_or_path)
    return folder or Path(snapshot_download(str(name_or_path), revision=revision, allow_patterns=BESIDE_WEIGHTS))


def hash_weights(folder: str | Path) -> str:
    """SHA-256 of the weights, which ties graphs to them."""
    digest = hashlib.sha256()
    with (Path(folder) / WEIGHTS).open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()
