"""NumPyro's own classes: read, compared with what is known in other libraries, and traced."""

# ruff: noqa: ARG005, PLW0108 (a table of functions of the same two numbers)

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as numpyro_distributions
import pytest
import scipy.stats

import kullback as kb

D: Any = numpyro_distributions
stats: Any = scipy.stats
Make = Callable[[Any, Any], Any]


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def two(a: Any, b: Any) -> Any:
    return jnp.stack([a, b])


def diagonal(a: Any, b: Any) -> Any:
    return jnp.diag(two(a, b))


# NumPyro's law of two positive numbers, the first below 5, next to SciPy's; None where SciPy has none
LAWS: dict[str, tuple[Make, Make | None]] = {
    "Normal": (lambda a, b: D.Normal(a, b), lambda a, b: stats.norm(a, b)),
    "HalfNormal": (lambda a, b: D.HalfNormal(b), lambda a, b: stats.halfnorm(scale=b)),
    "MultivariateNormal": (
        lambda a, b: D.MultivariateNormal(two(a, b), scale_tril=diagonal(b, 1.0 + a)),
        lambda a, b: stats.multivariate_normal([a, b], np.diag([b**2, (1.0 + a) ** 2])),
    ),
    "Exponential": (lambda a, b: D.Exponential(b), lambda a, b: stats.expon(scale=1 / b)),
    "Gamma": (lambda a, b: D.Gamma(a, b), lambda a, b: stats.gamma(a, scale=1 / b)),
    "Beta": (lambda a, b: D.Beta(a, b), lambda a, b: stats.beta(a, b)),
    "Dirichlet": (lambda a, b: D.Dirichlet(two(a, b)), lambda a, b: stats.dirichlet([a, b])),
    "Laplace": (lambda a, b: D.Laplace(a, b), lambda a, b: stats.laplace(a, b)),
    "Cauchy": (lambda a, b: D.Cauchy(a, b), lambda a, b: stats.cauchy(a, b)),
    "HalfCauchy": (lambda a, b: D.HalfCauchy(b), None),
    "Logistic": (lambda a, b: D.Logistic(a, b), lambda a, b: stats.logistic(a, b)),
    "StudentT": (lambda a, b: D.StudentT(3.0, a, b), lambda a, b: stats.t(3.0, a, b)),
    "Uniform": (lambda a, b: D.Uniform(0.0, a), lambda a, b: stats.uniform(0.0, a)),
    "Pareto": (lambda a, b: D.Pareto(1.0, a), lambda a, b: stats.pareto(a)),
    "Gumbel": (lambda a, b: D.Gumbel(a, b), lambda a, b: stats.gumbel_r(a, b)),
    "Weibull": (lambda a, b: D.Weibull(a, b), lambda a, b: stats.weibull_min(b, scale=a)),
    "Poisson": (lambda a, b: D.Poisson(b), lambda a, b: stats.poisson(b)),
    "GeometricProbs": (lambda a, b: D.GeometricProbs(a / 5), lambda a, b: stats.geom(a / 5, loc=-1)),
    "GeometricLogits": (
        lambda a, b: D.GeometricLogits(jnp.log(a / (5 - a))),
        lambda a, b: stats.geom(a / 5, loc=-1),
    ),
    "BernoulliProbs": (lambda a, b: D.BernoulliProbs(a / 5), lambda a, b: stats.bernoulli(a / 5)),
    "BernoulliLogits": (
        lambda a, b: D.BernoulliLogits(jnp.log(a / (5 - a))),
        lambda a, b: stats.bernoulli(a / 5),
    ),
    "CategoricalProbs": (
        lambda a, b: D.CategoricalProbs(two(a, b) / (a + b)),
        lambda a, b: stats.bernoulli(b / (a + b)),
    ),
    "CategoricalLogits": (
        lambda a, b: D.CategoricalLogits(jnp.log(two(a, b))),
        lambda a, b: stats.bernoulli(b / (a + b)),
    ),
    "BinomialProbs": (lambda a, b: D.BinomialProbs(a / 5, 7), lambda a, b: stats.binom(7, a / 5)),
    "BinomialLogits": (
        lambda a, b: D.BinomialLogits(jnp.log(a / (5 - a)), 7),
        lambda a, b: stats.binom(7, a / 5),
    ),
    "MultinomialProbs": (
        lambda a, b: D.MultinomialProbs(two(a, b) / (a + b), 4),
        lambda a, b: stats.binom(4, a / (a + b)),
    ),
    "MultinomialLogits": (
        lambda a, b: D.MultinomialLogits(jnp.log(two(a, b)), 4),
        lambda a, b: stats.binom(4, a / (a + b)),
    ),
    "Chi2": (lambda a, b: D.Chi2(b), lambda a, b: stats.chi2(b)),
    "LogNormal": (lambda a, b: D.LogNormal(a, b), lambda a, b: stats.lognorm(b, scale=math.exp(a))),
    "InverseGamma": (lambda a, b: D.InverseGamma(a, b), lambda a, b: stats.invgamma(a, scale=b)),
    # the chance of NumPyro is that to go on
    "NegativeBinomialProbs": (
        lambda a, b: D.NegativeBinomialProbs(5.0, a / 5),
        lambda a, b: stats.nbinom(5, 1 - a / 5),
    ),
    "NegativeBinomialLogits": (
        lambda a, b: D.NegativeBinomialLogits(5.0, jnp.log(a / (5 - a))),
        lambda a, b: stats.nbinom(5, 1 - a / 5),
    ),
    "NegativeBinomial2": (lambda a, b: D.NegativeBinomial2(a, 3.0), lambda a, b: stats.nbinom(3, 3 / (3 + a))),
    "GammaPoisson": (lambda a, b: D.GammaPoisson(3.0, b), lambda a, b: stats.nbinom(3, b / (1 + b))),
    "DirichletMultinomial": (lambda a, b: D.DirichletMultinomial(two(a, b), 4), lambda a, b: stats.betabinom(4, a, b)),
    "TransformedDistribution": (
        lambda a, b: D.TransformedDistribution(D.Normal(a, b), D.transforms.AffineTransform(1.0, 2.0)),
        lambda a, b: stats.norm(1 + 2 * a, 2 * b),
    ),
}  # fmt: skip
X = (1.3, 0.9, 1.7, 1.2)
# value-dependent checks or sums keep these out of a trace, which they say
EAGER = {"Logistic", "StudentT", "DirichletMultinomial"}


