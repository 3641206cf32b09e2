"""What every config checks and completes: labels, choices and ranges. Errors say what is allowed."""

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedConfig

SINGLE_LABEL = "single_label_classification"  # one label a pixel (or slice): softmax
MULTI_LABEL = "multi_label_classification"  # overlapping labels: one sigmoid each
BACKGROUND = "background"


def complete_labels(config: PreTrainedConfig, kwargs: dict[str, Any], default: dict[int, str]) -> None:
    """Fill `problem_type`, `id2label` and `label2id`; raise ValueError where they contradict themselves."""
    config.problem_type = config.problem_type or SINGLE_LABEL
    check_choice(config, "problem_type", (SINGLE_LABEL, MULTI_LABEL))
    if config.id2label is None and config.label2id:
        config.id2label = {index: name for name, index in config.label2id.items()}
    if config.id2label is None:
        num_labels = kwargs.get("num_labels", len(default))
        config.id2label = default if num_labels == len(default) else {i: f"LABEL_{i}" for i in range(num_labels)}
    id2label = {int(index): name for index, name in config.id2label.items()}
    if not id2label or sorted(id2label) != list(range(len(id2label))) or len(set(id2label.values())) != len(id2label):
        raise ValueError(f"id2label must name every index from 0 once, each by another name, got {config.id2label}")
    label2id = {name: index for index, name in id2label.items()}
    if config.label2id is not None and {name: int(i) for name, i in config.label2id.items()} != label2id:
        raise ValueError(f"label2id {config.label2id} is not the inverse of id2label {id2label}: leave it out")
    if config.problem_type == SINGLE_LABEL and len(id2label) < 2:
        raise ValueError(f"problem_type '{SINGLE_LABEL}' needs two labels or more; for one output use '{MULTI_LABEL}'")
    config.id2label, config.label2id = id2label, label2id


def check_background(config: PreTrainedConfig) -> None:
    """With one label a pixel, label 0 is the background (names made from `num_labels` are taken on trust)."""
    names = [config.id2label[index] for index in sorted(config.id2label)]
    automatic = all(name.startswith("LABEL_") for name in names)
    if config.problem_type == SINGLE_LABEL and names[0] != BACKGROUND and not automatic:
        raise ValueError(f"id2label must name label 0 '{BACKGROUND}' when each pixel has one label, got {names}")


def check_choice(config: PreTrainedConfig, field: str, allowed: Sequence[Any]) -> None:
    """Raise ValueError unless the field holds one of the allowed values."""
    if getattr(config, field) not in allowed:
        choices = ", ".join(repr(value) for value in allowed)
        raise ValueError(f"{field} must be one of {choices}, got {getattr(config, field)!r}")


def check_positive(config: PreTrainedConfig, *fields: str) -> None:
    """Raise ValueError unless each field, or each entry of it, is above 0."""
    for field in fields:
        value = getattr(config, field)
        entries = value if isinstance(value, list) else [value]
        if not entries or not all(entry > 0 for entry in entries):
            raise ValueError(f"{field} must be above 0, got {value}")


def check_not_negative(config: PreTrainedConfig, *fields: str) -> None:
    """Raise ValueError unless each field is 0 or above."""
    for field in fields:
        if getattr(config, field) < 0:
            raise ValueError(f"{field} must be 0 or above, got {getattr(config, field)}")


def check_probability(config: PreTrainedConfig, *fields: str) -> None:
    """Raise ValueError unless each field lies between 0 and 1."""
    for field in fields:
        if not 0 <= getattr(config, field) <= 1:
            raise ValueError(f"{field} must lie between 0 and 1, got {getattr(config, field)}")


def check_class_weights(config: PreTrainedConfig) -> None:
    """Raise ValueError unless there is one weight of at least 0 for each label, or none at all."""
    if config.class_weights is None:
        return
    config.class_weights = list(config.class_weights)
    if len(config.class_weights) != config.num_labels or not all(weight >= 0 for weight in config.class_weights):
        raise ValueError(
            f"class_weights must hold one number of at least 0 for each of the {config.num_labels} labels, "
            f"got {config.class_weights}"
        )
