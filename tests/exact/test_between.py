"""The order in which `between` looks for an answer, what it says of it, and what it refuses."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy import stats

import kullback as kb

TORCH = torch.distributions


def double(*values: float) -> torch.Tensor:
    return torch.tensor(values if len(values) > 1 else values[0], dtype=torch.float64)


@pytest.mark.parametrize(
    ("d", "p", "q", "kind"),
    [
        (kb.kl, stats.norm(0, 1), stats.norm(1, 2), "exact"),
        (kb.renyi(0.7), stats.gamma(2), stats.gamma(3, scale=2), "exact"),
        (kb.js, stats.bernoulli(0.3), stats.bernoulli(0.4), "exact"),
        (kb.js, stats.poisson(3), stats.poisson(4), "enumeration"),
        (kb.kl, stats.binom(5, 0.3), stats.binom(7, 0.4), "enumeration"),
        (kb.js, stats.norm(0, 1), stats.norm(1, 2), "quadrature"),
        (kb.kl, stats.norm(0, 1), stats.logistic(0, 1), "quadrature"),
        (
            kb.js,
            stats.multivariate_normal([0, 0], np.eye(2)),
            stats.multivariate_normal([1, 0], np.eye(2)),
            "quadrature",
        ),
        (
            kb.js,
            stats.multivariate_normal(np.zeros(3), np.eye(3)),
            stats.multivariate_normal(np.ones(3), 2 * np.eye(3)),
            "monte-carlo",
        ),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_the_best_way_is_taken_and_named(d: kb.Divergence, p: object, q: object, kind: str) -> None:
    answer = kb.between(d, p, q, draws=5000)
    assert answer.kind == kind
    assert answer.low <= answer.value <= answer.high
    again = kb.between(d, p, q, kind=kind, draws=5000)  # type: ignore[arg-type]
    assert again.value == answer.value


def test_any_f_by_quadrature_against_many_digits() -> None:
    """Jensen–Shannon of two normal laws with SciPy's own integrator on a fine grid, and Student laws of no family."""
    x = np.linspace(-40, 40, 400_001)
    cases = [
        (stats.norm(0, 1), stats.norm(1, 2)),
        (stats.norm(0, 1), stats.skewnorm(2.0)),
        (stats.logistic(), stats.norm(0, 2)),
    ]
    for p, q in cases:
        f, g = p.pdf(x), q.pdf(x)
        total = np.trapezoid(np.where(f + g > 0, (np.sqrt(f) - np.sqrt(g)) ** 2, 0), x)
        assert kb.between(kb.squared_hellinger, p, q).value == pytest.approx(total, rel=1e-8)
    assert kb.between(kb.kl, stats.t(3), stats.t(5)).value == pytest.approx(0.0176310, abs=5e-8)


@pytest.mark.parametrize("d", [kb.js, kb.total_variation, kb.squared_hellinger])
@pytest.mark.parametrize("freedom", [1.05, 1.5])
def test_tails_where_one_density_is_nothing_do_not_blur_a_bounded_divergence(
    d: kb.FDivergence, freedom: float
) -> None:
    """A normal log-density of -1e299 is off by 1e283, of which a bounded f sees nothing."""
    answer = kb.between(d, stats.norm(0, 1), stats.t(freedom))
    assert answer.low <= answer.value <= answer.high
    assert answer.high - answer.low < 1e-12
    swapped = kb.between(d, stats.t(freedom), stats.norm(0, 1))  # these three are symmetric
    assert swapped.value == pytest.approx(answer.value, rel=1e-12)
    if d == kb.js and freedom == 1.5:  # ∫ in 40 digits by mpmath
        assert answer.value == pytest.approx(0.0533513369225859, rel=1e-14)


def test_total_variation_of_normals_is_known() -> None:
    answer = kb.between(kb.total_variation, stats.norm(0, 1), stats.norm(1, 1))
    exact = 2 * stats.norm.cdf(0.5) - 1
    assert answer.value == pytest.approx(exact, rel=1e-12)
    assert answer.low <= exact <= answer.high


