"""The model card: written from a bundle's JSON files alone, and checked against them before it is published."""

import re
from pathlib import Path

from huggingface_hub import ModelCard

from hf_mri.hub import card_results, card_text
from hf_mri.hub.bundle_facts import BundleFacts, read_facts
from hf_mri.hub.card_metadata import eval_results_yaml, metadata
from hf_mri.hub.json_files import read_json
from hf_mri.hub.plots import captions, draw_plots
from hf_mri.modeling.mri_engine_openvino import RECORD
from hf_mri.modeling.mri_files import write_text

GRAPHS = "Exported graphs"
# Heading, and what writes the section; a section without content does not appear.
SECTIONS = (
    ("What it is for", card_text.uses),
    ("Quick start", card_text.quick_start),
    ("Training patients", card_text.patients),
    ("Preparation and thresholds", card_text.preparation),
)
MEASURED = (
    ("How it was measured", card_text.protocol),
    ("Results", lambda facts: join(write(facts) for write in RESULTS)),
    ("Patients kept apart", card_results.kept_apart_results),
    ("What a new hospital may see", card_results.new_group_results),
    ("How well it knows itself", card_results.confidence_results),
    ("Breakdowns", card_results.breakdown_results),
    ("Worst cases", card_results.worst_cases),
    ("How the scores count", card_text.rules),
)
RESULTS = (
    card_results.segmentation_results,
    card_results.classification_results,
    card_results.gate_results,
    card_results.own_results,
)
CLOSING = (
    (GRAPHS, card_text.engines),
    ("Curves and plots", lambda facts: gallery(captions(facts.folder))),
    ("Limits and biases", card_text.limits),
    ("Reproduce", card_text.reproduction),
    ("Cost of training", card_text.cost),
    ("Citation and license", card_text.citation),
)


def write_card(bundle: str | Path, model_id: str | None = None) -> Path:
    """Write README.md, plots/ and .eval_results/ of a bundle.

    Args:
        bundle: Folder that holds config, training.json and, after an evaluation, metrics.json.
        model_id: What the quick start loads: a Hub id or a folder. By default what the card says already.

    Returns:
        The card's path.
    """
    facts = read_facts(bundle, model_id)
    draw_plots(facts)
    if facts.metrics:
        folder = facts.folder / ".eval_results"
        folder.mkdir(exist_ok=True)
        write_text(folder / f"{facts.metrics.get('data', {}).get('name', 'results')}.yaml", eval_results_yaml(facts))
    card = facts.folder / "README.md"
    write_text(card, render(facts))
    return card


def take_metrics(bundle: str | Path, metrics: str | Path) -> None:
    """Copy an evaluation's metrics.json into a bundle, after a look that it is about this model.

    Raises:
        ValueError: it was measured on another kind of model, or on patients that were trained on.
    """
    facts, found = read_facts(bundle), read_json(Path(metrics))
    kind = found.get("model", {}).get("model_type", facts.config["model_type"])
    if kind != facts.config["model_type"]:
        raise ValueError(f"{metrics} is about a {kind} model, {bundle} holds a {facts.config['model_type']} model")
    if found.get("seen_in_training"):
        raise ValueError(f"{metrics} was measured on patients that were trained on; it is no measure of quality")
    write_text(facts.folder / "metrics.json", Path(metrics).read_text(encoding="utf-8"))


def sections(facts: BundleFacts) -> dict[str, str]:
    """Return the card's sections by heading, in order, without empty ones."""
    wanted = (*SECTIONS, *(MEASURED if facts.metrics else ()), *CLOSING)
    found = {heading: write(facts).strip() for heading, write in wanted}
    return {heading: text for heading, text in found.items() if text}


def render(facts: BundleFacts) -> str:
    """Return the whole card."""
    block = metadata(facts).to_yaml()
    parts = [f"---\n{block}\n---", f"# {facts.name}", card_text.summary(facts)]
    parts += [f"## {heading}\n\n{text}" for heading, text in sections(facts).items()]
    return "\n\n".join(parts) + "\n"


