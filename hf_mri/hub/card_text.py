"""The card's sentences: what the model is for, how it was made, where it must not be trusted."""

from hf_mri.data.datasets_table import DATASETS
from hf_mri.evaluation.figures import format_figure, format_interval
from hf_mri.evaluation.judgment import judge
from hf_mri.hub.bundle_facts import HERE, BundleFacts
from hf_mri.hub.card_results import PROTOCOLS
from hf_mri.hub.markdown import table
from hf_mri.hub.requirements import floors

KIND_WORDS = {
    "classifier": "says for each MR slice how likely it shows {labels}",
    "resunet": "outlines {labels} in MR slices",
    "two-stage": "outlines {labels} in MR slices, after a small classifier has set aside the slices that show none",
}
SHORT_PROTOCOLS = {
    "patients": "that it has not seen",
    "buda": "that it has not seen, as Buda et al. did",
    "cross-validation": "by cross-validation",
    "leave-one-site-out": "of sites that it has not seen",
    "validation": "that chose its thresholds",
    "slices-leaky": "with slices split at random (flattering)",
}
WARNING = "> **Not a medical device.** For research and teaching only; no decision about a patient may rest on it."


def summary(facts: BundleFacts) -> str:
    """Say in a few lines what the model does, on what, and how well."""
    what = KIND_WORDS[facts.kind].format(labels=in_words(facts.foreground))
    count = facts.parameters
    size = f"{count / 1e6:.2f} million parameters" if count > 1e5 else f"{count:,} parameters"
    text = f"This model {what}. It has {size} and was trained on {source(facts)}."
    headline = headline_sentence(facts)
    warnings = "".join(f"\n>\n> **{sentence}**" for sentence in judge(facts.metrics))
    return f"{text} {headline}".strip() + f"\n\n{WARNING}{warnings}"


def headline_sentence(facts: BundleFacts) -> str:
    """Return the one sentence of figures that people quote, with its protocol; empty before an evaluation."""
    mean, data = facts.metrics.get("segmentation_mean", {}).get("volume_dice", {}), facts.metrics.get("data", {})
    figures = []
    if "mean" in mean:
        between = f" (95 % interval {format_interval(mean['ci95'])})" if "ci95" in mean else ""
        figures.append(f"a mean Dice per patient volume of **{format_figure(mean['mean'])}**{between}")
    if "roc_auc" in facts.metrics.get("classification", {}):
        figures.append(f"a ROC AUC per slice of **{format_figure(facts.metrics['classification']['roc_auc'])}**")
    if not figures:
        return ""
    whom = SHORT_PROTOCOLS.get(facts.metrics["protocol"], "")
    return f"Measured on {format_figure(data.get('patients'))} patients {whom}: {' and '.join(figures)}."


def uses(facts: BundleFacts) -> str:
    """Say what the model is for, and what it is not for."""
    sequences = in_words(list(facts.entry.channels)) if facts.entry else f"{facts.channels} channels"
    task = "finding" if facts.kind == "classifier" else "outlining and measuring"
    return (
        f"It is for research on {task} {in_words(facts.foreground)} in MR slices like those it was trained on "
        f"({sequences}), for teaching, and as a start for training on data of your own.\n\n"
        "It is **not** for diagnosis, triage, treatment planning or any other clinical use, not for other body parts, "
        "modalities or sequences, and not for finding out who a patient is."
    )


def quick_start(facts: BundleFacts) -> str:
    """Show the shortest code that works; the tests run it as it stands."""
    written = "readings and a report" if facts.kind == "classifier" else "masks, volumes and a report"
    where = " Run this in the model's folder, with a scan of yours." if facts.model_id == HERE else ""
    what = "A scan is one file (PNG, TIFF, NIfTI, DICOM), a folder of slices, or an array; the answer is a reading of "
    what += f"every slice.{where}"
    command = f"hf-mri predict SCAN --model {facts.model_id} --output OUT"
    return f"""```bash
pip install "{floors()["transformers"]}" timm torch torchvision scipy pillow
```

{what}

```python
from transformers import pipeline

MODEL = "{facts.model_id}"
read = pipeline("mri-reading", model=MODEL, trust_remote_code=True)
reading = read("scan.tif")
for number, probability in enumerate(reading.probability):
    print(f"slice {{number}}: {{probability:.2f}}")
```

{stock_start(facts)}With the package, from a shell, `{command}` writes {written}."""


