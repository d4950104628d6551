"""Priors integrated in closed form: Monte Carlo, quadrature, conjugate updates, limits, gradients, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor
from torch.distributions import MultivariateNormal

import kullback as kb
from kullback.errors import InvalidInputError, ShapeError
from kullback.exact import NormalInverseWishart
from kullback.losses import priors


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def spread(d: int, seed: int) -> Tensor:
    """A covariance."""
    a = numbers(d, d + 2, seed=seed)
    return a @ a.T / d


def law(d: int = 3, seed: int = 1, df: float = 7.5, precision: float = 1.7) -> NormalInverseWishart:
    return NormalInverseWishart(
        numbers(d, seed=seed),
        torch.tensor(precision).double(),
        df * spread(d, seed + 1),
        torch.tensor(df).double(),
    )


# automatic relevance determination ---------------------------------------------------------------------------------


def test_the_posterior_of_precisions_is_conjugate() -> None:
    """Against quadrature of prior times likelihood over one precision."""
    z = numbers(6, 1)
    found = priors.RelevancePrior.of_codes(z, shape=2.0, rate=0.5)

    def unscaled(a: float) -> float:
        return float(stats.gamma(2.0, scale=2.0).pdf(a) * np.prod(stats.norm(0, a**-0.5).pdf(z.numpy())))

    total, _ = integrate.quad(unscaled, 0, np.inf)
    mean, _ = integrate.quad(lambda a: a * unscaled(a) / total, 0, np.inf)
    assert found.shape == 5.0
    assert float(1 / found.variance) == pytest.approx(mean, rel=1e-8)


def test_the_marginal_is_the_mixture_over_precisions() -> None:
    prior = priors.RelevancePrior(2.5, torch.tensor([0.7]).double())
    gamma = stats.gamma(2.5, scale=1 / 0.7)
    for z in (0.0, 0.4, 3.0):
        mixed, _ = integrate.quad(lambda a, z=z: gamma.pdf(a) * stats.norm(0, a**-0.5).pdf(z), 0, np.inf)
        at = torch.tensor([z]).double()
        assert float(prior.marginal().log_prob(at).exp()) == pytest.approx(mixed, rel=1e-7)


def test_expected_divergence_against_draws_of_the_precisions() -> None:
    prior = priors.RelevancePrior(3.0, torch.tensor([0.7, 2.0]).double())
    mean, scale = numbers(2, 2), numbers(2, 2, seed=1).exp()
    rng = np.random.default_rng(2)
    alpha = rng.gamma(3.0, 1 / prior.rate.numpy(), size=(40_000, 2))
    for i in range(2):
        m, s = mean[i].numpy(), scale[i].numpy()
        draws = 0.5 * ((m**2 + s**2) * alpha - 1 - np.log(s**2 * alpha)).sum(1)
        error = draws.std() / len(draws) ** 0.5
        assert float(prior.expected_divergence(mean, scale)[i]) == pytest.approx(draws.mean(), abs=4 * error)


def test_expected_divergence_bounds_that_from_the_marginal() -> None:
    prior = priors.RelevancePrior(2.0, torch.tensor([1.0]).double())
    for m, s in ((0.0, 1.0), (0.5, 0.3), (3.0, 0.7)):
        bound = float(prior.expected_divergence(torch.tensor([[m]]), torch.tensor([[s]])))
        student = stats.t(4.0, scale=0.5**0.5)
        assert bound > kb.between(kb.kl, stats.norm(m, s), student).value


def test_known_precisions_cost_nothing_more() -> None:
    """Towards many codes the expectation is the divergence from N(0, b/a): what is between them goes like d/(4a)."""
    mean, scale = numbers(4, 3), numbers(4, 3, seed=1).exp()
    for a in (1e2, 1e6, 1e12):
        prior = priors.RelevancePrior(a, a * torch.tensor([0.5, 1.0, 2.0]).double())
        more = prior.expected_divergence(mean, scale) - prior.divergence(mean, scale)
        # next to numbers near ten 3/(4a) has few digits; by itself it has them all
        np.testing.assert_allclose(more, 3 / (4 * a), rtol=2 / a, atol=1e-14)
        assert float(priors._beyond_log(torch.tensor(a).double())) == pytest.approx(0.5 / a, rel=1 / a)


def test_relevance_divergence_is_zero_at_the_prior_and_has_the_right_gradient() -> None:
    prior = priors.RelevancePrior(4.0, torch.tensor([1.0, 9.0]).double())
    assert float(prior.divergence(torch.zeros(1, 2).double(), torch.tensor([[0.5, 1.5]]).double())) == 0.0
    mean, scale = numbers(3, 2).requires_grad_(), numbers(3, 2, seed=1).exp().requires_grad_()
    assert torch.autograd.gradcheck(prior.divergence, (mean, scale))
    assert prior.divergence(mean.detach().half(), scale.detach().half()).dtype == torch.float32


def test_relevance_is_the_variance_that_reaches_the_output() -> None:
    """A linear decoder: the squared mean size of its columns times the variance; a dead latent has none."""
    weight = torch.tensor([[1.0, 0.0], [2.0, 0.0]])
    prior = priors.RelevancePrior(1.0, torch.tensor([3.0, 1e-8]))
    np.testing.assert_allclose(prior.relevance(weight.expand(7, 2, 2)), [15.0, 0.0])


def test_relevance_priors_that_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="column of zeros"):
        priors.RelevancePrior.of_codes(torch.tensor([[1.0, 0.0], [2.0, 0.0]]))
    with pytest.raises(InvalidInputError, match="shape"):
        priors.RelevancePrior(0.0, torch.ones(2))
    with pytest.raises(ShapeError, match="rate"):
        priors.RelevancePrior(1.0, torch.ones(2, 2))
    prior = priors.RelevancePrior(1.0, torch.ones(2))
    with pytest.raises(ShapeError, match="expected"):
        prior.divergence(torch.zeros(3, 4), torch.ones(3, 4))
    with pytest.raises(InvalidInputError, match="scale"):
        prior.divergence(torch.zeros(1, 2), torch.tensor([[1.0, -1.0]]))
    with pytest.raises(ShapeError, match="jacobian"):
        prior.relevance(torch.zeros(3, 4))


# a law that tasks share --------------------------------------------------------------------------------------------


def drawn(shared: NormalInverseWishart, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sigma = stats.invwishart(float(shared.df), shared.scale_matrix.numpy()).rvs(size, random_state=rng)
    noise = rng.normal(size=(size, len(shared.loc), 1)) / float(shared.precision_scale) ** 0.5
    return shared.loc.numpy() + (np.linalg.cholesky(sigma) @ noise)[..., 0], sigma


def test_expected_normal_divergence_against_draws() -> None:
    shared, m, v = law(), numbers(3, seed=5), spread(3, 6)
    mu, sigma = drawn(shared, 30_000, 7)
    inverse = np.linalg.inv(sigma)
    gap = mu - m.numpy()
    terms = 0.5 * (
        np.trace(inverse @ v.numpy(), axis1=1, axis2=2)
        + np.einsum("ni,nij,nj->n", gap, inverse, gap)
        - 3
        + np.linalg.slogdet(sigma)[1]
        - np.linalg.slogdet(v.numpy())[1]
    )
    found = float(priors.expected_normal_divergence(shared, m, torch.linalg.cholesky(v)))
    assert found == pytest.approx(terms.mean(), abs=4 * terms.std() / len(terms) ** 0.5)


def test_the_mean_log_determinant_against_draws() -> None:
    """Beside it the expected divergence has the mean of Σ⁻¹, which is known: νΨ⁻¹."""
    shared, m, v = law(), numbers(3, seed=5), spread(3, 6)
    _, sigma = drawn(shared, 30_000, 7)
    terms = 0.5 * np.linalg.slogdet(sigma)[1]
    gap = m - shared.loc
    trace = shared.df * torch.trace(torch.linalg.solve(shared.scale_matrix, v + torch.outer(gap, gap)))
    rest = 0.5 * (trace + 3 / shared.precision_scale - 3 - torch.logdet(v))
    found = float(priors.expected_normal_divergence(shared, m, torch.linalg.cholesky(v)) - rest)
    assert found == pytest.approx(terms.mean(), abs=4 * terms.std() / len(terms) ** 0.5)


def test_expected_normal_divergence_against_quadrature_in_one_dimension() -> None:
    """Σ is inverse gamma; the mean over μ is known, and what is left is an integral over Σ."""
    psi, df, precision, m, v, m0 = 2.3, 4.5, 1.3, 0.8, 0.6, -0.2
    gamma = stats.invgamma(df / 2, scale=psi / 2)

    def inner(s: float) -> float:
        return 0.5 * ((v + (m - m0) ** 2) / s + 1 / precision - 1 + math.log(s / v))

    truth, _ = integrate.quad(
        lambda u: math.exp(u) * gamma.pdf(math.exp(u)) * inner(math.exp(u)), -9, 19, epsabs=1e-12, limit=200
    )
    shared = NormalInverseWishart(
        *(torch.tensor(x, dtype=torch.float64) for x in ([m0], precision, [[psi]], df))
    )
    mean, root = (torch.tensor(x, dtype=torch.float64) for x in ([m], [[v**0.5]]))
    found = priors.expected_normal_divergence(shared, mean, root)
    assert float(found) == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_a_certain_law_is_a_normal_prior(d: int) -> None:
    m, root = numbers(4, d, seed=1), torch.linalg.cholesky(spread(d, 2))
    sigma = spread(d, 3)
    loc = numbers(d, seed=4)
    big = torch.tensor(1e9).double()
    shared = NormalInverseWishart(loc, big, big * sigma, big)
    known = torch.distributions.kl_divergence(
        MultivariateNormal(m, scale_tril=root), MultivariateNormal(loc, sigma)
    )
    np.testing.assert_allclose(
        priors.expected_normal_divergence(shared, m, root.expand(4, d, d)), known, rtol=1e-8, atol=1e-8
    )


def test_divergence_of_two_such_laws_against_draws() -> None:
    p, q = law(2, 1, 6.0, 1.5), law(2, 3, 8.0, 0.8)
    mu, sigma = drawn(p, 30_000, 8)

    def log_density(w: NormalInverseWishart) -> np.ndarray:
        shared = w.loc.numpy(), float(w.precision_scale)
        scatter = stats.invwishart(float(w.df), w.scale_matrix.numpy()).logpdf(np.moveaxis(sigma, 0, -1))
        gap = mu - shared[0]
        square = np.einsum("ni,nij,nj->n", gap, np.linalg.inv(sigma), gap)
        return scatter - 0.5 * (np.linalg.slogdet(sigma)[1] - 2 * math.log(shared[1]) + shared[1] * square)

    terms = log_density(p) - log_density(q)
    found = float(kb.between(kb.kl, p, q).value)
    assert found == pytest.approx(terms.mean(), abs=4 * terms.std() / len(terms) ** 0.5)


def test_the_task_posterior_is_the_best_one() -> None:
    shared, centre, a = law(), numbers(3, seed=9), spread(3, 10)
    best = priors.task_posterior(shared, centre, a)
    # Bayes' rule under N(μ₀, Ψ/ν), by the usual formula for normal laws
    sigma = shared.scale_matrix / shared.df
    gain = sigma @ torch.linalg.inv(sigma + torch.linalg.inv(a))
    np.testing.assert_allclose(best.mean, shared.loc + gain @ (centre - shared.loc), atol=1e-10)
    np.testing.assert_allclose(best.covariance_matrix, sigma - gain @ sigma, atol=1e-10)
    mean = best.mean.clone().requires_grad_()
    root = best.scale_tril.clone().requires_grad_()
    gap = mean - centre
    expected_error = 0.5 * (gap @ a @ gap + torch.trace(root.T @ a @ root))
    total = expected_error + priors.expected_normal_divergence(shared, mean, root)
    for slope in torch.autograd.grad(total, (mean, root)):
        np.testing.assert_allclose(slope.tril() if slope.ndim == 2 else slope, 0.0, atol=1e-9)


def test_hierarchical_gradient_mask_and_limits() -> None:
    prior, m = law(2, 1), numbers(4, 2, seed=2)
    roots = torch.linalg.cholesky(torch.stack([spread(2, 10 + i) for i in range(4)]))
    parts = [x.clone().requires_grad_() for x in law(2, 5).__dict__.values()]

    def total(mean: Tensor, root: Tensor, *parts: Tensor) -> Tensor:
        loc, precision, scatter, df = parts
        symmetric = 0.5 * (scatter + scatter.T)
        shared = NormalInverseWishart(loc, precision, symmetric, df)
        return priors.hierarchical(shared, prior, mean, root.tril(), tasks=6)

    assert torch.autograd.gradcheck(total, (m.requires_grad_(), roots.requires_grad_(), *parts))
    with torch.no_grad():
        each = priors.expected_normal_divergence(prior, m, roots)
        many = priors.hierarchical(prior, prior, m, roots, tasks=10**9)
        assert float(many) == pytest.approx(float(each.mean()), rel=1e-12)
        kept = priors.hierarchical(
            prior, prior, m, roots, tasks=5, mask=torch.tensor([True, False, False, True])
        )
        assert float(kept) == pytest.approx(float(each[[0, 3]].mean()), rel=1e-12)


def test_laws_and_tasks_that_are_refused() -> None:
    shared, m, root = law(), numbers(2, 3), torch.eye(3).double().expand(2, 3, 3)
    with pytest.raises(InvalidInputError, match="tasks"):
        priors.hierarchical(shared, shared, m, root, tasks=0)
    with pytest.raises(ShapeError, match="one row a task"):
        priors.hierarchical(shared, shared, m[0], root, tasks=2)
    with pytest.raises(ShapeError, match="dimension"):
        priors.expected_normal_divergence(shared, m[:, :2], root)
    with pytest.raises(ShapeError, match="scale_tril"):
        priors.expected_normal_divergence(shared, m, root[:, :2])
    with pytest.raises(InvalidInputError, match="df is 1"):
        priors.expected_normal_divergence(law(df=1.0), m, root)
    with pytest.raises(InvalidInputError, match="loc"):
        priors.expected_normal_divergence(shared, m * torch.nan, root)
    with pytest.raises(ShapeError, match="precision"):
        priors.task_posterior(shared, m, root[:, :2])
