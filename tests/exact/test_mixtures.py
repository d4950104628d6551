"""Mixtures: the ways they come in, what is exact of them, and bounds of the rest."""

from __future__ import annotations

import math
import warnings
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

import kullback as kb

TORCH = torch.distributions
NORMAL = stats.multivariate_normal


def spread(weights: list[float], means: list[float], scales: list[float]) -> kb.Mixture:
    return kb.Mixture(weights, [stats.norm(m, s) for m, s in zip(means, scales, strict=True)])


def on_a_grid(d: kb.FDivergence, p: kb.Mixture, q: kb.Mixture, x: np.ndarray) -> float:
    f, g = (sum(w * c.pdf(x) for w, c in zip(m.weights, m.components, strict=True)) for m in (p, q))
    width = x[1] - x[0]
    return float(d(f * width, g * width, normalize=True))


P = spread([0.3, 0.7], [-2.0, 1.0], [0.5, 1.0])
Q = spread([0.6, 0.4], [-1.0, 2.0], [1.0, 0.7])


@pytest.mark.parametrize(
    "d", [kb.kl, kb.js, kb.squared_hellinger, kb.total_variation, kb.alpha(0.3)], ids=str
)
def test_any_f_of_mixtures_on_the_line(d: kb.FDivergence) -> None:
    answer = kb.between(d, P, Q)
    assert answer.kind == "quadrature"
    truth = on_a_grid(d, P, Q, np.linspace(-14, 14, 400_001))
    assert answer.value == pytest.approx(truth, rel=1e-7)


@pytest.mark.parametrize("share", [0.5, 1e-3, 1e-7])
def test_a_narrow_far_component_is_seen(share: float) -> None:
    """Components without overlap: the divergence of the weights plus those of the components, by hand."""
    p = spread([1 - share, share], [0.0, 1e6], [1.0, 1e-4])
    q = spread([0.5, 0.5], [0.0, 1e6], [1.0, 2e-4])
    inner = math.log(2) + 0.125 - 0.5
    truth = float(kb.kl([1 - share, share], [0.5, 0.5])) + share * inner
    assert kb.between(kb.kl, p, q).value == pytest.approx(truth, rel=1e-10)


def test_gaps_in_a_support() -> None:
    holes = kb.Mixture([0.3, 0.7], [stats.uniform(0, 1), stats.uniform(5, 1)])
    whole = stats.uniform(0, 10)
    truth = math.log(10) + 0.3 * math.log(0.3) + 0.7 * math.log(0.7)
    assert kb.between(kb.kl, holes, whole).value == pytest.approx(truth, rel=1e-12)
    assert kb.between(kb.kl, whole, holes).value == math.inf
    assert kb.between(kb.total_variation, holes, whole).value == pytest.approx(0.8, rel=1e-12)


def test_mixtures_of_counts_by_enumeration() -> None:
    p = kb.Mixture([0.3, 0.7], [stats.poisson(3), stats.poisson(9)])
    answer = kb.between(kb.kl, p, stats.poisson(7))
    x = np.arange(200)
    f = 0.3 * stats.poisson(3).pmf(x) + 0.7 * stats.poisson(9).pmf(x)
    assert answer.kind == "enumeration"
    live = f > 0
    truth = np.sum(f[live] * (np.log(f[live]) - stats.poisson(7).logpmf(x[live])))
    assert answer.value == pytest.approx(truth, rel=1e-12)


def test_mixtures_of_categories() -> None:
    def chances(*p: float) -> Any:
        return TORCH.Categorical(torch.tensor(p, dtype=torch.float64))

    mixture = kb.Mixture([0.5, 0.5], [chances(0.2, 0.3, 0.5), chances(0.6, 0.2, 0.2)])
    truth = float(kb.kl([0.4, 0.25, 0.35], [0.2, 0.3, 0.5]))
    assert kb.between(kb.kl, mixture, chances(0.2, 0.3, 0.5)).value == pytest.approx(truth, rel=1e-12)
    with pytest.raises(kb.ShapeError, match="3 categories and `Q` 2"):
        kb.between(kb.kl, mixture, chances(0.5, 0.5))


