"""Every pair of PyTorch's own registry of KL divergences, by scanning it: value, kind, gradient and batches.

The truth is an integral, a sum or draws of ours, which share nothing with the closed forms, and PyTorch where it is
right. A class that PyTorch adds to its registry fails here until it has members.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch.distributions import kl as torch_kl

import kullback as kb
from kullback.exact.dispatch import between

D = torch.distributions


def _n(s: torch.Tensor, *values: object) -> list[torch.Tensor]:
    """The parameters, moved by s, each of them by a share of its own; batch axes are those of s."""
    found = []
    for i, value in enumerate(values):
        x = torch.tensor(value, dtype=torch.float64)
        share = torch.linspace(0.5, 1.0, x.numel()).reshape(x.shape) if x.ndim == 1 else 1.0 - 0.3 * i
        found.append(x * (1.0 + s.reshape((*s.shape, *(1,) * x.ndim)) * share))
    return found


def _low_rank(s: torch.Tensor, loc: object, factor: object, diagonal: object) -> Any:
    return D.LowRankMultivariateNormal(*_n(s, loc, factor, diagonal))


def _independent(s: torch.Tensor, loc: object, scale: object) -> Any:
    return D.Independent(D.Normal(*_n(s, loc, scale)), 1)


def _number(x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)


# as functions of s, which moves every parameter: by it gradients are taken and batches made
MEMBERS: dict[type, list[Callable[[torch.Tensor], Any]]] = {
    D.Bernoulli: [lambda s: D.Bernoulli(*_n(s, 0.3)), lambda s: D.Bernoulli(logits=_n(s, 0.9)[0])],
    D.Beta: [lambda s: D.Beta(*_n(s, 2.0, 1.5)), lambda s: D.Beta(*_n(s, 0.7, 3.0))],
    D.Binomial: [lambda s: D.Binomial(5, *_n(s, 0.3)), lambda s: D.Binomial(5, logits=_n(s, 0.9)[0])],
    D.Categorical: [
        lambda s: D.Categorical(*_n(s, [0.3, 0.7])),
        lambda s: D.Categorical(logits=_n(s, [0.3, -0.9])[0]),
    ],
    D.Cauchy: [lambda s: D.Cauchy(*_n(s, 0.3, 1.2)), lambda s: D.Cauchy(*_n(s, 0.1, 0.7))],
    D.ContinuousBernoulli: [
        lambda s: D.ContinuousBernoulli(*_n(s, 0.3)),
        lambda s: D.ContinuousBernoulli(logits=_n(s, 3.0)[0]),
    ],
    D.Dirichlet: [
        lambda s: D.Dirichlet(*_n(s, [1.5, 2.0, 0.8])),
        lambda s: D.Dirichlet(*_n(s, [3.0, 2.0, 1.2])),
    ],
    D.Exponential: [lambda s: D.Exponential(*_n(s, 1.5)), lambda s: D.Exponential(*_n(s, 0.6))],
    D.Gamma: [
        lambda s: D.Gamma(*_n(s, 1.5, 2.0)),
        lambda s: D.Gamma(*_n(s, 0.6, 0.5)),
        lambda s: D.Chi2(*_n(s, 3.0)),
    ],
    D.Geometric: [lambda s: D.Geometric(*_n(s, 0.3)), lambda s: D.Geometric(*_n(s, 0.6))],
    D.Gumbel: [lambda s: D.Gumbel(*_n(s, 0.3, 1.1)), lambda s: D.Gumbel(*_n(s, 0.1, 0.7))],
    D.HalfNormal: [lambda s: D.HalfNormal(*_n(s, 0.3)), lambda s: D.HalfNormal(*_n(s, 0.5))],
    D.Independent: [
        lambda s: _independent(s, [0.3, 0.4], [1.0, 2.0]),
        lambda s: _independent(s, [0.5, 0.4], [1.5, 2.0]),
    ],
    D.Laplace: [lambda s: D.Laplace(*_n(s, 0.3, 1.1)), lambda s: D.Laplace(*_n(s, 0.1, 0.7))],
    D.LowRankMultivariateNormal: [
        lambda s: _low_rank(s, [0.3, 0.4], [[1.0], [2.0]], [0.3, 0.4]),
        lambda s: _low_rank(s, [0.1, 0.4], [[1.0], [1.0]], [0.5, 0.4]),
    ],
    D.MultivariateNormal: [
        lambda s: D.MultivariateNormal(*_n(s, [0.3, 0.4], [[2.0, 0.3], [0.3, 1.0]])),
        lambda s: D.MultivariateNormal(*_n(s, [0.1, 0.4], [[1.0, 0.3], [0.3, 1.0]])),
    ],
    D.Normal: [lambda s: D.Normal(*_n(s, 0.3, 1.1)), lambda s: D.Normal(*_n(s, 0.1, 0.7))],
    D.OneHotCategorical: [
        lambda s: D.OneHotCategorical(*_n(s, [0.3, 0.7])),
        lambda s: D.OneHotCategorical(logits=_n(s, [0.3, -0.9])[0]),
    ],
    D.Pareto: [lambda s: D.Pareto(*_n(s, 0.3, 2.8)), lambda s: D.Pareto(*_n(s, 0.1, 2.2))],
    D.Poisson: [lambda s: D.Poisson(*_n(s, 0.3)), lambda s: D.Poisson(*_n(s, 1.3))],
    D.Uniform: [lambda s: D.Uniform(*_n(s, 0.3, 0.8)), lambda s: D.Uniform(*_n(s, -0.1, 1.2))],
    D.TransformedDistribution: [
        lambda s: D.TransformedDistribution(D.Normal(*_n(s, 0.3, 0.8)), [D.SigmoidTransform()]),
        lambda s: D.TransformedDistribution(D.Normal(*_n(s, 0.1, 1.0)), [D.SigmoidTransform()]),
    ],
}
# never a member of its own: a base class, whose subclasses without a pair of their own are read one by one
GENERIC = {D.ExponentialFamily}
PAIRS = sorted(torch_kl._KL_REGISTRY, key=lambda pair: (pair[0].__name__, pair[1].__name__))
OWN = [pair for pair in PAIRS if not GENERIC & set(pair)]


def _wrong(p: Any, q: Any) -> bool:
    """Where PyTorch's number is known to be wrong, as the checks against integrals below tell."""
    unit = (D.ContinuousBernoulli, D.Uniform)
    # it takes the unit interval for one that is not covered, and the other way round
    return {type(p), type(q)} == set(unit)


