"""An answer beside the truth, where the truth is known: a sentence, and a picture with both in each slice."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hf_mri.modeling.mri_reading import slice_name
from hf_mri.reports.display import draw_slice

SHOWN = 6  # slices in the picture
TILE = 224
ANSWER, TRUTH = "#ff5a5f", "#2ec4b6"


def load_masks(folder: Path, slices: int) -> np.ndarray:
    """Read the masks (S, H, W) of one label that a reading was saved with."""
    return np.stack([np.asarray(Image.open(folder / f"{slice_name(index)}.png")) > 0 for index in range(slices)])


def compare_in_words(answer: np.ndarray, truth: np.ndarray, label: str) -> str:
    """Say in a sentence how good an answer (S, H, W) is."""
    answered, true = answer.any(axis=(1, 2)), truth.any(axis=(1, 2))
    both = int((answer & truth).sum())
    dice = 2 * both / max(1, int(answer.sum()) + int(truth.sum()))
    missed, false = int((true & ~answered).sum()), int((answered & ~true).sum())
    return (
        f"The truth: {label} in {int(true.sum())} of {len(truth)} slices. The answer misses {missed} of them and "
        f"marks {false or 'none'} besides; its outline overlaps the true one by a Dice of {dice:.2f} (1 is perfect)."
    )


def draw_truth(gray: np.ndarray, answer: np.ndarray, truth: np.ndarray) -> Image.Image:
    """Draw slices (S, H, W) that show something: above with the answer's outline, below with the true one."""
    marked = np.flatnonzero((answer | truth).any(axis=(1, 2)))
    if not len(marked):
        marked = np.arange(len(gray))
    chosen = marked[np.linspace(0, len(marked) - 1, min(SHOWN, len(marked))).astype(int)]
    sheet = Image.new("RGB", (TILE * len(chosen), 2 * TILE))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for row, (name, masks, color) in enumerate((("answer", answer, ANSWER), ("truth", truth, TRUTH))):
        for column, index in enumerate(chosen):
            place = (column * TILE, row * TILE)
            sheet.paste(draw_slice(gray[index], {name: masks[index]}, {name: color}, (TILE, TILE)), place)
            text = f"{name}, slice {index + 1}"
            draw.text((place[0] + 6, place[1] + 4), text, fill=color, font=font, stroke_width=2, stroke_fill="#000000")
    return sheet