def pair(name: str, x: Any = X) -> tuple[Any, Any]:
    make = LAWS[name][0]
    return make(jnp.asarray(x[0]), jnp.asarray(x[1])), make(jnp.asarray(x[2]), jnp.asarray(x[3]))


@pytest.mark.parametrize("name", LAWS)
def test_every_class_is_read_as_its_namesake(name: str) -> None:
    theirs = LAWS[name][1]
    p, q = pair(name)
    for d in (kb.kl, kb.js):
        if theirs is None:
            assert math.isfinite(float(kb.between(d, p, q).value))
            continue
        wanted = kb.between(d, theirs(*X[:2]), theirs(*X[2:]), draws=20_000)
        answer = kb.between(d, p, q, draws=20_000)
        if wanted.kind != "monte-carlo" and answer.kind != "monte-carlo":
            assert float(answer.value) == pytest.approx(wanted.value, rel=1e-10)


QUICK = {"Normal", "Poisson"}
TRACED = [
    pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow])
    for name in sorted(set(LAWS) - EAGER)
]


@pytest.mark.parametrize("name", TRACED)
def test_closed_forms_trace_and_have_gradients(name: str) -> None:
    """jit gives the number of the untraced call, grad that of central differences."""

    def value(x: Any) -> Any:
        return kb.between(kb.kl, *pair(name, x)).value

    x = jnp.asarray(X)
    assert float(jax.jit(value)(x)) == pytest.approx(float(value(x)), rel=1e-12)
    gradient = jax.jit(jax.grad(value))(x)
    for i in range(4):
        step = 1e-5 * jnp.eye(4)[i]
        assert float(gradient[i]) == pytest.approx(
            float(value(x + step) - value(x - step)) / 2e-5, rel=1e-5, abs=1e-9
        )


