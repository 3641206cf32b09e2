"""A classifier as gate before a segmenter: slices free of tumor cost only the classifier."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import ModelOutput
from transformers.utils import can_return_tuple

from .configuration_mri import TwoStageConfig
from .modeling_resunet import ResUNetForSemanticSegmentation
from .modeling_slice_classifier import SliceClassifierForImageClassification
from .mri_model_backbone import initialize
from .mri_model_checks import MULTI_LABEL
from .mri_model_masks import to_masks, to_probabilities
from .mri_model_travel import TravellingModel

REJECTED, EMPTY, FOUND = 0, 1, 2
BACKGROUND_LOGIT = 20.0  # finite, and a probability of 1 - 2e-9 in float32


@dataclass
class TwoStageOutput(ModelOutput):
    """What the two stages say of each slice.

    Args:
        loss: The segmenter's loss plus the classifier's, where labels are given.
        logits: (B, L, H, W); background where the gate rejected the slice.
        gate_logits: (B, 2) of the classifier.
        gate_probability: P(tumor) by the classifier (B,).
        stage: Which stage decided (B,), uint8: 0 the gate rejected the slice, 1 the segmenter found nothing, 2 it did.
        hidden_states: The classifier's feature maps, where asked for: it sees every slice.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    gate_logits: Tensor | None = None
    gate_probability: Tensor | None = None
    stage: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None


class TwoStageForSemanticSegmentation(TravellingModel, PreTrainedModel):
    """A slice classifier and a segmenter in one repository."""

    config_class = TwoStageConfig
    _auto_class = "AutoModelForSemanticSegmentation"  # saved with its code beside the weights
    main_input_name = "pixel_values"

    @property
    def gate(self) -> SliceClassifierForImageClassification:
        """The classifier, which decides which slices the segmenter sees."""
        return self.classifier

    def __init__(self, config: TwoStageConfig):
        super().__init__(config)
        classifier, segmenter = config.stage_configs()
        self.classifier = SliceClassifierForImageClassification(classifier)
        self.segmenter = ResUNetForSemanticSegmentation(segmenter)
        self.post_init()

    @classmethod
    def from_stages(
        cls,
        classifier: SliceClassifierForImageClassification,
        segmenter: ResUNetForSemanticSegmentation,
        **settings: Any,
    ) -> "TwoStageForSemanticSegmentation":
        """Join two trained models, whose weights are copied.

        Args:
            classifier: The gate.
            segmenter: Sees the slices that pass.
            **settings: Fields of the config, such as `gate_threshold`. The mask's threshold and smallest lesion are
                the segmenter's unless given.
        """
        own = {name: getattr(segmenter.config, name) for name in ("mask_threshold", "smallest_lesion")}
        settings = {**own, **settings}
        model = cls(TwoStageConfig(classifier=classifier.config, segmenter=segmenter.config, **settings))
        model.classifier.load_state_dict(classifier.state_dict())
        model.segmenter.load_state_dict(segmenter.state_dict())
        return model.eval()

    def _init_weights(self, module: nn.Module) -> None:
        initialize(module)

    @can_return_tuple
    def forward(
        self,
        pixel_values: Tensor,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> TwoStageOutput | tuple[Tensor, ...]:
        """Classify all slices, segment those that pass the gate (all of them in training).

        With `return_dict=False`, here or in the config, the answer is a tuple.

        Args:
            pixel_values: (B, C, H, W) from the processor.
            labels: As the segmenter takes them; a slice with any foreground is a tumor slice to the classifier.
            output_hidden_states: Return the classifier's feature maps too; the config's without it.
            output_attentions: Taken since programs give it; there are none to return.
        """
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        classified = self.classifier(pixel_values, output_hidden_states=output_hidden_states, return_dict=True)
        gate_logits = classified.logits
        gate_probability = gate_logits.float().softmax(dim=1)[:, 1]
        mask_loss = None
        if self.training:  # the segmenter learns from all slices
            passed = torch.ones_like(gate_probability, dtype=torch.bool)
            segmented = self.segmenter(pixel_values, labels=labels, return_dict=True)
            logits, mask_loss = segmented.logits, segmented.loss
        else:
            passed = gate_probability >= self.config.gate_threshold
            logits = self._segment(pixel_values, passed)
            if labels is not None:
                mask_loss = self.segmenter.compute_loss(logits, labels)
        overlapping = self.config.problem_type == MULTI_LABEL
        masks = to_masks(to_probabilities(logits, overlapping), self.config.mask_threshold, overlapping)
        found = (masks > 0).flatten(1).any(dim=1)
        stage = torch.where(passed, torch.where(found, FOUND, EMPTY), REJECTED).to(torch.uint8)
        loss = None if labels is None else mask_loss + self._gate_loss(gate_logits, labels)
        return TwoStageOutput(
            loss=loss,
            logits=logits,
            gate_logits=gate_logits,
            gate_probability=gate_probability,
            stage=stage,
            hidden_states=classified.hidden_states,
        )

    def _segment(self, pixel_values: Tensor, passed: Tensor) -> Tensor:
        """Run the segmenter on the slices that passed; the others are background.

        A graph (exported, compiled or traced) has no branches: there it runs on all slices, with the same answer.
        """
        batch, _, height, width = pixel_values.shape
        background = pixel_values.new_full((1, self.config.num_labels, 1, 1), -BACKGROUND_LOGIT)
        if self.config.problem_type != MULTI_LABEL:
            background[:, 0] = BACKGROUND_LOGIT
        if torch.compiler.is_compiling() or torch.jit.is_tracing():
            segmented = self.segmenter(pixel_values, return_dict=True).logits
            return torch.where(passed.view(-1, 1, 1, 1), segmented, background.to(segmented.dtype))
        chosen = passed.nonzero().flatten()
        if len(chosen) == batch:
            return self.segmenter(pixel_values, return_dict=True).logits
        logits = background.repeat(batch, 1, height, width)
        if len(chosen) == 0:
            return logits
        segmented = self.segmenter(pixel_values[chosen], return_dict=True).logits
        return logits.to(segmented.dtype).index_copy(0, chosen, segmented)

    def _gate_loss(self, gate_logits: Tensor, labels: Tensor) -> Tensor:
        tumor = ((labels > 0) & (labels != self.segmenter.config.ignore_index)).flatten(1).any(dim=1)
        return self.classifier.compute_loss(gate_logits, tumor.long())
