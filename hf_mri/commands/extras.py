"""The optional libraries: what each is for, and the pip line of the extra that brings it."""

from importlib.util import find_spec

# Distribution, the module that is imported, what it is for, the extra that brings it first.
OPTIONAL = (
    ("accelerate", "accelerate", "training", "train"),
    ("datasets", "datasets", "pushing data sets", "train"),
    ("evaluate", "evaluate", "metrics as Hub modules", "train"),
    ("isal", "isal", "fast PNG while importing", "train"),
    ("matplotlib", "matplotlib", "plots in cards, reports and on the page", "train"),
    ("monai", "monai", "surface distances in evaluation", "train"),
    ("pandas", "pandas", "data sets", "train"),
    ("psutil", "psutil", "memory in the progress of a training", "train"),
    ("pyarrow", "pyarrow", "data sets", "train"),
    ("scikit-learn", "sklearn", "splits and scores", "train"),
    ("tensorboard", "tensorboard", "a tracker", "train"),
    ("trackio", "trackio", "a tracker", "train"),
    ("highdicom", "highdicom", "DICOM segmentations", "medical"),
    ("nibabel", "nibabel", "NIfTI in and out", "medical"),
    ("pydicom", "pydicom", "DICOM in", "medical"),
    ("python-gdcm", "gdcm", "compressed DICOM", "medical"),
    ("tifffile", "tifffile", "TIFF that Pillow does not read", "medical"),
    ("gradio", "gradio", "the web page", "space"),
    ("ipyniivue", "ipyniivue", "three planes and 3-D, on the page and in notebooks", "space"),
    ("mcp", "mcp", "the page as a tool of assistants", "space"),
    ("nncf", "nncf", "8-bit export", "export"),
    ("onnx", "onnx", "ONNX export", "export"),
    ("onnxruntime", "onnxruntime", "running ONNX graphs", "export"),
    ("onnxscript", "onnxscript", "ONNX export", "export"),
    ("openvino", "openvino", "fast reading on CPUs", "export"),
)


def pip_line(extra: str) -> str:
    """Return what a person types to get an extra; quoted, since shells read brackets."""
    return f'pip install "hf_mri[{extra}]"'


def find_missing() -> dict[str, list[str]]:
    """The optional libraries that are not installed, by the extra that brings them."""
    missing: dict[str, list[str]] = {}
    for name, module, _, extra in OPTIONAL:
        if find_spec(module) is None:
            missing.setdefault(extra, []).append(name)
    return missing


def explain(error: ImportError) -> str:
    """Return an import error as one line; of a library that an extra brings, with the pip line."""
    module = (error.name or "").split(".")[0]
    for name, imported, purpose, extra in OPTIONAL:
        if module == imported:
            return f"{name} is not installed ({purpose}): {pip_line(extra)}"
    return str(error)
