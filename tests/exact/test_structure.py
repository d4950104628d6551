"""Products, labelled laws and truncated ones: against the vectors of all outcomes, mpmath and each other."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.stats
import torch

import kullback as kb
from kullback.exact import Labelled, Product, Truncated
from problems.listed import BUILT_IN

stats: Any = scipy.stats
TORCH = torch.distributions
DISCRETE = (
    (stats.binom(3, 0.2), stats.binom(3, 0.35)),
    (stats.binom(5, 0.5), stats.bernoulli(0.4)),
    (stats.randint(0, 4), stats.binom(3, 0.6)),
)
RELATIVES = (kb.renyi(0.5), kb.renyi(2.0), kb.renyi(1.0), kb.bhattacharyya)
EVERY = (*BUILT_IN, *RELATIVES, 0.3 * kb.js + kb.kl)


def masses(law: Any, n: int = 6) -> np.ndarray:
    return law.pmf(np.arange(n))


@pytest.mark.parametrize("d", EVERY, ids=repr)
def test_a_product_is_the_vector_of_all_outcomes(d: kb.Divergence) -> None:
    p, q = (Product(*(pair[i] for pair in DISCRETE)) for i in range(2))
    x, y = (reduce(np.multiply.outer, [masses(pair[i]) for pair in DISCRETE]).ravel() for i in range(2))
    for first, second, a, b in ((p, q, x, y), (q, p, y, x)):
        answer, wanted = kb.between(d, first, second), d(a, b, validate=False)
        assert answer.kind in ("exact", "enumeration")
        assert answer.value == pytest.approx(wanted, rel=1e-12)
        assert answer.low <= answer.value <= answer.high


@pytest.mark.parametrize("d", EVERY, ids=repr)
def test_a_labelled_law_is_the_vector_of_labels_and_points(d: kb.Divergence) -> None:
    w, v = np.array([0.2, 0.5, 0.3]), np.array([0.4, 0.4, 0.2])
    x, y = (
        np.concatenate([s * masses(pair[i]) for s, pair in zip(z, DISCRETE, strict=True)])
        for i, z in ((0, w), (1, v))
    )
    p, q = (Labelled(z, [pair[i] for pair in DISCRETE]) for i, z in ((0, w), (1, v)))
    answer, wanted = kb.between(d, p, q, draws=20_000), d(x, y, validate=False)
    if answer.kind == "monte-carlo":
        slack = 0.0 if math.isinf(answer.high) else 0.5 * (answer.high - answer.low)
        assert answer.low - slack <= wanted <= answer.high + slack
    else:
        assert answer.value == pytest.approx(wanted, rel=1e-12)
    same = kb.between(d, Labelled(w, p.components), Labelled(w, q.components)) if d in BUILT_IN else None
    if same is not None:
        y = np.concatenate([s * masses(pair[1]) for s, pair in zip(w, DISCRETE, strict=True)])
        assert same.kind != "monte-carlo"
        assert same.value == pytest.approx(d(x, y, validate=False), rel=1e-12)


def test_labels_that_one_side_never_draws() -> None:
    parts = [stats.norm(0), stats.norm(5)]
    p, q = Labelled([0.5, 0.5], parts), Labelled([1.0, 0.0], parts)
    assert kb.between(kb.kl, p, q).value == math.inf
    assert kb.between(kb.kl, q, p).value == pytest.approx(math.log(2.0), rel=1e-15)
    assert kb.between(kb.squared_hellinger, p, q).value == pytest.approx(2.0 - math.sqrt(2.0), rel=1e-14)


def test_a_labelled_law_is_further_apart_than_the_mixture() -> None:
    laws = ([stats.norm(0), stats.norm(2)], [stats.norm(1), stats.norm(2, 2)])
    for d in (kb.kl, kb.squared_hellinger, kb.alpha(0.3)):
        known = kb.between(d, Labelled([0.3, 0.7], laws[0]), Labelled([0.5, 0.5], laws[1])).value
        mixed = kb.between(
            d, kb.exact.Mixture([0.3, 0.7], laws[0]), kb.exact.Mixture([0.5, 0.5], laws[1])
        ).value
        assert known > mixed


def test_labelled_laws_that_are_none() -> None:
    parts = [stats.norm(0), stats.norm(5)]
    with pytest.raises(kb.ShapeError, match="2 components and weights of shape"):
        Labelled([1.0], parts)
    with pytest.raises(kb.InvalidInputError, match=r"sum to 1, which these miss by 0\.1"):
        Labelled([0.5, 0.6], parts)
    with pytest.raises(kb.ShapeError, match="draws of the components have shapes"):
        kb.between(
            kb.kl, Labelled([0.5, 0.5], [parts[0], stats.dirichlet([1, 2])]), Labelled([0.5, 0.5], parts)
        )
    with pytest.raises(kb.ShapeError, match="`P` has 2 labels and `Q` 1"):
        kb.between(kb.kl, Labelled([0.5, 0.5], parts), Labelled([1.0], parts[:1]))
    with pytest.raises(kb.UnsupportedPairError, match="kind='monte-carlo'"):
        kb.between(kb.js, Labelled([0.5, 0.5], parts), Labelled([0.4, 0.6], parts[::-1]), kind="quadrature")


@pytest.mark.parametrize("d", [kb.alpha(0.4), kb.alpha(3.0), kb.squared_hellinger, kb.renyi(0.7)], ids=repr)
def test_powers_multiply_whatever_the_parts_came_from(d: kb.Divergence) -> None:
    """Three parts, of which one is integrated and one summed, against the joint law drawn and one integral each."""
    p = Product(stats.norm(0, 1), stats.poisson(3), stats.logistic(0, 1))
    q = Product(stats.norm(0.3, 1.1), stats.binom(40, 0.1), stats.norm(0.2, 1.9))
    answer = kb.between(d, p, q)
    if d == kb.alpha(3.0):
        assert answer.value == math.inf  # counts above 40
        return
    assert answer.kind == "quadrature"
    drawn = kb.between(d, p, q, kind="monte-carlo", draws=50_000)
    assert abs(drawn.value - answer.value) < drawn.high - drawn.low
    assert 0.0 < answer.high - answer.low < 1e-9


def test_near_equal_products_keep_their_digits() -> None:
    delta = 1e-9
    p, q = (Product(stats.logistic(0), stats.poisson(3 + m), stats.norm(m)) for m in (0.0, delta))
    wanted = delta**2 * (0.5 / 3 + 0.5)
    assert kb.between(kb.squared_hellinger, p, q).value == pytest.approx(0.5 * wanted, rel=1e-6)


def test_batches_of_independent_laws() -> None:
    zero = torch.zeros(2, 3, dtype=torch.float64)
    shift = torch.tensor([[0.1, 0.5, 0.9], [0.0, 0.0, 2.0]], dtype=torch.float64)
    p, q = TORCH.StudentT(5.0 + zero), TORCH.Normal(shift, zero + 1.0)
    for d in (kb.kl, kb.alpha(0.3), kb.js):
        answer: Any = kb.between(d, TORCH.Independent(p, 1), TORCH.Independent(q, 1), draws=2000)
        assert answer.value.shape == (2,)
        for i in range(2):
            row = (TORCH.StudentT(5.0 + zero[i]), TORCH.Normal(shift[i], zero[i] + 1.0))
            one = kb.between(d, *(TORCH.Independent(x, 1) for x in row), draws=2000)
            assert answer.value[i] == pytest.approx(float(one.value), rel=1e-12)


def test_a_product_of_torch_laws_carries_gradients() -> None:
    loc = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    one = torch.ones((), dtype=torch.float64)
    p = Product(TORCH.Normal(loc, one), TORCH.Gamma(one, one))
    value: Any = kb.between(kb.kl, p, Product(TORCH.Normal(0 * one, one), TORCH.Gamma(2 * one, one))).value
    value.backward()
    assert float(loc.grad) == pytest.approx(0.3)  # type: ignore[arg-type]
    noted = kb.between(kb.js, p, Product(TORCH.Normal(0 * one, one), TORCH.Gamma(2 * one, one)))
    assert any("no gradient" in note for note in noted.notes)


def test_products_of_vectors_and_mismatched_ones() -> None:
    many = stats.multivariate_normal([0, 0], [[1, 0.5], [0.5, 2]])
    p, q = Product(stats.norm(1), many), Product(stats.norm(0), stats.multivariate_normal([0, 1], np.eye(2)))
    wanted = 0.5 + kb.between(kb.kl, many, stats.multivariate_normal([0, 1], np.eye(2))).value
    assert kb.between(kb.kl, p, q).value == pytest.approx(wanted, rel=1e-14)
    whole = kb.between(kb.kl, p, Product(many, stats.norm(0)), draws=2000)
    assert whole.kind == "monte-carlo"  # coordinates that do not pair up
    with pytest.raises(kb.ShapeError, match=r"\(3,\).*\(2,\)"):
        kb.between(kb.kl, p, Product(stats.norm(0), stats.norm(0)))
    with pytest.raises(kb.InvalidInputError, match="at least one law"):
        Product()
    with pytest.raises(kb.UnsupportedPairError, match=r"`laws\[1\]` is a builtins\.int"):
        kb.between(kb.kl, Product(stats.norm(0), 3), q)


def test_equal_parts_drop_out() -> None:
    shared = [stats.gamma(2), stats.poisson(3)]
    one = kb.between(kb.js, stats.norm(0), stats.norm(1))
    assert kb.between(kb.js, Product(stats.norm(0), *shared), Product(stats.norm(1), *shared)) == one


def truncated_kl(shift: float, scale: float, low: float, high: float) -> float:
    """KL of the standard normal law from another one, both on one interval, by its first two moments there."""
    with mp.workdps(60):
        a, b, m, t = (mp.mpf(x) for x in (low, high, shift, scale))
        sides = ((-b, -a), ((m - b) / t, (m - a) / t)) if a > 0 else ((a, b), ((a - m) / t, (b - m) / t))
        own, other = (mp.ncdf(end) - mp.ncdf(start) for start, end in sides)
        first = (mp.npdf(a) - mp.npdf(b)) / own
        second = 1 + (a * mp.npdf(a) - b * mp.npdf(b)) / own
        total = mp.log(other / own) + mp.log(t) - second / 2 + (second - 2 * m * first + m * m) / (2 * t * t)
        return float(total)  # type: ignore[arg-type]


@pytest.mark.parametrize(("low", "high"), [(-1.0, 2.0), (3.0, 4.0), (-9.0, -8.5), (30.0, 30.5)])
def test_truncated_normals_with_many_digits(low: float, high: float) -> None:
    wanted = truncated_kl(1.0, 2.0, low, high)
    answer = kb.between(kb.kl, Truncated(stats.norm(0, 1), low, high), Truncated(stats.norm(1, 2), low, high))
    assert answer.kind == "quadrature"
    assert answer.value == pytest.approx(wanted, rel=1e-11)
    assert answer.low <= wanted <= answer.high
    theirs = [stats.truncnorm((low - m) / s, (high - m) / s, m, s) for m, s in ((0, 1), (1, 2))]
    assert kb.between(kb.kl, *theirs).value == pytest.approx(wanted, rel=1e-9)


def test_truncated_laws_of_scipy_and_their_formulas() -> None:
    """∫ of the exponential laws on [0, 3] and of 1/x on [1, 3] against [1, 4]."""
    first, second = Truncated(stats.expon(), 0, 3), Truncated(stats.expon(scale=0.5), 0, 3)
    norm_1, norm_2 = -math.expm1(-3.0), -math.expm1(-6.0) / 2.0
    mean = 1.0 - 3.0 * math.exp(-3.0) / norm_1
    assert kb.between(kb.kl, first, second).value == pytest.approx(
        mean + math.log(norm_2 / norm_1), rel=1e-12
    )
    theirs = stats.truncexpon(3), stats.truncexpon(6, scale=0.5)
    assert kb.between(kb.kl, *theirs).value == pytest.approx(mean + math.log(norm_2 / norm_1), rel=1e-12)
    wanted = math.log(math.log(4) / math.log(3))
    assert kb.between(kb.kl, stats.loguniform(1, 3), stats.loguniform(1, 4)).value == pytest.approx(
        wanted, rel=1e-12
    )


def test_truncation_that_stays_in_the_family_stays_exact() -> None:
    pairs = [
        (stats.expon(), stats.expon(scale=0.5), 2.0, math.inf, 1.0 - math.log(2.0)),
        (stats.pareto(3.0), stats.pareto(2.0), 5.0, math.inf, math.log(1.5) - 1.0 / 3.0),
        (stats.uniform(0, 4), stats.uniform(0, 8), 1.0, 2.0, 0.0),
        (stats.norm(0), stats.norm(1), -math.inf, math.inf, 0.5),
    ]
    for p, q, low, high, wanted in pairs:
        answer = kb.between(kb.kl, Truncated(p, low, high), Truncated(q, low, high))
        assert answer.kind == "exact"
        assert answer.value == pytest.approx(wanted, rel=1e-14)


def test_truncated_laws_elsewhere() -> None:
    none = Truncated(stats.poisson(2), low=1)
    x = np.arange(1, 60)
    f, g = (stats.poisson(m).pmf(x) / (1.0 - math.exp(-m)) for m in (2, 3))
    assert kb.between(kb.kl, none, Truncated(stats.poisson(3), low=1)).value == pytest.approx(
        kb.kl(f, g), rel=1e-12
    )
    narrow, wide = Truncated(stats.norm(), 0, 1), Truncated(stats.norm(), 0, 2)
    assert kb.between(kb.kl, wide, narrow).value == math.inf
    share = (stats.norm.cdf(1) - 0.5) / (stats.norm.cdf(2) - 0.5)
    assert kb.between(kb.kl, narrow, wide).value == pytest.approx(-math.log(share), rel=1e-12)
    assert kb.between(kb.js, narrow, Truncated(stats.norm(), 2, 3)).value == pytest.approx(math.log(2))
    logs = [Truncated(law, 1.0, math.e) for law in (stats.lognorm(1.0), stats.lognorm(2.0))]
    plain = [Truncated(law, 0.0, 1.0) for law in (stats.norm(0, 1), stats.norm(0, 2))]
    assert kb.between(kb.js, *logs).value == pytest.approx(kb.between(kb.js, *plain).value, rel=1e-11)
    drawn = kb.between(kb.kl, *plain, kind="monte-carlo", draws=5000)
    assert drawn.low <= kb.between(kb.kl, *plain).value <= drawn.high
    far = kb.between(kb.kl, Truncated(stats.norm(0, 1), 40), Truncated(stats.norm(0, 2), 40))
    assert far.kind == "quadrature"
    torch_law = Truncated(TORCH.Normal(torch.zeros(()).double(), torch.ones(()).double()), 0, 1)
    assert kb.between(kb.kl, torch_law, torch_law).value == 0.0


def test_truncation_that_is_none() -> None:
    with pytest.raises(kb.InvalidInputError, match="is empty"):
        Truncated(stats.norm(), 2, 1)
    with pytest.raises(kb.InvalidInputError, match="no mass in"):
        kb.between(kb.kl, Truncated(stats.expon(), -2, -1), stats.expon())
    with pytest.raises(kb.UnsupportedPairError, match="takes one law on the line"):
        kb.between(kb.kl, Truncated(stats.norm([0, 1]), 0, 1), stats.norm())
    with pytest.raises(kb.UnsupportedPairError, match="too far out to draw"):
        kb.between(kb.kl, Truncated(stats.norm(), 40), Truncated(stats.norm(1), 40), kind="monte-carlo")