def test_one_component_is_itself_and_nests_are_spread_out() -> None:
    alone = kb.Mixture([1.0, 0.0], [stats.norm(0, 1), stats.norm(5, 1)])
    assert kb.between(kb.kl, alone, stats.norm(1, 1)).kind == "exact"
    nested = kb.Mixture([0.5, 0.5], [P, kb.Mixture([1.0], [P])])
    assert kb.between(kb.kl, nested, P).value < 1e-30
    assert kb.between(kb.kl, P, P).value == 0.0


def test_torch_mixtures_are_ours() -> None:
    def ours(weights: Any, means: Any, scales: Any) -> Any:
        chances, parts = TORCH.Categorical(weights), TORCH.Normal(means, scales)
        return TORCH.MixtureSameFamily(chances, parts)

    p = ours(torch.tensor([0.3, 0.7]).double(), torch.tensor([-2.0, 1.0]), torch.tensor([0.5, 1.0]))
    q = ours(torch.tensor([0.6, 0.4]).double(), torch.tensor([-1.0, 2.0]), torch.tensor([1.0, 0.7]))
    assert kb.between(kb.kl, p, q).value == pytest.approx(kb.between(kb.kl, P, Q).value, rel=1e-6)
    several = ours(torch.rand(3, 2), torch.randn(3, 2), torch.ones(3, 2))
    answer = kb.between(kb.js, several, TORCH.Normal(0.0, 1.0))
    alone = kb.Mixture(
        several.mixture_distribution.probs[1], TORCH.Normal(several.component_distribution.loc[1], 1.0)
    )
    assert answer.value[1] == pytest.approx(kb.between(kb.js, alone, TORCH.Normal(0.0, 1.0)).value, rel=1e-12)


def test_numpyro_mixtures_by_their_looks() -> None:
    def made(name: str, module: str, **held: Any) -> Any:
        thing = type(name, (), {"__module__": f"numpyro.distributions.{module}"})()
        thing.__dict__.update(held)
        return thing

    chances = made("CategoricalProbs", "discrete", probs=jnp.asarray([0.3, 0.7]))
    loc, scale = jnp.asarray([-2.0, 1.0]), jnp.asarray([0.5, 1.0])
    same = made(
        "MixtureSameFamily", "mixtures", mixing_distribution=chances,
        component_distribution=made("Normal", "continuous", loc=loc, scale=scale),
    )  # fmt: skip
    parts = [made("Normal", "continuous", loc=loc[i], scale=scale[i]) for i in range(2)]
    general = made("MixtureGeneral", "mixtures", mixing_distribution=chances, component_distributions=parts)
    target = made("Normal", "continuous", loc=jnp.asarray(0.0), scale=jnp.asarray(2.0))
    truth = kb.between(kb.kl, P, stats.norm(0, 2)).value
    for thing in (same, general):
        assert kb.between(kb.kl, thing, target).value == pytest.approx(truth, rel=1e-6)


@pytest.mark.parametrize("covariances", ["full", "tied", "diag", "spherical"])
def test_fitted_mixtures_of_scikit_learn(covariances: str) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [rng.normal(size=(200, 3)), [4.0, 0, 1] + rng.normal(size=(200, 3)) @ np.diag([1, 2, 0.5])]
    )
    fitted = GaussianMixture(n_components=2, covariance_type=covariances, random_state=0).fit(x)
    full = {
        "full": lambda c: c,
        "tied": lambda c: [c, c],
        "diag": lambda c: [np.diag(v) for v in c],
        "spherical": lambda c: [v * np.eye(3) for v in c],
    }[covariances](fitted.covariances_)
    ours = kb.Mixture(list(fitted.weights_), [NORMAL(m, c) for m, c in zip(fitted.means_, full, strict=True)])
    assert abs(kb.between(kb.cauchy_schwarz, fitted, ours).value) < 1e-14
    target = NORMAL(np.zeros(3), np.eye(3))
    assert kb.between(kb.cauchy_schwarz, fitted, target).value == pytest.approx(
        kb.between(kb.cauchy_schwarz, ours, target).value, rel=1e-12
    )


