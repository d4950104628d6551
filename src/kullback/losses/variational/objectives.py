"""What a guide is fitted by: numbers made of the logarithms of its weights, log p(x, z) − log q(z)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kullback.divergences import FDivergence
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.engines.sides import raised


class Objective(ABC):
    """A number G of K log-weights, (K, *batch) to (*batch), that a guide is to raise or to lower."""

    @property
    @abstractmethod
    def ascends(self) -> bool:
        """Whether the guide maximises."""

    @abstractmethod
    def __call__(self, log_weights: Tensor) -> Tensor:
        """The number, with its gradient towards the log-weights."""

    @abstractmethod
    def path_weights(self, log_weights: Tensor) -> Tensor:
        """G_k − G_kk: what each draw's path is worth once the score of the guide has been turned into a path too."""

    def each(self, log_weights: Tensor) -> Tensor:
        """The terms of an objective that is a mean over draws; the others refuse."""
        raise InvalidInputError(
            f"{self} of {len(log_weights)} draws is no mean over draws, so that a site cannot be enumerated; take "
            "`elbo` or MeasuredDivergence with its `log_evidence`, or give the site MeasureValued() or ScoreFunction()"
        )


@dataclass(frozen=True)
class RenyiBound(Objective):
    r"""The variational Rényi bound of K log-weights, in nats.

    $$\mathcal{L}_\alpha = \frac{1}{1 - \alpha} \log \frac1K \sum_k w_k^{1 - \alpha}, \qquad
    w_k = \frac{p(x, z_k)}{q(z_k)},\quad z_k \sim q,$$

    decreasing in the `order` α and equal to the log evidence at every order where q is the posterior.

    | order | name | for K → ∞ | |
    |---|---|---|---|
    | 1 | `elbo` | log p(x) − KL(q‖posterior) | lower bound, at every K |
    | 0 | `importance_weighted` | log p(x) | lower bound, rises with K |
    | −1 | `chi_upper` | log p(x) + ½ log(1 + χ²(posterior‖q)) | upper bound as K → ∞ |
    | 1 − n | CUBOₙ | log p(x) + (n − 1)/n · D_n(posterior‖q), Rényi's | upper bound as K → ∞ |

    Orders below 0 bound from above only in the limit: at K = 1 every order is the ELBO. `log_weights` of shape
    (K, *batch) give (*batch). Raises `InvalidInputError` for an order that is not finite, `ShapeError` without draws.
    Source: [li2016], [burda2016], [dieng2017].

    >>> import torch
    >>> w = torch.tensor([1.0, 3.0]).log()
    >>> [round(float(RenyiBound(order)(w).exp()), 4) for order in (1.0, 0.0, -1.0)]  # √3, 2, √5
    [1.7321, 2.0, 2.2361]
    """

    order: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.order):
            raise InvalidInputError(f"the order of a Rényi bound is {self.order}; expected a finite number")

    @property
    def ascends(self) -> bool:
        """Whether the guide maximises."""
        return self.order >= 0

    def __call__(self, log_weights: Tensor) -> Tensor:
        """The number, one for each entry of the batch."""
        log_weights = checked(log_weights)
        centre = log_weights.mean(0)
        if self.order == 1:
            return centre
        s = 1.0 - self.order
        x = s * (log_weights - centre)
        near = x.detach().abs().amax(0) < 1  # where log(1 + the mean of expm1) keeps the digits of a small s
        inner = torch.log1p(torch.expm1(torch.where(near, x, 0.0)).mean(0)) / s
        raw = torch.where(near, 0.0, s * log_weights)
        outer = (torch.logsumexp(raw, 0) - math.log(len(raw))) / s
        return torch.where(near, centre + inner, outer)

    def path_weights(self, log_weights: Tensor) -> Tensor:
        """The weights of the paths, (K, *batch)."""
        share = torch.softmax((1.0 - self.order) * checked(log_weights), 0)
        return self.order * share + (1.0 - self.order) * share.square()

    def each(self, log_weights: Tensor) -> Tensor:
        """The terms, (K, *batch), where it is a mean over draws."""
        return checked(log_weights) if self.order == 1 else super().each(log_weights)


elbo = RenyiBound(1.0)
importance_weighted = RenyiBound(0.0)
chi_upper = RenyiBound(-1.0)