@pytest.mark.parametrize("scale", [-1.0, 0.0, math.nan, math.inf])
@pytest.mark.parametrize("library", ["scipy", "torch"])
def test_p1_scale_outside_its_domain(library: str, scale: float) -> None:
    good = stats.norm(0, 1) if library == "scipy" else TORCH.Normal(0.0, 1.0)
    bad = stats.norm(0, scale) if library == "scipy" else TORCH.Normal(0.0, scale, validate_args=False)
    with pytest.raises(kb.InvalidInputError, match=r"scale is (-1|0|nan|inf).*positive finite"):
        kb.between(kb.kl, good, bad)


def test_p1_says_where_in_a_batch() -> None:
    p = TORCH.Normal(torch.zeros(3), torch.tensor([1.0, 1.0, -2.0]), validate_args=False)
    with pytest.raises(
        kb.InvalidInputError, match="Normal's scale is -2 at index 2; expected a positive finite number"
    ):
        kb.between(kb.kl, p, TORCH.Normal(0.0, 1.0))


def test_p2_covariances_that_are_none() -> None:
    good = stats.multivariate_normal([0, 0], np.eye(2))
    flat = stats.multivariate_normal([0, 0], np.ones((2, 2)), allow_singular=True)
    with pytest.raises(kb.InvalidInputError, match="smallest eigenvalue"):
        kb.between(kb.kl, good, flat)
    nearly = np.array([[1.0, 0.5], [0.5 + 1e-16, 1.0]])
    assert kb.between(kb.kl, good, stats.multivariate_normal([0, 0], nearly)).value == pytest.approx(
        0.18949, abs=1e-5
    )


def test_p3_ill_conditioned_covariance() -> None:
    good = stats.multivariate_normal([0, 0], np.eye(2))
    thin = TORCH.MultivariateNormal(torch.zeros(2).double(), scale_tril=torch.diag(double(1.0, 1e-6)))
    thinner = TORCH.MultivariateNormal(
        torch.zeros(2).double(), scale_tril=torch.diag(double(1.0, 1e-6 * (1 + 1e-8)))
    )
    assert float(kb.between(kb.kl, thin, thinner).value) == pytest.approx(1e-16, rel=1e-6)
    with pytest.raises(kb.InvalidInputError, match="smallest eigenvalue"):
        kb.between(kb.kl, good, stats.multivariate_normal([0, 0], np.diag([1.0, 1e-17]), allow_singular=True))


@pytest.mark.parametrize(("chance", "exact"), [(0.0, -math.log(0.7)), (1.0, -math.log(0.3))])
def test_p5_bernoulli_at_its_ends(chance: float, exact: float) -> None:
    p, q = (TORCH.Bernoulli(probs=double(x)) for x in (chance, 0.3))
    assert float(kb.between(kb.kl, p, q).value) == pytest.approx(exact, rel=1e-15)
    assert math.isinf(kb.between(kb.kl, q, p).value)
    logit = TORCH.Bernoulli(logits=double(math.inf if chance else -math.inf))
    assert float(kb.between(kb.kl, logit, q).value) == pytest.approx(exact, rel=1e-15)