def _truth(p: Any, q: Any) -> kb.Answer:
    """An answer that no closed form takes part in."""
    if tuple(p.event_shape):
        return between(kb.kl, p, q, kind="monte-carlo", draws=40_000, seed=2)
    counts = [law.support.is_discrete for law in (p, q)]
    return between(kb.kl, p, q, kind="enumeration" if any(counts) else "quadrature")


def laws(left: type, right: type):
    for p, q in itertools.product(MEMBERS[left], MEMBERS[right]):
        yield p(_number(0.0)), q(_number(0.0))


def exact(p: Any, q: Any) -> torch.Tensor:
    return torch.as_tensor(between(kb.kl, p, q).value)


def test_every_class_has_members() -> None:
    known = set(MEMBERS) | GENERIC
    assert {kind for pair in PAIRS for kind in pair} <= known
    assert all(len(makers) >= 2 for makers in MEMBERS.values())


@pytest.mark.parametrize(("left", "right"), OWN, ids=lambda kind: kind.__name__)
def test_values_are_exact(left: type, right: type) -> None:
    for p, q in laws(left, right):
        found = between(kb.kl, p, q)
        value = float(torch.as_tensor(found.value))
        assert found.kind == "exact"
        assert value >= 0
        if not _wrong(p, q):
            theirs = float(D.kl_divergence(p, q))
            assert value == pytest.approx(theirs, rel=1e-9, abs=1e-14)
        if math.isinf(value):
            continue
        other = _truth(p, q)
        slack = 1e-12 * value + (other.high - other.low if other.kind == "monte-carlo" else 0.0)
        assert other.low - slack <= value <= other.high + slack, (p, q, other)


@pytest.mark.parametrize(("left", "right"), OWN, ids=lambda kind: kind.__name__)
def test_infinity_is_found_by_an_integral_or_a_sum_too(left: type, right: type) -> None:
    for p, q in laws(left, right):
        if tuple(p.event_shape) or math.isfinite(float(exact(p, q))):
            continue
        assert _truth(p, q).value == math.inf


@pytest.mark.parametrize(("left", "right"), OWN, ids=lambda kind: kind.__name__)
def test_gradients_are_slopes_of_the_value(left: type, right: type) -> None:
    for p, q in itertools.product(MEMBERS[left], MEMBERS[right]):
        for of_p, of_q in ((1.0, 0.0), (0.0, 1.0)):

            def value(s: torch.Tensor, p=p, q=q, of_p=of_p, of_q=of_q) -> torch.Tensor:
                return exact(p(of_p * s), q(of_q * s))

            s = _number(0.01).requires_grad_()
            here = value(s)
            if math.isinf(float(here.detach())):
                continue
            (gradient,) = torch.autograd.grad(here, s)
            step = 1e-4
            nearby = [float(value(_number(0.01 + k * step))) for k in (-2, -1, 1, 2)]
            quotient = (nearby[0] - 8.0 * nearby[1] + 8.0 * nearby[2] - nearby[3]) / (12.0 * step)
            assert float(gradient) == pytest.approx(quotient, rel=1e-7, abs=1e-9), (p(s), q(s))


