"""The remainders of log Γ against many digits, in value and slope, on every path: NumPy, torch, JAX, traced or not."""

from __future__ import annotations

from typing import Any

import array_api_strict
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
import torch

from kullback.exact import stirling
from kullback.exact.binet import binet, binet_slope
from kullback.exact.remainders import _by_branches, stirling_excess

jax.config.update("jax_enable_x64", True)
mp.mp.dps = 80


def of(y: float, x: float) -> Any:
    y, x = mp.mpf(y), mp.mpf(x)
    remainder = mp.loggamma(y) - mp.loggamma(x) - mp.digamma(x) * (y - x)
    return remainder - (y * mp.log(y / x) - y + x)


def slope_in_y(y: float, x: float) -> Any:
    return mp.digamma(y) - mp.log(y) - mp.digamma(x) + mp.log(x)


def slope_in_x(y: float, x: float) -> Any:
    return -(mp.mpf(y) - mp.mpf(x)) * (mp.psi(1, x) - 1 / mp.mpf(x))


def error(found: Any, truth: Any) -> float:
    return float(abs((mp.mpf(float(found)) - truth) / truth))


@pytest.mark.parametrize("near", [None, 1.0, 1e-2, 1e-5, 1e-9, 1e-13])
def test_values_and_slopes_have_their_digits_at_every_size(near: float | None) -> None:
    rng = np.random.default_rng(3)
    x = 10.0 ** rng.uniform(-8, 12, 20)
    y = 10.0 ** rng.uniform(-8, 12, 20) if near is None else x * (1.0 + near * rng.uniform(-0.6, 1.5, 20))
    h = y - x
    values, (to_y, to_x) = stirling.excess(y, x, h), stirling.slopes(y, x, h)
    for i in np.flatnonzero(h):
        a, b = float(y[i]), float(x[i])
        assert error(values[i], of(a, b)) < 2e-14
        assert error(to_y[i], slope_in_y(a, b)) < 1e-13
        assert error(to_x[i], slope_in_x(a, b)) < 2e-14


def test_many_at_once_are_as_one_by_one() -> None:
    rng = np.random.default_rng(4)
    x, y = 10.0 ** rng.uniform(-3, 4, (2, 3, 700))
    whole, (to_y, _) = stirling.excess(y, x, y - x), stirling.slopes(y, x, y - x)
    assert whole.shape == to_y.shape == (3, 700)
    for i in (0, 699):
        assert np.allclose(whole[:, i], stirling.excess(y[:, i], x[:, i], (y - x)[:, i]), rtol=1e-13)


POINTS = [2.0, 30.0, 0.3, 1e4], [2.5, 14.0, 3.0, 1.1e4]


def through(y: Any, x: Any) -> Any:
    return stirling_excess(y, x, y - x)


def test_every_path_gives_the_same() -> None:
    exact = [float(of(*pair)) for pair in zip(*POINTS, strict=True)]
    arrays = [np.array(x) for x in POINTS]
    tensors = [torch.tensor(x, dtype=torch.float64) for x in POINTS]
    leaves = [t.clone().requires_grad_() for t in tensors]
    traced = [jnp.asarray(x) for x in POINTS]
    found = [
        through(*arrays),
        through(*tensors),
        through(*leaves).detach(),
        torch.func.vmap(through)(*tensors),
        through(*traced),
        jax.jit(through)(*traced),
        np.from_dlpack(through(*(array_api_strict.asarray(x) for x in arrays))),
        _by_branches(arrays[0], arrays[1], arrays[0] - arrays[1]),
    ]
    for values in found:
        assert np.allclose(np.asarray(values), exact, rtol=1e-13)


def test_gradients_of_first_and_second_order() -> None:
    leaves = [torch.tensor(x[:3], dtype=torch.float64, requires_grad=True) for x in POINTS]
    assert torch.autograd.gradcheck(through, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(through, leaves, fast_mode=True)
    point = torch.tensor(3.0, dtype=torch.float64)
    slope = torch.func.grad(lambda y: through(y, 0.0 * y + 2.0))(point)
    assert float(slope) == pytest.approx(float(slope_in_y(3.0, 2.0)), rel=1e-13)
    for differentiate in (jax.grad, lambda f: jax.jit(jax.grad(f))):
        assert float(differentiate(lambda y: through(y, 0.0 * y + 2.0))(3.0)) == pytest.approx(
            float(slope), rel=1e-13
        )


@pytest.mark.parametrize("z", [1e-6, 0.4, 3.0, 9.9, 10.1, 1e3, 1e8])
def test_binet_functions(z: float) -> None:
    big = mp.mpf(z)
    value = mp.loggamma(big) - (big - 0.5) * mp.log(big) + big - mp.log(2 * mp.pi) / 2
    slope = mp.digamma(big) - mp.log(big) + 1 / (2 * big)
    assert error(binet(np.array(z)), value) < 1e-13
    assert error(binet_slope(np.array(z)), slope) < 1e-12
