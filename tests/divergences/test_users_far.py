"""The members of a user's divergence and of its dual where the ratio leaves float64, against the built-in ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import kullback as kb
from kullback import FDivergence

FAR = np.array([1.0, 10.0, 30.0, 35.0, 100.0, 300.0, 600.0, 700.0, 1e4, math.inf])
FAR = np.concatenate([-FAR, FAR])

PLAIN: dict[FDivergence, Callable[[Any], Any]] = {
    kb.kl: lambda t: t * np.log(t),
    kb.reverse_kl: lambda t: -np.log(t),
    kb.jeffreys: lambda t: (t - 1) * np.log(t),
    kb.squared_hellinger: lambda t: 2 - 2 * np.sqrt(t),
    kb.neyman_chi2: lambda t: 1 / t - 1,
    kb.pearson_chi2: lambda t: t * t - 1,
    kb.le_cam: lambda t: (1 - t) / (1 + t),
    kb.alpha(3): lambda t: (t**3 - 1) / 6,
}
# f has a term c·t of its own at a large t, beside which the tilt is rounding
TILTED: dict[FDivergence, Callable[[Any], Any]] = {
    kb.js: lambda t: 0.5 * (t * np.log(t) - (t + 1) * np.log(0.5 * (t + 1))),
    kb.reverse_kl: lambda t: -np.log(t) + 3 * (t - 1),
    kb.squared_hellinger: lambda t: 2 - 2 * np.sqrt(t) - 5 * (t - 1),
    kb.le_cam: lambda t: (1 - t) / (1 + t) + 7 * (t - 1),
    kb.neyman_chi2: lambda t: 1 / t - 1 + 2 * (t - 1),
}


def both(f: Callable[[Any], Any], d: FDivergence) -> tuple[tuple[FDivergence, FDivergence], ...]:
    mine = FDivergence.from_generator(f)
    return (mine, d), (mine.dual, d.dual)


@pytest.mark.parametrize("d", PLAIN, ids=repr)
def test_slope_and_tilt_keep_their_digits(d: FDivergence) -> None:
    for mine, known in both(PLAIN[d], d):
        for member in ("slope", "tilt"):
            found, true = getattr(mine, member)(FAR), getattr(known, member)(FAR)
            np.testing.assert_allclose(found, true, rtol=1e-11, err_msg=f"{member} of {known}")


@pytest.mark.parametrize("d", TILTED, ids=repr)
def test_a_term_of_its_own_costs_digits_and_no_more(d: FDivergence) -> None:
    for mine, known in both(TILTED[d], d):
        for member in ("slope", "tilt"):
            found, true = getattr(mine, member)(FAR), getattr(known, member)(FAR)
            near = np.abs(FAR) <= 700  # an error of the growth adds up
            np.testing.assert_allclose(found[near], true[near], rtol=1e-6, err_msg=f"{member} of {known}")
            assert not np.isnan(found).any()
            assert (np.isinf(found) == np.isinf(true))[np.isinf(FAR)].all()


@pytest.mark.parametrize(
    ("f", "d"),
    [
        (lambda t: t * torch.log(t), kb.kl),
        (lambda t: -torch.log(t), kb.reverse_kl),
        (lambda t: 2 - 2 * torch.sqrt(t), kb.squared_hellinger),
        (lambda t: (t - 1) * torch.log(t), kb.jeffreys),
    ],
)
def test_curvature_goes_on_as_the_slope_does(f: Callable[[Any], Any], d: FDivergence) -> None:
    r = torch.from_numpy(FAR)
    for mine, known in both(f, d):
        found, true = mine.curvature(r).numpy(), known.curvature(r).numpy()
        np.testing.assert_allclose(found, true, rtol=1e-7, atol=1e-250, err_msg=f"{known}")


@pytest.mark.parametrize("r", [-1e3, -689.0, -305.0, -30.0, -0.1, 0.1, 5.0, 695.0])
def test_gradients_of_a_dual_in_torch(r: float) -> None:
    mine = FDivergence.from_generator(lambda t: -torch.log(t)).dual
    x = torch.tensor(r, dtype=torch.float64, requires_grad=True)
    slope = mine.slope(x)
    assert slope.item() == pytest.approx(r, rel=1e-12)
    assert torch.autograd.grad(slope, x)[0].item() == pytest.approx(1.0, rel=1e-12)