@pytest.mark.parametrize(("left", "right"), OWN, ids=lambda kind: kind.__name__)
def test_batches_broadcast(left: type, right: type) -> None:
    rows, columns = (torch.tensor(x, dtype=torch.float64) for x in ([0.0, 0.02], [0.0, 0.01, 0.04]))
    for p, q in itertools.product(MEMBERS[left][:2], MEMBERS[right][:2]):
        found = exact(p(rows[:, None]), q(columns))
        assert found.shape == (2, 3)
        one = [[exact(p(x), q(y)) for y in columns] for x in rows]
        assert np.allclose(found, one, rtol=1e-13, atol=1e-18)


def test_sharp_continuous_bernoulli_laws_where_torch_is_wrong() -> None:
    """At a logit of −500 the law is exponential with rate 500 but for e^(−500), and torch clips the chance."""
    p, q = (D.ContinuousBernoulli(logits=_number(x)) for x in (-500.0, 3.0))
    other = between(kb.kl, p, q, kind="quadrature")
    assert other.low <= float(exact(p, q)) <= other.high
    mean = 1.0 / 500.0
    assert float(exact(p, q)) == pytest.approx(
        math.log(500.0) - 1.0 + math.log(math.expm1(3.0) / 3.0) - 3.0 * mean, rel=1e-14
    )


@pytest.mark.parametrize("shared", [[D.SigmoidTransform()], [D.TanhTransform(), D.AffineTransform(1.0, 2.0)]])
def test_shared_maps_of_torch_change_nothing(shared: list[Any]) -> None:
    p, q = (D.Normal(*_n(_number(0.0), *x)) for x in ((0.3, 1.2), (0.1, 0.7)))
    mapped = [D.TransformedDistribution(law, shared) for law in (p, q)]
    assert float(exact(*mapped)) == float(exact(p, q))
    assert between(kb.js, *mapped).value == pytest.approx(between(kb.js, p, q).value, rel=1e-12)


def test_a_map_of_many_numbers_is_refused_next_to_another() -> None:
    p = D.MultivariateNormal(torch.zeros(2), torch.eye(2))
    mapped = D.TransformedDistribution(p, [D.ExpTransform()])
    assert float(exact(mapped, mapped)) == 0.0
    with pytest.raises(kb.errors.UnsupportedPairError, match="map of a law of several numbers"):
        between(kb.kl, mapped, p)


class Waiting(D.ExponentialFamily):
    """A caller's own family, with nothing but what the base class asks for: exponential laws."""

    arg_constraints: ClassVar = {"rate": D.constraints.positive}
    support = D.constraints.positive

    def __init__(self, rate: torch.Tensor) -> None:
        self.rate = rate
        super().__init__(rate.shape, validate_args=False)

    @property
    def _natural_params(self) -> tuple[torch.Tensor, ...]:
        return (-self.rate,)

    def _log_normalizer(self, x: torch.Tensor) -> torch.Tensor:
        return -torch.log(-x)

    def log_prob(self, value: torch.Tensor) -> torch.Tensor:
        return torch.log(self.rate) - self.rate * value


@pytest.mark.parametrize("delta", [1.0, 1e-1, 1e-3, 1e-6, 1e-9])
def test_a_family_of_ones_own_by_its_log_normaliser(delta: float) -> None:
    """The base class of PyTorch's generic pair; the truth is that of exponential laws, near equality too."""
    rates = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (1.5, 1.5 * (1.0 + delta))]
    found = between(kb.kl, *map(Waiting, rates))
    known = between(kb.kl, *map(D.Exponential, rates)).value
    assert found.kind == "exact"
    assert float(found.value.detach()) == pytest.approx(float(known.detach()), rel=1e-10)
    # with gradients towards both, where PyTorch's own generic pair keeps none towards the first
    ours, theirs = (torch.autograd.grad(x, rates) for x in (found.value, known))
    for a, b in zip(ours, theirs, strict=True):
        assert float(a) == pytest.approx(float(b), rel=1e-6)
    assert between(kb.js, *map(Waiting, rates)).kind == "quadrature"


def test_a_family_of_ones_own_in_a_batch() -> None:
    p, q = torch.tensor([1.0, 2.0], dtype=torch.float64)[:, None], torch.tensor([0.5, 1.0, 4.0]).double()
    found = exact(Waiting(p), Waiting(q))
    assert found.shape == (2, 3)
    assert np.allclose(found, exact(D.Exponential(p), D.Exponential(q)), rtol=1e-12)
