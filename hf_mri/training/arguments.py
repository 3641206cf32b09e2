"""Every option of a training run: one dataclass, read by `HfArgumentParser`, saved with the run and the bundle."""

import json
import sys
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

CHOICES = {
    "task": ("classify", "segment", "two-stage"),
    "loss": ("cross_entropy_dice", "bce_dice", "focal_tversky"),
    "scope": ("volume", "slice"),
    "window": ("percentile", "tissue"),
    "optimizer": ("adamw", "adam"),
    "schedule": ("cosine", "constant", "plateau"),
    "select": ("best", "last"),
    "mixed_precision": ("auto", "bf16", "fp16", "no"),
}
# Where a run lives and how it is watched; two runs that differ only here are the same run.
INCIDENTAL = {
    "data",
    "output_dir",
    "resume",
    "report_to",
    "checkpoint_steps",
    "keep_checkpoints",
    "config",
    "rows_cache",
    "cross_validation",  # chooses thresholds only, and lies on one machine
}


def option(default, text: str, choices: tuple[str, ...] | None = None, alias: str | None = None) -> Any:
    """Return a dataclass field with a line of help, and perhaps a second flag."""
    # argparse's own choices would answer a typo with a page of usage: `__post_init__` says it in a line.
    metadata = {"help": f"{text}: {', '.join(choices)}" if choices else text} | ({"aliases": [alias]} if alias else {})
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class TrainingArguments:
    """Options of `train.py`; the defaults train the LGG two-stage model on one laptop."""

    # What is trained, on what, and where the result goes.
    task: str = option("segment", "What to train", CHOICES["task"])
    data: str | None = option(None, "Data set folder (made by `hf-mri data import`) or Hub id")
    streaming: bool = option(
        False, "Fetch slices while training, from --data on the Hub or at any address, instead of storing them all"
    )
    output_dir: str = option("runs/latest", "Run folder: checkpoints/, curves, and at the end bundle/")
    config: str | None = option(None, "JSON file of options; flags override it")
    protocol: str = option("hold-out", "Split: hold-out, stored, leave-one-site-out SITE, slices-leaky, all")
    fold: str | None = option(
        None, "Fold i/k, such as 1/5: the i-th of k parts is held out and judged, all others train"
    )
    empty_slices: float = option(1.0, "Share of the empty training slices that is kept (1 all, 0 none)")
    cross_validation: str | None = option(
        None,
        "Finished cross-validation of this recipe: its out-of-fold predictions choose the thresholds and the figures",
    )
    max_patients: int | None = option(None, "Train on so many patients only, drawn by the seed")

    # Model.
    backbone: str | None = option("mobilenetv2_100", "timm backbone; 'none' is a plain residual encoder")
    backbone_kwargs: str = option("{}", 'JSON passed to timm, such as {"pad_type": "same"}')
    gate_backbone: str | None = option(None, "two-stage: backbone of the classifier, where it differs")
    downsample: int = option(1, "Classifier: average the slices over so many pixels first; 2 makes a gate cheap")
    narrow_classifier: bool = option(
        True, "Pool the backbone's last feature map, or else use timm's wide last layer too"
    )
    start_from: str | None = option(
        None,
        "A trained model to go on from, as --from MODEL: bundle or Hub id, other labels and channels too",
        alias="--from",
    )
    pretrained: str | None = option(
        "auto",
        "ImageNet weights: a safetensors file, 'timm' to fetch them by name, 'none', or 'auto': timm's where they can "
        "be had",
    )
    classifier: str | None = option(None, "two-stage: a finished classifier bundle, not trained again")
    segmenter: str | None = option(None, "two-stage: a finished segmenter bundle, not trained again")
    decoder_kernel_size: int = option(1, "Kernel of the first convolution of each decoder block, 1 or 3")
    decoder_channels: list[int] = option([], "Widths of the decoder, deepest first; empty takes the model's default")
    deep_supervision: bool = option(False, "Add losses at two coarser levels of the decoder")
    largest_component: bool = option(False, "Segmenter: keep only the largest 3-D region of each label and phase")
    dropout: float = option(0.2, "Dropout before the classifier's head")
    loss: str = option("cross_entropy_dice", "Segmentation loss", CHOICES["loss"])
    label_smoothing: float = option(0.0, "Label smoothing of the classifier")

    # Pixels.
    image_size: int = option(256, "Height and width that slices are resized to")
    pixel_spacing: float | None = option(
        None, "Resample slices to so many mm between pixels, then crop or pad them to image_size"
    )
    neighbors: int = option(0, "Slices before and after that become channels (2.5-D)")
    scope: str = option("volume", "Intensity statistics of the whole volume or of the slice", CHOICES["scope"])
    window: str = option(
        "percentile",
        "What becomes 0 and 1: percentiles, or the lowest value and two and a half times the tissue's median",
        CHOICES["window"],
    )
    percentiles: list[float] = option([0.0, 99.5], "Of the window percentile")
    zscore: bool = option(False, "Standardize each channel instead of scaling the window to 0..1")

    # Augmentation: strength, 0 switches one off.
    flip: float = option(0.5, "Chance of a left-right flip")
    flip_vertical: float = option(0.0, "Chance of an up-down flip")
    rotation: float = option(20.0, "Largest rotation in degrees")
    scale: float = option(0.2, "Largest relative change of size")
    shift: float = option(0.05, "Largest shift, as a share of the size")
    elastic: float = option(0.0, "Largest elastic displacement, as a share of the size")
    intensity: float = option(0.2, "Largest relative change of brightness and contrast, by channel")
    gamma: float = option(0.2, "Largest change of log gamma")
    noise: float = option(0.02, "Largest standard deviation of added noise")
    blur: float = option(0.0, "Chance of a slight blur, as of a coarser scan")
    bias_field: float = option(0.2, "Largest strength of a smooth bias field")
    drop_channel: float = option(0.1, "Chance that one sequence is replaced by another, as where it was not scanned")
    transplant: float = option(0.0, "Segmenter: chance that a lesion of another slice is laid into a slice")
    crop: int = option(0, "Segmenter: train on random square windows of so many pixels, 0 on whole slices")
    crop_reach: float = option(1.0, "How far windows stray from the middle: 1 up to the border, 0 not at all")

    # Optimization.
    optimizer: str = option("adamw", "Optimizer", CHOICES["optimizer"])
    learning_rate: float = option(1e-3, "Peak learning rate")
    backbone_learning_rate: float | None = option(None, "Peak rate of the backbone, where it differs")
    weight_decay: float = option(0.01, "Weight decay of weights (never of norms and biases)")
    schedule: str = option("cosine", "Learning rate after the warm-up", CHOICES["schedule"])
    warmup: float = option(0.05, "Share of the run in which the rate rises")
    plateau_patience: int = option(3, "plateau: epochs without gain before the rate falls by 5")
    batch_size: int = option(16, "Slices a step and process")
    gradient_accumulation: int = option(1, "Batches gathered into one step")
    clip: float = option(1.0, "Largest gradient norm, 0 for none")
    ema: float = option(0.999, "Decay of the moving average of the weights, 0 for none")
    positive_share: float = option(0.0, "Share of positive slices drawn a step, 0 leaves the data's own")
    class_weights: list[float] = option([], "Weights of the labels in the loss")

    # How long: the first limit that is given. Nothing given: 30 epochs.
    epochs: float | None = option(None, "Passes over the training slices")
    max_steps: int | None = option(None, "Optimizer steps")
    max_minutes: float | None = option(
        None, "Wall-clock budget of training, which two stages share; the schedule ends with it"
    )
    early_stopping: int = option(0, "Stop after so many validations without gain, 0 never")
    select: str = option("best", "Which weights become the bundle", CHOICES["select"])
    validate_every: float = option(1.0, "Epochs between validations")

    # Machine.
    mixed_precision: str = option("auto", "Number format", CHOICES["mixed_precision"])
    compile: bool = option(False, "torch.compile the model")
    seed: int = option(0, "Seed of weights, order and augmentation")
    deterministic: bool = option(False, "Slower algorithms that give the same bits on every run")
    rows_cache: str | None = option(None, "Folder for decoded slices; by default in the Hugging Face cache")

    # Record.
    checkpoint_steps: int = option(0, "Steps between checkpoints, 0 once an epoch")
    keep_checkpoints: int = option(2, "How many of the newest checkpoints are kept")
    resume: bool = option(False, "Go on from the newest checkpoint of output_dir")
    report_to: str = option(
        "none", "Tracker besides metrics.jsonl: none, tensorboard, trackio, or any of accelerate's"
    )
    name: str | None = option(None, "Name of the model in its card")

    def __post_init__(self):
        if self.backbone in ("none", ""):
            self.backbone = None
        if self.pretrained in ("none", ""):
            self.pretrained = None
        if self.start_from and self.pretrained not in (None, "auto"):
            raise ValueError(
                "--from and --pretrained both say where the weights come from: give one; --pretrained none leaves "
                "out a recipe's"
            )
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"--{name} {getattr(self, name)!r} is not one of {', '.join(allowed)}")
        if not (self.epochs or self.max_steps or self.max_minutes):
            self.epochs = 30.0
        try:
            self.backbone_arguments = json.loads(self.backbone_kwargs)
        except json.JSONDecodeError as error:
            raise ValueError(
                f'--backbone_kwargs is not JSON ({error}); write it as \'{{"pad_type": "same"}}\''
            ) from None

    def to_dict(self) -> dict:
        """Return the options as JSON holds them."""
        return asdict(self)

    def for_one_stage(self) -> "TrainingArguments":
        """Return the options of one stage of two: what is trained shares the minutes."""
        trained = [stage for stage in (self.classifier, self.segmenter) if not stage]
        if self.max_minutes is None or len(trained) < 2:
            return self
        return replace(self, max_minutes=self.max_minutes / len(trained))

    def recipe(self) -> dict:
        """Return the options that decide the result, without places and records."""
        return {key: value for key, value in asdict(self).items() if key not in INCIDENTAL}