def stock_start(facts: BundleFacts) -> str:
    """Show the stock pipeline, for models whose answer it can give."""
    if facts.stock_task is None:
        return ""
    shown = 'answer["mask"].size' if facts.stock_task == "image-segmentation" else 'answer["score"]'
    return f"""The stock pipeline works too, on single images of 8 bits:

```python
see = pipeline("{facts.stock_task}", model=MODEL, trust_remote_code=True)
for answer in see("slice.png"):
    print(answer["label"], {shown})
```

It turns every picture into 8-bit RGB before the model sees it. Of 16 bits nearly all values then become 255, and the
answer is wrong, though it may sound sure: read such slices with `mri-reading`, which takes them as they are.

"""


def patients(facts: BundleFacts) -> str:
    """Say who was trained on: by split and by site."""
    training = facts.training
    splits = {split: len(ids) for split, ids in training.get("patients", {}).items() if ids}
    parts = []
    if splits:
        shares = ", ".join(f"{count} for {split}" for split, count in splits.items())
        slices = (
            f" ({format_figure(training['training_slices'])} training slices)" if "training_slices" in training else ""
        )
        ids = [set(members) for members in training["patients"].values()]
        twice = sum(map(len, ids)) - len(set().union(*ids))
        apart = f"**{twice} patients are in two splits.**" if twice else "No patient is in two splits."
        parts.append(f"Patients: {shares}{slices}. {apart}")
    if training.get("sites"):
        rows = [[site, format_figure(count)] for site, count in sorted(training["sites"].items())]
        parts.append(table(["site", "patients"], rows))
    if splits:
        parts.append("Their ids and image hashes are in `training.json`, so that an evaluation can tell who was seen.")
    return "\n\n".join(parts)


def preparation(facts: BundleFacts) -> str:
    """Say how pixels are prepared and which thresholds the reading applies."""
    height, width = (facts.processor.get("size") or {}).get("height"), (facts.processor.get("size") or {}).get("width")
    size = f"{height} x {width} pixels" if height else f"a multiple of {facts.processor.get('size_divisor')} pixels"
    spacing = facts.processor.get("pixel_spacing")
    if spacing:
        size = f"{spacing:g} mm between pixels, then cropped or padded to {size}"
    extent = "the whole volume" if facts.processor.get("scope") == "volume" else "the slice"
    backbones = ", ".join(f"{name}: {backbone}" if name else backbone for name, backbone in facts.backbones.items())
    start = facts.train_config.get("pretrained")
    begun = f", begun from the ImageNet weights `{start}`" if start else ""
    if facts.starts:
        models = sorted({f"`{start['model']}`" for start in facts.starts})
        begun = f", begun from the weights of {in_words(models)}"
    known = ("gate_threshold", "slice_threshold", "mask_threshold", "smallest_lesion", "temperature", "mask_weight")
    thresholds = [f"`{name}` {facts.config[name]:g}" for name in known if name in facts.config]
    if facts.config.get("largest_component"):
        thresholds.append("of each label and time point only the largest 3-D region")
    chosen = facts.training.get("thresholds_from")
    how = "the out-of-fold predictions of" if facts.metrics.get("protocol") == "cross-validation" else "validation"
    origin = f", chosen on {how} {len(chosen)} patients" if chosen else ""
    return (
        f"Networks: {backbones}{begun}. Slices are brought to {size}; intensities are windowed over {extent}. "
        f"Reading: {', '.join(thresholds)}{origin}; all of it stands in `config.json` and `preprocessor_config.json`."
    )


