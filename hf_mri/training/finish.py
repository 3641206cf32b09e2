"""The end of a run: predictions of validation patients, thresholds chosen on them, and a bundle ready to publish."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from transformers.modeling_outputs import SemanticSegmenterOutput

from hf_mri.evaluation.stored_predictions import StoredCase, load_case, load_cases, save_case, to_mask_logit
from hf_mri.evaluation.trust import FEWEST, fit_confidence, fit_known_scans
from hf_mri.modeling.mri_reading_decisions import highest_foreground_logit
from hf_mri.modeling.mri_trust import Trust, load_trust
from hf_mri.modeling.mri_trust_masks import Confidence
from hf_mri.modeling.mri_trust_scans import KnownScans, choose_slices, describe_slices
from hf_mri.reports.curves import list_histories, read_fold_histories
from hf_mri.training.arguments import TrainingArguments
from hf_mri.training.data import TrainingData
from hf_mri.training.machine import describe_code, describe_machine
from hf_mri.training.schedule import Progress
from hf_mri.training.starting import Start
from hf_mri.training.validation import predict_volumes


def finish_stage(
    accelerator: Accelerator,
    arguments: TrainingArguments,
    task: str,
    model,
    processor,
    data: TrainingData,
    progress: Progress,
    start: Start,
    output: Path,
) -> Path:
    """Predict the validation patients, choose thresholds on them, and write the bundle of one model."""
    store_predictions(accelerator, arguments, task, model, processor, data, output / "predictions")
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        training = describe_run(arguments, task, data, progress, start)
        known, training["known_scans"] = learn_scans(data)
        write_result(arguments, model.float(), processor, training, data.entry.slice_labels, output, known)
    accelerator.wait_for_everyone()
    return output / "bundle"


def store_predictions(accelerator, arguments, task: str, model, processor, data: TrainingData, folder: Path) -> None:
    """Keep what the model says about each validation volume, before any threshold, at the data set's own size."""
    volumes = data.rows.volumes_of(data.validation)
    for index, logits in predict_volumes(model, data.rows, volumes, processor, accelerator):
        truth, facts = data.stored_truth(index), data.facts(index[0])
        mask_logit = gate_logit = peak_logit = None
        if task == "classify":
            gate_logit = (logits[:, 1] - logits[:, 0]).cpu().numpy()
        else:
            # As the Reader does: the highest logit at the model's size, probabilities (not logits) at the scan's.
            overlapping = data.rows.overlapping
            peak_logit = highest_foreground_logit(logits, list(data.entry.foreground), overlapping)
            fitted = processor.post_process_semantic_segmentation(
                SemanticSegmenterOutput(logits=logits),
                target_sizes=[truth.shape[-2:]] * len(logits),
                return_probabilities=True,
                problem_type=data.entry.problem_type,
                spacings=[facts["spacing"]] * len(logits),
            )
            probability = torch.stack(fitted).clamp(1e-7, 1 - 1e-7)
            logits = probability.logit() if overlapping else probability.log()
            mask_logit = to_mask_logit(logits.cpu().numpy(), data.entry.problem_type)
        case = StoredCase(
            patient=facts.pop("patient"),
            volume=facts.pop("volume"),
            spacing=facts.pop("spacing"),
            labels=tuple(data.entry.foreground.values()),
            problem_type=data.entry.problem_type,
            truth=truth,
            mask_logit=mask_logit,
            gate_logit=gate_logit,
            peak_logit=peak_logit,
            slices=data.rows.positions[index],
            columns=facts | ({"fold": arguments.fold} if arguments.fold else {}),
        )
        save_case(folder, case)


def join_stages(
    accelerator: Accelerator, arguments: TrainingArguments, classifier: Path, segmenter: Path, output: Path
) -> Path:
    """Join a finished classifier and segmenter; the predictions of both choose the thresholds of the pair."""
    if accelerator.is_main_process:
        from hf_mri import (
            MriImageProcessor,
            ResUNetForSemanticSegmentation,
            SliceClassifierForImageClassification,
            TwoStageForSemanticSegmentation,
        )

        processor, other = (MriImageProcessor.from_pretrained(part) for part in (segmenter, classifier))
        if processor.to_dict() != other.to_dict():
            raise ValueError(
                f"{classifier} and {segmenter} prepare pixels differently: train both with the same options"
            )
        model = TwoStageForSemanticSegmentation.from_stages(
            SliceClassifierForImageClassification.from_pretrained(classifier),
            ResUNetForSemanticSegmentation.from_pretrained(segmenter),
        )
        records = [
            json.loads((part / "training.json").read_text(encoding="utf-8")) for part in (classifier, segmenter)
        ]
        join_predictions(classifier.parent / "predictions", segmenter.parent / "predictions", output / "predictions")
        names = tuple(model.config.classifier["id2label"].values())
        known = load_trust(segmenter).known
        write_result(arguments, model, processor, join_records(*records), names, output, known)
    accelerator.wait_for_everyone()
    return output / "bundle"


