"""Integrals of products of mixtures against many digits, near equality and far from it, with gradients."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
import torch

from kullback.exact.law import Law, law
from kullback.exact.mixture import mixed
from kullback.exact.overlap import angle, overlap, squared_gap
from kullback.exact.registry import families

Parts = tuple[np.ndarray, np.ndarray, np.ndarray]  # weights, means (k, d), factors (k, d, d)


def random_parts(rng: np.random.Generator, k: int, d: int) -> Parts:
    weights = rng.dirichlet(np.ones(k))
    factors = np.tril(0.4 * rng.normal(size=(k, d, d)))
    factors[:, range(d), range(d)] = rng.uniform(0.6, 1.6, size=(k, d))
    return weights, 2.0 * rng.normal(size=(k, d)), factors


def moved(parts: Parts, delta: float, rng: np.random.Generator) -> Parts:
    w, m, s = parts
    tilt = rng.normal(size=w.shape)
    near = w * (1.0 + delta * tilt)
    return (
        near / near.sum(),
        m + delta * rng.normal(size=m.shape),
        s * (1.0 + delta * rng.normal(size=s.shape)),
    )


def mixture(parts: Parts, xp: Any = np) -> Law:
    w, m, s = (torch.tensor(x, requires_grad=True) if xp is torch else x for x in parts)
    normal = families()["multivariate_normal"]
    return mixed(w, [law(normal, {"loc": m[i], "scale_tril": s[i]}) for i in range(len(w))])


def forms(p: Parts, q: Parts, kernel: float) -> tuple[Any, Any, Any]:
    """⟨p, p⟩, ⟨p, q⟩, ⟨q, q⟩ with 60 digits."""

    def inner(a: Parts, b: Parts) -> Any:
        total = mp.mpf(0)
        for wi, mi, si in zip(*a, strict=True):
            for wj, mj, sj in zip(*b, strict=True):
                si_, sj_ = mp.matrix(si.tolist()), mp.matrix(sj.tolist())
                c = si_ * si_.T + sj_ * sj_.T + kernel * mp.eye(len(mi))
                x = mp.matrix(mi.tolist()) - mp.matrix(mj.tolist())
                form = (x.T * mp.inverse(c) * x)[0]
                volume = mp.det(2 * mp.pi * c)
                total += mp.mpf(float(wi)) * mp.mpf(float(wj)) * mp.exp(-form / 2) / mp.sqrt(volume)
        return total

    return inner(p, p), inner(p, q), inner(q, q)


@pytest.mark.parametrize("delta", [0.3, 1e-2, 1e-5, 1e-8, 1e-12])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_digits_near_equality(delta: float, d: int) -> None:
    rng = np.random.default_rng(7 * d)
    p = random_parts(rng, 3, d)
    q = moved(p, delta, rng)
    with mp.workdps(60):
        pp, pq, qq = forms(p, q, 0.0)
        assert abs(squared_gap(mixture(p), mixture(q)) / (pp - 2 * pq + qq) - 1) < 2e-13
        assert abs(angle(mixture(p), mixture(q)) / -mp.log(pq**2 / pp / qq) - 1) < 2e-13
        assert overlap(mixture(p), mixture(q)) == pytest.approx(float(mp.log(pq)), rel=1e-14, abs=1e-15)


@pytest.mark.parametrize(("k", "l"), [(1, 1), (1, 3), (3, 2)])
def test_different_numbers_of_components_and_a_kernel(k: int, l: int) -> None:  # noqa: E741
    rng = np.random.default_rng(k + 10 * l)
    p, q = random_parts(rng, k, 2), random_parts(rng, l, 2)
    with mp.workdps(40):
        pp, pq, qq = forms(p, q, 0.7)
        gap = squared_gap(mixture(p), mixture(q), kernel=0.7 * np.eye(2))
        assert gap == pytest.approx(float(pp - 2 * pq + qq), rel=1e-13)
        found = overlap(mixture(p), mixture(q), kernel=0.7 * np.eye(2))
        assert found == pytest.approx(float(mp.log(pq)), rel=1e-14)


def test_equal_mixtures_have_no_gap_and_no_gradient() -> None:
    parts = random_parts(np.random.default_rng(0), 4, 2)
    p, q = mixture(parts, torch), mixture(parts, torch)
    for function in (squared_gap, angle):
        value = function(p, q)
        assert float(value.detach()) == 0.0
        for gradient in torch.autograd.grad(value, [p.arrays[1], q.arrays[2]]):
            assert float(gradient.abs().max()) < 1e-15


def test_far_mixtures_do_not_underflow() -> None:
    p, q = random_parts(np.random.default_rng(1), 2, 2), random_parts(np.random.default_rng(2), 3, 2)
    q[1][:] += 1e4
    assert angle(mixture(p), mixture(q)) > 1e6
    assert np.isfinite(overlap(mixture(p), mixture(q)))
    assert squared_gap(mixture(p), mixture(q)) > 0


@pytest.mark.parametrize("delta", [0.5, 1e-3])
def test_gradients_against_differences(delta: float) -> None:
    rng = np.random.default_rng(3)
    p = random_parts(rng, 2, 2)
    q = moved(p, delta, rng)
    raw = [torch.tensor(x) for part in (p, q) for x in part]
    for function in (angle, squared_gap):

        def value(*arrays: torch.Tensor, function: Any = function) -> torch.Tensor:
            normal = families()["multivariate_normal"]
            pair = []
            for w, m, s in (arrays[:3], arrays[3:]):
                factors = torch.tril(s)
                parts = [law(normal, {"loc": m[i], "scale_tril": factors[i]}) for i in range(2)]
                pair.append(mixed(torch.softmax(w, 0), parts))
            return function(*pair)

        assert torch.autograd.gradcheck(value, [x.clone().requires_grad_() for x in raw], eps=1e-6, atol=1e-8)


def test_a_batch_is_its_members() -> None:
    rng = np.random.default_rng(5)
    several = [random_parts(rng, 3, 2) for _ in range(4)]
    w, m, s = (np.stack(x) for x in zip(*several, strict=True))
    normal = families()["multivariate_normal"]
    batch = mixed(w, [law(normal, {"loc": m[:, i], "scale_tril": s[:, i]}) for i in range(3)])
    other = mixture(several[0])
    assert batch.batch == (4,)
    for function in (angle, squared_gap, overlap):
        together = function(batch, other)
        alone = [function(mixture(x), other) for x in several]
        np.testing.assert_allclose(together, alone, rtol=1e-13, atol=1e-300)
        np.testing.assert_allclose(function(batch.at((2,)), other), alone[2], rtol=1e-13)
