"""Many scans to readings on disk."""

from hf_mri.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Outcome": "predicting",
        "describe_reading": "summary",
        "find_scans": "scan_list",
        "predict": "predicting",
    },
)
