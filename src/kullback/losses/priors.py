"""Priors whose own parameters are inferred, integrated in closed form: relevance of latent dimensions, kin tasks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal, StudentT

from kullback.divergences import kl
from kullback.errors import InvalidInputError, ShapeError
from kullback.exact import NormalInverseWishart
from kullback.exact import between as between_laws
from kullback.exact.binet import binet_slope
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.engines.sides import raised


@dataclass(frozen=True)
class RelevancePrior:
    r"""Automatic relevance determination: latents $z_l \sim N(0, 1/\alpha_l)$ whose precisions have Gamma laws.

    $$\alpha_l \sim \text{Gamma}(a, b_l), \qquad z_l \sim t_{2a}\!\left(0, \sqrt{b_l/a}\right) \text{ once } \alpha_l
    \text{ is integrated out}$$

    `shape` a is a positive number, `rate` b (d,) has one entry a latent. A latent that the codes of the data do not
    use has a small variance b/a, which costs nothing. Raises `InvalidInputError` for numbers that are not positive.
    Source: [saha2025], [tipping2001].

    >>> import torch
    >>> prior = RelevancePrior.of_codes(torch.tensor([[1.0, 0.1], [-1.0, 0.3]]))
    >>> [round(v, 6) for v in prior.variance.tolist()]  # the mean squares
    [1.0, 0.05]
    """

    shape: float
    rate: Tensor

    def __post_init__(self) -> None:
        if isinstance(self.shape, bool) or not 0 < self.shape < math.inf:
            raise InvalidInputError(f"`shape` is {self.shape!r}; expected a finite number above 0")
        if self.rate.ndim != 1:
            raise ShapeError(f"`rate` has shape {tuple(self.rate.shape)}; expected (d,), one number a latent")
        if not bool(((self.rate > 0) & (self.rate < math.inf)).all()):
            raise InvalidInputError(
                f"`rate` runs from {float(self.rate.min()):g} to {float(self.rate.max()):g}; expected finite numbers "
                "above 0 (codes with a column of zeros need a prior with rate > 0)"
            )

    @classmethod
    def of_codes(cls, codes: Tensor, *, shape: float = 0.0, rate: float = 0.0) -> RelevancePrior:
        """The posterior of the precisions given codes (n, d): Gamma(shape + n/2, rate + ½Σz²), held constant.

        `shape` and `rate` are those of the precisions' own prior; 0 and 0 the improper one.
        """
        if codes.ndim != 2 or len(codes) == 0:
            raise ShapeError(f"`codes` has shape {tuple(codes.shape)}; expected (n, d), one row an example")
        if min(shape, rate) < 0:
            raise InvalidInputError(
                f"`shape` is {shape!r} and `rate` {rate!r}; expected numbers of at least 0"
            )
        squares = raised(codes.detach()).square().sum(0)
        return cls(shape + 0.5 * len(codes), rate + 0.5 * squares)

    @property
    def variance(self) -> Tensor:
        """b/a, (d,): the inverse of the mean precision."""
        return self.rate / self.shape

    def marginal(self) -> StudentT:
        """The law of the latents, each by itself: Student's t of 2a degrees of freedom."""
        return StudentT(self.rate.new_tensor(2.0 * self.shape), self.rate.new_zeros(()), self.variance.sqrt())

    def divergence(self, mean: Tensor, scale: Tensor) -> Tensor:
        r"""KL(posterior‖N(0, b/a)) of diagonal normal posteriors, summed over the latents: (n, d) to (n,), in nats.

        $$\tfrac12 \sum_l \left[\frac{\mu_l^2 + \sigma_l^2}{v_l} - 1 - \log \frac{\sigma_l^2}{v_l}\right], \qquad
        v_l = b_l/a$$
        """
        d = len(self.rate)
        if mean.ndim != 2 or mean.shape[-1] != d or scale.shape not in (mean.shape, (d,), ()):
            raise ShapeError(
                f"`mean` has shape {tuple(mean.shape)} and `scale` {tuple(scale.shape)}; expected (n, {d}) twice"
            )
        prior = Normal(torch.zeros_like(self.rate), self.variance.sqrt())
        posterior = Normal(raised(mean), raised(scale), validate_args=False)
        return _kl(posterior, prior).sum(-1).to(raised(mean).dtype)

    def expected_divergence(self, mean: Tensor, scale: Tensor) -> Tensor:
        r"""The mean of KL(posterior‖N(0, 1/α)) over the Gamma laws of α, (n,): `divergence` and a constant.

        $$\text{divergence} + \tfrac d2 \left[\log a - \psi(a)\right] \;\ge\; KL(\text{posterior} \| \text{marginal}),$$

        the bound by convexity; the constant is what not knowing the precisions costs, about d/(4a).
        """
        a = torch.tensor(self.shape, dtype=torch.float64)
        unknown = 0.5 * len(self.rate) * float(_beyond_log(a))
        return self.divergence(mean, scale) + unknown

    def relevance(self, jacobian: Tensor) -> Tensor:
        r"""How much each latent moves the output, (d,).

        $$v_l \sum_k \Big(\frac1n \sum_i \left|\frac{\partial x_{ik}}{\partial z_l}\right|\Big)^2$$

        `jacobian` (n, outputs, d) at n codes. The paper keeps the latents that bring 99 % of the sum.
        """
        if jacobian.ndim != 3 or jacobian.shape[-1] != len(self.rate):
            raise ShapeError(
                f"`jacobian` has shape {tuple(jacobian.shape)}; expected (n, outputs, {len(self.rate)})"
            )
        return self.variance * jacobian.abs().mean(0).square().sum(0)


