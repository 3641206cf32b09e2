"""How alike two models must be. Weights come back bit for bit; outputs do not on every machine.

Which kernel a CPU takes depends on where in memory a tensor starts, so two instances with equal weights may differ in
the last bits of what they say.
"""

import torch
from torch import Tensor, nn


def assert_same_weights(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    """Bit for bit."""
    assert first.keys() == second.keys()
    different = [name for name in first if not torch.equal(first[name], second[name])]
    assert different == []


def assert_close_outputs(first: Tensor, second: Tensor) -> None:
    """Up to what the order of additions changes."""
    torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)


def assert_same_model(first: nn.Module, second: nn.Module, pixel_values: Tensor) -> None:
    """Equal weights, and logits that differ by rounding at most."""
    assert_same_weights(first.state_dict(), second.state_dict())
    with torch.no_grad():
        assert_close_outputs(first(pixel_values).logits, second(pixel_values).logits)


def assert_same_run(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    """Weights of two runs that took the same steps: what differs is rounding, far less than one step changes."""
    assert first.keys() == second.keys()
    for name, weight in first.items():
        weight, other = weight.float(), second[name].float()
        assert (weight - other).norm() <= 2e-3 * weight.norm() + 1e-6, name