def protocol(facts: BundleFacts) -> str:
    """Say on whom the figures were measured, and what a reader must know besides."""
    metrics, data = facts.metrics, facts.metrics.get("data", {})
    counts = [f"{format_figure(data[key])} {key}" for key in ("patients", "volumes", "slices") if key in data]
    positive = f", {format_figure(data['positive_slices'])} of them positive" if "positive_slices" in data else ""
    meaning = PROTOCOLS.get(metrics["protocol"], "see the notes")
    text = f"Protocol `{metrics['protocol']}`: {meaning}. {', '.join(counts)}{positive}."
    trained, judged = set(facts.training.get("patients", {}).get("train", [])), measured_patients(facts)
    if metrics.get("seen_in_training"):
        text += "\n\n**Seen in training: some of these patients were trained on. The figures measure nothing.**"
    elif metrics["protocol"] in ("cross-validation", "leave-one-site-out") and judged and judged <= trained:
        text += (
            f"\n\nThe weights here were trained afterwards, by the same recipe, on all {len(trained)} patients. "
            "The figures are those of the folds' models, each on patients that it had not seen."
        )
    notes = "\n".join(f"- {note}" for note in metrics.get("notes", []))
    return f"{text}\n\n{notes}".strip()


def measured_patients(facts: BundleFacts) -> set[str]:
    """Return whom the figures are about."""
    return {case["patient"] for case in facts.metrics.get("cases", [])}


def rules(facts: BundleFacts) -> str:
    """Say how the scores count, where there is a choice."""
    found = facts.metrics.get("rules", {})
    return "\n".join(f"- **{name.replace('_', ' ').capitalize()}.** {rule}" for name, rule in found.items())


def engines(facts: BundleFacts) -> str:
    """Say which exported graphs stand beside the weights, how close they are and what they gain."""
    if not facts.export:
        return ""
    record = facts.export
    times = {(time["format"], time["precision"]): time["ms_a_slice"] for time in record["timings"]}
    rows = [
        [
            f"`{entry['format']}/`",
            entry["precision"],
            f"{entry['parity']['probability']:.1g}",
            f"{entry['parity']['dice']:.4f}",
            f"{times[entry['format'], entry['precision']]:.2f}",
        ]
        for entry in record["exports"]
    ]
    rows += [
        ["PyTorch", time["precision"], "–", "–", f"{time['ms_a_slice']:.2f}"]
        for time in record["timings"]
        if time["format"] is None
    ]
    shown = table(["graphs", "precision", "probabilities within", "Dice of the masks", "ms a slice"], rows)
    choice, machine = record["choice"], record["machine"]
    names = {"torch": "PyTorch", "openvino": "OpenVINO"}
    text = (
        f"Graphs beside the weights, compared with the model in float32 on {record['inputs']['slices']} slices "
        f"({record['inputs']['name']}) and timed on {machine['cores']} CPU cores ({machine['architecture']}):\n\n"
        f"{shown}\n\nOn a CPU, readings take {names[choice['engine']]} in {choice['precision']}, the fastest there."
    )
    for entry in record.get("left_out", []):
        text += f" {left_out(entry)}"
    return text


def left_out(entry: dict) -> str:
    """Say which precision an export went without, and why."""
    parity, bound = entry["parity"], entry["bound"]
    return (
        f"{entry['precision']} was left out of `{entry['format']}/`: probabilities within {parity['probability']:.2g} "
        f"(allowed: {bound['probability']:.2g}), Dice of the masks {parity['dice']:.4f} (at least {bound['dice']})."
    )