def parse_arguments(argv: list[str] | None = None) -> TrainingArguments:
    """Read flags, and below them the JSON file named by --config."""
    from transformers import HfArgumentParser

    argv = list(sys.argv[1:] if argv is None else argv)
    parser = HfArgumentParser(TrainingArguments, description="Train a slice classifier, a segmenter, or both.")
    named, unknown = parser.parse_args_into_dataclasses(argv, return_remaining_strings=True, look_for_args_file=False)
    if unknown:
        raise ValueError(f"unknown option {unknown[0]}; `python train.py --help` lists them all")
    stored = read_config(Path(named.config)) if named.config else {}
    start = named.start_from or stored.get("start_from")
    if start:
        from hf_mri.training.trained_model import options_of

        stored = options_of(start) | stored
    return TrainingArguments(**(stored | _given(parser, argv))) if stored else named


def read_config(path: Path) -> dict:
    """Return the options in a JSON file, refusing unknown ones by name."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: cannot be read as JSON options ({error})") from None
    unknown = sorted(set(stored) - {item.name for item in fields(TrainingArguments)})
    if unknown:
        raise ValueError(f"{path}: unknown options {', '.join(unknown)}; see `python train.py --help`")
    return stored


def _given(parser, argv: list[str]) -> dict:
    """Return only the options that stand on the command line: parse twice, against two defaults that never agree."""
    absent = object()
    for action in parser._actions:
        if action.dest != "help":
            action.default = absent
    namespace = vars(parser.parse_args(argv))
    return {key: value for key, value in namespace.items() if value is not absent}
