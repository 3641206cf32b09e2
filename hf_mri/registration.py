"""transformers' Auto classes and `pipeline` learn our names as soon as a process has both packages.

Each part is registered right after the module of transformers that it goes into was imported: whoever needs none of
them (`hf-mri --help`) does not wait for PyTorch. This is the only place that registers anything.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


def register_configs() -> None:
    """`AutoConfig` by model_type."""
    from transformers.models.auto.configuration_auto import AutoConfig

    from hf_mri.modeling.configuration_mri import ResUNetConfig, SliceClassifierConfig, TwoStageConfig

    for config in (SliceClassifierConfig, ResUNetConfig, TwoStageConfig):
        AutoConfig.register(config.model_type, config)


def register_models() -> None:
    """`AutoModel` and the model's own task."""
    from transformers.models.auto.modeling_auto import (
        AutoModel,
        AutoModelForImageClassification,
        AutoModelForSemanticSegmentation,
    )

    from hf_mri.modeling.modeling_resunet import ResUNetForSemanticSegmentation
    from hf_mri.modeling.modeling_slice_classifier import SliceClassifierForImageClassification
    from hf_mri.modeling.modeling_two_stage import TwoStageForSemanticSegmentation

    for auto_model, model in (
        (AutoModelForImageClassification, SliceClassifierForImageClassification),
        (AutoModelForSemanticSegmentation, ResUNetForSemanticSegmentation),
        (AutoModelForSemanticSegmentation, TwoStageForSemanticSegmentation),
    ):
        AutoModel.register(model.config_class, model)
        auto_model.register(model.config_class, model)


def register_processor() -> None:
    """`AutoImageProcessor` for every config."""
    from transformers.models.auto.image_processing_auto import AutoImageProcessor

    from hf_mri.modeling.configuration_mri import ResUNetConfig, SliceClassifierConfig, TwoStageConfig
    from hf_mri.modeling.image_processing_mri import MriImageProcessor

    for config in (SliceClassifierConfig, ResUNetConfig, TwoStageConfig):
        AutoImageProcessor.register(config, image_processor_classes={"torchvision": MriImageProcessor})


def load_pipeline() -> None:
    """Import our pipeline, which is registered when that is done."""
    importlib.import_module("hf_mri.modeling.pipeline_mri")


def register_pipeline() -> None:
    """`pipeline("mri-reading")`."""
    from transformers import AutoModelForImageClassification, AutoModelForSemanticSegmentation
    from transformers.pipelines import PIPELINE_REGISTRY

    from hf_mri.modeling.pipeline_mri import MriPipeline

    PIPELINE_REGISTRY.register_pipeline(
        "mri-reading",
        pipeline_class=MriPipeline,
        pt_model=(AutoModelForSemanticSegmentation, AutoModelForImageClassification),
    )


class RegisterAfterImport(MetaPathFinder):
    """Calls a function once, right after its module was imported for the first time."""

    def __init__(self, registrations: dict[str, Callable[[], None]]):
        self.registrations = registrations

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the module as everybody does, and let its loader register what waits for it."""
        register = self.registrations.pop(fullname, None)
        if register is None:
            return None
        spec = importlib.util.find_spec(fullname)
        load = spec.loader.exec_module

        def load_then_register(module: ModuleType) -> None:
            load(module)
            register()

        spec.loader.exec_module = load_then_register
        return spec


def register_all() -> None:
    """Register at once what transformers has imported already, and the rest when it comes."""
    registrations = {
        "transformers.models.auto.configuration_auto": register_configs,
        "transformers.models.auto.modeling_auto": register_models,
        "transformers.models.auto.image_processing_auto": register_processor,
        # Ours imports theirs: whichever of the two comes first, ours is whole only when its own import is over.
        "transformers.pipelines": load_pipeline,
        "hf_mri.modeling.pipeline_mri": register_pipeline,
    }
    sys.meta_path.insert(0, RegisterAfterImport(registrations))
    for name in [name for name in registrations if name in sys.modules]:
        registrations.pop(name)()
