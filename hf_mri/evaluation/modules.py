"""The metrics as `evaluate` modules: used directly, without a download, in batches and over several processes.

```python
metric = SegmentationMetric(labels=["tumor"])
for batch in batches:
    metric.add_batch(predictions=masks, references=truth, volumes=names)
metric.compute()  # {"tumor": {"volume_dice": 0.91, "slice_dice": …, …}}
```

Several processes: give each `num_process`, its `process_id` and one `experiment_id`, as for every `evaluate` module;
process 0 gets the scores, the others None.
"""

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
import numpy as np

from hf_mri.evaluation.scores.classification import score_decisions
from hf_mri.evaluation.scores.pixels import FN, SCORES, TP, count_pixels
from hf_mri.evaluation.scores.ranking import Ranking


class SegmentationMetric(evaluate.Metric):
    """Overlap of masks by slice, positive slice, volume and pooled, with one rule for empty masks.

    `predictions` and `references` are masks (H, W) of label indices, one a slice; `volumes` names the volume of each.
    Slices of a volume may come in any order, in any batch and from any process. Only their counts are kept.
    """

    def __init__(self, labels: dict[int, str] | Sequence[str] = ("tumor",), **options: Any) -> None:
        """Take the foreground labels: index → name, or names from index 1 on; and evaluate's own options."""
        self.labels = labels if isinstance(labels, dict) else dict(enumerate(labels, start=1))
        super().__init__(**options)

    def _info(self) -> evaluate.MetricInfo:
        counts = datasets.Sequence(datasets.Sequence(datasets.Value("int64")))
        return evaluate.MetricInfo(
            description="Dice, IoU, precision, recall, specificity and Tversky index of masks.",
            citation="",
            inputs_description=self.__class__.__doc__,
            features=datasets.Features({"counts": counts, "volumes": datasets.Value("string")}),
        )

    def add_batch(self, *, predictions: Sequence, references: Sequence, volumes: Sequence[str]) -> None:
        """Count some slices."""
        counts = []
        for predicted, truth in zip(predictions, references, strict=True):
            pair = np.asarray(truth), np.asarray(predicted)
            counts.append([count_pixels(pair[0] == index, pair[1] == index).tolist() for index in self.labels])
        super().add_batch(counts=counts, volumes=list(volumes))

    def add(self, *, prediction: Any, reference: Any, volume: str) -> None:
        """Count one slice."""
        self.add_batch(predictions=[prediction], references=[reference], volumes=[volume])

    def compute(
        self,
        *,
        predictions: Sequence | None = None,
        references: Sequence | None = None,
        volumes: Sequence[str] | None = None,
    ) -> dict[str, dict[str, float]] | None:
        """Score all slices that were counted, after those given here."""
        if predictions is not None:
            self.add_batch(predictions=predictions, references=references, volumes=volumes)
        return super().compute()

    def _compute(self, counts: list, volumes: list[str]) -> dict[str, dict[str, float]]:
        tables = np.asarray(counts)
        _, volume = np.unique(volumes, return_inverse=True)
        result = {}
        for place, label in enumerate(self.labels.values()):
            slices = tables[:, place]
            by_volume = np.zeros((volume.max() + 1, 4), np.int64)
            np.add.at(by_volume, volume, slices)
            parts = {
                "slice": slices,
                "positive_slice": slices[slices[:, TP] + slices[:, FN] > 0],
                "volume": by_volume,
                "pooled": slices.sum(axis=0, keepdims=True),
            }
            result[label] = {
                f"{average}_{name}": float(compute(part).mean())
                for average, part in parts.items()
                if len(part)
                for name, compute in SCORES.items()
            }
        return result


class SliceMetric(evaluate.Metric):
    """Scores of slices called tumor or not: `predictions` are probabilities, `references` 0 or 1.

    `compute` takes the `threshold` of the decision, 0.5 unless given.
    """

    def _info(self) -> evaluate.MetricInfo:
        features = {"predictions": datasets.Value("float64"), "references": datasets.Value("uint8")}
        return evaluate.MetricInfo(
            description="Accuracy, precision, recall and F1 at a threshold; ROC AUC and average precision.",
            citation="",
            inputs_description=self.__class__.__doc__,
            features=datasets.Features(features),
        )

    def _compute(self, predictions: list[float], references: list[int], threshold: float = 0.5) -> dict[str, float]:
        truth, probability = np.asarray(references) > 0, np.asarray(predictions, float)
        decision = probability >= threshold
        counts = np.array([[(truth & decision).sum(), (~truth & decision).sum(), (truth & ~decision).sum(), 0]])
        counts[0, 3] = len(truth) - counts.sum()
        scores = {name: float(value[0]) for name, value in score_decisions(counts).items() if np.isfinite(value[0])}
        if 0 < truth.sum() < len(truth):
            areas = Ranking.sort(truth, probability).compute_areas(np.ones((1, len(truth))))
            scores |= {"roc_auc": float(areas[0][0]), "average_precision": float(areas[1][0])}
        return scores
