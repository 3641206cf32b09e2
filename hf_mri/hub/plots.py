"""The card's plots: curves of the training and plots of the evaluation. Figures only, never a slice of anybody."""

from pathlib import Path

from hf_mri.hub.bundle_facts import BundleFacts
from hf_mri.tasks.registry import list_scores

# Plots of every organ, in the card's order. What `list_captions` does not list is refused when it is published.
CAPTIONS = {
    "curves.png": "Loss and validation scores during training, a line a fold",
    "curves-classifier.png": "Loss and validation scores during training of the classifier, a line a fold",
    "curves-segmenter.png": "Loss and validation scores during training of the segmenter, a line a fold",
    "dice_by_patient.png": "Dice per patient volume, lowest first",
    "dice_by_size.png": "Dice of each volume by its true size",
    "volume_agreement.png": "Volumes against the truth: difference by mean, with limits of agreement",
    "confidence.png": "Dice of each volume by the Dice that the reading itself expected",
    "roc.png": "ROC curve per slice, with the operating point",
    "precision_recall.png": "Precision and recall per slice, with the operating point",
    "reliability.png": "Observed share of positive slices by score",
    "confusion.png": "Slices by truth and answer",
    "gate_roc.png": "ROC curve of the classifier alone",
    "gate_precision_recall.png": "Precision and recall of the classifier alone",
    "gate_reliability.png": "Observed share of positive slices by the classifier's score",
}


def list_captions() -> dict[str, str]:
    """List every plot that a bundle may hold, with a sentence each: the common ones, then the organs' own."""
    own = {f"{plot.name}.png": plot.caption for scores in list_scores() for plot in scores.agreements}
    return CAPTIONS | own


def captions(folder: Path) -> list[tuple[str, str]]:
    """List the plots that a bundle holds, with a sentence each."""
    return [(name, words) for name, words in list_captions().items() if (folder / "plots" / name).exists()]


def draw_plots(facts: BundleFacts) -> None:
    """Draw every plot that the bundle has figures for, and remove those that it has no figures for any more."""
    try:
        from hf_mri.reports.curves import draw_curves, list_histories
        from hf_mri.reports.evaluation_plots import draw_plots as draw_evaluation
        from hf_mri.reports.evaluation_plots import save_plots
    except ImportError as error:
        raise ImportError(f'a card\'s plots need {error.name}: pip install "hf_mri[train]"') from error

    folder = facts.folder / "plots"
    folder.mkdir(exist_ok=True)
    for name in list_captions():
        (folder / name).unlink(missing_ok=True)
    training = facts.training
    stages = training.get("stages") or ({"": list_histories(training)} if training.get("history") else {})
    for stage, histories in stages.items():
        draw_curves(histories, folder / (f"curves-{stage}.png" if stage else "curves.png"))
    if facts.metrics:
        save_plots(draw_evaluation(facts.metrics), folder)
