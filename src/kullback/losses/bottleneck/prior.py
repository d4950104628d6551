"""The variational bottleneck: a code near a prior, by any divergence that has a closed form."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from kullback.divergences import Divergence
from kullback.errors import ShapeError
from kullback.exact import between
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.bottleneck.checks import check_number, one_each


def variational_bottleneck(
    d: Divergence,
    losses: Tensor,
    encoder: Distribution,
    prior: Distribution,
    *,
    price: float,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The loss of a decoder plus what its code costs: the divergence of the encoder's law from a prior.

    $$\frac1n \sum_i \ell_i + \text{price} \cdot D\!\left(q(t | x_i) \,\|\, r(t)\right)$$

    `losses` (n,) are the decoder's, each at a draw of its code: −log p(y_i | t_i), H(Y|T) in the mean at best;
    `encoder` is a law of torch.distributions of batch shape (n,), `Independent(Normal(mean, scale), 1)` for instance,
    and `prior` one of batch shape () or (n,), whose parameters may be trained. For `kb.kl` the second term is an upper
    bound of I(X;T), by KL(marginal of the codes‖prior) too large; `kb.renyi(a)`, `kb.squared_hellinger` and every other
    noun serve where there is a closed form for the pair. `price` is nats of the loss for a unit of D: the β of the
    variational bottleneck, 1/β of the Lagrangian that `information_bottleneck` minimises; 0 leaves the losses alone.

    `mask`, `weight` and `nonfinite` as in `kullback.losses.batches.averaged`. Raises `UnsupportedPairError` where the
    pair has no closed form, `ShapeError`, and `InvalidInputError` also for parameters of a law that are not finite,
    those of masked examples among them.
    Source: [alemi2017], [tishby1999].

    >>> import torch, kullback as kb
    >>> from torch.distributions import Independent, Normal
    >>> code = Independent(Normal(torch.tensor([[1.0], [3.0]]), 1.0), 1)
    >>> prior = Independent(Normal(torch.zeros(1), 1.0), 1)
    >>> float(variational_bottleneck(kb.kl, torch.zeros(2), code, prior, price=1.0))  # ½ and 9/2
    2.5
    """
    check_number("price", price, zero=True)
    n = len(losses) if losses.ndim else 0
    losses = one_each("losses", losses, n)
    if tuple(encoder.batch_shape) != (n,) or tuple(prior.batch_shape) not in ((), (n,)):
        raise ShapeError(
            f"`encoder` has batch shape {tuple(encoder.batch_shape)} and `prior` {tuple(prior.batch_shape)} for {n} "
            f"losses; expected ({n},) and () or ({n},): wrap laws of several dimensions in Independent(..., 1)"
        )
    costs = torch.as_tensor(between(d, encoder, prior, kind="exact").value, device=losses.device)

    def terms(loss: Tensor, cost: Tensor) -> Tensor:
        return loss + price * cost.to(loss.dtype)

    return averaged(terms, losses, costs, mask=mask, weight=weight, nonfinite=nonfinite)
