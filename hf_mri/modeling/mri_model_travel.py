"""How a model travels: what config.json says to those who load it without this package, and what is saved beside it.

`save_pretrained` copies the files that it finds imported, also inside functions; so a model that was fine-tuned and
saved by anybody's code is a whole repository again.
"""

from __future__ import annotations

from typing import Any, ClassVar

PIPELINE = "mri-reading"


class TravellingConfig:
    """What the configs of all three models share. `task` is the end of the Auto class, `model` its file and class."""

    task: ClassVar[str]
    model: ClassVar[str]
    has_gate: ClassVar[bool] = False  # a classifier decides which slices are looked at closely
    has_masks: ClassVar[bool] = True

    def _add_places(self, kwargs: dict[str, Any]) -> None:
        """Say which file and class load the model where this package is not installed."""
        auto_map = {
            "AutoModel": self.model,
            f"AutoModelFor{self.task}": self.model,
            # Not in preprocessor_config.json, where the stock pipelines would guess a video processor from it.
            "AutoImageProcessor": "image_processing_mri.MriImageProcessor",
        }
        kwargs["auto_map"] = auto_map | (kwargs.get("auto_map") or {})
        # Where the package is installed, the pipeline that it has registered answers, not a second copy of the code.
        installed = type(self).__module__.startswith("hf_mri.")
        kwargs["custom_pipelines"] = {} if installed else self._pipelines()

    def _pipelines(self) -> dict[str, Any]:
        return {PIPELINE: {"impl": "pipeline_mri.MriPipeline", "pt": [f"AutoModelFor{self.task}"], "type": "image"}}

    def to_dict(self) -> dict[str, Any]:
        """Return what config.json holds, the pipeline's entry included."""
        fields: dict[str, Any] = super().to_dict()  # type: ignore[misc]  # of the config that this is mixed into
        return fields | {"custom_pipelines": self._pipelines()}


class TravellingModel:
    """What the three models share beside transformers' own: the networks in them, and the way to a reading."""

    @property
    def gate(self) -> Any:
        """The classifier that decides about whole slices; None where there is none."""
        return None

    def make_pipeline(self, processor: Any, **options: Any) -> Any:
        """Return the `mri-reading` pipeline of this very model, as it is in memory.

        Args:
            processor: The `MriImageProcessor` of its training.
            **options: Of the pipeline: engine, precision, keep.
        """
        from .pipeline_mri import MriPipeline

        return MriPipeline(model=self, image_processor=processor, **options)
