"""Where the published models of this project lie: `model_cards/` of a checkout."""

from pathlib import Path

MODEL_CARDS = Path(__file__).resolve().parents[2] / "model_cards"


def find_published(name: str) -> Path | None:
    """Return the folder of a published model; None where this is no checkout."""
    folder = MODEL_CARDS / name
    return folder if (folder / "model.safetensors").is_file() else None


def list_published() -> list[Path]:
    """Return the folders of all published models; none outside a checkout."""
    return sorted(path.parent for path in MODEL_CARDS.glob("*/model.safetensors"))
