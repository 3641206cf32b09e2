"""The JSON files of published models hold what their types say."""

import json
from pathlib import Path
from typing import get_type_hints, is_typeddict

import pytest

import hf_mri
from hf_mri.evaluation.contracts import Metrics
from hf_mri.hub.contracts import Training
from hf_mri.modeling.mri_contracts import ExportRecord

MODEL_CARDS = Path(hf_mri.__file__).parents[1] / "model_cards"
CONTRACTS = {"metrics.json": Metrics, "training.json": Training, "export.json": ExportRecord}
FILES = sorted(path for name in CONTRACTS for path in MODEL_CARDS.glob(f"*/{name}"))


def check(content: dict, contract: type, place: str) -> None:
    """Every key is known, every key that must be there is, and so on within."""
    hints = get_type_hints(contract)
    assert content.keys() <= hints.keys(), place
    assert contract.__required_keys__ <= content.keys(), place
    for key, value in content.items():
        kind = hints[key]
        if is_typeddict(kind):
            check(value, kind, f"{place}.{key}")
        (inner,) = getattr(kind, "__args__", ())[:1] or (None,)
        if isinstance(value, list) and is_typeddict(inner):
            for part in value:
                check(part, inner, f"{place}.{key}[]")


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_published_files_keep_their_contract(path):
    check(json.loads(path.read_text()), CONTRACTS[path.name], path.name)