def expected_normal_divergence(prior: NormalInverseWishart, mean: Tensor, scale_tril: Tensor) -> Tensor:
    r"""The mean of KL(posterior‖N(μ, Σ)) over a normal-inverse-Wishart law of μ and Σ, in nats.

    $$E\, KL = KL\!\left(N(m, V) \,\|\, N(\mu_0, \Psi/\nu)\right) + \frac{d}{2\lambda}
    + \frac12 \sum_{j=1}^d \left[\log \frac\nu2 - \psi\!\left(\frac{\nu + 1 - j}2\right)\right]$$

    What a hierarchical model pays for the posterior N(m, V) of one task, `mean` (..., d) and `scale_tril` (..., d, d)
    the Cholesky factor of V, with the law that all tasks share in `prior`, whose numbers carry gradients. Every term is
    ≥ 0; the last two are what not knowing μ and Σ costs. Raises `ShapeError` and, for what is outside its domain,
    `InvalidInputError`. Source: [kim2024], [murphy2007].

    >>> import torch
    >>> one = torch.ones(1, dtype=torch.float64)
    >>> prior = NormalInverseWishart(0 * one, 2.0 * one[0], 4.0 * one[None], 4.0 * one[0])
    >>> round(float(expected_normal_divergence(prior, 2 * one, one[None])), 6)  # 2 + ¼ + ½(log 2 − ψ(2))
    2.385181
    """
    loc, precision, scatter, df = _numbers(prior, mean)
    d = mean.shape[-1]
    if scale_tril.shape[-2:] != (d, d):
        raise ShapeError(
            f"`scale_tril` has shape {tuple(scale_tril.shape)} and `mean` {tuple(mean.shape)}; expected (..., {d}, {d})"
        )
    plugged = MultivariateNormal(loc, covariance_matrix=scatter / df[..., None, None], validate_args=False)
    posterior = MultivariateNormal(mean.double(), scale_tril=scale_tril.double(), validate_args=False)
    rows = torch.arange(d, device=df.device)
    halves = 0.5 * (df[..., None] - rows)
    unknown = (_beyond_log(halves) + torch.log1p(0.5 * rows / halves)).sum(-1) + d / precision
    return (_kl(posterior, plugged) + 0.5 * unknown).to(raised(mean).dtype)


