"""Rate and distortion of a discrete source, by the iteration of Blahut and Arimoto with a certified gap."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from kullback.divergences import kl
from kullback.errors import ConvergenceError, InvalidInputError, ShapeError
from kullback.losses.bottleneck.checks import check_number


class RatePoint(NamedTuple):
    """A point of R(D): `rate` in nats, at most `gap` above the least that there is at this `distortion`."""

    rate: float
    distortion: float
    encoder: Tensor
    gap: float
    steps: int


def rate_distortion(
    p: Tensor, distortion: Tensor, *, slope: float, tolerance: float = 1e-9, steps: int = 100_000
) -> RatePoint:
    r"""The point of the rate-distortion curve at which a unit of distortion is worth `slope` nats.

    $$\min_{q(t|x)} I(X;T) + s\, E\, d(X, T), \qquad q(t|x) \propto q(t)\, e^{-s\, d(x, t)}$$

    `p` (n,) the masses of the source, `distortion` (n, k) the cost d of describing x by t, finite and ≥ 0. The problem
    is convex; the iteration stops when rate + slope · distortion is proved to be within `tolerance` nats of its least.
    Raises `ConvergenceError` after `steps` without that, `InvalidInputError`, `ShapeError`. Source: [blahut1972].

    >>> import math, torch
    >>> p, d = torch.tensor([0.5, 0.5], dtype=torch.float64), 1.0 - torch.eye(2)
    >>> found = rate_distortion(p, d, slope=math.log(3.0))  # a fair coin: D = 1/(1 + e^s), R = log 2 − h(D)
    >>> round(found.distortion, 6), round(found.rate, 6)
    (0.25, 0.130812)
    """
    check_number("slope", slope, zero=True)
    p, cost = masses("p", p, 1), torch.as_tensor(distortion, dtype=torch.float64).detach().cpu()
    if cost.ndim != 2 or len(cost) != len(p) or cost.shape[1] == 0:
        raise ShapeError(
            f"`distortion` has shape {tuple(cost.shape)}; expected ({len(p)}, k), a row for every mass"
        )
    if not bool((torch.isfinite(cost) & (cost >= 0)).all()):
        raise InvalidInputError("`distortion` has entries that are negative or not finite; expected costs")
    cost, p = cost[p > 0], p[p > 0]
    code = torch.full((cost.shape[1],), 1.0 / cost.shape[1], dtype=torch.float64)
    tilt = torch.exp(-slope * (cost - cost.amin(1, keepdim=True)))  # a factor for each x, which cancels
    gap = torch.inf
    for step in range(1, steps + 1):
        encoder = code * tilt
        total = encoder.sum(1)
        gain = (p / total) @ tilt
        code = code * gain
        # log of what a value gains, at most, against what all gain on average
        gap = float(gain.max().log() - torch.xlogy(code, gain).sum())
        if gap < tolerance:
            encoder = code * tilt
            encoder = encoder / encoder.sum(1, keepdim=True)
            rate = float(p @ kl(encoder, (p @ encoder).expand_as(encoder), validate=False))
            return RatePoint(rate, float(p @ (encoder * cost).sum(1)), encoder, gap, step)
    raise ConvergenceError(
        f"after {steps} steps the rate may be {gap:.2g} nats too large, above `tolerance` {tolerance:.2g}; allow "
        "more of either"
    )


def masses(name: str, p: Tensor, axes: int) -> Tensor:
    """Masses that sum to 1, in double precision on the host."""
    p = torch.as_tensor(p, dtype=torch.float64).detach().cpu()
    if p.ndim != axes or p.numel() == 0:
        raise ShapeError(f"`{name}` has shape {tuple(p.shape)}; expected {axes} axes")
    total = float(p.sum())
    if not bool((p >= 0).all()) or not abs(total - 1.0) < 1e-6:
        raise InvalidInputError(
            f"`{name}` sums to {total:g} and its least entry is {float(p.min()):g}; expected masses that sum to 1"
        )
    return p / total
