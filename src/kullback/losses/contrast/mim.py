"""The mutual information machine, an autoencoder whose codes tell much of the data; and its contrastive form."""

from __future__ import annotations

import math

from torch import Tensor

from kullback.errors import ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.contrast.checks import check_number, check_temperature, real
from kullback.losses.contrast.negatives import log_sum, surprise
from kullback.losses.contrast.pairs import hollow, matched, over_pairs


def mim(
    *,
    likelihood: Tensor,
    prior: Tensor,
    posterior: Tensor,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The asymmetric mutual information machine: a cross-entropy that lets codes say much of the data.

    $$-\frac1n \sum_i \Big[\log p(x_i | z_i) + \tfrac12 \big(\log q(z_i | x_i) + \log p(z_i)\big)\Big], \qquad
    z_i \sim q(z | x_i) \text{ by its reparametrised noise}$$

    `likelihood`, `prior` and `posterior` (n,) are the three logarithms, in nats, at the drawn codes. It is half of the
    cross-entropies of the encoder's draws under the decoder, p(x|z) p(z), and under the encoder, q(z|x) q(x), where
    q(x) is the decoder's margin, taken at the draw as p(x|z). Minus the ELBO rewards a wide q(z|x); this a narrow
    one, so that codes tell much of the data. `mask`, `weight` and `nonfinite` as in `kullback.losses.batches`. Raises
    `ShapeError` or `DTypeError`. Source: [livne2019].

    >>> import torch
    >>> one = torch.ones(1)
    >>> float(mim(likelihood=-3 * one, prior=-2 * one, posterior=one))  # 3 + (2 − 1)/2
    3.5
    """
    parts = _logarithms(likelihood, prior, posterior)
    return averaged(_cross_entropy, *parts, mask=mask, weight=weight, nonfinite=nonfinite)


def contrastive_mim(
    scores: Tensor,
    *,
    likelihood: Tensor,
    prior: Tensor,
    posterior: Tensor,
    temperature: float | Tensor = 1.0,
    contrast_weight: float = 1.0,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The mutual information machine with codes that tell their example from others, without augmented views.

    $$\text{MIM} - \frac{\lambda}{n} \sum_i \log \frac{e^{s_{ii} / \tau}}{e^{s_{ii} / \tau} + \frac1{n - 1}
    \sum_{j \ne i} e^{s_{ij} / \tau}}$$

    `scores` (n, n): cosines of the drawn codes with the codes' means, say, an example's own on the diagonal. The others
    enter by their mean, not their sum as in `info_nce`, so that the loss does not depend on the size of the batch
    but through noise. `contrast_weight` is λ, `temperature` τ. Other arguments and errors as in `mim` and `info_nce`.
    Source: [livne2025].

    >>> import torch
    >>> none = torch.zeros(2)
    >>> scores = torch.tensor([[3.0, 1.0], [1.0, 3.0]]).log()
    >>> round(float(contrastive_mim(scores, likelihood=none, prior=none, posterior=none)), 6)  # −log(3/4)
    0.287682
    """
    check_temperature(temperature)
    check_number("contrast_weight", contrast_weight, zero=True)
    scores = matched(scores, square=True)
    parts = _logarithms(likelihood, prior, posterior)
    if len(parts[0]) != len(scores):
        raise ShapeError(
            f"`scores` are of {len(scores)} examples, the logarithms of {len(parts[0])}; expected the same"
        )

    def terms(own: Tensor, other: Tensor, *logarithms: Tensor) -> Tensor:
        others = log_sum(other) - math.log(other.shape[1] - 1)
        return contrast_weight * surprise(others, own) + _cross_entropy(*logarithms)

    def sides(s: Tensor) -> tuple[Tensor, ...]:
        return hollow(s / temperature)

    return over_pairs(terms, scores, *parts, mask=mask, weight=weight, nonfinite=nonfinite, sides=sides)


def _cross_entropy(likelihood: Tensor, prior: Tensor, posterior: Tensor) -> Tensor:
    return -(likelihood + 0.5 * (posterior + prior))


def _logarithms(likelihood: Tensor, prior: Tensor, posterior: Tensor) -> list[Tensor]:
    named = (("likelihood", likelihood), ("prior", prior), ("posterior", posterior))
    parts = [real(name, x, 1, "(n,), one number an example") for name, x in named]
    if len({len(x) for x in parts}) > 1:
        told = ", ".join(f"`{name}` {len(x)}" for name, x in named)
        raise ShapeError(f"the logarithms are of different numbers of examples: {told}")
    return parts
