"""Nouns that are no f-divergence on known laws: closed forms, other ways, many digits, laws, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

import kullback as kb
from exact.members import MEMBERS, member
from kullback.exact.answers import answers_of
from kullback.exact.law import Law
from kullback.exact.reading import read
from kullback.exact.scores import score
from problems.refusals import raises

TORCH = torch.distributions
GAUSSIAN = kb.mmd(kb.GaussianKernel(0.7))
ENERGY_ROOT = kb.mmd(kb.DistanceKernel())
ON_THE_LINE = (
    kb.wasserstein(1), kb.wasserstein(2), kb.wasserstein(3), kb.energy_distance, ENERGY_ROOT, kb.fisher,
    kb.squared_l2, kb.cauchy_schwarz, kb.chernoff,
)  # fmt: skip
LINE_FAMILIES = ("normal", "half_normal", "gamma", "exponential", "laplace", "logistic", "gumbel", "uniform")


def plane(seed: int, d: int = 2, size: int = 2) -> list:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(size):
        root = np.tril(rng.normal(size=(d, d)))
        np.fill_diagonal(root, rng.uniform(0.5, 1.5, d))
        made.append(stats.multivariate_normal(rng.normal(size=d), root @ root.T))
    return made


def integrals(p, q, x: np.ndarray) -> dict[kb.Noun, float]:
    """The definitions on a fine grid, from SciPy's densities and distribution functions."""
    f, g, below = p.pdf(x), q.pdf(x), p.cdf(x) - q.cdf(x)
    scores = [np.gradient(law.logpdf(x), x, edge_order=2) for law in (p, q)]
    pq, pp, qq = (float(np.trapezoid(a * b, x)) for a, b in ((f, g), (f, f), (g, g)))
    orders = np.linspace(0, 1, 201)[1:-1]
    affinities = [np.trapezoid(f**a * g ** (1 - a), x) for a in orders]
    return {
        kb.wasserstein(1): float(np.trapezoid(np.abs(below), x)),
        kb.energy_distance: 2 * float(np.trapezoid(below**2, x)),
        ENERGY_ROOT: math.sqrt(2 * float(np.trapezoid(below**2, x))),
        kb.fisher: float(np.trapezoid(f * (scores[0] - scores[1]) ** 2, x)),
        kb.squared_l2: float(np.trapezoid((f - g) ** 2, x)),
        kb.cauchy_schwarz: -math.log(pq**2 / (pp * qq)),
        kb.chernoff: -math.log(min(affinities)),
    }


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (stats.norm(0.2, 0.8), stats.norm(1, 1.5)),
        (stats.norm(0, 1), stats.logistic(0.5, 1)),
        (stats.gumbel_r(0, 1), stats.norm(0.5, 1.5)),
        (stats.norm(0, 1), stats.loggamma(1.5)),
    ],
)
def test_definitions_on_a_grid(p, q) -> None:
    x = np.linspace(-30, 30, 40_001)
    for d, exact in integrals(p, q, x).items():
        answer = kb.between(d, p, q)
        assert answer.unit == d.unit
        assert answer.value == pytest.approx(exact, rel=1e-4), d
        assert answer.low <= answer.value <= answer.high


@pytest.mark.parametrize("name", LINE_FAMILIES)
def test_closed_forms_lie_in_the_interval_of_quadrature(name: str) -> None:
    """By scanning the families: whatever has a closed form is held against the integral of the definition."""
    checked = 0
    laws = [member(name, m) for m in MEMBERS[name]]
    for d in ON_THE_LINE:
        answers = answers_of(d)
        assert answers is not None
        for p, q in ((laws[0], laws[1]), (laws[1], laws[0])):
            found = answers.closed(d, p, q)
            if found is None:
                continue
            value = float(found.value)
            try:
                other = kb.between(d, p, q, kind="quadrature")
            except (kb.UnsupportedPairError, kb.ConvergenceError):
                assert d in (kb.cauchy_schwarz, kb.chernoff), d
                continue
            slack = 1e-12 * value if math.isfinite(value) else 0.0
            assert other.low - slack <= value <= other.high + slack, (d, value, other)
            checked += 1
    assert checked >= 2


