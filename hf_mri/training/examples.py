"""A picture of what the model says about some validation slices; it stays in the run folder, never in the bundle."""

from pathlib import Path

import numpy as np
import torch

from hf_mri.modeling.mri_files import replace_file

SHOWN = 8  # slices: six with a finding, of different patients where there are so many, and two without
COLORS = ("#e53e3e", "#38a169", "#3182ce", "#d69e2e", "#805ad5")


def choose_examples(labels: np.ndarray, patients: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return positions of the slices to show: each patient's largest finding first, then slices without any."""
    order = np.argsort(-sizes, kind="stable")
    _, first = np.unique(patients[order], return_index=True)
    largest = set(order[first])
    order = sorted(order, key=lambda place: place not in largest)  # a second slice of a patient where there are few
    positive = [place for place in order if labels[place]]
    empty = list(np.flatnonzero(labels == 0))
    without = empty[:: max(1, len(empty) // max(2, SHOWN - len(positive)))]
    shown = positive[: max(SHOWN - 2, SHOWN - len(without))]
    return np.array([*shown, *without[: SHOWN - len(shown)]], dtype=int)


@torch.inference_mode()
def draw_examples(model, data, processor, accelerator, task: str, path: Path) -> None:
    """Draw slices with the true outline (dashed) and the predicted one, or with the predicted probability."""
    from matplotlib.figure import Figure

    rows, chosen = data.rows, data.shown
    images, _ = rows.batch(chosen, accelerator.device)
    with accelerator.autocast():
        logits = model.eval()(pixel_values=processor.normalize(images)).logits.float().cpu()
    truth = data.truth(chosen)
    sequences = rows.channels
    shown = rows.around.shape[1] // 2 * sequences + data.entry.task.shown_channel(sequences)
    figure = Figure(figsize=(12, 6.4), layout="constrained")
    for place, axes in enumerate(figure.subplots(2, SHOWN // 2).flat):
        axes.set_axis_off()
        if place >= len(chosen):
            continue
        axes.imshow(images[place, shown].cpu(), cmap="gray", vmin=0, vmax=1)
        title = f"{rows.volumes[chosen[place]]} {rows.positions[chosen[place]]}"
        if task == "classify":
            answer = data.entry.slice_labels[int(rows.labels[chosen[place]])]
            title += f"\n{answer}, P {logits[place].softmax(0)[1]:.2f}"
        else:
            predicted = _find_masks(logits[place], rows.overlapping)
            for label, color in zip(range(len(predicted)), COLORS, strict=False):
                _outline(axes, truth[place, label], color, "dashed")
                _outline(axes, predicted[label], color, "solid")
        axes.set_title(title, fontsize=8)
    if task != "classify":
        figure.suptitle("dashed: the truth, solid: the model", fontsize=9)
    replace_file(path, lambda aside: figure.savefig(aside, format="png", dpi=90))


def _find_masks(logits: torch.Tensor, overlapping: bool) -> np.ndarray:
    if overlapping:
        return (logits > 0).numpy()
    return (logits.argmax(0)[None] == torch.arange(1, len(logits))[:, None, None]).numpy()


def _outline(axes, mask: np.ndarray, color: str, style: str) -> None:
    if mask.any() and not mask.all():
        axes.contour(mask, [0.5], colors=color, linewidths=1, linestyles=style)
