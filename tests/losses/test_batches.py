"""The mean over a batch: what is left out leaves no trace, and what is not finite is counted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import averaged


def logarithm(x: Tensor, scale: Tensor) -> Tensor:
    return scale * x.log()


def parts(*values: float) -> tuple[Tensor, Tensor]:
    x = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    return x, torch.full_like(x, 2.0).detach()


def test_masked_examples_reach_neither_value_nor_gradient() -> None:
    x, scale = parts(1.0, float("nan"), 4.0)
    averaged(logarithm, x, scale, mask=torch.tensor([True, False, True])).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 0.0, 0.25]


def test_skip_computes_the_others_again_and_counts() -> None:
    x, scale = parts(1.0, -1.0, 4.0, 0.0)
    with pytest.warns(RuntimeWarning, match="2 of 4 examples are not finite, the first is number 1"):
        value = averaged(logarithm, x, scale, nonfinite="skip")
    value.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 0.0, 0.25, 0.0]
    assert float(value.detach()) == pytest.approx(torch.log(torch.tensor(4.0)).item())


def test_numbers_of_skipped_examples_are_those_of_the_batch() -> None:
    x, scale = parts(1.0, -1.0)
    mask = torch.tensor([False, True])
    with pytest.raises(InvalidInputError, match="1 of 1 examples are not finite, the first is number 1"):
        averaged(logarithm, x, scale, mask=mask, nonfinite="raise")


def test_propagate_is_the_default() -> None:
    assert torch.isnan(averaged(logarithm, *parts(1.0, -1.0)))


def test_nothing_left_is_zero_with_zero_gradient() -> None:
    x, scale = parts(1.0, float("nan"))
    value = averaged(logarithm, x, scale, mask=torch.zeros(2, dtype=torch.bool))
    value.backward()
    assert x.grad is not None
    assert (float(value.detach()), x.grad.tolist()) == (0.0, [0.0, 0.0])


def test_weights_multiply() -> None:
    x, scale = parts(1.0, 4.0)
    weight = torch.tensor([5.0, 0.5], dtype=torch.float64)
    assert averaged(logarithm, x, scale, weight=weight).item() == pytest.approx(
        0.5 * torch.log(torch.tensor(4.0)).item()
    )
    with pytest.raises(ShapeError, match=r"`weight` has shape \(3,\); expected 2 examples"):
        averaged(logarithm, x, scale, weight=torch.ones(3))


def test_bad_input_is_named() -> None:
    with pytest.raises(ShapeError, match=r"part 1 has shape \(3,\)"):
        averaged(logarithm, torch.ones(2), torch.ones(3))
    with pytest.raises(InvalidInputError, match="there is no example"):
        averaged(logarithm, torch.ones(0), torch.ones(0))
    with pytest.raises(InvalidInputError, match="expected one of 'propagate', 'skip', 'raise'"):
        averaged(logarithm, torch.ones(2), torch.ones(2), nonfinite="ignore")  # type: ignore[arg-type]
