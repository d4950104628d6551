"""Densities known up to a constant, fitted to data with the help of draws from a law that is known: noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from kullback.divergences import FDivergence, kl
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.engines.sides import raised

_LOOKED_AT = (-4.0, -2.0, -1.0, -0.5, -0.1, 0.1, 0.5, 1.0, 2.0, 4.0)


def noise_contrastive(
    d: FDivergence,
    data: Tensor,
    noise: Tensor,
    *,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""Minus the variational bound of D_f(data‖noise) whose critic is the model: noise-contrastive estimation by any f.

    $$-\frac1n \sum_i f'\!\left(e^{v(x_i)}\right) - \frac1m \sum_j (f - t f')\!\left(e^{v(y_j)}\right), \qquad
    v = \log \tilde p_\theta - \log Z - \log q$$

    `data` (n,) and `noise` (m,) are v at the data and at draws of the noise law q. log Z is a parameter like any other:
    subtract a trained number, and it ends at the logarithm of the partition function, because the bound is attained
    where $e^v$ is the ratio of the data's law to the noise, and, for a curved f, nowhere else. The value there is
    −D_f(data‖noise). Gutmann and Hyvärinen's loss with ν draws of noise for each datum is `kb.skew_js(1 / (1 + ν))`
    times 1 + ν up to a constant, `kb.js` for ν = 1; `kb.kl` with the best log Z is maximum likelihood whose partition
    function is a mean over the noise (`CompositionalLikelihood`).

    `mask`, `weight` and `nonfinite` as in `kullback.losses.batches.averaged`, the first two for the data. Refuses, by
    `InvalidInputError`, an f that is straight somewhere (total variation), for which other ratios are as good as the
    right one. Raises `ShapeError`. Source: [gutmann2012], [uehara2018], [nguyen2010].

    >>> import torch, kullback as kb
    >>> half, twice = torch.tensor([0.5]).log(), torch.tensor([2.0]).log()
    >>> round(float(noise_contrastive(kb.kl, twice, half)), 6)  # −log 2 − (1 − 1/2)
    -1.193147
    """
    if not bool((d.curvature(torch.tensor(_LOOKED_AT, dtype=torch.float64)) > 0).all()):
        raise InvalidInputError(
            f"{d.name} has f'' = 0 in places: ratios other than that of data to noise are as good, and Z is not found; "
            "use a curved f such as js, kl or squared_hellinger"
        )
    for name, x in (("data", data), ("noise", noise)):
        if x.ndim != 1:
            raise ShapeError(
                f"`{name}` has shape {tuple(x.shape)}; expected one log-ratio a draw, on one axis"
            )
    of_data = averaged(lambda v: -d.slope(v), raised(data), mask=mask, weight=weight, nonfinite=nonfinite)
    return of_data + averaged(lambda v: -d.tilt(v), raised(noise), nonfinite=nonfinite)


