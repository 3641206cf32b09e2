"""What is known about an organ: one file each."""

from hf_mri.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Agreement": "task",
        "Label": "task",
        "Measure": "task",
        "OwnScores": "task",
        "ScanExample": "task",
        "Table": "task",
        "Task": "task",
        "find_task": "registry",
        "register": "registry",
    },
)
