"""Names and formats of figures: reports, cards, comparisons and the README's table all take them from here."""

from hf_mri.evaluation.scores.pixels import TVERSKY_ALPHA

MISSING = "–"
SLICE_FIGURES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "brier": "Brier score",
    "expected_calibration_error": "expected calibration error",
}
LOWER_IS_BETTER = ("brier", "expected_calibration_error")
MASK_FIGURES = {
    "dice": "Dice",
    "iou": "IoU",
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "tversky": f"Tversky index (alpha {TVERSKY_ALPHA})",
}
# Of the masks of a label, as a card lists them below the Dice per patient volume.
SUMMARY_FIGURES = {
    "volume_iou": f"{MASK_FIGURES['iou']}, per patient volume",
    "slice_dice": "Dice, all slices",
    "positive_slice_dice": "Dice, slices that show it",
    "pooled_dice": "Dice, all pixels pooled",
    "volume_precision": "precision, per patient volume",
    "volume_recall": "recall, per patient volume",
    "pooled_tversky": f"{MASK_FIGURES['tversky']}, pooled",
    "hd95": "Hausdorff distance, 95th percentile",
    "average_surface_distance": "average surface distance",
    "surface_dice": "surface Dice",
}
AVERAGES = {"slice": "all slices", "positive_slice": "positive slices", "volume": "volumes", "pooled": "pooled pixels"}


def format_figure(value: float | int | None) -> str:
    """Three digits after the point for fractions, fewer for what is larger, separators for thousands."""
    if value is None:
        return MISSING
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    return f"{value:.3f}" if size < 10 else f"{value:.1f}" if size < 1000 else f"{value:,.0f}"


def format_interval(bounds: list[float] | None) -> str:
    """An interval as `0.85 to 0.91`."""
    return f"{format_figure(bounds[0])} to {format_figure(bounds[1])}" if bounds else MISSING


def format_cell(cell: str | float | int | list[float] | None) -> str:
    """A cell of an organ's own table: text as it is, a figure, or an interval."""
    if isinstance(cell, str):
        return cell
    return format_interval(cell) if isinstance(cell, list | tuple) else format_figure(cell)
