"""What a bundle's files say about it, read once, for the card, its checks and the README's table."""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from hf_mri.data.datasets_table import DATASETS, DatasetEntry
from hf_mri.hub.json_files import read_json
from hf_mri.hub.kept_apart import read_kept_apart
from hf_mri.modeling.mri_engine_openvino import RECORD

KINDS = {"mri_slice_classifier": "classifier", "mri_resunet": "resunet", "mri_two_stage": "two-stage"}
HERE = "."  # how a bundle without a name on the Hub is loaded: from inside its folder
MODEL_LINE = re.compile(r'^MODEL = "(?P<id>[^"\n]+)"', re.MULTILINE)


@dataclass(frozen=True)
class BundleFacts:
    """The JSON files of a bundle; `metrics` is empty before an evaluation, `export` without exported graphs."""

    folder: Path
    config: dict
    processor: dict
    training: dict
    train_config: dict
    metrics: dict = field(default_factory=dict)
    export: dict = field(default_factory=dict)
    kept_apart: dict = field(default_factory=dict)  # figures on patients that nobody here has seen
    model_id: str = ""

    @property
    def kind(self) -> str:
        return KINDS[self.config["model_type"]]

    @property
    def pipeline_tag(self) -> str:
        return "image-classification" if self.kind == "classifier" else "image-segmentation"

    @property
    def name(self) -> str:
        """The model's own name, whatever the folder is called."""
        return self.train_config.get("name") or f"{self.training.get('dataset', 'mri')}-{self.kind}"

    @property
    def starts(self) -> list[dict]:
        """The trained models whose weights this one began from, one a stage."""
        start = self.training.get("start") or {}
        return [start] if "model" in start else list(start.values())

    @property
    def entry(self) -> DatasetEntry | None:
        """The data set's entry in the table, with its own channels; None for data that the table does not know."""
        entry = DATASETS.get(self.training.get("dataset"))
        channels = self.training.get("channels")
        return replace(entry, channels=tuple(channels)) if entry and channels else entry

    @property
    def labels(self) -> list[str]:
        """Labels of the mask without the background, or the answers of a classifier."""
        names = [self.config["id2label"][index] for index in sorted(self.config["id2label"], key=int)]
        return [name for name in names if name != "background"]

    @property
    def foreground(self) -> list[str]:
        """What is looked for; a classifier's first label is its "nothing there"."""
        return self.labels[1:] if self.kind == "classifier" else self.labels

    @property
    def channels(self) -> int:
        """Channels of one slice, as scans have them; neighbors come on top in the model."""
        return self.processor["num_channels"]

    @property
    def stock_task(self) -> str | None:
        """The stock pipeline that gives the model's own answer: they know RGB images and one label a pixel only."""
        overlapping = self.config.get("problem_type") == "multi_label_classification"
        return None if self.channels != 3 or (overlapping and self.kind != "classifier") else self.pipeline_tag

    @cached_property
    def parameters(self) -> int:
        """Numbers that training chose: everything in the weights but the counters of batch norms."""
        from safetensors import safe_open

        with safe_open(self.folder / "model.safetensors", "pt") as weights:
            shapes = [weights.get_slice(name).get_shape() for name in weights.keys() if not _is_statistic(name)]  # noqa: SIM118
        return sum(_product(shape) for shape in shapes)

    @property
    def backbones(self) -> dict[str, str]:
        """The network of each stage, in words."""
        stages = {"": self.config}
        if self.kind == "two-stage":
            stages = {"classifier": self.config["classifier"], "segmenter": self.config["segmenter"]}
        return {name: stage.get("backbone") or "residual encoder" for name, stage in stages.items()}


def read_facts(folder: str | Path, model_id: str | None = None) -> BundleFacts:
    """Read a bundle's JSON files.

    Args:
        folder: The bundle.
        model_id: What users load it by; by default what its card says now, else the folder itself.

    Raises:
        ValueError: a file is missing or is no JSON.
    """
    folder = Path(folder)
    parts = {
        "config": "config.json",
        "processor": "preprocessor_config.json",
        "training": "training.json",
        "train_config": "train_config.json",
    }
    found = {part: read_json(folder / name) for part, name in parts.items()}
    for part, name in {"metrics": "metrics.json", "export": RECORD}.items():
        found[part] = read_json(folder / name) if (folder / name).exists() else {}
    found["kept_apart"] = read_kept_apart(folder)
    facts = BundleFacts(folder, **found)
    if facts.config.get("model_type") not in KINDS:
        raise ValueError(
            f"{folder / 'config.json'} is of model_type {facts.config.get('model_type')!r}, not one of {[*KINDS]}"
        )
    card = folder / "README.md"
    written = MODEL_LINE.search(card.read_text(encoding="utf-8")) if card.exists() else None
    return BundleFacts(folder, **found, model_id=model_id or (written["id"] if written else HERE))


def _is_statistic(name: str) -> bool:
    return name.endswith(("running_mean", "running_var", "num_batches_tracked"))


def _product(shape: list[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total