def test_p7_unsupported_pairs_list_what_there_is() -> None:
    with pytest.raises(
        kb.UnsupportedPairError, match=r"closed forms with one of them: .*normal‖normal.*quadrature"
    ):
        kb.between(kb.kl, stats.norm(0, 1), stats.logistic(0, 1), kind="exact")
    with pytest.raises(kb.UnsupportedPairError, match=r"`Q` is a builtins\.str"):
        kb.between(kb.kl, stats.norm(0, 1), "normal")
    with pytest.raises(kb.UnsupportedPairError, match="what can be had: kind='exact'"):
        kb.between(kb.kl, stats.norm(0, 1), stats.norm(0, 2), kind="enumeration")
    with pytest.raises(kb.UnsupportedPairError, match="neither an f-divergence nor a function of one"):
        kb.between(kb.renyi(0), stats.norm(0, 1), stats.laplace(0, 1))
    with pytest.raises(kb.InvalidInputError, match="known kinds"):
        kb.between(kb.kl, stats.norm(0, 1), stats.norm(0, 2), kind="guess")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("d", "p", "q", "value"),
    [
        (kb.kl, stats.uniform(0, 2), stats.uniform(0, 1), math.inf),
        (kb.kl, stats.norm(0, 1), stats.expon(), math.inf),
        (kb.js, stats.uniform(0, 1), stats.expon(loc=2), math.log(2)),
        (kb.total_variation, stats.norm(0, 1), stats.poisson(2), 1.0),
        (kb.kl, stats.cauchy(), stats.norm(0, 1), math.inf),
        (kb.kl, stats.poisson(2), stats.binom(3, 0.5), math.inf),
        (kb.reverse_kl, stats.expon(), stats.norm(0, 1), math.inf),
        (kb.js, stats.multinomial(3, [0.3, 0.7]), stats.multinomial(4, [0.3, 0.7]), math.log(2)),
    ],
    ids=lambda x: x.name if isinstance(x, kb.Divergence) else "",
)
def test_p8_supports_that_do_not_match(d: kb.Divergence, p: object, q: object, value: float) -> None:
    answer = kb.between(d, p, q)
    assert answer.value == answer.low == answer.high == pytest.approx(value)


def test_p9_poisson_with_rate_zero() -> None:
    none, some = TORCH.Poisson(double(0.0)), TORCH.Poisson(double(1.5))
    assert float(kb.between(kb.kl, none, some).value) == 1.5
    assert math.isinf(kb.between(kb.kl, some, none).value)
    assert float(kb.between(kb.renyi(0.5), none, some).value) == 1.5


def test_p10_shapes() -> None:
    p, q = TORCH.Normal(torch.zeros(3, 1), 1.0), TORCH.Normal(torch.zeros(4), torch.ones(4))
    assert kb.between(kb.kl, p, q).value.shape == (3, 4)
    with pytest.raises(kb.ShapeError, match=r"\(3,\).*\(4,\)"):
        kb.between(kb.kl, TORCH.Normal(torch.zeros(3), 1.0), q)
    with pytest.raises(kb.ShapeError, match=r"\(2,\).*\(3,\)"):
        kb.between(
            kb.kl,
            TORCH.MultivariateNormal(torch.zeros(2), torch.eye(2)),
            TORCH.MultivariateNormal(torch.zeros(3), torch.eye(3)),
        )
    with pytest.raises(kb.ShapeError, match="categories"):
        kb.between(kb.kl, TORCH.Categorical(torch.ones(2)), TORCH.Categorical(torch.ones(3)))


def test_two_libraries_are_refused() -> None:
    with pytest.raises(kb.DTypeError, match="two libraries"):
        kb.between(kb.kl, stats.norm(0, 1), TORCH.Normal(0.0, 1.0))


def test_batches_without_a_closed_form() -> None:
    q = stats.norm([0.5, 1.0], [[1.0], [2.0]])
    answer = kb.between(kb.js, stats.norm(0, 1), q)
    assert answer.value.shape == (2, 2)
    assert answer.kind == "quadrature"
    for i in range(2):
        for j in range(2):
            one = kb.between(kb.js, stats.norm(0, 1), stats.norm([0.5, 1.0][j], [1.0, 2.0][i]))
            assert answer.value[i, j] == one.value