def test_what_is_refused() -> None:
    with pytest.raises(kb.InvalidInputError, match=r"not fitted; call its fit"):
        kb.between(kb.kl, GaussianMixture(n_components=2), NORMAL([0, 0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = BayesianGaussianMixture(n_components=2).fit(np.random.default_rng(0).normal(size=(50, 2)))
    with pytest.raises(kb.UnsupportedPairError, match="BayesianGaussianMixture"):
        kb.between(kb.kl, fitted, NORMAL([0, 0]))
    pair = [stats.norm(0, 1), stats.norm(1, 1)]
    with pytest.raises(kb.InvalidInputError, match=r"sum to 0.9, not 1"):
        kb.Mixture([0.5, 0.4], pair)
    with pytest.raises(kb.InvalidInputError, match=r"weight at index 1 is -0.5"):
        kb.Mixture([1.5, -0.5], pair)
    with pytest.raises(kb.ShapeError, match="3 weights for 2 components"):
        kb.Mixture([0.2, 0.3, 0.5], pair)
    with pytest.raises(kb.ShapeError, match="without a batch"):
        kb.between(kb.kl, kb.Mixture([1.0], stats.norm(0, 1)), stats.norm(0, 1))
    with pytest.raises(kb.ShapeError, match="different shapes"):
        kb.between(kb.kl, kb.Mixture([0.5, 0.5], [stats.norm(0, 1), NORMAL([0, 0])]), stats.norm(0, 1))
    with pytest.raises(kb.UnsupportedPairError, match=r"components\[1\].*dict"):
        kb.between(kb.kl, kb.Mixture([0.5, 0.5], [stats.norm(0, 1), {}]), stats.norm(0, 1))
    with pytest.raises(kb.UnsupportedPairError, match="both atoms and a density"):
        kb.between(kb.js, kb.Mixture([0.5, 0.5], [stats.norm(0, 1), stats.poisson(2)]), stats.norm(0, 1))


def test_cauchy_schwarz_on_the_line_and_the_plane() -> None:
    x = np.linspace(-14, 14, 200_001)
    f, g = (sum(w * c.pdf(x) for w, c in zip(m.weights, m.components, strict=True)) for m in (P, Q))
    pp, pq, qq = (float(np.trapezoid(h, x)) for h in (f * f, f * g, g * g))
    answer = kb.between(kb.cauchy_schwarz, P, Q)
    assert answer.kind == "exact"
    assert answer.value == pytest.approx(-math.log(pq**2 / pp / qq), rel=1e-10)
    p = kb.Mixture([0.4, 0.6], [NORMAL([0, 0], [[1, 0.5], [0.5, 1]]), NORMAL([2, 1], [[0.5, 0], [0, 1]])])
    q = NORMAL([1, 0], [[2, -0.3], [-0.3, 1]])
    side = np.linspace(-9, 11, 401)
    plane = np.stack(np.meshgrid(side, side), axis=-1)
    f = 0.4 * p.components[0].pdf(plane) + 0.6 * p.components[1].pdf(plane)
    g = q.pdf(plane)
    truth = -math.log((f * g).sum() ** 2 / (f * f).sum() / (g * g).sum())
    assert kb.between(kb.cauchy_schwarz, p, q).value == pytest.approx(truth, rel=1e-8)


def test_gradients_of_cauchy_schwarz_reach_weights_means_and_scales() -> None:
    def value(logits: torch.Tensor, loc: torch.Tensor, log_scale: torch.Tensor) -> Any:
        parts = TORCH.Independent(TORCH.Normal(loc, log_scale.exp()), 1)
        p = TORCH.MixtureSameFamily(TORCH.Categorical(logits=logits), parts)
        q = TORCH.MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double())
        return kb.between(kb.cauchy_schwarz, p, q).value

    rng = torch.Generator().manual_seed(0)
    raw = [torch.randn(s, dtype=torch.float64, generator=rng) for s in ((3,), (3, 2), (3, 2))]
    assert torch.autograd.gradcheck(value, [x.requires_grad_() for x in raw])