def test_discrete_laws_by_their_atoms() -> None:
    p, q = stats.poisson(3), stats.binom(9, 0.4)
    x = np.arange(60)
    f, g = p.pmf(x), q.pmf(x)
    for order in (1, 2):
        answer = kb.between(kb.wasserstein(order), p, q)
        u = np.linspace(0, 1, 40_002)[1:-1]
        exact = np.mean(np.abs(p.ppf(u) - q.ppf(u)) ** order) ** (1 / order)
        assert answer.kind == "enumeration"
        assert answer.value == pytest.approx(exact, rel=1e-3)
        assert answer.high - answer.low < 1e-6 * answer.value
    for d in (kb.energy_distance, GAUSSIAN, kb.mmd(kb.LaplacianKernel(2.0))):
        assert kb.between(d, p, q).value == pytest.approx(d(f, g, positions=x), rel=1e-12)
    for d in (kb.squared_l2, kb.cauchy_schwarz, kb.chernoff):
        assert kb.between(d, p, q).value == pytest.approx(d(f, g), rel=1e-9)
    moved_by_one = kb.between(kb.wasserstein(2), stats.poisson(3), stats.poisson(3, loc=1))
    assert moved_by_one.value == pytest.approx(1.0, rel=1e-12)


def test_wasserstein_of_normal_laws_in_the_plane_is_the_textbook_formula() -> None:
    for seed in range(5):
        p, q = plane(seed, d=3)
        s, r = p.cov, q.cov
        values, vectors = np.linalg.eigh(s)
        root = vectors * np.sqrt(values) @ vectors.T
        overlap = np.sqrt(np.linalg.eigvalsh(root @ r @ root)).sum()
        exact = math.sqrt(np.sum((p.mean - q.mean) ** 2) + np.trace(s + r) - 2 * overlap)
        assert kb.between(kb.wasserstein(2), p, q).value == pytest.approx(exact, rel=1e-9)
        with raises(kb.UnsupportedPairError, "order 2 of normal laws"):
            kb.between(kb.wasserstein(1), p, q)


@pytest.mark.parametrize("d", [*ON_THE_LINE, GAUSSIAN, kb.renyi(math.inf)], ids=repr)
def test_zero_at_equality_and_not_below(d: kb.Noun) -> None:
    for name in ("normal", "exponential"):
        laws = [member(name, m) for m in MEMBERS[name]]
        if answers_of(d).closed(d, laws[0], laws[0]) is None and d in (GAUSSIAN,):  # type: ignore[union-attr]
            continue
        assert kb.between(d, laws[0], laws[0]).value == 0
        for p in laws:
            assert all(kb.between(d, p, q).value >= 0 for q in laws)


@pytest.mark.parametrize("d", [kb.wasserstein(1), kb.wasserstein(2), ENERGY_ROOT, GAUSSIAN], ids=repr)
def test_metrics_of_laws(d: kb.Noun) -> None:
    a, b, c = stats.norm(0, 1), stats.norm(2, 0.5), stats.norm(1, 3)
    ab, bc, ac = (kb.between(d, x, y).value for x, y in ((a, b), (b, c), (a, c)))
    assert kb.between(d, b, a).value == pytest.approx(ab, rel=1e-12)
    assert ac <= ab + bc
    shifted = kb.between(d, stats.norm(100, 1), stats.norm(102, 0.5)).value
    assert shifted == pytest.approx(ab, rel=1e-10)


def test_maps_of_the_variable() -> None:
    """Scaling multiplies a Wasserstein distance, and only divergences of densities are blind to a shared map."""
    p, q = stats.gamma(2), stats.gamma(3, scale=0.7)
    wide_p, wide_q = stats.gamma(2, scale=10), stats.gamma(3, scale=7)
    for d, factor in (
        (kb.wasserstein(1), 10),
        (kb.wasserstein(2), 10),
        (kb.energy_distance, 10),
        (kb.fisher, 0.01),
    ):
        if d == kb.fisher:
            p, q, wide_p, wide_q = (stats.norm(0, 1), stats.norm(1, 2), stats.norm(0, 10), stats.norm(10, 20))
        assert kb.between(d, wide_p, wide_q).value == pytest.approx(
            factor * kb.between(d, p, q).value, rel=1e-10
        )
    logs = kb.between(kb.wasserstein(2), stats.lognorm(0.5), stats.lognorm(0.3))
    mean = [math.exp(0.5 * s * s) for s in (0.5, 0.3)]
    exact = math.exp(2 * 0.25) + math.exp(2 * 0.09) - 2 * math.exp(0.5 * 0.8**2)
    assert mean[0] > mean[1]
    assert logs.value == pytest.approx(math.sqrt(exact), rel=1e-9)
    assert kb.between(kb.chernoff, stats.lognorm(0.5), stats.lognorm(0.3)).value == pytest.approx(
        kb.between(kb.chernoff, stats.norm(0, 0.5), stats.norm(0, 0.3)).value, rel=1e-12
    )


def test_squares_of_independent_coordinates_add() -> None:
    one = TORCH.Normal(torch.tensor([0.0, 1.0]).double(), torch.tensor([1.0, 2.0]).double())
    two = TORCH.Normal(torch.tensor([1.0, 1.0]).double(), torch.tensor([2.0, 0.5]).double())
    whole = kb.between(kb.wasserstein(2), TORCH.Independent(one, 1), TORCH.Independent(two, 1))
    parts = kb.between(kb.wasserstein(2), one, two).value
    assert float(whole.value) == pytest.approx(float(torch.sqrt((parts**2).sum())), rel=1e-14)