def limits(facts: BundleFacts) -> str:
    """Say where the figures end: what the training patients cannot teach."""
    sites = len(facts.training.get("sites", {}))
    where = f" from {sites} site{'s' if sites != 1 else ''}" if sites else ""
    lines = [
        f"Trained on one data set, {source(facts)}{where}: no other scanners, sequences, ages or diseases were tried."
    ]
    if facts.entry and facts.entry.name.endswith("-phantom"):
        lines.append("The scans are drawn by a computer. Nothing follows from them for patients.")
    lines += facts.entry.limits if facts.entry else ()
    if facts.channels > 1 and facts.entry:
        order = ", ".join(facts.entry.channels)
        lines.append(
            f"Channels are expected in the order {order}; a scan with one channel is read with it repeated, less well."
        )
    neighbors = facts.processor.get("neighbors", 0)
    lines.append(
        f"Each slice is judged together with {neighbors} on either side; where there is none, it stands in for them."
        if neighbors
        else "Each slice is judged without a look at its neighbors."
    )
    worst = facts.metrics.get("worst", [])
    if worst:
        case = worst[0]
        lines.append(f"It can fail: the lowest patient's Dice is {format_figure(case['dice'])} ({case['label']}).")
    lines.append("Labels were drawn by people, who differ too; the model repeats their habits.")
    return "\n".join(f"- {line}" for line in lines)


def reproduction(facts: BundleFacts) -> str:
    """Give the command that repeats the run."""
    layout = facts.entry.layout if facts.entry else "folder"
    drawn = facts.entry is not None and facts.entry.name.endswith("-phantom")
    made = f"hf-mri data phantom {layout} SOURCE\n" if drawn else ""
    start = facts.train_config.get("pretrained")
    weights = (
        f" `{start}` is looked for here and beside DATA; `--pretrained timm` takes timm's weights." if start else ""
    )
    return f"""From a checkout of the package, with the data as its publisher ships it in SOURCE; every option of the
run stands in `train_config.json`.{weights if start != "timm" else ""}

```bash
{made}hf-mri data import {layout} SOURCE DATA
accelerate launch train.py --config train_config.json --data DATA --output-dir RUN
```"""


def cost(facts: BundleFacts) -> str:
    """Say what training took, on which machine, with which versions."""
    training = facts.training
    parts = []
    if "seconds" in training:
        minutes = training["seconds"] / 60
        length = f"{minutes:.1f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"
        steps = (
            f" ({format_figure(training['steps'])} steps, {training.get('epochs', 0):.4g} epochs)"
            if "steps" in training
            else ""
        )
        parts.append(
            f"Training took {length}{steps} on {training.get('hardware', 'a machine that was not recorded')}."
        )
    if training.get("versions"):
        parts.append(
            "Versions: " + ", ".join(f"{name} {version}" for name, version in training["versions"].items()) + "."
        )
    if training.get("code_version"):
        parts.append(f"Code: {training['code_version']}.")
    return " ".join(parts)


def citation(facts: BundleFacts) -> str:
    """Name whose data this is, under which terms."""
    begun = "".join(f"\n\n{line}" for line in earlier_terms(facts))
    if not facts.entry or not facts.entry.citation:
        return begun.strip()
    where = f" ({facts.entry.homepage})" if facts.entry.homepage else ""
    return (
        f"{facts.entry.title}{where}. {facts.entry.citation}\n\n"
        f"Weights: {facts.entry.license}, as their data. Code files: Apache-2.0.{begun}"
    )


def earlier_terms(facts: BundleFacts) -> list[str]:
    """Name the data behind the weights that this model began from: its terms hold as well."""
    found = {(start["model"], start.get("dataset")) for start in facts.starts}
    return [
        f"The weights of `{model}`, from which it began, were trained on {DATASETS[data].title} "
        f"({DATASETS[data].license}): these terms hold too. {DATASETS[data].citation or ''}".strip()
        for model, data in sorted(found, key=str)
        if data in DATASETS and data != facts.training.get("dataset")
    ]


def source(facts: BundleFacts) -> str:
    return facts.entry.title if facts.entry else f"the data set {facts.training.get('dataset', 'of its maker')}"


def in_words(names: list[str]) -> str:
    """Join names as a sentence does."""
    names = [name.replace("_", " ") for name in names]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
