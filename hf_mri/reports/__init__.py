"""What a person looks at: pictures, pages, DICOM-SEG."""

from hf_mri.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "WorstCases": "worst_pictures",
        "draw_curves": "curves",
        "draw_montage": "pictures",
        "explore_dataset": "dataset_page",
        "write_dicom_seg": "dicom_seg",
        "write_html": "reading_page",
        "write_overlays": "pictures",
        "write_report": "evaluation_page",
    },
)
