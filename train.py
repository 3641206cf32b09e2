"""Train a slice classifier, a segmenter, or both as a two-stage reader.

    accelerate launch train.py --task segment --data DATASET --output_dir runs/first

Read top to bottom: arguments, data, model, optimizer, loop, evaluation, result. Everything random is drawn from (seed, step), so a
run that was killed goes on bit for bit with --resume.
"""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, set_seed

from hf_mri.training.arguments import TrainingArguments, parse_arguments
from hf_mri.training.augmentation import Augmentation
from hf_mri.training.checkpoints import (
    append_record,
    claim_folder,
    load_newest,
    load_weights,
    save_checkpoint,
    save_weights,
)
from hf_mri.training.data import load_training_data, open_table
from hf_mri.training.machine import choose_precision, choose_algorithms
from hf_mri.training.models import build_model, build_optimizer, build_processor, make_average, set_backbone_frozen
from hf_mri.training.result import finish_stage, join_stages
from hf_mri.training.sampling import draw_epoch, make_generator
from hf_mri.training.schedule import Budget, Progress, note_validation, rate
from hf_mri.training.show import RunDisplay
from hf_mri.training.validation import validate

NAN_CHECK = 20  # steps between looks at the loss: each look waits for the GPU


def main(arguments: TrainingArguments) -> Path:
    """Train what the arguments say; return the bundle's folder."""
    accelerator = Accelerator(
        mixed_precision=choose_precision(arguments.mixed_precision),
        gradient_accumulation_steps=arguments.gradient_accumulation,
        log_with=None if arguments.report_to == "none" else arguments.report_to,
        project_dir=arguments.output_dir,
    )
    output = Path(arguments.output_dir)
    if arguments.task != "two-stage":
        return train_stage(accelerator, arguments, arguments.task, output)
    stages = {
        "classify": arguments.classifier or train_stage(accelerator, arguments, "classify", output / "classifier"),
        "segment": arguments.segmenter or train_stage(accelerator, arguments, "segment", output / "segmenter"),
    }
    return join_stages(accelerator, arguments, Path(stages["classify"]), Path(stages["segment"]), output)


