"""Train a slice classifier, a segmenter, or both as a two-stage reader.

    accelerate launch train.py --task segment --data DATASET --output_dir runs/first

Read top to bottom: arguments, data, model, optimizer, loop, evaluation, result. Everything random is drawn from (seed,
step), so a run that was killed goes on bit for bit with --resume.
"""

import sys
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, set_seed
from transformers.utils.logging import disable_progress_bar

from hf_mri.evaluation.judgment import judge
from hf_mri.hub.bundle_facts import read_facts
from hf_mri.training.arguments import TrainingArguments, parse_arguments
from hf_mri.training.augmentation import Augmentation
from hf_mri.training.checkpoints import claim_folder, load_newest, load_weights, save_checkpoint, save_weights
from hf_mri.training.data import load_training_data, open_table
from hf_mri.training.finish import finish_stage, join_stages
from hf_mri.training.loss_watch import LossWatch
from hf_mri.training.machine import choose_algorithms, choose_precision
from hf_mri.training.models import build_model, build_optimizer, build_processor, make_average
from hf_mri.training.progress import RunDisplay
from hf_mri.training.sampling import draw_epoch, make_generator
from hf_mri.training.schedule import Budget, Progress, note_validation, set_rates
from hf_mri.training.starting import start_weights
from hf_mri.training.strided import speed_up_strided
from hf_mri.training.transplant import transplant
from hf_mri.training.validation import validate
from hf_mri.training.weights_to_have import settle_pretrained

LOOK_AHEAD = 8  # steps whose rows are fetched early, where they are not here


def main(arguments: TrainingArguments) -> Path:
    """Train what the arguments say; return the bundle's folder."""
    disable_progress_bar()  # of loading and saving: the run shows its own
    accelerator = Accelerator(
        cpu=not torch.accelerator.is_available(),  # said aloud, or two processes on CPUs would not know of each other
        mixed_precision=choose_precision(arguments.mixed_precision),
        log_with=None if arguments.report_to == "none" else arguments.report_to,
        project_dir=arguments.output_dir,
    )
    if accelerator.device.type == "mps":
        accelerator.print(
            "on Apple's GPU (MPS), where no figure was measured; `accelerate launch --cpu` takes the CPU"
        )
    output = Path(arguments.output_dir)
    (arguments.pretrained,) = broadcast_object_list([settle_pretrained(arguments)])  # one answer for all processes
    if arguments.task == "two-stage":
        stage = arguments.for_one_stage()
        classifier = arguments.classifier or train_stage(accelerator, stage, "classify", output / "classifier")
        segmenter = arguments.segmenter or train_stage(accelerator, stage, "segment", output / "segmenter")
        bundle = join_stages(accelerator, arguments, Path(classifier), Path(segmenter), output)
    else:
        bundle = train_stage(accelerator, arguments, arguments.task, output)
    accelerator.print(f"bundle: {bundle}")
    for sentence in judge(read_facts(bundle).metrics) if accelerator.is_main_process else ():
        accelerator.print(sentence)
    accelerator.end_training()
    return bundle


