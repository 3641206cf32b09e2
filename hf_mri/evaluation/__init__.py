"""How good a model is: by slice, volume and patient, with intervals."""

from hf_mri.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Case": "cases",
        "SegmentationMetric": "modules",
        "SliceMetric": "modules",
        "StoredCase": "stored_predictions",
        "apply_thresholds": "thresholds",
        "choose_thresholds": "thresholds",
        "compare_files": "compare",
        "dump_metrics": "metrics_file",
        "evaluate_folds": "evaluate",
        "evaluate_model": "evaluate",
        "evaluate_predictions": "evaluate",
        "read_metrics": "metrics_file",
        "write_headline": "metrics_file",
    },
)