def train_stage(accelerator: Accelerator, arguments: TrainingArguments, task: str, output: Path) -> Path:
    """Train one model; return its bundle."""
    set_seed(arguments.seed)
    choose_algorithms(arguments.deterministic)

    # Data: rows decoded once, split by patient, audited for leaks before the first step.
    table = open_table(arguments.data)
    processor = build_processor(arguments, table.entry)
    with accelerator.main_process_first():
        data = load_training_data(table, processor, arguments, progress=accelerator.is_main_process)
    rows, training, validation = data.rows.to(accelerator.device), data.training, data.validation
    identity = arguments.recipe() | {
        "task": task,
        "data_fingerprint": data.fingerprint,
        "processes": accelerator.num_processes,
    }
    if accelerator.is_main_process:
        claim_folder(output, identity, arguments.resume)

    # Model.
    model = build_model(arguments, task, table.entry, processor)
    average = make_average(model, arguments.ema, accelerator.device)
    augment = Augmentation.from_arguments(arguments)

    # Optimizer and schedule.
    optimizer = build_optimizer(model, arguments)
    peak_rates = [group["lr"] for group in optimizer.param_groups]
    model = model.to(memory_format=torch.channels_last)
    model, optimizer = accelerator.prepare(model, optimizer)
    forward = torch.compile(model) if arguments.compile else model
    progress = Progress()
    accelerator.register_for_checkpointing(progress)
    if average is not None:
        accelerator.register_for_checkpointing(average)
    if arguments.resume:
        accelerator.print(f"resumed from {load_newest(accelerator, output / 'checkpoints')}")

    # Loop.
    micro_batches = draw_epoch(rows.labels[training], 0, **data.draw(arguments, accelerator)).shape[0]
    steps_per_epoch = max(1, micro_batches // arguments.gradient_accumulation)
    validate_steps = max(1, round(arguments.validate_every * steps_per_epoch))
    budget = Budget(arguments, steps_per_epoch, progress)
    display = RunDisplay(accelerator, output, budget, steps_per_epoch, name=f"{task}")
    losses, seen, frozen, order, order_epoch = [], [], None, None, -1
    while budget.share() < 1:
        epoch, position = divmod(progress.step, steps_per_epoch)
        if epoch != order_epoch:
            order = draw_epoch(rows.labels[training], epoch, **data.draw(arguments, accelerator))[
                :, accelerator.process_index
            ]
            order_epoch = epoch
        if frozen != (progress.step < arguments.frozen_epochs * steps_per_epoch):
            frozen = not frozen if frozen is not None else progress.step < arguments.frozen_epochs * steps_per_epoch
            set_backbone_frozen(accelerator.unwrap_model(model), frozen)
        now = rate(budget.share(), arguments, progress.rate_factor)
        for group, peak in zip(optimizer.param_groups, peak_rates, strict=True):
            group["lr"] = peak * now

        model.train()
        for part in range(arguments.gradient_accumulation):
            index = training[order[position * arguments.gradient_accumulation + part]]
            generator = make_generator(arguments.seed, progress.step, part, accelerator.process_index)
            images, masks = rows.batch(index, accelerator.device)
            images, masks = augment(images, rows.spread(masks), generator, sequences=rows.images.shape[1])
            pixel_values = processor.normalize(images).contiguous(memory_format=torch.channels_last)
            last = part == arguments.gradient_accumulation - 1
            with accelerator.autocast(), nullcontext() if last else accelerator.no_sync(model):
                loss = forward(pixel_values=pixel_values, labels=data.make_labels(task, masks, index)).loss
            accelerator.backward(loss / arguments.gradient_accumulation)
            losses.append(loss.detach())
            seen.append(index)
        if arguments.clip:
            accelerator.clip_grad_norm_(model.parameters(), arguments.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if average is not None:
            average.update(accelerator.unwrap_model(model))
        progress.step += 1
        tick(budget, accelerator)

        finished = budget.share() >= 1
        due = progress.step % validate_steps == 0 or finished
        save = progress.step % (arguments.checkpoint_steps or steps_per_epoch) == 0 or finished
        if len(losses) >= NAN_CHECK or due or save:
            loss_value = check_losses(losses, seen, rows, output)
            display.show(loss_value, now * peak_rates[-1])
            losses, seen = [], []
        if due:
            scores = {"loss": loss_value, "learning_rate": now * peak_rates[-1]}
            if len(validation):
                judged = average.module if average is not None else accelerator.unwrap_model(model)
                scores |= validate(judged, rows, rows.volumes_of(validation), processor, accelerator, task)
                if note_validation(progress, scores["score"], arguments) and accelerator.is_main_process:
                    save_weights(judged, output / "best.safetensors")
            record = {"epoch": round(progress.step / steps_per_epoch, 3), "step": progress.step} | scores
            progress.history.append(record)
            display.epoch(record, progress)
        if save:
            save_checkpoint(accelerator, output / "checkpoints", progress.step, arguments.keep_checkpoints)
        if arguments.early_stopping and progress.stale >= arguments.early_stopping:
            break
    display.close()

    # Evaluation on the validation patients, and the result: a folder that is ready to publish.
    final = average.module if average is not None else accelerator.unwrap_model(model)
    if arguments.select == "best" and len(validation):
        accelerator.wait_for_everyone()
        load_weights(final, output / "best.safetensors")
    return finish_stage(accelerator, arguments, task, final, processor, data, progress, output)


def tick(budget: Budget, accelerator: Accelerator) -> None:
    """Advance the clock; the processes of a run agree on the time, or they would stop at different steps."""
    budget.tick()
    if budget.minutes and accelerator.num_processes > 1:
        agreed = [budget.progress.elapsed]
        broadcast_object_list(agreed)
        budget.progress.elapsed = agreed[0]


def check_losses(losses: list[torch.Tensor], seen: list[np.ndarray], rows, output: Path) -> float:
    """Return the mean loss since the last look; stop the run, with its rows named, where one is not a number."""
    values = torch.stack(losses).float().cpu().numpy()
    broken = np.flatnonzero(~np.isfinite(values))
    if len(broken):
        index = seen[broken[0]]
        names = ", ".join(sorted({f"{rows.volumes[row]} slice {rows.positions[row]}" for row in index})[:8])
        append_record(output, {"error": "loss is not a number", "rows": [int(row) for row in index]})
        raise ValueError(
            f"{output}: the loss is {values[broken[0]]} at {names}; the last good checkpoint is kept: look at these slices, "
            "lower --learning_rate, or use --mixed_precision no"
        )
    return float(values.mean())


if __name__ == "__main__":
    main(parse_arguments())
