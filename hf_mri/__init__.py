"""Find, outline and measure things in MR slices with Hugging Face tools.

Names are imported when they are first used, so that `hf-mri --help` need not wait for PyTorch. transformers' Auto
classes and `pipeline` know our models in every process that imports this package and transformers.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from hf_mri.lazy import attach
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
    from hf_mri.modeling.mri_scan_errors import ScanError
    from hf_mri.modeling.mri_scan_geometry import Geometry
    from hf_mri.modeling.pipeline_mri import MriPipeline

__version__ = version("hf_mri")

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Geometry": "modeling.mri_scan_geometry",
        "MriImageProcessor": "modeling.image_processing_mri",
        "MriPipeline": "modeling.pipeline_mri",
        "Reader": "modeling.mri_reader",
        "Reading": "modeling.mri_reading",
        "ResUNetConfig": "modeling.configuration_mri",
        "ResUNetForSemanticSegmentation": "modeling.modeling_resunet",
        "Scan": "modeling.mri_scan",
        "ScanError": "modeling.mri_scan_errors",
        "SliceClassifierConfig": "modeling.configuration_mri",
        "SliceClassifierForImageClassification": "modeling.modeling_slice_classifier",
        "TwoStageConfig": "modeling.configuration_mri",
        "TwoStageForSemanticSegmentation": "modeling.modeling_two_stage",
        "TwoStageOutput": "modeling.modeling_two_stage",
        "load_imagenet_weights": "modeling.mri_model_backbone",
        "read_scan": "modeling.mri_scan",
    },
)

register_all()
