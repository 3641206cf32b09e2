"""Data sets: import, split, audit, look up; phantoms to try everything without patients."""

from hf_mri.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "DATASETS": "datasets_table",
        "DatasetEntry": "datasets_table",
        "assign_splits": "dataset_folder",
        "audit_splits": "audit",
        "draw_phantom": "phantoms.draw",
        "get_dataset_entry": "datasets_table",
        "import_dataset": "importing",
        "iterate_rows": "sources",
        "load_rows": "dataset_folder",
        "make_folds": "splits",
        "make_phantom": "phantoms.draw",
        "open_source": "sources",
        "read_entry": "dataset_folder",
        "read_summary": "dataset_folder",
        "read_table": "dataset_folder",
        "split_patients": "splits",
    },
)
