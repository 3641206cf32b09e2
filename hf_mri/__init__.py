"""Find, outline and measure things in MR slices with Hugging Face tools."""

from importlib.metadata import version

from .collector import paused_collector

with paused_collector():
    from transformers import (
        AutoConfig,
        AutoImageProcessor,
        AutoModel,
        AutoModelForImageClassification,
        AutoModelForSemanticSegmentation,
    )
    from transformers.pipelines import PIPELINE_REGISTRY

    from .modeling.backbone_mri import load_imagenet_weights
    from .modeling.configuration_mri import ResUNetConfig, SliceClassifierConfig, TwoStageConfig
    from .modeling.image_processing_mri import MriImageProcessor
    from .modeling.modeling_resunet import ResUNetForSemanticSegmentation
    from .modeling.modeling_slice_classifier import SliceClassifierForImageClassification
    from .modeling.modeling_two_stage import TwoStageForSemanticSegmentation, TwoStageOutput
    from .modeling.pipeline_mri import MriPipeline
    from .modeling.reader_mri import Reader
    from .modeling.reading_mri import Reading
    from .modeling.scan_mri import read_scan

__version__ = version("hf_mri")

__all__ = [
    "MriImageProcessor",
    "MriPipeline",
    "Reader",
    "Reading",
    "ResUNetConfig",
    "ResUNetForSemanticSegmentation",
    "SliceClassifierConfig",
    "SliceClassifierForImageClassification",
    "TwoStageConfig",
    "TwoStageForSemanticSegmentation",
    "TwoStageOutput",
    "load_imagenet_weights",
    "read_scan",
]


def _register() -> None:
    """Make the Auto classes and `pipeline` know our names, and `save_pretrained` put our code beside the weights."""
    models = (
        (SliceClassifierConfig, SliceClassifierForImageClassification, AutoModelForImageClassification),
        (ResUNetConfig, ResUNetForSemanticSegmentation, AutoModelForSemanticSegmentation),
        (TwoStageConfig, TwoStageForSemanticSegmentation, AutoModelForSemanticSegmentation),
    )
    for config, model, auto_model in models:
        AutoConfig.register(config.model_type, config)
        AutoModel.register(config, model)
        auto_model.register(config, model)
        AutoImageProcessor.register(config, image_processor_classes={"torchvision": MriImageProcessor})
        config.register_for_auto_class()
        model.register_for_auto_class(auto_model)
    MriImageProcessor.register_for_auto_class()
    PIPELINE_REGISTRY.register_pipeline(
        "mri-reading",
        pipeline_class=MriPipeline,
        pt_model=(AutoModelForSemanticSegmentation, AutoModelForImageClassification),
    )


_register()
