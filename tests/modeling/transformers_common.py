"""What transformers' common tests are run on: our three models and the processor.

Run by `test_transformers_common.py` in a process that finds `transformers_tests`. What does not apply to a model of
images without attention is skipped by name, with its reason.
"""

import math
import unittest
from typing import ClassVar

import torch
from transformers_tests.test_configuration_common import ConfigTester
from transformers_tests.test_image_processing_common import (
    ImageProcessingTester,
    ImageProcessingTestMixin,
    PostProcessSemanticSegmentationTestMixin,
)
from transformers_tests.test_modeling_common import ModelTesterMixin

from hf_mri import (
    MriImageProcessor,
    ResUNetForSemanticSegmentation,
    SliceClassifierForImageClassification,
    TwoStageForSemanticSegmentation,
)

BATCH, CHANNELS, SIDE = 4, 3, 32
CLASSIFIER = {"backbone": "test_resnet", "image_size": SIDE}
RESUNET = {"hidden_sizes": [8, 16, 32], "decoder_channels": [16, 8], "image_size": SIDE}


class ModelTester:
    """One of our models, as the common tests ask for it."""

    is_training = True
    batch_size = BATCH

    def __init__(self, config_class, settings, feature_maps):
        self.config_class, self.settings = config_class, settings
        # What tests of language models call layers, words and their width: feature maps, and the first one's sides.
        self.num_hidden_layers = 1  # asked for, and small
        self.expected_num_hidden_layers, self.seq_length = feature_maps
        self.hidden_size = self.seq_length

    def get_config(self):
        return self.config_class(**self.settings)

    def prepare_config_and_inputs_for_common(self):
        return self.get_config(), {"pixel_values": torch.rand(BATCH, CHANNELS, SIDE, SIDE)}


class CommonTests(ModelTesterMixin):
    has_attentions = False
    test_resize_embeddings = False
    settings: dict
    feature_maps: tuple[int, int]  # how many, and the side of the first
    label_shape: tuple = (BATCH, SIDE, SIDE)

    def setUp(self):
        config_class = self.all_model_classes[0].config_class
        self.model_tester = ModelTester(config_class, self.settings, self.feature_maps)
        self.config_tester = ConfigTester(
            self, config_class=config_class, has_text_modality=False, common_properties=["num_channels", "image_size"]
        )

    def _prepare_for_class(self, inputs_dict, model_class, return_labels=False):
        inputs = super()._prepare_for_class(inputs_dict, model_class, return_labels=return_labels)
        if return_labels:
            inputs["labels"] = torch.arange(math.prod(self.label_shape)).remainder(2).view(self.label_shape)
        return inputs

    def test_config(self):
        self.config_tester.run_common_tests()

    @unittest.skip("images have no table of embeddings")
    def test_model_get_set_embeddings(self):
        pass


class SliceClassifierTest(CommonTests, unittest.TestCase):
    all_model_classes = (SliceClassifierForImageClassification,)
    settings = CLASSIFIER
    feature_maps = (5, SIDE // 2)
    label_shape = (BATCH,)


class ResUNetTest(CommonTests, unittest.TestCase):
    all_model_classes = (ResUNetForSemanticSegmentation,)
    settings = RESUNET
    feature_maps = (5, SIDE)


class ResUNetOnBackboneTest(CommonTests, unittest.TestCase):
    all_model_classes = (ResUNetForSemanticSegmentation,)
    settings: ClassVar = {"backbone": "test_resnet", "image_size": SIDE, "decoder_channels": [16, 8]}
    feature_maps = (7, SIDE // 2)


class TwoStageTest(CommonTests, unittest.TestCase):
    all_model_classes = (TwoStageForSemanticSegmentation,)
    settings: ClassVar = {"classifier": CLASSIFIER, "segmenter": RESUNET, "gate_threshold": 0.0}
    feature_maps = (5, SIDE // 2)

    @unittest.skip("the feature maps are the gate's, which sees every slice; the logits are the segmenter's")
    def test_retain_grad_hidden_states_attentions(self):
        pass


class ProcessorTester(ImageProcessingTester):
    def __init__(self, parent):
        super().__init__(parent, num_labels=3, size={"height": 20, "width": 18})

    def _get_image_processing_classes(self):
        return {"torchvision": MriImageProcessor}


class ProcessorTest(ImageProcessingTestMixin, PostProcessSemanticSegmentationTestMixin, unittest.TestCase):
    image_processor_tester_class = ProcessorTester
    test_cast_dtype = True

    @unittest.skip("a call with num_channels=4 takes four channels; four means alone do not change the channels")
    def test_call_numpy_4_channels(self):
        pass
