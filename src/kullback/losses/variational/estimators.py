"""How the gradient gets through the draws of one latent site: small objects that a guide names beside its laws."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from kullback.errors import InvalidInputError


class Estimator(ABC):
    """The way in which a draw of a site carries the gradient towards the parameters of its law."""

    @abstractmethod
    def draw(self, name: str, law: Distribution) -> Tensor:
        """A value of the site."""


@dataclass(frozen=True)
class Reparameterised(Estimator):
    r"""The draw as a differentiable function of noise, $z = g(\varepsilon, \theta)$; densities are differentiated too.

    $$\nabla E[G] = E[\nabla_\theta\, G(g(\varepsilon, \theta), \theta)]$$

    For laws that have `rsample`. Source: [kingma2014], [rezende2014].

    >>> import torch
    >>> scale = torch.tensor(2.0, requires_grad=True)
    >>> z = Reparameterised().draw("z", torch.distributions.Normal(0.0, scale))
    >>> bool((torch.autograd.grad(z, scale)[0] * 2 - z).abs() < 1e-6)  # dz/dσ is the noise, z/σ
    True
    """

    def draw(self, name: str, law: Distribution) -> Tensor:
        """A value of the site."""
        if not law.has_rsample:
            raise InvalidInputError(
                f"site {name!r}: {type(law).__name__} has no reparameterised draw, which {self} needs; take "
                "ScoreFunction(), Enumeration() or MeasureValued()"
            )
        return law.rsample()


@dataclass(frozen=True)
class StickingTheLanding(Reparameterised):
    r"""Reparameterised without the score $\nabla_\theta \log q_\theta(z)$ at fixed z, whose mean is 0.

    $$\nabla \mathrm{ELBO} = E[\nabla_z (\log p - \log q)\, \nabla_\theta z]$$

    Its variance is 0 where the guide is the posterior. It is unbiased for `elbo` alone, and other objectives refuse
    it. Source: [roeder2017].

    >>> StickingTheLanding()
    StickingTheLanding()
    """


@dataclass(frozen=True)
class DoublyReparameterised(Reparameterised):
    r"""Reparameterised, with the score that is left in a bound of K draws turned into a path too.

    $$\nabla E[G] = E\left[\sum_k (G_k - G_{kk})\, \nabla_z \log w_k\, \nabla_\theta z_k\right],$$

    $G_k$ the derivative towards log w_k: $\alpha \bar w_k + (1 - \alpha) \bar w_k^2$ for a Rényi bound of
    order α with $\bar w \propto w^{1-\alpha}$, and $-t^2 f''/K$ for D_f. All sites of a guide have it or none.
    Source: [tucker2019], [bauer2021].

    >>> import torch
    >>> from kullback.losses.variational import importance_weighted
    >>> importance_weighted.path_weights(torch.tensor([1.0, 3.0]).double().log()).tolist()  # (1/4)², (3/4)²
    [0.0625, 0.5625]
    """


@dataclass(frozen=True)
class LeaveOneOut:
    r"""The baseline of a draw: the objective of the K − 1 others, which does not depend on it. Source: [kool2019].

    $$G(w_1, \dots, w_K) - G(w_1, \dots, w_{k-1}, w_{k+1}, \dots, w_K)$$

    For the ELBO it is the leave-one-out REINFORCE, for the importance-weighted bound a form of VIMCO [mnih2016].

    >>> LeaveOneOut()
    LeaveOneOut()
    """


@dataclass(frozen=True)
class ScoreFunction(Estimator):
    r"""Draws held constant, and the score of their law times what they brought: REINFORCE, for any law.

    $$\nabla E[G] = E\left[\sum_k (G - b_k) \nabla \log q(z_k) + \nabla G\right]$$

    `baseline` is `LeaveOneOut()`, which needs two draws, or `None` for b = 0. Source: [williams1992], [kool2019].

    >>> ScoreFunction()
    ScoreFunction(baseline=LeaveOneOut())
    """

    baseline: LeaveOneOut | None = LeaveOneOut()

    def draw(self, name: str, law: Distribution) -> Tensor:  # noqa: ARG002  (others name the site in an error)
        """A value of the site."""
        return law.sample()


@dataclass(frozen=True)
class Enumeration(Estimator):
    r"""No draw: the guide runs once for every value of the site, weighed by its probability.

    $$\nabla E[G] = \nabla \sum_b q(b)\, G(b)$$

    No variance of its own. For laws of finite support, and for objectives that are means over draws: `elbo`,
    `MeasuredDivergence` with its evidence. m sites of v values run the guide vᵐ times. Source: [becker2024].

    >>> import torch
    >>> Enumeration().draw("b", torch.distributions.Bernoulli(0.5))  # the first of its values
    tensor(0.)
    """

    def draw(self, name: str, law: Distribution) -> Tensor:
        """A value of the site."""
        return support(name, law, self)[0]


@dataclass(frozen=True)
class MeasureValued(Estimator):
    r"""The derivative of the law as a difference of laws: every value of the site is tried, all that follows redrawn.

    $$\nabla E[G] = E\left[\sum_v \nabla q_k(v)\; E[G \mid z_k = v]\right],$$

    for a Bernoulli site $\nabla p\,(E[G|1] - E[G|0])$. For laws of finite support and any objective; the work grows
    with the number of sites times values. Source: [mohamed2020], [titsias2015].

    >>> MeasureValued()
    MeasureValued()
    """

    def draw(self, name: str, law: Distribution) -> Tensor:
        """A value of the site."""
        support(name, law, self)  # refuses before the work begins
        return law.sample()


def support(name: str, law: Distribution, estimator: Estimator) -> Tensor:
    """Every value of a law of finite support, on a new first axis."""
    try:
        return torch.as_tensor(law.enumerate_support())
    except NotImplementedError:
        raise InvalidInputError(
            f"site {name!r}: the values of {type(law).__name__} cannot be listed, which {estimator} needs; take "
            "ScoreFunction(), or one site for every discrete variable"
        ) from None
