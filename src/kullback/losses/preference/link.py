"""The slope of a generator as a reward: which divergences have one to train with, and how far floats carry it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from kullback._ops import ops
from kullback.divergences import FDivergence
from kullback.divergences.growth import reach
from kullback.errors import DTypeError, InvalidInputError

_CALLER = 6  # from the warning to the call of an objective
_HALF = (torch.float16, torch.bfloat16)
# how much the derivative of an unbounded slope may fall towards t = 0: less than the rounding of a user's derivative
_LEVEL = 1e-7
_STILL = 1e-9  # a slope that changes by less is level


@dataclass(frozen=True)
class Span:
    """The log-ratios between which the slope is taken as it is, and its derivatives at those ends."""

    low: float = -math.inf
    high: float = math.inf
    at_low: float = 0.0
    at_high: float = 0.0

    @property
    def everywhere(self) -> bool:
        """Whether no log-ratio is too large or too small."""
        return math.isinf(self.low) and math.isinf(self.high)

    def holds(self, r: Tensor) -> bool:
        """Whether all of r is inside, or NaN."""
        if r.numel() == 0:
            return True
        r = r.detach()
        low = math.isinf(self.low) or not float(r.amin()) < self.low
        return low and (math.isinf(self.high) or not float(r.amax()) > self.high)


def link(d: FDivergence, log_ratio: Tensor) -> Tensor:
    """f'(eʳ) of every log-ratio r, along its tangent where t = eʳ leaves the precision."""
    check_unbounded(d)
    return _continued(d, log_ratio, d.slope)


def gap(d: FDivergence, better: Tensor, worse: Tensor) -> Tensor:
    """The difference of two links, without what is constant in both."""
    check_unbounded(d)
    return _continued(d, better, d._link) - _continued(d, worse, d._link)


def _continued(d: FDivergence, log_ratio: Tensor, member: Callable[[Tensor], Tensor]) -> Tensor:
    if not isinstance(log_ratio, Tensor) or not log_ratio.is_floating_point():
        got = log_ratio.dtype if isinstance(log_ratio, Tensor) else type(log_ratio).__name__
        raise DTypeError(f"a log-ratio is {got}; expected a torch tensor of real numbers")
    r = log_ratio.float() if log_ratio.dtype in _HALF else log_ratio
    within = span(d, r.dtype)
    if within.everywhere or within.holds(r):
        return member(r)
    below, above = r < within.low, r > within.high
    warnings.warn(
        f"{int((below | above).sum())} of {r.numel()} log-ratios are beyond the reach of "
        f"{str(r.dtype).removeprefix('torch.')}, which for the slope of {d.name} is {within.low:g} to {within.high:g}: "
        "there it follows its tangent",
        RuntimeWarning,
        stacklevel=_CALLER,
    )
    slope = member(r.clamp(within.low, within.high))
    # no tangent is followed to an end at infinity: 0 × ∞ is not chosen
    slope = slope + torch.where(below, within.at_low * (r - within.low), 0.0)
    return slope + torch.where(above, within.at_high * (r - within.high), 0.0)


@lru_cache(maxsize=256)
def span(d: FDivergence, dtype: torch.dtype) -> Span:
    """How far the slope of d is to be trusted in a precision."""
    one = torch.ones((), dtype=dtype)
    low, high = (-reach(ops(one), one, d.power_at_zero), reach(ops(one), one, d.dual.power_at_zero))
    ends = {}
    if _leaves(d, -1.0):
        ends |= {"low": low, "at_low": float(d.dual.curvature(-low * one))}
    if _leaves(d, 1.0):
        ends |= {"high": high, "at_high": float(d.dual.curvature(-high * one))}
    return Span(**ends)


def _leaves(d: FDivergence, sign: float) -> bool:
    """Whether the slope overflows towards sign · ∞, or a given f is not asked so far out and stands still."""
    far = sign * torch.tensor([600.0, 700.0, 1e4, math.inf], dtype=torch.float64)
    derivative, slope = d.dual.curvature(-far), d.slope(far)
    stands = bool(slope[1] == slope[2]) and not bool(derivative[0] < _STILL)
    return stands or not math.isfinite(derivative[3]) or bool(torch.isnan(slope).any())


@lru_cache(maxsize=256)
def check_unbounded(d: FDivergence) -> None:
    """Refuses a divergence whose slope has a limit at t = 0.

    Members that know their limit say so at r = −∞. The slope of a function that was given is followed to t = e⁻³⁰⁰: it
    is without bound if its derivative in r, which is t f''(t), does not fall on the way.
    """
    if not isinstance(d, FDivergence):
        raise InvalidInputError(
            f"{d!r} is not an f-divergence: it has no f' to compare answers by; use kl, js ..."
        )
    x = torch.tensor([0.5, 1.0], dtype=torch.float64)
    x = x * reach(ops(x), x, d.power_at_zero)
    limit = float(d.slope(torch.tensor(-math.inf, dtype=torch.float64)))
    if limit == -math.inf:
        return
    near, far = (float(y) for y in d.dual.curvature(x))
    if not (0 < near < math.inf and far >= near * (1 - _LEVEL)):
        last = float(d.slope(-x[1])) if math.isnan(limit) else limit
        raise InvalidInputError(
            f"{d.name} has slope {last:.6g} at 0: its best policy gives some answers probability 0, where the slope "
            "has no inverse; use kl, reverse_kl, js, jeffreys, squared_hellinger, neyman_chi2 or alpha(a) with a <= 1"
        )