def train_stage(accelerator: Accelerator, arguments: TrainingArguments, task: str, output: Path) -> Path:
    """Train one model; return its bundle."""
    set_seed(arguments.seed)
    choose_algorithms(arguments.deterministic)

    # Data: split by patient, audited for leaks, decoded once.
    table = open_table(arguments.data, arguments.streaming)
    processor = build_processor(arguments, table.entry)
    with accelerator.main_process_first():
        data = load_training_data(table, processor, arguments, progress=accelerator.is_main_process)
    if arguments.transplant and data.rows.overlapping:
        raise ValueError("--transplant lays lesions, one label a pixel; leave it out where labels overlap")
    rows, training, validation = data.rows.to(accelerator.device), data.training, data.validation
    if accelerator.is_main_process:
        facts = {"task": task, "data_fingerprint": data.fingerprint, "processes": accelerator.num_processes}
        claim_folder(output, arguments.recipe() | facts, arguments.resume)
    accelerator.wait_for_everyone()

    # Model, its moving average, and augmentation.
    model = build_model(arguments, task, table.entry, processor)
    start = start_weights(arguments, task, model, processor, table.entry)
    data.refuse_seen(start.image_hashes, arguments.start_from)
    accelerator.print(f"{task}: {start.words}")
    average = make_average(model, arguments.ema, accelerator.device)
    if accelerator.device.type == "cpu":
        speed_up_strided(model)
    augment = Augmentation.from_arguments(arguments, crop=arguments.crop if task == "segment" else 0)
    stand_in = table.entry.task.stand_in_channel(table.entry.num_channels)

    # Optimizer. What a resumed run must find again is registered with the accelerator.
    optimizer = build_optimizer(model, arguments)
    model, optimizer = accelerator.prepare(model.to(memory_format=torch.channels_last), optimizer)
    forward = torch.compile(model) if arguments.compile else model
    progress = Progress()
    accelerator.register_for_checkpointing(progress)
    if average is not None:
        accelerator.register_for_checkpointing(average)
    if arguments.resume:
        accelerator.print(f"resumed from {load_newest(accelerator, output / 'checkpoints')}")

    # Loop.
    @lru_cache(maxsize=1)
    def draw(epoch: int):
        """Return this process's rows of an epoch, (steps, parts of a step, batch)."""
        size = (arguments.batch_size, arguments.gradient_accumulation, accelerator.num_processes)
        together = rows.volumes[training] if arguments.streaming else None
        order = draw_epoch(rows.labels[training], epoch, *size, arguments.seed, arguments.positive_share, together)
        return training[order[:, :, accelerator.process_index]]

    epoch_steps = len(draw(0))
    validate_steps = max(1, round(arguments.validate_every * epoch_steps))
    checkpoint_steps = arguments.checkpoint_steps or epoch_steps
    budget = Budget(arguments, epoch_steps, progress)
    watch = LossWatch(rows, output)
    with RunDisplay(accelerator, output, budget, task) as display:
        while not budget.spent and not (arguments.early_stopping and progress.stale >= arguments.early_stopping):
            epoch, position = divmod(progress.step, epoch_steps)
            rate = set_rates(optimizer, arguments, budget.share, progress)
            model.train()
            rows.expect(draw(epoch)[position : position + LOOK_AHEAD].ravel())
            for part, index in enumerate(parts := draw(epoch)[position]):
                generator = make_generator(arguments.seed, progress.step, part, accelerator.process_index)
                images, masks = rows.batch(index, accelerator.device)
                masks = rows.spread(masks)
                if arguments.transplant and task == "segment":
                    transplant(images, masks, arguments.transplant, generator)
                images, masks = augment(images, masks, generator, rows.channels, stand_in)
                pixel_values = processor.normalize(images).contiguous(memory_format=torch.channels_last)
                last = part == len(parts) - 1  # processes exchange gradients once a step, after its last part
                with accelerator.autocast(), nullcontext() if last else accelerator.no_sync(model):
                    loss = forward(pixel_values=pixel_values, labels=data.make_labels(task, masks, index)).loss
                accelerator.backward(loss / len(parts))
                watch.note(loss, index)
            if arguments.clip:
                accelerator.clip_grad_norm_(model.parameters(), arguments.clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if average is not None:
                average.update(accelerator.unwrap_model(model))
            progress.step += 1
            tick(budget, accelerator)

            due = progress.step % validate_steps == 0 or budget.spent
            save = progress.step % checkpoint_steps == 0 or budget.spent
            if watch.full or due or save:  # a look at the loss waits for the GPU, so it is not taken at every step
                display.move(watch.check(), rate)
            if due:
                scores = {"loss": watch.mean_since_validation(), "learning_rate": rate}
                judged = average.module if average is not None else accelerator.unwrap_model(model)
                if len(validation):
                    scores |= validate(judged, rows, rows.volumes_of(validation), processor, accelerator, task)
                    if note_validation(progress, scores["score"], arguments) and accelerator.is_main_process:
                        save_weights(judged, output / "best.safetensors")
                progress.history.append(
                    {"epoch": round(progress.step / epoch_steps, 3), "step": progress.step, **scores}
                )
                display.report(progress.history, judged, data, processor, task)
            if save:
                save_checkpoint(accelerator, output / "checkpoints", progress.step, arguments.keep_checkpoints)

    # Evaluation on the validation patients, and the result: a folder that is ready to publish.
    final = average.module if average is not None else accelerator.unwrap_model(model)
    if arguments.select == "best" and progress.best_step:  # no step is best where every score was not a number
        accelerator.wait_for_everyone()
        load_weights(final, output / "best.safetensors")
    return finish_stage(accelerator, arguments, task, final, processor, data, progress, start, output)


def tick(budget: Budget, accelerator: Accelerator) -> None:
    """Advance the clock; processes agree on the time, or they would stop at different steps."""
    budget.tick()
    if budget.minutes and accelerator.num_processes > 1:
        agreed = [budget.progress.elapsed]
        broadcast_object_list(agreed)
        budget.progress.elapsed = agreed[0]


def run(arguments: list[str] | None = None) -> None:
    """Train as a process: what went wrong is said in one line, and everything that was saved stays."""
    try:
        main(parse_arguments(arguments))
    except (ValueError, OSError) as error:
        sys.exit(f"train.py: {' '.join(str(error).split())}")
    except KeyboardInterrupt:
        sys.stderr.write("\ntrain.py: stopped; go on from the last checkpoint with --resume\n")
        sys.exit(130)


if __name__ == "__main__":
    run()
