"""The end of a run: predictions of the validation patients, thresholds chosen on them, and a bundle that is ready to publish."""

import json
from pathlib import Path

import torch.nn.functional as F

from hf_mri.evaluation.predictions import StoredCase, load_case, save_case
from hf_mri.training.machine import describe_code, describe_machine
from hf_mri.training.validation import foreground_logits, predict_volumes


def finish_stage(accelerator, arguments, task, model, processor, data, progress, output: Path) -> Path:
    """Predict the validation patients, choose thresholds on them, and write the bundle of one model."""
    folder = output / "predictions"
    if len(data.validation):
        store_predictions(accelerator, arguments, task, model, processor, data, folder)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        training = describe_run(arguments, task, data, progress)
        write_result(arguments, model.float(), processor, training, folder, output)
    accelerator.wait_for_everyone()
    return output / "bundle"


def store_predictions(accelerator, arguments, task, model, processor, data, folder: Path) -> None:
    """Keep what the model says about each validation volume, before any threshold, at the data set's own size."""
    volumes = data.rows.volumes_of(data.validation)
    fold = {"fold": arguments.fold} if arguments.fold else {}
    for index, logits in predict_volumes(model, data.rows, volumes, processor, accelerator):
        truth = data.truth(index)
        case = {"mask_logit": None, "gate_logit": None}
        if task == "classify":
            case["gate_logit"] = (logits[:, 1:].logsumexp(1) - logits[:, 0]).cpu().numpy()
        else:
            found = foreground_logits(logits, data.rows.overlapping)
            case["mask_logit"] = F.interpolate(found, truth.shape[-2:], mode="bilinear").cpu().numpy()
        facts = data.facts(index[0])
        save_case(
            folder,
            StoredCase(
                patient=facts.pop("patient"),
                volume=facts.pop("volume"),
                spacing=facts.pop("spacing"),
                labels=tuple(data.entry.foreground.values()),
                problem_type=data.entry.problem_type,
                truth=truth,
                slices=data.rows.positions[index],
                columns=facts | fold,
                **case,
            ),
        )


def join_stages(accelerator, arguments, classifier: Path, segmenter: Path, output: Path) -> Path:
    """Join a finished classifier and segmenter; their stored predictions choose the thresholds of the pair."""
    if accelerator.is_main_process:
        from hf_mri import MriImageProcessor, TwoStageForSemanticSegmentation
        from hf_mri import ResUNetForSemanticSegmentation as Segmenter
        from hf_mri import SliceClassifierForImageClassification as Classifier

        model = TwoStageForSemanticSegmentation.from_stages(
            Classifier.from_pretrained(classifier), Segmenter.from_pretrained(segmenter)
        )
        processor = MriImageProcessor.from_pretrained(segmenter)
        if processor.to_dict() != MriImageProcessor.from_pretrained(classifier).to_dict():
            raise ValueError(
                f"{classifier} and {segmenter} prepare pixels differently; train both with the same options"
            )
        folder = output / "predictions"
        join_predictions(classifier.parent / "predictions", segmenter.parent / "predictions", folder)
        training = join_records(
            *(json.loads((part / "training.json").read_text()) for part in (classifier, segmenter))
        )
        write_result(arguments, model, processor, training, folder, output)
    accelerator.wait_for_everyone()
    return output / "bundle"


def join_predictions(classifier: Path, segmenter: Path, folder: Path) -> None:
    """Put the classifier's answer beside the segmenter's, volume by volume; volumes that only one has are left out."""
    for path in sorted(segmenter.glob("*.npz")):
        if (classifier / path.name).exists():
            case = load_case(path)
            case.gate_logit = load_case(classifier / path.name).gate_logit
            save_case(folder, case)


def join_records(classifier: dict, segmenter: dict) -> dict:
    """Return one provenance of two stages: everybody that either was trained on, and the cost of both."""
    return segmenter | {
        "patients": {
            split: sorted({*classifier["patients"].get(split, []), *segmenter["patients"].get(split, [])})
            for split in segmenter["patients"]
        },
        "image_hashes": sorted({*classifier["image_hashes"], *segmenter["image_hashes"]}),
        "seconds": round(classifier["seconds"] + segmenter["seconds"], 1),
        "stages": {"classifier": classifier["history"], "segmenter": segmenter["history"]},
    }


def write_result(arguments, model, processor, training: dict, predictions: Path, output: Path) -> None:
    """Choose thresholds on stored predictions, judge with them, and write the bundle."""
    from hf_mri.evaluation.evaluate import evaluate_predictions
    from hf_mri.evaluation.thresholds import apply_thresholds, choose_thresholds
    from hf_mri.hub.bundle import write_bundle

    cases = [load_case(path) for path in sorted(predictions.glob("*.npz"))]
    metrics = None
    if cases:
        thresholds = choose_thresholds(cases, model.config)
        for name, value in thresholds.items():
            setattr(model.config, name, value)
        metrics = evaluate_predictions(apply_thresholds(cases, model.config), protocol="validation")
        training = training | {"thresholds_from": sorted({case.patient for case in cases})}
    write_bundle(
        output / "bundle",
        model.to("cpu"),
        processor,
        train_config=arguments.to_dict(),
        training=training,
        metrics=metrics,
    )


def describe_run(arguments, task: str, data, progress) -> dict:
    """Return training.json: who was trained on, how long, with what, so that an evaluation can tell and a reader repeat it."""
    return {
        "task": task,
        "dataset": data.entry.name,
        "data_fingerprint": data.fingerprint,
        "patients": data.patients_by_split(),
        "sites": data.sites(),
        "image_hashes": data.image_hashes(),
        "training_slices": len(data.training),
        "steps": progress.step,
        "epochs": progress.history[-1]["epoch"] if progress.history else 0,
        "seconds": round(progress.elapsed, 1),
        "best_step": progress.best_step if arguments.select == "best" and len(data.validation) else progress.step,
        "code_version": describe_code(),
        "history": progress.history,
        **describe_machine(),
    }
