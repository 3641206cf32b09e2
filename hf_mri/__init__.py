"""Find, outline and measure things in MR slices with Hugging Face tools.

Names are imported when they are first used, so that `hf-mri --help` need not wait for PyTorch. transformers' Auto
classes and `pipeline` know our models in every process that imports this package and transformers.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from hf_mri.registration import register_all

if TYPE_CHECKING:
    from hf_mri.modeling.configuration_mri import ResUNetConfig, SliceClassifierConfig, TwoStageConfig
    from hf_mri.modeling.image_processing_mri import MriImageProcessor
    from hf_mri.modeling.modeling_resunet import ResUNetForSemanticSegmentation
    from hf_mri.modeling.modeling_slice_classifier import SliceClassifierForImageClassification
    from hf_mri.modeling.modeling_two_stage import TwoStageForSemanticSegmentation, TwoStageOutput
    from hf_mri.modeling.mri_model_backbone import load_imagenet_weights
    from hf_mri.modeling.mri_reader import Reader
    from hf_mri.modeling.mri_reading import Reading
    from hf_mri.modeling.mri_scan import Scan, read_scan
    from hf_mri.modeling.mri_scan_geometry import Geometry, ScanError
    from hf_mri.modeling.pipeline_mri import MriPipeline

__version__ = version("hf_mri")

_HOMES = {
    "Geometry": "mri_scan_geometry",
    "MriImageProcessor": "image_processing_mri",
    "MriPipeline": "pipeline_mri",
    "Reader": "mri_reader",
    "Reading": "mri_reading",
    "ResUNetConfig": "configuration_mri",
    "ResUNetForSemanticSegmentation": "modeling_resunet",
    "Scan": "mri_scan",
    "ScanError": "mri_scan_geometry",
    "SliceClassifierConfig": "configuration_mri",
    "SliceClassifierForImageClassification": "modeling_slice_classifier",
    "TwoStageConfig": "configuration_mri",
    "TwoStageForSemanticSegmentation": "modeling_two_stage",
    "TwoStageOutput": "modeling_two_stage",
    "load_imagenet_weights": "mri_model_backbone",
    "read_scan": "mri_scan",
}
__all__ = [
    "Geometry",
    "MriImageProcessor",
    "MriPipeline",
    "Reader",
    "Reading",
    "ResUNetConfig",
    "ResUNetForSemanticSegmentation",
    "Scan",
    "ScanError",
    "SliceClassifierConfig",
    "SliceClassifierForImageClassification",
    "TwoStageConfig",
    "TwoStageForSemanticSegmentation",
    "TwoStageOutput",
    "load_imagenet_weights",
    "read_scan",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hf_mri' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"hf_mri.modeling.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


register_all()
