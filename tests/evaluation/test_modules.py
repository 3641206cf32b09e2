"""The `evaluate` modules: in pieces as at once, over two processes as in one."""

import multiprocessing
import sys
from pathlib import Path

import numpy as np
import pytest

from hf_mri.evaluation.modules import SegmentationMetric, SliceMetric


def make_slices() -> tuple[np.ndarray, np.ndarray, list[str]]:
    predicted, truth = np.random.default_rng(0).integers(0, 3, (2, 12, 6, 5))
    return predicted, truth, [f"volume {index // 4}" for index in range(12)]


def score(**options: object) -> dict:
    predicted, truth, volumes = make_slices()
    metric = SegmentationMetric(["left", "right"], **options)
    return metric.compute(predictions=predicted, references=truth, volumes=volumes)


def test_by_hand() -> None:
    truth, predicted = np.zeros((2, 2, 2), int), np.zeros((2, 2, 2), int)
    truth[0, 0], predicted[0, 0, 0] = 1, 1
    result = SegmentationMetric().compute(predictions=predicted, references=truth, volumes=["A", "A"])["tumor"]
    assert result["positive_slice_dice"] == pytest.approx(2 / 3)
    assert result["slice_dice"] == pytest.approx((2 / 3 + 1) / 2)
    assert result["volume_dice"] == result["pooled_dice"] == pytest.approx(2 / 3)


def test_in_pieces_equals_at_once() -> None:
    predicted, truth, volumes = make_slices()
    metric = SegmentationMetric(["left", "right"])
    for part in (slice(0, 5), slice(5, 6), slice(6, 11)):  # pieces that cut volumes in two
        metric.add_batch(predictions=predicted[part], references=truth[part], volumes=volumes[part])
    metric.add(prediction=predicted[11], reference=truth[11], volume=volumes[11])
    assert metric.compute() == score()


def _score_half(process: int, cache: str, queue: multiprocessing.Queue) -> None:
    predicted, truth, volumes = make_slices()
    metric = SegmentationMetric(
        ["left", "right"], num_process=2, process_id=process, experiment_id="two", cache_dir=cache
    )
    part = slice(process, None, 2)
    metric.add_batch(predictions=predicted[part], references=truth[part], volumes=volumes[part])
    queue.put((process, metric.compute()))


def test_two_processes_equal_one(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    queue = context.Queue()
    workers = [context.Process(target=_score_half, args=(number, str(tmp_path), queue)) for number in range(2)]
    for worker in workers:
        worker.start()
    results = dict(queue.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    for label, scores in score().items():
        assert results[0][label] == pytest.approx(scores)  # the slices come in another order
    assert results[1] is None


def test_slices_by_hand() -> None:
    metric = SliceMetric()
    metric.add_batch(predictions=[0.9, 0.2], references=[1, 1])
    metric.add_batch(predictions=[0.4, 0.1], references=[0, 0])
    result = metric.compute(threshold=0.3)
    assert (result["accuracy"], result["precision"], result["recall"]) == (0.5, 0.5, 0.5)
    assert result["roc_auc"] == 0.75  # of four pairs only 0.2 against 0.4 is in the wrong order
