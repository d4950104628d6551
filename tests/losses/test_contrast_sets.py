"""Mutual information of two sets by submodular functions."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses import contrast
from losses.contrast_scores import leaf, normal

gradcheck = torch.autograd.gradcheck


# Sets ------------------------------------------------------------------------------------------------------------


def kernel(seed: int, n: int = 7) -> Tensor:
    x = normal(n, 12, seed=seed).abs()
    return contrast.cosines(x, x)


def test_graph_cut_information_is_that_of_its_set_function() -> None:
    s, first, second = kernel(0), [0, 1, 2], [3, 4]

    def f(chosen: list[int]) -> float:
        return float(s[:, chosen].sum() - 0.3 * s[chosen][:, chosen].sum())

    wanted = f(first) + f(second) - f(first + second)
    assert float(contrast.graph_cut_information(s[first][:, second], scale=0.3)) == pytest.approx(
        wanted, rel=1e-12
    )


def test_log_determinant_information_is_that_of_its_set_function() -> None:
    s = kernel(0)
    ridged = s + 0.5 * torch.eye(7, dtype=torch.float64)
    first, second = [0, 1, 2], [3, 4, 5, 6]

    def f(chosen: list[int]) -> float:
        return float(torch.linalg.slogdet(ridged[chosen][:, chosen]).logabsdet)

    def information(a: list[int], q: list[int]) -> Tensor:
        return contrast.log_determinant_information(
            s[a][:, q], within_first=s[a][:, a], within_second=s[q][:, q]
        )

    got = float(information(first, second))
    assert got == pytest.approx(f(first) + f(second) - f(first + second), rel=1e-11)
    assert got == pytest.approx(float(information(second, first)), rel=1e-12)
    assert float(information([0, 1], second)) < got
    x = leaf(6, 4)

    def loss(x: Tensor) -> Tensor:
        k = contrast.cosines(x, x)
        return contrast.log_determinant_information(
            k[:2, 2:], within_first=k[:2, :2], within_second=k[2:, 2:]
        )

    assert gradcheck(loss, x)


def test_log_determinant_information_of_nearly_orthogonal_sets_keeps_its_digits() -> None:
    one = torch.ones(1, 1, dtype=torch.float64)
    got = float(contrast.log_determinant_information(1e-9 * one, within_first=one, within_second=one))
    assert got == pytest.approx((1e-9 / 1.5) ** 2, rel=1e-14)
    assert float(contrast.log_determinant_information(0 * one, within_first=one, within_second=one)) == 0


def test_facility_location_information_is_nonnegative_and_grows() -> None:
    for seed in range(20):
        s = kernel(seed)[:3, 3:]
        got = float(contrast.facility_location_information(s, relevance=0.5))
        wanted = float(s.max(0).values.sum() + 0.5 * s.max(1).values.sum())
        assert got == pytest.approx(wanted, rel=1e-13)
        for smaller in (s[:, :-1], s[:-1]):
            assert 0 <= float(contrast.facility_location_information(smaller, relevance=0.5)) < got
        soft = float(contrast.facility_location_information(s, temperature=0.05))
        hard = float(contrast.facility_location_information(s))
        assert hard < soft < hard + 0.05 * (4 * math.log(3) + 3 * math.log(4))
    assert gradcheck(partial(contrast.facility_location_information, temperature=0.2), leaf(3, 4))


@pytest.mark.parametrize("name", ["facility", "cut", "volume"])
def test_less_information_between_classes_moves_them_apart(name: str) -> None:
    x = (normal(12, 5) * 0.5 + 1).requires_grad_()

    def information() -> Tensor:
        k = contrast.cosines(x, x)
        between = k[:6, 6:]
        if name == "facility":
            return contrast.facility_location_information(between, temperature=0.1)
        if name == "cut":
            return contrast.graph_cut_information(between)
        return contrast.log_determinant_information(between, within_first=k[:6, :6], within_second=k[6:, 6:])

    def closeness() -> float:
        between = contrast.cosines(x, x).detach()[:6, 6:]  # volumes do not know a cosine's sign
        return float((between.abs() if name == "volume" else between).mean())

    start, optimiser = closeness(), torch.optim.Adam([x], 0.05)
    for _ in range(60):
        optimiser.zero_grad()
        information().backward()
        optimiser.step()
    assert closeness() < 0.8 * start


def test_sets_that_cannot_be_meant() -> None:
    one = torch.ones(1, 1)
    with pytest.raises(InvalidInputError, match="canonical correlation"):
        contrast.log_determinant_information(3 * one, within_first=one, within_second=one)
    with pytest.raises(InvalidInputError, match="`within_second` is not positive definite"):
        contrast.log_determinant_information(one, within_first=one, within_second=-one)
    with pytest.raises(ShapeError, match="within_first"):
        contrast.log_determinant_information(one, within_first=torch.ones(2, 2), within_second=one)
    with pytest.raises(ShapeError, match="similarities"):
        contrast.graph_cut_information(torch.ones(3))
    with pytest.raises(InvalidInputError, match="temperature"):
        contrast.facility_location_information(one, temperature=-1.0)
