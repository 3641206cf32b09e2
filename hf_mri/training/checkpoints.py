"""Checkpoints that are either whole or absent, and the refusal to mix two different runs in one folder."""

import json
import os
import shutil
import time
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file

from hf_mri.modeling.mri_files import replace_file, write_text

PREFIX = "step-"


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the whole checkpoints of a run, oldest first."""
    return sorted((path for path in folder.glob(f"{PREFIX}*") if path.is_dir()), key=lambda path: path.name)


def save_checkpoint(accelerator: Accelerator, folder: Path, step: int, keep: int) -> None:
    """Save everything that a resumed run needs aside, then give it its name; the newest `keep` stay."""
    target = folder / f"{PREFIX}{step:08d}"
    if target.exists():
        return
    aside = folder / f".writing-{target.name}"
    try:
        accelerator.save_state(str(aside), safe_serialization=True)
    except (OSError, RuntimeError) as error:
        # torch reports a full disk as a RuntimeError of its zip writer.
        shutil.rmtree(aside, ignore_errors=True)
        again = "go on with --resume, earlier checkpoints are untouched" if list_checkpoints(folder) else "start again"
        raise OSError(f"{target}: the checkpoint could not be saved ({error}); free some space and {again}") from error
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        _flush(aside)
        os.replace(aside, target)
        for old in list_checkpoints(folder)[:-keep]:
            shutil.rmtree(old, ignore_errors=True)
        for left in folder.glob(".writing-*"):
            shutil.rmtree(left, ignore_errors=True)
    accelerator.wait_for_everyone()


def load_newest(accelerator: Accelerator, folder: Path) -> Path:
    """Restore the newest checkpoint; refuse plainly where there is none."""
    found = list_checkpoints(folder)
    if not found:
        raise ValueError(
            f"{folder}: --resume finds no checkpoint here; start without --resume, or name its --output_dir"
        )
    accelerator.load_state(str(found[-1]))
    return found[-1]


def save_weights(model: torch.nn.Module, path: Path) -> None:
    """Save the weights of the best moment so far, aside and then renamed."""
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    replace_file(path, lambda aside: save_file(state, aside))


def load_weights(model: torch.nn.Module, path: Path) -> None:
    """Restore what `save_weights` saved."""
    model.load_state_dict(load_file(path))


def claim_folder(folder: Path, identity: dict, resume: bool) -> None:
    """Write what this run is into its folder, or refuse a folder of a run with other data or options.

    `identity` is flat: option or data fact to JSON value.
    """
    path = folder / "run.json"
    if path.exists():
        stored = json.loads(path.read_text(encoding="utf-8"))
        differences = [
            f"{key}: {stored.get(key)!r} there, {identity.get(key)!r} now"
            for key in sorted({*stored, *identity})
            if stored.get(key) != identity.get(key)
        ]
        if differences:
            raise ValueError(f"{folder} holds another run ({'; '.join(differences)}); name another --output_dir")
        if not resume and list_checkpoints(folder / "checkpoints"):
            raise ValueError(f"{folder} holds a run already; go on with --resume, or name another --output_dir")
    elif resume:
        raise ValueError(f"{folder}: --resume finds no run here; start without --resume, or name its --output_dir")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(identity, indent=1, sort_keys=True))
    (folder / "checkpoints").mkdir(exist_ok=True)


def append_record(folder: Path, record: dict) -> None:
    """Add one line to metrics.jsonl, the record that every run keeps."""
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"time": round(time.time(), 1), **record}) + "\n")


def _flush(folder: Path) -> None:
    """Bring files to the disk before their folder gets its name, or a power cut leaves empty ones behind it."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