def join_predictions(classifier: Path, segmenter: Path, folder: Path) -> None:
    """Put the classifier's answer beside the segmenter's, for every volume that both have."""
    for path in sorted(segmenter.glob("*.npz")):
        if (classifier / path.name).exists():
            case = load_case(path)
            case.gate_logit = load_case(classifier / path.name).gate_logit
            save_case(folder, case)


def join_records(classifier: dict, segmenter: dict) -> dict:
    """Return one provenance of two stages: everybody that either was trained on, and the cost of both."""
    splits = {*classifier["patients"], *segmenter["patients"]}
    both = {split: {*classifier["patients"].get(split, []), *segmenter["patients"].get(split, [])} for split in splits}
    starts = {
        name: stage["start"]
        for name, stage in (("classifier", classifier), ("segmenter", segmenter))
        if "start" in stage
    }
    return segmenter | {
        "task": "two-stage",
        "patients": {split: sorted(patients) for split, patients in both.items()},
        "image_hashes": sorted({*classifier["image_hashes"], *segmenter["image_hashes"]}),
        "seconds": round(classifier["seconds"] + segmenter["seconds"], 1),
        **({"start": starts} if starts else {}),
        "stages": {"classifier": list_histories(classifier), "segmenter": list_histories(segmenter)},
    }


def learn_scans(data: TrainingData) -> tuple[KnownScans | None, dict | None]:
    """Fit what the scans of the training look like, where there are enough of them."""
    volumes = data.rows.volumes_of(data.training)
    patients = [str(data.rows.patients[index[0]]) for index in volumes]
    if len(set(patients)) < FEWEST:
        return None, None
    described = [describe_slices(data.rows.images_of(index[choose_slices(len(index))])) for index in volumes]
    return fit_known_scans(described, patients)


def write_result(
    arguments: TrainingArguments,
    model,
    processor,
    training: dict,
    classes: tuple[str, ...],
    output: Path,
    known: KnownScans | None = None,
) -> None:
    """Choose thresholds, judge with them, and write the bundle with what the model knows of itself.

    Both come from patients that the weights have not seen: a finished cross-validation's out-of-fold patients where
    one is named, else the validation patients of this run, else nobody (and the bundle then holds no figures).
    """
    from hf_mri.evaluation.evaluate import evaluate_folds, evaluate_predictions
    from hf_mri.evaluation.thresholds import apply_thresholds, choose_thresholds
    from hf_mri.hub.bundle import write_bundle

    run, own = arguments.cross_validation, sorted((output / "predictions").glob("*.npz"))
    metrics = None
    if run or own:

        def open_cases() -> Iterator[StoredCase]:
            """Read the predictions one by one: memory stays flat."""
            return load_cases(run) if run else map(load_case, own)

        for name, value in choose_thresholds(open_cases(), model.config).items():
            setattr(model.config, name, value)
        facts: dict[str, Any] = {
            "data": {"name": training["dataset"], "split": "out-of-fold" if run else "validation"},
            "model": {
                "name": arguments.name or output.name,
                "model_type": model.config.model_type,
                "problem_type": model.config.problem_type,
                "parameters": sum(parameter.numel() for parameter in model.parameters()),
            },
            "classes": classes,
        }
        if run:
            metrics = evaluate_folds(run, **facts)
            training = training | {"folds": read_fold_histories(run)}
        else:
            judged = apply_thresholds(open_cases(), model.config)
            metrics = evaluate_predictions(judged, "validation", **facts)
        training = training | {"thresholds_from": sorted({case["patient"] for case in metrics["cases"]})}
    options = {"train_config": arguments.recipe(), "training": training, "metrics": metrics}
    confidence = learn_confidence(metrics) if run else None
    write_bundle(output / "bundle", model.to("cpu", torch.float32), processor, Trust(known, confidence), **options)


def learn_confidence(metrics: dict) -> Confidence | None:
    """Fit the estimate of a reading's Dice on all out-of-fold volumes, where there are enough patients."""
    cases = [case for case in metrics["cases"] if "evidence" in case]
    if len({case["patient"] for case in cases}) < FEWEST:
        return None
    dice = [sum(label["dice"] for label in case["labels"].values()) / len(case["labels"]) for case in cases]
    return fit_confidence([(case["evidence"], value) for case, value in zip(cases, dice, strict=True)])


def describe_run(
    arguments: TrainingArguments, task: str, data: TrainingData, progress: Progress, start: Start
) -> dict:
    """Return training.json: who was trained on, how long, and with what."""
    chosen = arguments.select == "best" and progress.best_step
    return {
        "task": task,
        "dataset": data.entry.name,
        "channels": list(data.entry.channels),
        "data_fingerprint": data.fingerprint,
        "patients": data.patients_by_split(),
        "sites": data.sites(),
        "image_hashes": sorted({*data.image_hashes(), *start.image_hashes}),
        "training_slices": len(data.training),
        "steps": progress.step,
        "epochs": progress.history[-1]["epoch"] if progress.history else 0,
        "seconds": round(progress.elapsed, 1),
        "weights_from_step": progress.best_step if chosen else progress.step,
        "code_version": describe_code(),
        "history": progress.history,
        **({"start": start.record} if start.record else {}),
        **describe_machine(),
    }
