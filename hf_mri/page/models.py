"""Which models the page offers: `HF_MRI_MODEL`, or the bundles in the repository's model_cards/, or the demo's."""

import json
import os
import re
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from hf_mri.hub.model_cards import MODEL_CARDS, find_published, list_published
from hf_mri.modeling.mri_scan import Scan
from hf_mri.modeling.mri_scan_doubts import BODY_PARTS
from hf_mri.tasks.registry import find_task
from hf_mri.tasks.task import Task

DEMO = MODEL_CARDS.parent / "out" / "demo" / "model"  # what `make demo` trains while nothing is published
FIRST = "lgg-two-stage"
HELP = """### No model yet

This page needs a model that says what it looks for. Give it one of these and start it again:

- a model of the Hugging Face Hub: `HF_MRI_MODEL=owner/name`
- a bundle that you trained: `HF_MRI_MODEL=path/of/the/bundle`
- several, one tab each: separate them with commas

In a checkout of the project the bundles in `model_cards/` are taken by themselves, or what `make demo` has trained.
`python train.py --help` says how to train one on your own labels.
"""


@dataclass(frozen=True)
class Bundle:
    """One model of the page, and how to speak about it."""

    name: str
    title: str  # of the tab
    task: Task  # the organ, which has the words and the examples
    channels: tuple[str, ...]
    card: str  # Markdown, without the metadata
    link: str | None
    reader: object
    has_gate: bool
    has_masks: bool


def list_names() -> list[str]:
    """Return the Hub ids or folders to load, the first one first."""
    wanted = [name.strip() for name in os.environ.get("HF_MRI_MODEL", "").split(",") if name.strip()]
    if wanted:
        return wanted
    found = list_published() or [path for path in [DEMO] if (path / "model.safetensors").is_file()]
    # A two-stage model answers what its two halves answer: the halves only get a tab by name.
    halves = {"lgg-classifier", "lgg-resunet"} if find_published(FIRST) else set()
    return [str(path) for path in sorted(found, key=lambda path: path.name != FIRST) if path.name not in halves]


def load_bundles(names: list[str]) -> tuple[list[Bundle], list[str]]:
    """Load each model once, for all visitors; return them and one line for each that could not be loaded."""
    bundles, problems = [], []
    for name in names:
        try:
            bundles.append(tell_apart(load_bundle(name), bundles))
        except (OSError, ValueError, ImportError) as error:
            text = " ".join(str(error).split()).replace(f"{Path(name).parent}{os.sep}", "")
            problems.append(f"{Path(name).name}: {text}")
    return bundles, problems


def tell_apart(bundle: Bundle, others: list[Bundle]) -> Bundle:
    """Number a name or a title that another model has (RUN/bundle, OTHER/bundle): all that is a tab's goes by both."""
    name = _number(bundle.name, "-", {other.name for other in others})
    return replace(bundle, name=name, title=_number(bundle.title, " ", {other.title for other in others}))


def _number(word: str, gap: str, taken: set[str]) -> str:
    numbered = (f"{word}{gap}{number}" for number in count(2))
    return word if word not in taken else next(name for name in numbered if name not in taken)


def load_bundle(name: str) -> Bundle:
    """Load one model from a folder or the Hub, with its card."""
    from hf_mri import Reader

    folder = Path(name)
    if not folder.is_dir() and not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        raise OSError("no such folder; HF_MRI_MODEL takes folders of bundles and Hub ids")
    reader = Reader.from_pretrained(name, keep="passed")
    config, short = reader.config, name.rstrip("/").rpartition("/")[2]
    if folder.is_dir():
        config.name_or_path = short  # which every reading carries: where the folder lies is nobody's business
    task = find_task(config.id2label.values())
    return Bundle(
        name=short,
        title=task.title,
        task=task,
        channels=_name_channels(_read(name, "training.json"), reader.processor.num_channels),
        card=clean_card(_read(name, "README.md")),
        link=None if folder.is_dir() else f"https://huggingface.co/{name}",
        reader=reader,
        has_gate=config.has_gate,
        has_masks=config.has_masks,
    )


def clean_card(text: str) -> str:
    """Return a card without its metadata and its plots, which the page has not; empty heads of tables get a word."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = re.sub(r"!\[[^\]]*\]\((?!https?:)[^)]*\)", "", text)
    return re.sub(r"^\|(.*)\|(?=\s*\n\|[\s:|-]+\|\s*$)", _name_columns, text, flags=re.MULTILINE).strip()


def _name_columns(head: re.Match) -> str:
    first, *others = [cell.strip() for cell in head.group(1).split("|")]
    return f"| {' | '.join([first or 'what', *(cell or 'value' for cell in others)])} |"


def find_better(own: Bundle, others: list[Bundle], scan: Scan) -> str | None:
    """Return the title of another tab whose model knows what the scan's header and shape point to."""
    for label, parts in BODY_PARTS.items():
        if any(part in scan.body_part.upper() for part in parts) or (label == "ventricle" and scan.phases > 1):
            fitting = [
                bundle for bundle in (own, *others) if label in " ".join(bundle.reader.config.id2label.values())
            ]
            return fitting[0].title if fitting and own not in fitting else None
    return None


def _name_channels(training: str, count: int) -> tuple[str, ...]:
    from hf_mri.data.datasets_table import DATASETS

    record = json.loads(training) if training else {}
    entry = DATASETS.get(record.get("dataset", ""))
    channels = tuple(record.get("channels") or (entry.channels if entry else ()))
    if len(channels) == count:
        return channels
    return tuple(f"channel {number}" for number in range(1, count + 1))


def _read(name: str, file: str) -> str:
    """Return a text file of a bundle, empty where it has none."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    path = Path(name) / file
    if not Path(name).is_dir():
        try:
            path = Path(hf_hub_download(name, file))
        except (EntryNotFoundError, LocalEntryNotFoundError):
            return ""
    return path.read_text(encoding="utf-8") if path.exists() else ""
