"""Bounds of divergences of mixtures hold, are sharp where they can be, and approximations are what they say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

import kullback as kb
from kullback.exact import approximations
from kullback.exact.reading import read

NORMAL = stats.multivariate_normal


def random_line(rng: np.random.Generator, *, near: kb.Mixture | None = None) -> kb.Mixture:
    k = int(rng.integers(1, 5))
    if near is not None:
        moved = [stats.norm(c.mean() + 0.1 * rng.normal(), c.std() * 1.05) for c in near.components]
        return kb.Mixture(near.weights, moved)
    weights = list(rng.dirichlet(np.full(k, 0.7)))
    parts = [stats.norm(rng.normal() * rng.choice([0.3, 2, 8]), rng.uniform(0.2, 2)) for _ in range(k)]
    return kb.Mixture(weights, parts)


def random_space(rng: np.random.Generator, d: int, k: int, size: float) -> kb.Mixture:
    parts = []
    for _ in range(k):
        root = rng.normal(size=(d, d))
        parts.append(NORMAL(size * rng.normal(size=d), root @ root.T / d + 0.2 * np.eye(d)))  # type: ignore[arg-type]
    return kb.Mixture(list(rng.dirichlet(np.ones(k))), parts)


def brackets(d: Any, p: kb.Mixture, q: kb.Mixture) -> tuple[kb.Answer, kb.Answer]:
    """The bounds and what quadrature says."""
    return kb.between(d, p, q, kind="bounds"), kb.between(d, p, q, kind="quadrature")


@pytest.mark.parametrize("d", [kb.kl, kb.jeffreys, kb.squared_hellinger, kb.total_variation, kb.js], ids=str)
def test_bounds_hold_on_the_line(d: kb.Divergence) -> None:
    """Random pairs, equal and near-equal ones among them; entropies and convexity, no projections."""
    rng = np.random.default_rng(11)
    for i in range(100 if d == kb.kl else 15):
        p = random_line(rng)
        q = random_line(rng, near=p if i % 4 == 0 else None)
        if len(p.weights) == len(q.weights) == 1:
            continue
        bounds, truth = brackets(d, p, q)
        assert bounds.low <= truth.high
        assert truth.low <= bounds.high
        assert bounds.low <= bounds.value <= bounds.high


@pytest.mark.parametrize("d", [kb.kl, kb.alpha(0.4), kb.renyi(0.6)], ids=str)
def test_bounds_hold_on_the_plane(d: kb.Divergence) -> None:
    rng = np.random.default_rng(5)
    for i in range(3):
        p, q = random_space(rng, 2, 2, 1.0 + i), random_space(rng, 2, 1 + i % 3, 1.0)
        bounds, truth = brackets(d, p, q)
        assert bounds.low <= truth.high
        assert truth.low <= bounds.high


@pytest.mark.parametrize(("d", "least"), [(kb.kl, 1.5), (kb.js, 1.5)], ids=str)
def test_known_moments_save_draws(d: kb.FDivergence, least: float) -> None:
    """The spread over seeds against that of the regression on t − 1 alone; the mean stays, and the interval covers."""
    rng = np.random.default_rng(0)
    p, q = random_space(rng, 3, 3, 1.0), NORMAL(np.zeros(3), 2 * np.eye(3))  # type: ignore[arg-type]
    laws = [read(law, "") for law in (p, q)]
    answers, plain = [], []
    for seed in range(24):
        answers.append(kb.between(d, p, q, kind="monte-carlo", draws=2000, seed=seed))
        x = laws[0].sample(2000, seed)
        plain.append(kb.sampled(d, laws[0].everywhere(x), laws[1].everywhere(x), drawn_from="p").value)
    values = np.array([a.value for a in answers])
    assert "moments" in answers[0].method
    assert np.var(plain) > least * np.var(values)
    truth = {kb.kl: 0.7540, kb.js: 0.1949}[d]  # averages of a million draws, those of js from either law
    assert abs(values.mean() - truth) < 0.002 + 4 * values.std() / math.sqrt(24)
    assert sum(a.low <= truth <= a.high for a in answers) >= 21


@pytest.mark.slow
@pytest.mark.parametrize("dimension", [3, 6])
def test_bounds_hold_in_space(dimension: int) -> None:
    """Against draws, whose interval at five standard errors has to meet the bounds."""
    rng = np.random.default_rng(dimension)
    for _ in range(40):
        p, q = (
            random_space(rng, dimension, int(k), rng.choice([0.3, 1, 2])) for k in rng.integers(1, 5, size=2)
        )
        if len(p.weights) == len(q.weights) == 1:
            continue
        for d in (kb.kl, kb.js, kb.squared_hellinger):
            bounds = kb.between(d, p, q, kind="bounds")
            draws = kb.between(d, p, q, kind="monte-carlo", draws=20_000)
            if math.isfinite(draws.low):
                reach = 2.6 * (draws.high - draws.value)
                assert bounds.low <= draws.value + reach
                assert draws.value - reach <= bounds.high


def test_bounds_close_where_components_are_apart() -> None:
    """Far components: KL is that of the weights plus the mean of those of the components."""
    p = kb.Mixture([0.3, 0.7], [NORMAL([0, 0, 0]), NORMAL([1e3, 0, 0])])
    q = kb.Mixture([0.5, 0.5], [NORMAL([1, 0, 0]), NORMAL([1e3, 2, 0])])
    truth = kb.kl([0.3, 0.7], [0.5, 0.5]) + 0.3 * 0.5 + 0.7 * 2.0
    answer = kb.between(kb.kl, p, q)
    assert answer.kind == "bounds"
    assert answer.high == pytest.approx(truth, rel=1e-12)
    assert answer.low <= truth <= answer.high
    for f in (approximations.unscented, approximations.variational, approximations.matched_pairs):
        assert f(p, q) == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("shift", [1e2, 1e4, 1e6])
def test_far_mixtures_neither_underflow_nor_overflow(shift: float) -> None:
    rng = np.random.default_rng(3)
    p, q = random_space(rng, 4, 3, 1.0), random_space(rng, 4, 2, 1.0)
    q = kb.Mixture(q.weights, [NORMAL(c.mean + shift, c.cov) for c in q.components])
    for d in (kb.kl, kb.squared_hellinger, kb.total_variation):
        answer = kb.between(d, p, q, kind="bounds")
        assert all(math.isfinite(x) for x in (answer.low, answer.value, answer.high))
        assert answer.low > 0.9 * answer.high if d == kb.squared_hellinger else answer.low > 0


@pytest.mark.parametrize("d", [kb.kl, kb.js, kb.jeffreys, kb.squared_hellinger, kb.total_variation], ids=str)
def test_equal_mixtures(d: kb.Divergence) -> None:
    p = random_space(np.random.default_rng(0), 3, 4, 1.0)
    turned = kb.Mixture(p.weights[::-1], p.components[::-1])
    for q in (p, turned):
        answer = kb.between(d, p, q)
        assert answer.low == 0.0
        assert answer.high < 1e-13


def test_a_normal_law_is_a_mixture_of_one() -> None:
    rng = np.random.default_rng(1)
    p, q = random_space(rng, 3, 3, 1.0), NORMAL(np.zeros(3), np.eye(3))
    for pair in ((p, q), (q, p)):
        bounds, draws = kb.between(kb.kl, *pair), kb.between(kb.kl, *pair, kind="monte-carlo")
        assert bounds.kind == "bounds"
        assert bounds.low <= draws.high
        assert draws.low <= bounds.high


def test_components_of_another_family() -> None:
    p = kb.Mixture([0.3, 0.7], [stats.dirichlet([2.0, 3, 4]), stats.dirichlet([5.0, 1, 2])])
    q = stats.dirichlet([2.0, 2, 2])
    bounds = kb.between(kb.kl, p, q, kind="bounds")
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [p.components[0].rvs(30_000, random_state=rng), p.components[1].rvs(70_000, random_state=rng)]
    )
    log_p = np.logaddexp(*(math.log(w) + c.logpdf(x.T) for w, c in zip(p.weights, p.components, strict=True)))
    sampled = float(np.mean(log_p - q.logpdf(x.T)))
    assert bounds.low <= sampled <= bounds.high
    assert bounds.high < 1.6 * sampled
    assert "variational" in bounds.notes[0]


def test_kinds() -> None:
    rng = np.random.default_rng(2)
    p, q = random_space(rng, 3, 2, 1.0), random_space(rng, 3, 2, 1.0)
    answer = kb.between(kb.kl, p, q)
    assert answer.kind == "bounds"
    assert answer.level == 1.0
    assert "unscented" in answer.notes[0]
    with pytest.raises(kb.UnsupportedPairError, match="what can be had: kind='bounds' or 'monte-carlo'"):
        kb.between(kb.kl, p, q, kind="exact")
    with pytest.raises(kb.UnsupportedPairError, match="neither law is one"):
        kb.between(kb.kl, NORMAL([0, 0, 0]), NORMAL([1, 0, 0]), kind="bounds")
    wide = kb.Mixture([0.5, 0.5], [NORMAL([0, 0, 0], 9 * np.eye(3)), NORMAL([0, 0, 0], 0.1 * np.eye(3))])  # type: ignore[arg-type]
    with pytest.raises(kb.UnsupportedPairError, match="no finite upper bound of pearson_chi2"):
        kb.between(kb.pearson_chi2, NORMAL([0, 0, 0]), wide, kind="bounds")


@pytest.mark.parametrize("name", approximations.__all__)
def test_approximations_of_batches_and_their_gradients(name: str) -> None:
    function = getattr(approximations, name)
    torch.manual_seed(0)
    T = torch.distributions

    def mixture(logits: torch.Tensor, loc: torch.Tensor, log_scale: torch.Tensor) -> Any:
        parts = T.Independent(T.Normal(loc, log_scale.exp()), 1)
        return T.MixtureSameFamily(T.Categorical(logits=logits), parts)

    def raw(k: int) -> list[torch.Tensor]:
        return [torch.randn(4, k, *rest, dtype=torch.float64) for rest in ((), (2,), (2,))]

    left, right = raw(2), raw(3)
    together = function(mixture(*left), mixture(*right))
    assert together.shape == (4,)
    alone = function(mixture(*(x[1] for x in left)), mixture(*(x[1] for x in right)))
    assert float(together[1]) == pytest.approx(float(alone), rel=1e-12)
    one = [x[0].clone().requires_grad_() for x in (*left, *right)]
    assert torch.autograd.gradcheck(lambda *z: function(mixture(*z[:3]), mixture(*z[3:])), one)


def test_approximations_by_hand() -> None:
    """Plain loops over components, as in the papers."""
    rng = np.random.default_rng(8)
    p, q = random_space(rng, 3, 2, 1.0), random_space(rng, 3, 3, 1.0)

    def kl(a: Any, b: Any) -> float:
        return float(kb.between(kb.kl, a, b))

    def integral(a: Any, b: Any) -> float:
        return NORMAL(b.mean, a.cov + b.cov).pdf(a.mean)

    def log_density(m: kb.Mixture, x: np.ndarray) -> float:
        return math.log(sum(w * c.pdf(x) for w, c in zip(m.weights, m.components, strict=True)))

    truth = dict.fromkeys(approximations.__all__, 0.0)
    for w, a in zip(p.weights, p.components, strict=True):
        kls = [kl(a, b) for b in q.components]
        over = sum(v * math.exp(-x) for v, x in zip(q.weights, kls, strict=True))
        own = sum(v * math.exp(-kl(a, b)) for v, b in zip(p.weights, p.components, strict=True))
        truth["variational"] += w * math.log(own / over)
        over = sum(v * integral(a, b) for v, b in zip(q.weights, q.components, strict=True))
        own = sum(v * integral(a, b) for v, b in zip(p.weights, p.components, strict=True))
        truth["product"] += w * math.log(own / over)
        best = min(x - math.log(v) for v, x in zip(q.weights, kls, strict=True))
        truth["matched_pairs"] += w * (best + math.log(w))
        root = np.linalg.cholesky(a.cov) * math.sqrt(3)
        points = [a.mean + s * root[:, i] for i in range(3) for s in (1, -1)]
        truth["unscented"] += w * float(np.mean([log_density(p, x) - log_density(q, x) for x in points]))
    moments = []
    for m in (p, q):
        mean = sum(w * c.mean for w, c in zip(m.weights, m.components, strict=True))
        second = sum(
            w * (c.cov + np.outer(c.mean, c.mean)) for w, c in zip(m.weights, m.components, strict=True)
        )
        moments.append(NORMAL(mean, second - np.outer(mean, mean)))
    truth["moment_matched"] = kl(*moments)
    for name, value in truth.items():
        assert getattr(approximations, name)(p, q) == pytest.approx(value, rel=1e-10), name
