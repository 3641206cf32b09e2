"""One process of a group: gradients of a step and scores of a validation, to compare with another group size.

torchrun --nproc_per_node 2 worker.py DATASET CACHE OUT
"""

import sys

import numpy as np
import torch
from accelerate import Accelerator

from hf_mri.training.arguments import TrainingArguments
from hf_mri.training.data import load_training_data, open_table
from hf_mri.training.models import build_model, build_processor
from hf_mri.training.validation import validate

TOGETHER = 8  # slices of the step, shared by all processes


def main(dataset: str, cache: str, output: str) -> None:
    accelerator = Accelerator(cpu=True)
    torch.manual_seed(0)
    # Layer norm, no batch norm: its statistics would differ with the number of processes.
    arguments = TrainingArguments(backbone="test_vit", image_size=48, dropout=0, rows_cache=cache, fold="1/4")
    table = open_table(dataset)
    processor = build_processor(arguments, table.entry)
    data = load_training_data(table, processor, arguments, progress=False)
    model = accelerator.prepare(build_model(arguments, "classify", table.entry, processor))
    share = TOGETHER // accelerator.num_processes
    index = data.training[accelerator.process_index * share : (accelerator.process_index + 1) * share]
    images, _ = data.rows.batch(index, accelerator.device)
    labels = torch.from_numpy(data.rows.labels[index])
    accelerator.backward(model(pixel_values=processor.normalize(images), labels=labels).loss)
    plain = accelerator.unwrap_model(model)
    volumes = data.rows.volumes_of(data.validation)
    scores = validate(plain, data.rows, volumes, processor, accelerator, "classify")
    if accelerator.is_main_process:
        gradients = {name: parameter.grad.numpy() for name, parameter in plain.named_parameters()}
        np.savez(output, **gradients, scores=np.array([scores["slice_auc"], scores["slice_accuracy"]]))


if __name__ == "__main__":
    main(*sys.argv[1:])