def check_card(bundle: str | Path) -> None:
    """Compare a card with the files that it was written from. Words may be added to it; figures may not be changed.

    Raises:
        ValueError: a section or the metadata does not say what metrics.json and training.json say.
    """
    facts = read_facts(bundle)
    path = facts.folder / "README.md"
    if not path.exists():
        raise ValueError(f"{path} is missing; write it with `hf-mri card {bundle}`")
    text = path.read_text(encoding="utf-8")
    if facts.metrics.get("seen_in_training"):
        raise ValueError(
            f"{facts.folder / 'metrics.json'} was measured on patients that were trained on; evaluate on others"
        )
    try:
        given = ModelCard(text).data.to_dict()
    except ValueError as error:
        raise ValueError(
            f"{path}: its metadata cannot be read ({error}); write the card anew with `hf-mri card {bundle}`"
        ) from None
    for key, value in metadata(facts).to_dict().items():
        if given.get(key) != value:
            raise ValueError(f"{path}: `{key}` in its metadata differs from metrics.json; run `hf-mri card {bundle}`")
    for heading, wanted in {"summary": card_text.summary(facts), **sections(facts)}.items():
        if wanted not in text:
            source = RECORD if heading == GRAPHS else "metrics.json"
            raise ValueError(f"{path}: the section {heading!r} differs from {source}; run `hf-mri card {bundle}`")
    if not facts.export and f"\n## {GRAPHS}\n" in text:
        raise ValueError(f"{path}: tells of graphs, but there is no {RECORD}; run `hf-mri card {bundle}`")
    if facts.metrics and not list((facts.folder / ".eval_results").glob("*.yaml")):
        raise ValueError(f"{facts.folder / '.eval_results'} is missing; write it with `hf-mri card {bundle}`")


def take_export(bundle: str | Path) -> None:
    """Let the card say which graphs there are now; everything else in the card stays as it is."""
    card = Path(bundle) / "README.md"
    wanted = sections(read_facts(bundle))
    parts = re.split(r"^(?=## )", card.read_text(encoding="utf-8"), flags=re.MULTILINE)
    kept = [part for part in parts if not part.startswith(f"## {GRAPHS}\n")]
    if GRAPHS in wanted:
        later = tuple(f"## {heading}\n" for heading in list(wanted)[list(wanted).index(GRAPHS) + 1 :])
        place = next((place for place, part in enumerate(kept) if part.startswith(later)), len(kept))
        kept.insert(place, f"## {GRAPHS}\n\n{wanted[GRAPHS]}\n\n")
    write_text(card, "".join(kept))


def name_model(bundle: str | Path, model_id: str) -> None:
    """Let the card's quick start load the model by this id; everything else in the card stays as it is."""
    card = Path(bundle) / "README.md"
    before, after = read_facts(bundle), read_facts(bundle, model_id)
    if before.model_id != after.model_id:
        write_text(
            card, card.read_text(encoding="utf-8").replace(card_text.quick_start(before), card_text.quick_start(after))
        )


def gallery(pictures: list[tuple[str, str]]) -> str:
    """Show wide curves one by one and the other plots in pairs, each above its caption."""
    wide = [picture for picture in pictures if picture[0].startswith("curves")]
    narrow = [picture for picture in pictures if picture not in wide]
    parts = [f"![{words}](plots/{name})\n\n{words}." for name, words in wide]
    cells = [f"![{words}](plots/{name})<br>{words}" for name, words in narrow]
    if cells:
        rows = [f"| {' | '.join([*cells[start : start + 2], ''][:2])} |" for start in range(0, len(cells), 2)]
        parts.append("\n".join(["| | |", "| --- | --- |", *rows]))
    return join(parts)


def join(parts) -> str:
    return "\n\n".join(part for part in parts if part)
