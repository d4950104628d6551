"""Predicted noise held to the mean and variance that noise has."""

from __future__ import annotations

from torch import Tensor

from kullback.divergences import reverse_kl
from kullback.errors import ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.matching.scores import single


def moment_kl(
    noise: Tensor,
    *,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""KL(N(μ, σ²)‖N(0, 1)) of the mean and variance of every sample's predicted noise, averaged over samples.

    $$\frac1n \sum_i \tfrac12 \left(\mu_i^2 + \sigma_i^2 - 1 - \log \sigma_i^2\right)$$

    `noise` has shape (n, ...), at least two numbers a sample; μ and σ² are taken over all of them, σ² with their number
    as the divisor. Published code sums over the batch. Constant predictions have an infinite divergence. Samples count
    where `mask` is true, `weight`, of shape (n,), multiplies, and `nonfinite` says what becomes of numbers that are not
    finite. Raises `ShapeError`. Source: [li2025].

    >>> import torch
    >>> float(moment_kl(torch.tensor([[0.0, 2.0]])))  # μ = σ² = 1
    0.5
    """
    if noise.ndim < 2 or noise[0].numel() < 2:
        raise ShapeError(
            f"`noise` has shape {tuple(noise.shape)}; expected (n, ...) with two numbers a sample or more"
        )

    def terms(x: Tensor) -> Tensor:
        flat = single(x).flatten(1)
        mean, variance = flat.mean(-1), flat.var(-1, correction=0)
        return 0.5 * (mean.square() + reverse_kl.value(variance.log()))

    return averaged(terms, noise, mask=mask, weight=weight, nonfinite=nonfinite)
