import pytest
import torch

from hf_mri.training.arguments import TrainingArguments
from hf_mri.training.schedule import Budget, Progress, find_rate, note_validation, set_rates


def test_cosine_rises_then_falls_to_zero():
    arguments = TrainingArguments(warmup=0.1)
    assert find_rate(0.05, arguments) == pytest.approx(0.5)
    assert find_rate(0.1, arguments) == pytest.approx(1.0)
    assert find_rate(0.55, arguments) == pytest.approx(0.5)
    assert find_rate(1.0, arguments) == pytest.approx(0.0)


def test_plateaus_lower_the_rate_by_five_after_their_patience():
    arguments = TrainingArguments(schedule="plateau", plateau_patience=2, warmup=0)
    progress = Progress()
    assert note_validation(progress, 0.5, arguments)
    for score in (0.4, 0.5):
        assert not note_validation(progress, score, arguments)
    assert find_rate(0.5, arguments, progress.rate_factor) == pytest.approx(0.2)
    assert note_validation(progress, 0.6, arguments)
    assert progress.stale == 0


def test_the_limit_given_decides():
    progress = Progress()
    assert Budget(TrainingArguments(max_steps=7), 100, progress).steps == 7
    assert Budget(TrainingArguments(epochs=0.5), 100, progress).steps == 50
    minutes = Budget(TrainingArguments(max_minutes=2.0), 100, progress)
    progress.elapsed = 30
    assert minutes.share == pytest.approx(0.25)
    progress.elapsed = 121
    assert minutes.spent


def test_a_resumed_run_goes_on_counting_time():
    progress = Progress(elapsed=100.0)
    budget = Budget(TrainingArguments(max_minutes=10.0), 1, progress)
    budget.tick()
    assert progress.elapsed >= 100


def test_the_backbone_keeps_its_share_of_the_rate():
    arguments = TrainingArguments(learning_rate=1.0, warmup=0, schedule="constant")
    weights = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    groups = [{"params": [weight], "lr": 0.0, "peak": peak} for weight, peak in zip(weights, (0.5, 1.0), strict=True)]
    optimizer = torch.optim.SGD(groups)
    assert set_rates(optimizer, arguments, 0.1, Progress(step=3)) == 1.0
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 1.0]
