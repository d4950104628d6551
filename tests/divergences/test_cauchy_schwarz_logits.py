"""The angle between masses whose logits are so far apart that masses underflow: value and gradients against mpmath."""

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
Logits = list[float]

KNOWN: tuple[tuple[Logits, Logits], ...] = (
    ([0.0, 1e4], [1e4, 0.0]),
    ([0.0, 800.0, 3.0], [0.0, -800.0, 3.0]),
    ([0.0, 1e5, 3.0], [1e5, 0.0, -7.0]),
    ([-960.0, 560.0, -INF], [300.0, -1260.0, 830.0]),
    ([-INF, -1500.0, 1000.0, -1900.0], [-240.0, -200.0, -1000.0, -INF]),
    ([1e6, 1e6 + 2.0, 0.0], [-1e6, -1e6, -1e6 + 3.0]),
    ([0.5, 1.0, -2.0], [1.0, -3.0, 0.25]),
)


def truth(a: Logits, b: Logits) -> tuple[Any, list[float]]:
    """−log of the squared cosine, and its gradient towards `a`: 2 w − 2 v, laws in proportion to p² and to p q."""
    with mp.workdps(80):
        p, q = ([mp.exp(mp.mpf(v) - max(x)) if v > -INF else mp.mpf(0) for v in x] for x in (a, b))
        squares, shared = [x * x for x in p], [x * y for x, y in zip(p, q, strict=True)]
        value = mp.log(mp.fsum(squares)) + mp.log(mp.fsum(y * y for y in q)) - 2 * mp.log(mp.fsum(shared))
        slope = [
            2 * s / mp.fsum(squares) - 2 * t / mp.fsum(shared) for s, t in zip(squares, shared, strict=True)
        ]
        return value, [float(x) for x in slope]


@pytest.mark.parametrize(("a", "b"), KNOWN)
def test_far_apart(a: Logits, b: Logits) -> None:
    value, slope = truth(a, b)
    assert kb.cauchy_schwarz.of_logits(a, b) == pytest.approx(float(value), rel=1e-13)
    assert kb.cauchy_schwarz.of_logits(b, a) == pytest.approx(float(value), rel=1e-13)
    x = torch.tensor(a, dtype=torch.float64, requires_grad=True)
    found = kb.cauchy_schwarz.of_logits(x, torch.tensor(b, dtype=torch.float64))
    found.backward()
    assert float(found.detach()) == pytest.approx(float(value), rel=1e-13)
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), slope, rtol=1e-9, atol=1e-12)


def test_single_precision_of_large_logits() -> None:
    a, b = KNOWN[5]
    found = kb.cauchy_schwarz.of_logits(np.float32(a), np.float32(b))
    assert found == pytest.approx(float(truth(a, b)[0]), rel=1e-6)


def test_no_class_in_common() -> None:
    a, b = torch.tensor([0.0, 1.0, -INF, -INF], requires_grad=True), torch.tensor([-INF, -INF, 2.0, 0.0])
    found = kb.cauchy_schwarz.of_logits(a, b)
    assert float(found.detach()) == INF
    found.backward()
    assert a.grad is not None
    assert bool(torch.isfinite(a.grad).all())


def test_jax() -> None:
    a, b = KNOWN[0]
    value, slope = jax.value_and_grad(kb.cauchy_schwarz.of_logits)(JAX.array(a), JAX.array(b))
    assert float(value) == pytest.approx(float(truth(a, b)[0]), rel=1e-13)
    np.testing.assert_allclose(slope, truth(a, b)[1], rtol=1e-9, atol=1e-12)
