"""The loop that trains, and what it needs."""

from hf_mri.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Augmentation": "augmentation",
        "TrainingArguments": "arguments",
        "parse_arguments": "arguments",
        "run_folds": "cross_validation",
        "start_model": "starting",
    },
)