def test_shared_maps_change_nothing() -> None:
    plain = kb.between(kb.kl, stats.gamma(2), stats.gamma(3, scale=2)).value
    assert kb.between(kb.kl, stats.gamma(2, loc=5), stats.gamma(3, loc=5, scale=2)).value == plain
    normal = kb.between(kb.renyi(2), stats.norm(0, 0.5), stats.norm(0.1, 0.6)).value
    logs = kb.between(kb.renyi(2), stats.lognorm(0.5), stats.lognorm(0.6, scale=math.exp(0.1)))
    assert logs.kind == "exact"
    assert logs.value == pytest.approx(normal, rel=1e-14)
    p, q = (TORCH.LogNormal(double(m), double(s)) for m, s in ((0.0, 0.5), (0.1, 0.6)))
    assert float(kb.between(kb.renyi(2), p, q).value) == pytest.approx(normal, rel=1e-14)
    inverse = kb.between(kb.kl, stats.invgamma(2), stats.invgamma(3, scale=2))
    assert inverse.value == pytest.approx(kb.between(kb.kl, stats.gamma(2), stats.gamma(3, scale=0.5)).value)
    moved = kb.between(kb.kl, stats.gamma(2, loc=1), stats.gamma(2))
    assert moved.kind == "quadrature"
    assert math.isfinite(moved.value)


def test_transformed_laws_on_the_line_by_their_density() -> None:
    log_normal, gamma = stats.lognorm(0.5), stats.gamma(2)
    x = np.linspace(1e-9, 120, 2_000_001)
    f, g = log_normal.pdf(x), gamma.pdf(x)
    exact = float(np.trapezoid(kb.kl.terms(f, g, axis=0, validate=False), x))
    assert kb.between(kb.kl, log_normal, gamma).value == pytest.approx(exact, rel=1e-6)


def test_independent_parts_add_up() -> None:
    loc, scale = double(0.0, 1.0, -1.0), double(1.0, 2.0, 0.5)
    p = TORCH.Independent(TORCH.Normal(loc, scale), 1)
    q = TORCH.Independent(TORCH.Normal(double(0.5, 0.0, 0.0), torch.ones(3, dtype=torch.float64)), 1)
    wanted = float(TORCH.kl_divergence(p, q))
    assert float(kb.between(kb.kl, p, q).value) == pytest.approx(wanted, rel=1e-13)
    many = TORCH.MultivariateNormal(double(0.5, 0.0, 0.0), torch.eye(3, dtype=torch.float64))
    assert float(kb.between(kb.kl, p, many).value) == pytest.approx(wanted, rel=1e-13)
    assert float(kb.between(kb.squared_hellinger, p, q).value) == pytest.approx(
        float(kb.between(kb.squared_hellinger, p, many).value), rel=1e-12
    )


def test_jax_parameters_of_a_numpyro_law() -> None:
    """A class with NumPyro's module and names: the library itself is not needed to read it."""
    normal = type("Normal", (), {"__module__": "numpyro.distributions.continuous"})
    p, q = normal(), normal()
    p.loc, p.scale, q.loc, q.scale = (jnp.asarray(x) for x in (0.0, 1.0, 1.0, 1.0))
    assert float(kb.between(kb.kl, p, q).value) == pytest.approx(0.5, rel=1e-6)


