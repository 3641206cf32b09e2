"""A finished model as the start of a training: where it lies, and the options by which a new one fits it."""

import json
from pathlib import Path
from typing import Any

from hf_mri.hub.json_files import read_json
from hf_mri.modeling.mri_model_folder import check_model_name

FILES = ["config.json", "preprocessor_config.json", "train_config.json", "training.json", "model.safetensors"]
PIXELS = ("neighbors", "scope", "window", "percentiles", "zscore", "pixel_spacing")


def find_start(name: str) -> Path:
    """Return the folder of a trained model, fetched from the Hub where it is an id."""
    folder = check_model_name(name)
    if folder is None:
        from huggingface_hub import snapshot_download

        try:
            folder = Path(snapshot_download(name, allow_patterns=FILES))
        except OSError as error:
            reason = " ".join(str(error).split())[:120]
            raise ValueError(f"--from {name}: no such folder, and the Hub does not give it ({reason})") from None
    if not (folder / "model.safetensors").is_file():
        raise ValueError(f"--from {name}: holds no model.safetensors; give a finished bundle or a Hub id")
    return folder


def options_of(name: str) -> dict[str, Any]:
    """Return a model's architecture and its preparation of pixels, as options of a training.

    They are the defaults of a run that starts there: weights mean something only where they fit and see what they saw.
    """
    folder = find_start(name)
    config, processor = (read_json(folder / file) for file in FILES[:2])
    if processor.get("window") == "fixed":
        raise ValueError(
            f"--from {name}: its processor has a fixed window of gray values, which train.py has no option for; "
            "fine-tune it in Python, as docs/finetuning.md shows"
        )
    options = {key: processor[key] for key in PIXELS if key in processor}
    size = processor.get("size") or {}
    if size and size["height"] == size["width"]:
        options["image_size"] = size["height"]
    stages = [config[stage] for stage in ("classifier", "segmenter") if isinstance(config.get(stage), dict)] or [
        config
    ]
    for stage in stages:  # the segmenter last: a two-stage model's `backbone` is its own
        kwargs = dict(stage.get("backbone_kwargs") or {})
        if "decoder_channels" in stage:
            options |= {"backbone": stage.get("backbone")}
            options |= {key: stage[key] for key in ("decoder_channels", "decoder_kernel_size", "deep_supervision")}
        else:
            options["narrow_classifier"] = kwargs.pop("features_only", False)
            options |= {"downsample": stage.get("downsample", 1), "backbone": stage["backbone"]}
            if len(stages) == 2:
                options["gate_backbone"] = options.pop("backbone")
        options["backbone_kwargs"] = json.dumps(kwargs)
    return options
