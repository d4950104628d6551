"""Chernoff information of logits so far apart that masses underflow: value and gradients against mpmath."""

from __future__ import annotations

from typing import Any

import jax
import mpmath as mp
import numpy as np
import pytest
import torch

import kullback as kb
from problems.backends import JAX

INF = np.inf
Logits = list[Any]

KNOWN = (
    ([0.0, 1e3], [1e3, 0.0]),
    ([0.0, 800.0], [0.0, -800.0]),  # neither masks a class, and each underflows on the other's
    ([0.0, 1e5, 3.0], [1e5, 0.0, -7.0]),
    ([0.0, 1000.0, 3.0], [1.0, 1001.0, -2.0]),
    ([-960.0, 560.0, -INF], [300.0, -1260.0, 830.0]),
    ([-2400.0, 510.0, -300.0], [-530.0, -240.0, 1820.0]),
    ([-INF, -1500.0, 1000.0, -1900.0], [-240.0, -200.0, -1000.0, -INF]),
    ([1.0, 0.5, -1e4], [0.5, 1.0, -2e4]),
)


def cases() -> list[tuple[Logits, Logits]]:
    rng = np.random.default_rng(11)
    drawn = []
    for scale in (1e3, 1e4, 1e5):
        for masked in (0, 1, 2):
            a, b = rng.normal(scale=scale, size=(2, 4)).tolist()
            a[0] = -INF if masked else a[0]
            b[3] = -INF if masked == 2 else b[3]
            drawn.append((a, b))
    return [*KNOWN, *drawn]


def log_masses(x: Logits) -> Logits:
    exact = [mp.mpf(v) for v in x]
    top = max(exact)
    total = top + mp.log(mp.fsum(mp.exp(v - top) for v in exact))
    return [v - total for v in exact]


def truth(a: Logits, b: Logits) -> tuple[Any, list[float], list[float]]:
    """The value and both gradients, −s (w − p) and −(1 − s) (w − q), w the law between the two; s by bisection."""
    with mp.workdps(150):
        log_p, log_q = log_masses(a), log_masses(b)
        live = [x != -mp.inf and y != -mp.inf for x, y in zip(log_p, log_q, strict=True)]

        def powers(s: Any) -> Logits:
            return [
                s * x + (1 - s) * y if on else -mp.inf for x, y, on in zip(log_p, log_q, live, strict=True)
            ]

        def rising(s: Any) -> bool:
            logs = powers(s)
            top = max(logs)
            parts = zip(logs, log_p, log_q, live, strict=True)
            return mp.fsum(mp.exp(v - top) * (x - y) for v, x, y, on in parts if on) > 0

        low, high = mp.mpf(0), mp.mpf(1)
        for _ in range(160):
            middle = (low + high) / 2
            low, high = (low, middle) if rising(middle) else (middle, high)
        best = high if not rising(mp.mpf(1)) else low
        best = mp.mpf(0) if rising(mp.mpf(0)) else best
        logs = powers(best)
        total = max(logs) + mp.log(mp.fsum(mp.exp(v - max(logs)) for v in logs))
        between = [mp.exp(v - total) for v in logs]
        to_a = [float(-best * (w - mp.exp(x))) for w, x in zip(between, log_p, strict=True)]
        to_b = [float(-(1 - best) * (w - mp.exp(y))) for w, y in zip(between, log_q, strict=True)]
        return -total, to_a, to_b


@pytest.mark.parametrize(("a", "b"), cases())
def test_value_and_gradients_of_logits_far_apart(a: Logits, b: Logits) -> None:
    value, to_a, to_b = truth(a, b)
    expected = pytest.approx(float(value), rel=1e-13, abs=1e-300)
    assert float(kb.chernoff.of_logits(np.array(a), np.array(b))) == expected
    x, y = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (a, b))
    found = kb.chernoff.of_logits(x, y)
    assert found.item() == expected
    for gradient, exact in zip(torch.autograd.grad(found, (x, y)), (to_a, to_b), strict=True):
        np.testing.assert_allclose(gradient.numpy(), exact, rtol=1e-9, atol=1e-10)


def test_single_precision_agrees_with_double() -> None:
    for a, b in KNOWN:
        double = float(kb.chernoff.of_logits(np.array(a), np.array(b)))
        single = kb.chernoff.of_logits(np.array(a, dtype=np.float32), np.array(b, dtype=np.float32))
        assert float(single) == pytest.approx(double, rel=2e-5, abs=1e-30)


def test_rows_as_far_apart_as_float64_goes_leave_the_others_alone() -> None:
    a, b = np.array([[0.0, 1e308], [0.3, -0.2]]), np.array([[1e308, 0.0], [0.1, 0.4]])
    far, near = kb.chernoff.of_logits(a, b)
    assert far == pytest.approx(5e307, rel=1e-15)
    assert near == pytest.approx(kb.chernoff.of_logits(a[1], b[1]), rel=1e-14)


@pytest.mark.slow
def test_jax_agrees_in_value_and_gradient() -> None:
    a, b = KNOWN[2]
    value, gradients = jax.value_and_grad(kb.chernoff.of_logits, (0, 1))(JAX.array(a), JAX.array(b))
    assert float(value) == pytest.approx(float(truth(a, b)[0]), rel=1e-13)
    for gradient, exact in zip(gradients, truth(a, b)[1:], strict=True):
        np.testing.assert_allclose(np.asarray(gradient), exact, rtol=1e-9, atol=1e-10)