def test_scipy_and_torch_say_the_same() -> None:
    rng = np.random.default_rng(4)
    for _ in range(5):
        a, b, c, d = rng.uniform(0.3, 4.0, 4)
        pairs = [
            (stats.norm(a, b), TORCH.Normal(double(a), double(b))),
            (stats.gamma(a, scale=b), TORCH.Gamma(double(a), double(1 / b))),
            (stats.beta(a, b), TORCH.Beta(double(a), double(b))),
            (stats.laplace(a, b), TORCH.Laplace(double(a), double(b))),
            (stats.gumbel_r(a, b), TORCH.Gumbel(double(a), double(b))),
            (stats.weibull_min(a, scale=b), TORCH.Weibull(double(b), double(a))),
            (stats.chi2(a), TORCH.Chi2(double(a))),
            (stats.t(a, b, c), TORCH.StudentT(double(a), double(b), double(c))),
            (stats.geom(a / 5), TORCH.Geometric(double(a / 5))),
        ]
        others = [stats.norm(c, d), stats.gamma(c, scale=d), stats.beta(c, d), stats.laplace(c, d)]
        others += [
            stats.gumbel_r(c, d),
            stats.weibull_min(c, scale=d),
            stats.chi2(c),
            stats.t(5),
            stats.geom(c / 5),
        ]
        theirs = [TORCH.Normal(double(c), double(d)), TORCH.Gamma(double(c), double(1 / d))]
        theirs += [TORCH.Beta(double(c), double(d)), TORCH.Laplace(double(c), double(d))]
        theirs += [
            TORCH.Gumbel(double(c), double(d)),
            TORCH.Weibull(double(d), double(c)),
            TORCH.Chi2(double(c)),
        ]
        theirs += [TORCH.StudentT(double(5.0)), TORCH.Geometric(double(c / 5))]
        for (p, t), q, u in zip(pairs, others, theirs, strict=True):
            assert float(kb.between(kb.kl, p, q).value) == pytest.approx(
                float(kb.between(kb.kl, t, u).value), rel=1e-11
            )


def test_monte_carlo_agrees_with_the_closed_form() -> None:
    p, q = stats.norm(0, 1), stats.norm(0.4, 1.2)
    answer = kb.between(kb.kl, p, q, kind="monte-carlo", draws=20_000)
    assert answer.kind == "monte-carlo"
    assert answer.low <= kb.between(kb.kl, p, q).value <= answer.high


def test_no_global_generator_is_touched() -> None:
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    p = TORCH.MultivariateNormal(torch.zeros(2), torch.eye(2))
    kb.between(kb.js, p, TORCH.MultivariateNormal(torch.ones(2), torch.eye(2)), draws=1000)
    kb.between(kb.js, TORCH.Kumaraswamy(double(2.0), double(3.0)), TORCH.Beta(double(2.0), double(3.0)))
    assert np.array_equal(before[0], np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(before[1], torch.get_rng_state())


def test_gradients_that_are_not_there_are_said() -> None:
    loc = torch.tensor(0.3, requires_grad=True)
    answer = kb.between(kb.js, TORCH.Normal(loc, 1.0), TORCH.Normal(0.0, 1.0))
    assert any("no gradient" in note for note in answer.notes)


def test_mixtures_of_torch_on_the_line() -> None:
    """The pair that the libraries lack most: a normal law and a mixture, either way round, for any f."""
    weights = TORCH.Categorical(double(0.7, 0.3))
    mixture = TORCH.MixtureSameFamily(weights, TORCH.Normal(double(-2.0, 2.0), double(0.7, 0.5)))
    normal = TORCH.Normal(double(-0.8), double(2.0))
    x = np.linspace(-20, 20, 800_001)
    f, g = (law.log_prob(torch.from_numpy(x)).exp().numpy() for law in (mixture, normal))
    for d in (kb.kl, kb.reverse_kl, kb.js, kb.total_variation, kb.pearson_chi2):
        answer = kb.between(d, mixture, normal)
        exact = float(np.trapezoid(d.terms(f, g, axis=0, validate=False), x))
        assert answer.kind == "quadrature"
        assert answer.value == pytest.approx(exact, rel=1e-6)
        assert answer.high - answer.low < 1e-9


def test_infinite_tails_are_told_from_finite_ones() -> None:
    assert math.isinf(kb.between(kb.kl, stats.t(2), stats.norm(0, 1)).value)
    assert math.isinf(kb.between(kb.pearson_chi2, stats.norm(0, 1.5), stats.laplace()).value) is False
    assert math.isinf(kb.between(kb.pearson_chi2, stats.laplace(), stats.norm(0, 1)).value)
    heavy = kb.between(kb.kl, stats.cauchy(), stats.t(1.5))
    assert heavy.kind == "quadrature"
    assert math.isfinite(heavy.value)