class CompositionalLikelihood(torch.nn.Module):
    r"""Minus the log-likelihood of a model without normaliser, by minibatches whose partition function is averaged.

    $$-\frac1n \sum_i \log \tilde p_\theta(x_i) + \log u - 1 + \frac{g(\theta)}{u}, \qquad
    g(\theta) = \frac1m \sum_j \frac{\tilde p_\theta(y_j)}{q(y_j)},\quad y_j \sim q$$

    KL(data‖model) up to the data's entropy. log g of one minibatch is too small on average, and its gradient biased;
    with u the moving average of g over the steps, held constant, the gradient is that of stochastic compositional
    optimisation, $-\nabla \log \tilde p + \nabla g / u$, whose bias goes as u settles. `momentum` is what the average
    keeps from one step to the next: 0 takes the minibatch's own g (maximum likelihood by plain importance sampling,
    minus the bound of Donsker and Varadhan), as does `eval()`. The momentum of the gradient is the optimiser's.
    It is `noise_contrastive(kb.kl, ...)` at log Z = log u.

    Calling it takes `data` (n,), log p̃ at the data (less log q, if you like: that adds a constant), and `noise` (m,),
    log p̃ − log q at draws of q. In nats; `log_partition` is log u. A minibatch of noise whose g is not finite leaves u
    as it was. Where q has no mass at the model's, ∇g has no finite variance: widen q.
    `mask`, `weight` and `nonfinite` as in `noise_contrastive`. Raises `InvalidInputError` for a momentum outside
    [0, 1), and where the model gives no draw of the noise any mass. Source: [jiang2023].

    >>> import torch
    >>> loss = CompositionalLikelihood(momentum=0.0)
    >>> round(float(loss(torch.tensor([1.0]), torch.tensor([2.0, 4.0]).log())), 6)  # −1 + log 3
    0.098612
    """

    log_mean: Tensor
    steps: Tensor

    def __init__(self, *, momentum: float = 0.9) -> None:
        super().__init__()
        if isinstance(momentum, bool) or not 0 <= momentum < 1:
            raise InvalidInputError(f"`momentum` is {momentum!r}; expected a number from 0 to below 1")
        self.momentum = momentum
        self.register_buffer("log_mean", torch.tensor(-math.inf, dtype=torch.float64))
        self.register_buffer("steps", torch.tensor(0))

    @property
    def log_partition(self) -> Tensor:
        """log u; the average starts at nothing, which its weight so far makes up for."""
        return self.log_mean - math.log1p(-(self.momentum ** int(self.steps)))

    def forward(
        self,
        data: Tensor,
        noise: Tensor,
        *,
        mask: Tensor | None = None,
        weight: Tensor | None = None,
        nonfinite: NonFinite = "propagate",
    ) -> Tensor:
        """The loss of a minibatch, in nats."""
        kept = noise.detach()
        if nonfinite == "skip":
            kept = kept[kept < math.inf]  # without NaN too
        u = self._normaliser(kept)
        if float(u) == -math.inf:
            raise InvalidInputError("the model gives no draw of `noise` any mass; widen the law of the noise")
        # the normaliser is taken off in double precision, where a shift of both sides loses nothing
        shifted = (data.double() - u, noise.double() - u)
        value = noise_contrastive(kl, *shifted, mask=mask, weight=weight, nonfinite=nonfinite)
        return value.to(raised(data).dtype)

    @torch.no_grad()
    def _normaliser(self, noise: Tensor) -> Tensor:
        """log u, once the minibatch has been seen."""
        batch = noise.double().logsumexp(0) - math.log(max(len(noise), 1))
        usable = bool(batch < math.inf)
        if not self.training or self.momentum == 0 or not (usable or self.steps):
            return batch
        if usable:
            self.steps += 1
            older = self.log_mean + math.log(self.momentum)
            self.log_mean.copy_(torch.logaddexp(older, batch + math.log1p(-self.momentum)))
        return self.log_partition


def ranking(
    data: Tensor,
    noise: Tensor,
    *,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""Noise-contrastive estimation by ranking: the cross-entropy of finding each datum among its draws of noise.

    $$-\frac1n \sum_i \log \frac{e^{v(x_i)}}{e^{v(x_i)} + \sum_k e^{v(y_{ik})}}, \qquad
    v = \log \tilde p_\theta - \log q$$

    `data` (n,), `noise` (n, K). The partition function cancels and is neither needed nor found, so that it may depend
    on a condition that each row has of its own; the larger K, the closer to maximum likelihood. In nats; `mask`,
    `weight` and `nonfinite` as in `kullback.losses.batches.averaged`. Raises `ShapeError`. Source: [ma2018].

    >>> import torch
    >>> round(float(ranking(torch.tensor([2.0]).log(), torch.zeros(1, 2))), 6)  # log (2 + 1 + 1)/2
    0.693147
    """
    if data.ndim != 1 or noise.ndim != 2 or len(noise) != len(data) or noise.shape[1] == 0:
        raise ShapeError(
            f"`data` has shape {tuple(data.shape)} and `noise` {tuple(noise.shape)}; expected (n,) and (n, K), K draws "
            "of noise beside each datum"
        )

    def terms(own: Tensor, other: Tensor) -> Tensor:
        scores = torch.cat([own[:, None], other], dim=1)
        return functional.cross_entropy(
            scores, scores.new_zeros(len(scores), dtype=torch.long), reduction="none"
        )

    return averaged(terms, raised(data), raised(noise), mask=mask, weight=weight, nonfinite=nonfinite)


__all__ = ["CompositionalLikelihood", "noise_contrastive", "ranking"]