def test_gradients_reach_the_parameters_of_torch() -> None:
    rng = np.random.default_rng(8)
    loc = torch.tensor(rng.normal(size=(2, 2)), requires_grad=True)
    root = torch.tensor(np.tril(rng.normal(size=(2, 2, 2))), requires_grad=True)

    for d in (kb.wasserstein(2), kb.fisher, kb.squared_l2, GAUSSIAN):

        def value(loc: torch.Tensor, root: torch.Tensor, d: kb.Noun = d) -> torch.Tensor:
            lower = torch.tril(root, -1) + torch.diag_embed(torch.exp(torch.diagonal(root, 0, -2, -1)))
            p, q = (TORCH.MultivariateNormal(loc[i], scale_tril=lower[i]) for i in (0, 1))
            return kb.between(d, p, q).value  # type: ignore[return-value]

        assert torch.autograd.gradcheck(value, (loc, root), rtol=1e-5, atol=1e-7), d
    scale = torch.tensor([0.7, 1.3], dtype=torch.float64, requires_grad=True)

    for d in (kb.wasserstein(2), kb.energy_distance, kb.chernoff, kb.renyi(math.inf)):

        def on_the_line(scale: torch.Tensor, d: kb.Noun = d) -> torch.Tensor:
            return kb.between(d, TORCH.Normal(0.0 * scale[0], scale[0]), TORCH.Normal(1.0 + 0.0 * scale[1], scale[1])).value  # type: ignore[return-value]  # fmt: skip  # noqa: E501

        assert torch.autograd.gradcheck(on_the_line, (scale,), rtol=1e-5, atol=1e-7), d


def test_chernoff_says_where_it_is_attained() -> None:
    same_spread = kb.between(kb.chernoff, stats.norm(0, 1), stats.norm(2, 1))
    assert same_spread.value == pytest.approx(0.5, rel=1e-12)
    assert same_spread.notes == ("attained at a = 0.5",)
    nested = kb.between(kb.chernoff, stats.uniform(0, 1), stats.uniform(0, 2))
    assert nested.value == pytest.approx(math.log(2), rel=1e-12)
    assert math.isinf(kb.between(kb.chernoff, stats.uniform(0, 1), stats.uniform(3, 1)).value)
    batch = kb.between(kb.chernoff, stats.norm([0, 0], 1), stats.norm([2, 1], 1))
    np.testing.assert_allclose(batch.value, [0.5, 0.125], rtol=1e-12)
    rates = kb.between(kb.chernoff, stats.poisson(3), stats.poisson(4))
    by_points = kb.between(kb.chernoff, stats.poisson(3), stats.poisson(4), kind="enumeration")
    assert rates.value == pytest.approx(by_points.value, rel=1e-12)


@pytest.mark.parametrize("name", ["normal", "half_normal", "exponential", "laplace", "pareto", "uniform"])
def test_the_largest_ratio_of_densities(name: str) -> None:
    """Against the largest log-ratio on a grid, and Rényi divergences of large orders from below."""
    laws = [member(name, m) for m in MEMBERS[name]]
    for p in laws:
        for q in laws:
            value = float(kb.between(kb.renyi(math.inf), p, q).value)
            with np.errstate(all="ignore"):
                x = np.concatenate([np.linspace(-40, 40, 400_001), np.geomspace(1e-3, 1e6, 2001)])
                log_p, log_q = p.everywhere(x), q.everywhere(x)
            live = np.isfinite(log_p)
            top = float(np.max(log_p[live] - log_q[live]))
            assert top <= value + 1e-12
            if math.isfinite(value):
                assert top == pytest.approx(value, abs=1e-3)
            assert float(kb.between(kb.renyi(20.0), p, q).value) <= value + 1e-12


def test_the_largest_ratio_in_the_plane_and_over_atoms() -> None:
    wide = stats.multivariate_normal([0, 0], 4 * np.eye(2))
    p = stats.multivariate_normal([1, 0], np.eye(2))
    top = kb.between(kb.renyi(math.inf), p, wide).value
    assert top == pytest.approx(math.log(4) + 1 / 6, rel=1e-12)
    assert math.isinf(kb.between(kb.renyi(math.inf), wide, p).value)
    assert kb.between(kb.renyi(math.inf), stats.poisson(2), stats.poisson(3)).value == pytest.approx(
        1.0, rel=1e-12
    )
    assert math.isinf(kb.between(kb.renyi(math.inf), stats.poisson(3), stats.poisson(2)).value)
    assert kb.between(kb.renyi(math.inf), stats.binom(3, 0.5), stats.binom(3, 0.25)).value == pytest.approx(
        3 * math.log(2), rel=1e-12
    )


