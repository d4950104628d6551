"""Value and gradient of D_f(policy‖target) at every sample, wherever the ratios are."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from kullback._ops import ops
from kullback.divergences import FDivergence
from kullback.divergences.growth import reach
from kullback.losses.preference.link import span

_CALLER = 5  # from the warning to the call of an objective


@dataclass(frozen=True)
class Edge:
    """Where the slope stops being asked: its derivative in r, and the rate at which that grows beyond."""

    at: float
    derivative: float
    rate: float


@dataclass(frozen=True)
class Draw:
    """A sample: log policy/target, and the logarithms of what a draw weighs under the policy and under the target."""

    log_ratio: Tensor
    policy: Tensor
    target: Tensor


class _Carried(torch.autograd.Function):
    """Numbers whose derivatives towards `through` are given: no arithmetic with an infinite log-probability."""

    @staticmethod
    def forward(ctx: Any, through: Tensor, value: Tensor, derivative: Tensor) -> Tensor:  # noqa: ARG004
        ctx.save_for_backward(derivative)
        return value.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (derivative,) = ctx.saved_tensors
        return grad * derivative, None, None


def draws(policy: Tensor, target: Tensor, drawn_with: Tensor | None) -> Draw:
    """The samples as constants; without `drawn_with` the policy drew them."""
    p, q = policy.detach(), target.detach()
    neither = torch.isneginf(p) & torch.isneginf(q)
    # what neither can say is 0 · f(0/0) = 0: at the ratio 1 with no weight
    r = torch.where(neither, 0.0, p - torch.where(neither, 0.0, q))
    if drawn_with is None:
        return Draw(r, torch.where(torch.isneginf(p), p, 0.0), torch.where(neither, -math.inf, -r))
    mu = drawn_with.detach()
    return Draw(r, p - mu, q - mu)


def numbers(d: FDivergence, draw: Draw, through: Tensor, baseline: Tensor | float = 0.0) -> Tensor:
    """The estimate (target/μ) f(t), whose derivative towards `through` is (policy/μ) (f'(t) + baseline).

    A baseline is of rewards, and the reward is −f'(t).
    """
    with torch.no_grad():
        r, limit = draw.log_ratio, reach(ops(draw.log_ratio), draw.log_ratio)
        slope, far = scaled_slope(d, draw.policy, r)
        value, farther = _value(d, draw, slope)
        shift = _exp(draw.policy, limit) * baseline
        # a sample without probability under the policy has no score, and nothing changes it
        derivative = torch.where(torch.isneginf(draw.policy), 0.0, slope + shift)
        beyond = far | farther | ((draw.policy > limit) & torch.isfinite(draw.policy))
        tell(d, beyond, r.dtype)
    return _Carried.apply(through, value, derivative)  # pyright: ignore[reportReturnType]


def tell(d: FDivergence, beyond: Tensor, dtype: torch.dtype) -> None:
    """Warns of numbers that follow a tangent, with their count."""
    if bool(beyond.any()):
        warnings.warn(
            f"{int(beyond.sum())} of {beyond.numel()} samples have numbers of {d.name} beyond the reach of "
            f"{str(dtype).removeprefix('torch.')}: there the estimate follows its tangent",
            RuntimeWarning,
            stacklevel=_CALLER,
        )


def scaled_slope(d: FDivergence, log_mass: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    """mass · f'(eʳ), and where that product leaves the precision and goes on along its tangent.

    Through logarithms where f' overflows: a mass of e⁻⁵⁰⁰⁰ times a slope of e⁵⁰⁰⁰ is 1, not 0 times infinity.
    """
    limit = reach(ops(r), r)
    low, high = edges(d, r.dtype)
    inside = r.clamp(-math.inf if low is None else low.at, math.inf if high is None else high.at)
    made = _times(log_mass, d.slope(inside), limit)
    beyond = torch.zeros_like(r, dtype=torch.bool)
    for edge, sign in ((low, -1.0), (high, 1.0)):
        if edge is None:
            continue
        x = sign * (r - edge.at)
        out = x > 0
        if not bool(out.any()):
            continue
        x = torch.where(out, x, 0.0)
        top = log_mass + edge.rate * x + math.log(edge.derivative)
        # e^top (1 − e^(−rate x))/rate is the integral of the derivative from the edge to here
        share = -torch.expm1(-edge.rate * x) / edge.rate if edge.rate else x
        made = made + torch.where(out, sign * _exp(top, limit) * share, 0.0)
        beyond |= out & (top > limit) & torch.isfinite(top)
    return made, beyond


@lru_cache(maxsize=256)
def edges(d: FDivergence, dtype: torch.dtype) -> tuple[Edge | None, Edge | None]:
    """The two ends of the range in which the slope is taken as it is; `None` where there is no end."""
    within = span(d, dtype)
    return _edge(d, within.low), _edge(d, within.high)


def _edge(d: FDivergence, at: float) -> Edge | None:
    if math.isinf(at):
        return None
    # t f''(t), in double precision whatever the samples are in: its rate is multiplied by large numbers
    halfway, here = (float(x) for x in d.dual.curvature(-at * torch.tensor([0.5, 1.0], dtype=torch.float64)))
    if not (halfway > 0 and 0 < here < math.inf):
        return None
    return Edge(at, here, max(0.0, (math.log(here) - math.log(halfway)) / abs(0.5 * at)))


def _value(d: FDivergence, draw: Draw, slope: Tensor) -> tuple[Tensor, Tensor]:
    """(target/μ) f(t), from the side on which f does not overflow; far out as its two halves."""
    r, limit = draw.log_ratio, reach(ops(draw.log_ratio), draw.log_ratio)
    low, high = (-reach(ops(r), r, x.power_at_zero) if x.power_at_zero else -math.inf for x in (d, d.dual))
    far = torch.isfinite(r) & ((r < low) | (r > -high))
    near = torch.where(far, 0.0, r)
    below = _times(draw.target, d.value(near.clamp(max=0.0)), limit)
    above = _times(draw.policy, d.dual.value(-near.clamp(min=0.0)), limit)
    value = torch.where(r < 0, below, above)
    beyond = ~far & (r < 0) & (draw.target > limit) & torch.isfinite(draw.target)
    if bool(far.any()):
        tilt, out = scaled_slope(d.dual, draw.target, -r)  # f(t) = f(t) − t f'(t) + t f'(t)
        value, beyond = torch.where(far, slope + tilt, value), beyond | (far & out)
    return value, beyond


def _exp(x: Tensor, limit: float) -> Tensor:
    """eˣ, along its tangent beyond the limit."""
    return torch.where(x > limit, math.exp(limit) * (1.0 + x - limit), torch.exp(x.clamp(max=limit)))


def _times(log_mass: Tensor, member: Tensor, limit: float) -> Tensor:
    """Mass times member; an infinite member stays what it is where the mass has no room for its digits."""
    return torch.where(torch.isinf(member), member, _exp(log_mass, limit) * member)
