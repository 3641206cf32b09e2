"""Graphs for OpenVINO and ONNX Runtime, checked against the model."""

from hf_mri.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "export_model": "exporting",
    },
)