@pytest.mark.parametrize("d", [kb.renyi(0.5), kb.jeffreys], ids=repr)
def test_derived_divergences_trace(d: kb.Divergence) -> None:
    for name in ("Normal", "BernoulliProbs"):

        def value(x: Any, name: str = name) -> Any:
            return kb.between(d, *pair(name, x)).value

        x = jnp.asarray(X)
        assert float(jax.jit(value)(x)) == pytest.approx(float(value(x)), rel=1e-12)
        assert np.isfinite(np.asarray(jax.grad(value)(x))).all()


def test_vmap_over_laws() -> None:
    locs = jnp.linspace(-1.0, 1.0, 5)
    found = jax.vmap(lambda m: kb.between(kb.kl, D.Normal(m, 1.0), D.Normal(0.0, 1.0)).value)(locs)
    assert np.asarray(found) == pytest.approx(0.5 * np.asarray(locs) ** 2)


def test_what_needs_values_is_refused_inside_a_trace() -> None:
    def by_quadrature(m: Any) -> Any:
        return kb.between(kb.js, D.Normal(m, 1.0), D.Normal(0.0, 1.0)).value

    def mixture(m: Any) -> Any:
        weights = D.CategoricalProbs(jnp.array([0.5, 0.5]))
        return kb.between(
            kb.kl, D.MixtureSameFamily(weights, D.Normal(two(m, -m), 1.0)), D.Normal(0.0, 1.0)
        ).value

    for function in (by_quadrature, mixture):
        for traced in (jax.jit(function), jax.grad(function)):
            with pytest.raises(kb.UnsupportedPairError, match="inside jit"):
                traced(0.3)


def test_counts_that_differ_are_nan_inside_a_trace() -> None:
    found = jax.jit(lambda c: kb.between(kb.kl, D.BinomialProbs(c, 3), D.BinomialProbs(0.5, 4)).value)(0.2)
    assert math.isnan(float(found))


def test_independent_laws_and_batches() -> None:
    loc, scale = jnp.array([[0.1, 0.5], [0.0, 2.0]]), jnp.array([1.0, 2.0])
    p, q = D.Normal(loc, scale), D.Normal(0.0, jnp.ones((2, 2)))
    parts: Any = kb.between(kb.kl, p, q).value
    whole: Any = kb.between(kb.kl, p.to_event(1), q.to_event(1)).value
    assert parts.shape == (2, 2)
    assert np.asarray(whole) == pytest.approx(np.asarray(parts).sum(axis=1))
    answer: Any = kb.between(kb.js, p.to_event(1), q.to_event(1))
    assert answer.kind == "quadrature"
    assert answer.value.shape == (2,)
    laplace = kb.between(kb.squared_hellinger, D.Laplace(loc, 1.0).to_event(2), q.to_event(2))
    assert laplace.kind == "quadrature"
    assert 0.0 < laplace.value < 2.0


def test_truncated_laws() -> None:
    for ends in ({"low": 0.0}, {"high": 1.0}, {"low": -1.0, "high": 2.0}):
        p, q = (D.TruncatedNormal(m, s, **ends) for m, s in ((0.0, 1.0), (0.5, 2.0)))
        low, high = ends.get("low", -math.inf), ends.get("high", math.inf)
        theirs = (stats.truncnorm((low - m) / s, (high - m) / s, m, s) for m, s in ((0.0, 1.0), (0.5, 2.0)))
        assert kb.between(kb.kl, p, q).value == pytest.approx(kb.between(kb.kl, *theirs).value, rel=1e-10)
    with pytest.raises(kb.UnsupportedPairError, match="in a batch"):
        kb.between(kb.kl, D.TruncatedNormal(jnp.zeros(2), 1.0, low=0.0), p)


def test_parameters_are_checked() -> None:
    with pytest.raises(kb.InvalidInputError, match="scale is -1"):
        kb.between(kb.kl, D.Normal(0.0, -1.0, validate_args=False), D.Normal(0.0, 1.0))


def test_a_law_that_is_not_known_is_refused() -> None:
    assert numpyro.__version__
    with pytest.raises(
        kb.UnsupportedPairError, match=r"`P` is a numpyro\.distributions.*SineBivariateVonMises"
    ):
        kb.between(kb.kl, D.SineBivariateVonMises(0.0, 0.0, 1.0, 1.0, 0.1), D.Normal(0.0, 1.0))
