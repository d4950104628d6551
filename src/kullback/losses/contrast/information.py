"""Lower bounds of f-informations as objectives: the scores of pairs are log-ratios of the joint law to the product."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kullback.divergences import FDivergence, kl
from kullback.errors import InvalidInputError
from kullback.losses.batches import NonFinite
from kullback.losses.contrast.pairs import among, counting, matched, over_pairs, split

_LOOKED_AT = (-4.0, -2.0, -1.0, -0.5, -0.1, 0.1, 0.5, 1.0, 2.0, 4.0)


def f_information(
    d: FDivergence,
    scores: Tensor,
    *,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""Minus the variational bound of an f-information, D_f(joint law‖product of the margins).

    $$-\frac1n \sum_i \Big[f'(e^{s_{ii}}) + \frac1{K - 1} \sum_{j \ne i} \big(f - t f'\big)(e^{s_{ij}})\Big]$$

    `scores` as in `info_nce`, without a temperature: s is the critic's log-ratio log p(x, y) − log p(x) p(y), where
    the bound is attained. `kb.kl` gives the bound of Nguyen, Wainwright and Jordan; `kb.js` half the logistic losses of
    own and other pairs less log 2, from which `kb.bound(kb.kl, given=kb.js, at=...)` makes a bound of mutual
    information. There is no cap but the divergence's own, and more variance the faster f' and f − t f' grow. Refuses,
    by `InvalidInputError`, divergences whose f' is constant on both sides of 1 (total variation): a critic would have
    no gradient. Other arguments and errors as in `info_nce`. Source: [nguyen2010], [nowozin2016].

    >>> import torch, kullback as kb
    >>> scores = torch.tensor([[2.0, 0.5], [0.5, 2.0]]).log()
    >>> round(float(f_information(kb.kl, scores)), 6)  # −(log 2 + 1 − 1/2)
    -1.193147
    """
    _check_curved(d)

    def terms(own: Tensor, other: Tensor) -> Tensor:
        return -(d.slope(own) + d.tilt(other).mean(-1))

    return over_pairs(terms, matched(scores), mask=mask, weight=weight, nonfinite=nonfinite)


class DonskerVaradhan(torch.nn.Module):
    r"""Minus the bound of Donsker and Varadhan, by minibatches: the critic's normaliser is averaged over steps.

    $$-\frac1n \sum_i \Big[s_{ii} - \log z + 1 - \frac1{K - 1} \sum_{j \ne i} e^{s_{ij}} / z\Big]$$

    z is the mean of e^s over pairs that do not belong together, held constant and, while training, averaged over the
    steps with `momentum` (0 takes the batch's own, as does `eval()`). At the batch's own z the value is
    $-E T + \log E' e^T$ itself, whose minibatch gradient is biased because the logarithm is outside the mean; with z
    from many batches the bias goes. For any fixed z the value is, on average, minus a lower bound of the mutual
    information, so that critic and both modalities descend on one loss. A batch whose z is not finite leaves the
    average as it was. `scores` as in `f_information`: real numbers of unbounded range, not probabilities (after a
    sigmoid no critic can say more than 1).
    Source: [donsker1983], [belghazi2018], [poole2019].

    >>> import torch
    >>> own = DonskerVaradhan(momentum=0.0)
    >>> round(float(own(torch.tensor([[2.0, 0.5], [0.5, 2.0]]).log())), 6)  # −(log 2 − log 1/2)
    -1.386294
    """

    log_mean: Tensor
    steps: Tensor

    def __init__(self, *, momentum: float = 0.99) -> None:
        super().__init__()
        if isinstance(momentum, bool) or not 0 <= momentum < 1:
            raise InvalidInputError(f"`momentum` is {momentum!r}; expected a number from 0 to below 1")
        self.momentum = momentum
        self.register_buffer("log_mean", torch.tensor(-math.inf, dtype=torch.float64))
        self.register_buffer("steps", torch.tensor(0))

    def forward(
        self,
        scores: Tensor,
        *,
        mask: Tensor | None = None,
        weight: Tensor | None = None,
        nonfinite: NonFinite = "propagate",
    ) -> Tensor:
        """The loss of a batch's scores (n, K), in nats; arguments and errors as in `info_nce`."""
        scores = matched(scores)
        kept = counting(scores, mask, weight, nonfinite)
        if len(kept) == 0:
            return scores[:0].sum()
        shifted = scores - self._normaliser(among(scores.detach(), kept)).to(scores.dtype)
        counts = torch.zeros(len(scores), dtype=torch.bool, device=scores.device).index_fill(0, kept, True)
        return f_information(kl, shifted, mask=counts, weight=weight, nonfinite=nonfinite)

    @torch.no_grad()
    def _normaliser(self, scores: Tensor) -> Tensor:
        """log z, once the batch has been seen."""
        other = split(scores)[1].double()
        batch = other.logsumexp((0, 1)) - math.log(other.numel())
        usable = bool(batch.isfinite())
        if not self.training or self.momentum == 0 or not (usable or self.steps):
            return batch
        if usable:
            self.steps += 1
            older = self.log_mean + math.log(self.momentum)
            self.log_mean.copy_(torch.logaddexp(older, batch + math.log1p(-self.momentum)))
        # the average starts at nothing, which its weight so far makes up for
        return self.log_mean - math.log1p(-(self.momentum ** int(self.steps)))


def _check_curved(d: FDivergence) -> None:
    if not bool((d.curvature(torch.tensor(_LOOKED_AT, dtype=torch.float64)) > 0).any()):
        raise InvalidInputError(
            f"{d.name} has f'' = 0 away from 1: f' does not move with the score and a critic has no gradient; use a "
            "curved f such as kl, js or squared_hellinger"
        )