@dataclass(frozen=True)
class MeasuredDivergence(Objective):
    r"""D_f(posterior‖guide) from draws of the guide, for any f-divergence: f-variational inference.

    $$D_f(p(\cdot | x) \| q) = E_q\left[f\left(\frac{w}{p(x)}\right)\right], \qquad
    \nabla D_f = E_q[(f - t f')\, \nabla \log q] = -E_q\left[t^2 f''\, \nabla_z \log w\, \nabla z\right]$$

    `log_evidence` is log p(x), a number or one of shape (*batch). Without it the mean weight of the K draws takes its
    place, held constant, which leaves a bias that goes like 1/K. The gradient is by the noun's `tilt` where sites have
    `ScoreFunction` and by its `curvature` where they have `DoublyReparameterised`; `reverse_kl` is minus the ELBO up
    to log p(x). A divergence whose f grows like t^k has weights of power k, and a variance to match: they overflow
    where eᵏʳ does, and say so by inf. Source: [wan2020], [csiszar1967].

    >>> import kullback as kb, torch
    >>> w = torch.tensor([0.5, 1.5]).log()
    >>> round(float(MeasuredDivergence(kb.pearson_chi2, log_evidence=0.0)(w)), 6)  # mean of (w − 1)²
    0.25
    """

    divergence: FDivergence
    log_evidence: Any = None

    @property
    def ascends(self) -> bool:
        """Whether the guide maximises."""
        return False

    def __call__(self, log_weights: Tensor) -> Tensor:
        """The number, one for each entry of the batch."""
        return _generator(self.divergence, self._log_ratio(log_weights)).mean(0)

    def path_weights(self, log_weights: Tensor) -> Tensor:
        """The weights of the paths, (K, *batch)."""
        return -self.divergence.curvature(self._log_ratio(log_weights)) / len(log_weights)

    def each(self, log_weights: Tensor) -> Tensor:
        """The terms, (K, *batch), where it is a mean over draws."""
        if self.log_evidence is None:
            return super().each(log_weights)
        return _generator(self.divergence, self._log_ratio(log_weights))

    def _log_ratio(self, log_weights: Tensor) -> Tensor:
        if self.log_evidence is not None:
            return checked(log_weights) - self.log_evidence
        return checked(log_weights) - importance_weighted(log_weights).detach()


@dataclass(frozen=True)
class TailAdaptive(Objective):
    r"""The f-divergence that the draws choose: every path counts by how rare weights as large as its own are.

    $$\nabla = \sum_k \frac{\rho_k}{\sum_j \rho_j} \nabla_z \log w_k\, \nabla z_k, \qquad
    \rho_k = \left(\frac1K \sum_j 1[w_j \ge w_k]\right)^{\text{power}}$$

    In place of a curvature t² f'' whose mean may not exist it has a rank, so that the variance is finite whatever the
    tails; `power` = −1 is the paper's choice and 0 the ELBO's. Its number, $\sum_k \rho_k \log w_k / \sum \rho$, has
    no meaning of its own. It is made of paths, and every site needs `DoublyReparameterised`. Source: [wang2018].

    >>> import torch
    >>> TailAdaptive().path_weights(torch.tensor([0.0, 5.0])).tolist()  # 1 and 2, normalised
    [0.3333333432674408, 0.6666666865348816]
    """

    power: float = -1.0

    def __post_init__(self) -> None:
        if not -math.inf < self.power <= 0:
            raise InvalidInputError(
                f"`power` is {self.power}; expected a finite number ≤ 0, rarer weights counting more"
            )

    @property
    def ascends(self) -> bool:
        """Whether the guide maximises."""
        return True

    def __call__(self, log_weights: Tensor) -> Tensor:
        """The number, one for each entry of the batch."""
        return (self.path_weights(log_weights.detach()) * checked(log_weights)).sum(0)

    def path_weights(self, log_weights: Tensor) -> Tensor:
        """The weights of the paths, (K, *batch)."""
        log_weights = checked(log_weights)
        at_least = (log_weights[None] >= log_weights[:, None]).to(log_weights.dtype)
        rarity = at_least.mean(1) ** self.power
        return rarity / rarity.sum(0)


class _Generator(torch.autograd.Function):
    """f(eʳ) with its derivative t f' = f − (f − t f') by the noun's members, which differentiated would overflow."""

    @staticmethod
    def forward(ctx: Any, divergence: FDivergence, r: Tensor) -> Tensor:
        value = divergence.value(r)
        ctx.save_for_backward(value - divergence.tilt(r))
        return value

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        return None, gradients[0] * ctx.saved_tensors[0]


def _generator(divergence: FDivergence, r: Tensor) -> Tensor:
    value: Any = _Generator.apply(divergence, r)
    return value


def checked(log_weights: Tensor) -> Tensor:
    """The log-weights, if there are any, in single precision where they come in half."""
    if log_weights.ndim == 0 or len(log_weights) == 0:
        raise ShapeError(
            f"log-weights of shape {tuple(log_weights.shape)}; expected draws on the first axis, (K, *batch)"
        )
    return raised(log_weights)