def hierarchical(
    law: NormalInverseWishart,
    prior: NormalInverseWishart,
    mean: Tensor,
    scale_tril: Tensor,
    *,
    tasks: int,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""What the posteriors of a batch of tasks and of the law that they share cost, a task, in nats.

    $$\frac1B \sum_i E_{\mu, \Sigma \sim \text{law}}\, KL\!\left(N(m_i, V_i) \| N(\mu, \Sigma)\right)
    + \frac1{\text{tasks}} KL(\text{law} \| \text{prior})$$

    With the expected error of the tasks' own data it is minus the evidence bound over the number of tasks. `mean`
    (B, d), `scale_tril` (B, d, d); `tasks` is how many there are in all, not in the batch. `mask`, `weight` and
    `nonfinite` as in `kullback.losses.batches.averaged`, over the tasks. Raises `ShapeError` and `InvalidInputError`,
    also for a mean that is not finite. Source: [kim2024].

    >>> import torch
    >>> one = torch.ones(1, dtype=torch.float64)
    >>> law = NormalInverseWishart(0 * one, 2.0 * one[0], 4.0 * one[None], 4.0 * one[0])
    >>> round(float(hierarchical(law, law, 2 * one[None], one[None, None], tasks=9)), 6)
    2.385181
    """
    if isinstance(tasks, bool) or not isinstance(tasks, int) or tasks < 1:
        raise InvalidInputError(f"`tasks` is {tasks!r}; expected how many tasks there are in all")
    if mean.ndim != 2 or len(mean) == 0:
        raise ShapeError(f"`mean` has shape {tuple(mean.shape)}; expected (B, d), one row a task")
    shared = torch.as_tensor(between_laws(kl, law, prior, kind="exact").value)
    each = partial(expected_normal_divergence, law)
    mean_cost = averaged(each, mean, scale_tril, mask=mask, weight=weight, nonfinite=nonfinite)
    return mean_cost + (shared / tasks).to(mean_cost.dtype)


def task_posterior(law: NormalInverseWishart, centre: Tensor, precision: Tensor) -> MultivariateNormal:
    r"""The best normal posterior of a task whose log-likelihood is quadratic, under a law that tasks share.

    $$V = \left(A + \nu \Psi^{-1}\right)^{-1}, \qquad m = V\left(A \bar m + \nu \Psi^{-1} \mu_0\right)$$

    for log-likelihood $-\tfrac12 (\theta - \bar m)^\top A\, (\theta - \bar m)$: `centre` m̄ (..., d) and `precision` A
    (..., d, d), positive semi-definite. It minimises the expected error plus `expected_normal_divergence`, and is
    Bayes' posterior under the prior N(μ₀, Ψ/ν). Source: [kim2024].

    >>> import torch
    >>> one = torch.ones(1, dtype=torch.float64)
    >>> law = NormalInverseWishart(0 * one, one[0], 4.0 * one[None], 4.0 * one[0])
    >>> best = task_posterior(law, 3 * one, 2.0 * one[None])  # precisions 2 and 1
    >>> float(best.mean), round(float(best.variance), 6)
    (2.0, 0.333333)
    """
    loc, _, scatter, df = _numbers(law, centre)
    d = loc.shape[-1]
    if precision.shape[-2:] != (d, d):
        raise ShapeError(f"`precision` has shape {tuple(precision.shape)}; expected (..., {d}, {d})")
    of_law = df[..., None, None] * torch.linalg.inv(scatter)
    whole = precision + of_law
    target = precision.double() @ centre.double()[..., None] + of_law @ loc[..., None]
    return MultivariateNormal(torch.linalg.solve(whole, target)[..., 0], precision_matrix=whole)


def _numbers(law: NormalInverseWishart, like: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The law's parameters as tensors, the size of its mean checked."""
    loc, precision, scatter, df = (
        torch.as_tensor(x, device=like.device).double()
        for x in (law.loc, law.precision_scale, law.scale_matrix, law.df)
    )
    d = like.shape[-1] if like.ndim else 0
    if loc.shape[-1:] != (d,):
        raise ShapeError(f"the law has dimension {tuple(loc.shape)} and what it is for {tuple(like.shape)}")
    if not bool((df > d - 1).all()) or not bool((precision > 0).all()):
        raise InvalidInputError(
            f"df is {float(df.min()):g} and precision_scale {float(precision.min()):g}; expected more than {d - 1} "
            "and than 0"
        )
    return loc, precision, scatter, df


def _kl(p: torch.distributions.Distribution, q: torch.distributions.Distribution) -> Tensor:
    return torch.as_tensor(between_laws(kl, p, q, kind="exact").value)


def _beyond_log(x: Tensor) -> Tensor:
    """log x − ψ(x) > 0, of which no digit is lost where x is large."""
    return 0.5 / x - binet_slope(x)


__all__ = [
    "RelevancePrior",
    "expected_normal_divergence",
    "hierarchical",
    "task_posterior",
]