@pytest.mark.parametrize(
    ("p", "q"), [(stats.invgamma(4), stats.gamma(2)), (stats.lognorm(0.4), stats.invgamma(5, scale=3))]
)
def test_maps_that_turn_the_line_round(p, q) -> None:
    x = np.linspace(1e-9, 400, 800_001)
    below = p.cdf(x) - q.cdf(x)
    for d, exact in ((kb.wasserstein(1), np.abs(below)), (kb.energy_distance, 2 * below**2)):
        assert kb.between(d, p, q).value == pytest.approx(float(np.trapezoid(exact, x)), rel=1e-5)


SCORED = [
    *(member(name, MEMBERS[name][0]) for name in (*LINE_FAMILIES, "student_t", "cauchy", "beta", "weibull")),
    *(member(name, MEMBERS[name][0]) for name in ("pareto", "inverse_gaussian")),
    *(read(law, "law") for law in (stats.lognorm(0.5, 1.0, 2.0), stats.gamma(3, 2.0), stats.skewnorm(1.5))),
    read(stats.invgamma(4), "law"),
]


@pytest.mark.parametrize("law", SCORED, ids=lambda law: law.name)
def test_scores_are_derivatives_of_log_densities(law: Law) -> None:
    x = law.quantile(np.array([0.05, 0.21, 0.4, 0.7, 0.93]))
    assert x is not None
    step, log_density = 1e-5 * np.abs(x - x[0] + 0.1 * (x[-1] - x[0])), law.log_density()
    slope = (log_density(x + step) - log_density(x - step)) / (2 * step)
    found, off = score(law)(x)
    np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-6)
    assert np.all(off < 1e-7 * (1 + np.abs(found)))


def test_heavy_tails_without_a_moment() -> None:
    assert math.isinf(kb.between(kb.wasserstein(1), stats.cauchy(), stats.cauchy(0, 2)).value)
    assert math.isinf(kb.between(kb.wasserstein(2), stats.t(2.0), stats.norm()).value)
    assert math.isinf(kb.between(kb.wasserstein(2), stats.cauchy(), stats.cauchy(0, 2)).value)
    for order in (1, 2, 3):
        assert kb.between(kb.wasserstein(order), stats.cauchy(), stats.cauchy(3, 1)).value == 3.0
    slow = kb.between(kb.wasserstein(2), stats.t(2.5), stats.t(2.5, 0, 2))
    assert slow.value == pytest.approx(math.sqrt(5.0), rel=1e-12)


def test_mixtures_of_normal_laws() -> None:
    p = kb.Mixture([0.3, 0.7], [stats.norm(-1, 0.5), stats.norm(1, 1)])
    q = stats.norm(0.2, 1.4)
    x = np.linspace(-20, 20, 400_001)
    f, g = 0.3 * stats.norm(-1, 0.5).pdf(x) + 0.7 * stats.norm(1, 1).pdf(x), q.pdf(x)
    l2 = kb.between(kb.squared_l2, p, q)
    assert l2.kind == "exact"
    assert l2.value == pytest.approx(float(np.trapezoid((f - g) ** 2, x)), rel=1e-9)
    points = np.linspace(-8, 8, 801)
    mass = [np.interp(points, x, z) * (points[1] - points[0]) for z in (f, g)]
    gram = np.exp(-0.5 * ((points[:, None] - points) / 0.7) ** 2)
    change = mass[0] - mass[1]
    assert kb.between(GAUSSIAN, p, q).value == pytest.approx(math.sqrt(change @ gram @ change), rel=1e-4)


def test_refusals_say_why() -> None:
    n = stats.norm(0, 1)
    refusals = [
        (kb.bregman(lambda x: x * x, name="square"), n, n, "would change with the unit of x"),
        (kb.fisher, stats.poisson(2), stats.poisson(3), "densities on the line that can be differentiated"),
        (kb.fisher, stats.uniform(0, 1), stats.uniform(0, 2), "do not see where a density ends"),
        (kb.fisher, stats.expon(), n, "do not see where a density ends"),
        (kb.squared_l2, n, stats.poisson(2), "one law is discrete"),
        (GAUSSIAN, stats.gamma(2), n, "known for a Gaussian kernel and normal laws"),
        (kb.renyi(math.inf), stats.gamma(2), n, "no finite number of points certifies"),
        (kb.wasserstein(3), *plane(0), "order 2 of normal laws only"),
    ]
    for d, p, q, reason in refusals:
        with raises(kb.UnsupportedPairError, d.name, reason):
            kb.between(d, p, q)
    with raises(kb.UnsupportedPairError, "no closed form of wasserstein(3)"):
        kb.between(kb.wasserstein(3), n, stats.norm(1, 2), kind="exact")
