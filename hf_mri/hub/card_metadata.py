"""The card's metadata block, and the same results in the Hub's newer files under `.eval_results/`."""

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, ModelCardData, eval_result_entries_to_yaml

from hf_mri.hub.bundle_facts import BundleFacts


def metadata(facts: BundleFacts) -> ModelCardData:
    """Return what the Hub reads: task, library, tags, license, data set, base model, model-index."""
    tags = ["mri", "medical-imaging", "custom_code", facts.config["model_type"]]
    tags += [label.replace(" ", "-").replace("_", "-") for label in facts.foreground]
    return ModelCardData(
        license=facts.entry.license if facts.entry else "unknown",
        library_name="transformers",
        pipeline_tag=facts.pipeline_tag,
        tags=list(dict.fromkeys(tags)),
        datasets=[facts.training["dataset"]] if "dataset" in facts.training else None,
        base_model=base_model(facts),
        model_name=facts.name if facts.metrics else None,
        eval_results=eval_results(facts) or None,
    )


def base_model(facts: BundleFacts) -> list[str] | None:
    """Return the Hub ids of the weights that training began from, where they came from the Hub."""
    if found := [start["model"] for start in facts.starts if start.get("on_hub")]:
        return sorted(set(found))
    if facts.train_config.get("pretrained") != "timm":
        return None
    import timm

    found = [timm.get_pretrained_cfg(name) for name in facts.backbones.values() if name != "residual encoder"]
    return sorted({cfg.hf_hub_id + cfg.architecture + f".{cfg.tag}" for cfg in found if cfg and cfg.hf_hub_id}) or None


def results(facts: BundleFacts) -> list[tuple[str, str, str, float]]:
    """List (task, metric type, metric name, value) of every headline figure, from metrics.json."""
    found = []
    for label, scores in facts.metrics.get("segmentation", {}).items():
        figures = {
            "mean Dice per patient volume": scores.get("volume_dice", {}).get("mean"),
            "pooled Dice": scores.get("pooled_dice"),
        }
        figures["Dice of slices that show it"] = scores.get("positive_slice_dice")
        found += [("image-segmentation", "dice", f"{label}, {name}", value) for name, value in figures.items()]
    classification = facts.metrics.get("classification", {})
    for key in ("accuracy", "f1", "roc_auc", "average_precision"):
        found.append(("image-classification", key, f"{key} per slice", classification.get(key)))
    return [row for row in found if row[-1] is not None]


def eval_results(facts: BundleFacts) -> list[EvalResult]:
    """Return the model-index, as the model page shows it."""
    data = facts.metrics.get("data", {})
    name = (
        facts.entry.title if facts.entry and facts.entry.name == data.get("name") else data.get("name", "unnamed data")
    )
    return [
        EvalResult(
            task_type=task,
            dataset_type=data.get("name", "unnamed"),
            dataset_name=name,
            dataset_split=data.get("split"),
            metric_type=metric,
            metric_name=metric_name,
            metric_value=value,
            metric_config=facts.metrics["protocol"],
        )
        for task, metric, metric_name, value in results(facts)
    ]


def eval_results_yaml(facts: BundleFacts) -> str:
    """Return the file for `.eval_results/`: the same figures, one entry each."""
    data, homepage = facts.metrics.get("data", {}), facts.entry.homepage if facts.entry else None
    notes = f"protocol {facts.metrics.get('protocol')}, {data.get('patients')} patients"
    entries = [
        EvalResultEntry(
            dataset_id=data.get("name", "unnamed"),
            task_id=f"{task}: {name}",
            value=value,
            date=facts.metrics.get("created"),
            source_url=homepage,
            notes=notes,
        )
        for task, _, name, value in results(facts)
    ]
    return yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False)
