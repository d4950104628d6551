"""Laws restricted to an interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.exact.law import Composite, Law, Support
from kullback.exact.transform import Transform

_SMALLEST = math.log(np.finfo(float).tiny)


@dataclass(frozen=True)
class Truncated(Composite):
    r"""A law on the line given that its draw lies in [`low`, `high`].

    $$p(x \mid a \le x \le b) = p(x) / P([a, b]), \qquad a \le x \le b$$

    `distribution` is a law on the line of known cumulative distribution function, of whatever library. Exponential,
    Pareto and uniform laws stay in their families, where that is so, and keep their closed forms; other pairs are
    integrated. SciPy's own truncated laws may be given to `between` as they are.

    Raises `InvalidInputError` for an interval that is none or holds no mass, `UnsupportedPairError` for a batch and for
    laws without a cumulative distribution function.

    >>> from scipy import stats
    >>> import kullback as kb
    >>> from kullback.exact import Truncated
    >>> slow, quick = Truncated(stats.expon(), low=3), Truncated(stats.expon(scale=0.5), low=3)
    >>> kb.between(kb.kl, slow, quick).value == kb.between(kb.kl, stats.expon(), stats.expon(scale=0.5)).value
    True
    """

    distribution: Any
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise InvalidInputError(
                f"the interval from {self.low} to {self.high} is empty; low < high is needed"
            )

    def law(self, read: Callable[[Any, str], Law]) -> Law:
        """The record of it, with the distribution read by `read`."""
        base = read(self.distribution, "distribution")
        if base.batch or base.event or base.support is None:
            raise UnsupportedPairError(
                f"Truncated takes one law on the line; {base.name} has batch {base.batch} and draws of shape "
                f"{base.event}"
            )
        support = base.support
        low, high = max(self.low, support.low), min(self.high, support.high)
        if support.discrete:
            low, high = (
                math.ceil(low) if math.isfinite(low) else low,
                math.floor(high) if high < math.inf else high,
            )
        if low > high or (low == high and not support.discrete):
            raise InvalidInputError(
                f"{base.name} has no mass in [{self.low:g}, {self.high:g}]: its support is "
                f"[{support.low:g}, {support.high:g}]"
            )
        inside = Support(float(low), float(high), support.discrete)
        return base if inside == support else _familiar(base, inside) or _restricted(base, inside)


def _familiar(base: Law, inside: Support) -> Law | None:
    """The same as a member of a family, where truncation does not lead out of it."""
    name, parameters = base.name, base.parameters
    if name == "uniform":
        ends = {"low": inside.low, "high": inside.high}
        return replace(base, parameters={k: 0.0 * x + ends[k] for k, x in parameters.items()})
    if inside.high < math.inf:
        return None
    if name == "pareto":
        return replace(base, parameters={**parameters, "scale": 0.0 * parameters["scale"] + inside.low})
    if name == "exponential":
        return replace(base, transforms=(Transform("affine", inside.low, 1.0),))
    return None


def _restricted(law: Law, inside: Support) -> Law:
    base = law.at(())
    ends = _Ends.of(base, inside)
    log_mass = ends.log_mass
    if not log_mass > -math.inf:
        raise InvalidInputError(
            f"no mass of {base.name} in [{inside.low:g}, {inside.high:g}] is left in double precision"
        )

    def quantiles(u: np.ndarray) -> np.ndarray:
        x = ends.quantiles(u)
        for t in base.transforms:
            x = t.forward(x)
        # the rounding of a quantile may leave the interval
        return np.clip(x, inside.low, inside.high)

    def draw(n: int, seed: int) -> np.ndarray:
        if ends.underflowed:
            raise UnsupportedPairError(
                f"[{inside.low:g}, {inside.high:g}] is too far out to draw {base.name} there"
            )
        return quantiles(np.random.default_rng(seed).uniform(size=n))

    return Law(
        None,
        law.parameters,
        label=f"truncated {base.name}",
        density=lambda x: base.everywhere(x) - log_mass,
        support_given=inside,
        quantiles=quantiles,
        draw=draw,
    )


@dataclass(frozen=True)
class _Ends:
    """The interval in terms of the base law in SciPy: logarithms of both tails at its ends."""

    frozen: Any
    below: tuple[float, float]  # log P(X < low), log P(X ≤ high)
    above: tuple[float, float]  # log P(X ≥ low), log P(X > high)

    @classmethod
    def of(cls, base: Law, inside: Support) -> _Ends:
        frozen = base.frozen
        if not hasattr(frozen, "logcdf"):
            raise UnsupportedPairError(f"{base.name} has no cumulative distribution function here")
        low, high = np.array(inside.low), np.array(inside.high)
        with np.errstate(all="ignore"):
            for t in reversed(base.transforms):
                low, high = t.inverse(low), t.inverse(high)
                low, high = (low, high) if t.increasing else (high, low)
            start = low - 1.0 if inside.discrete else low
            below, above = frozen.logcdf([start, high]), frozen.logsf([start, high])
        return cls(frozen, (float(below[0]), float(below[1])), (float(above[0]), float(above[1])))

    @property
    def upper(self) -> bool:
        """Whether the interval is to the right of the middle, where the upper tail keeps its digits."""
        return self.above[0] < self.below[1]

    @property
    def log_mass(self) -> float:
        big, small = self.above if self.upper else self.below[::-1]
        return big + math.log1p(-math.exp(small - big)) if small < big else -math.inf

    @property
    def underflowed(self) -> bool:
        """Whether the mass is no normal number any more."""
        return self.log_mass < _SMALLEST

    def quantiles(self, u: np.ndarray) -> np.ndarray:
        if self.underflowed:
            return np.full(u.shape, math.nan)
        with np.errstate(all="ignore"):
            if self.upper:
                start, end = np.exp(self.above)
                return np.asarray(self.frozen.isf(start + u * (end - start)), dtype=float)
            start, end = np.exp(self.below)
            return np.asarray(self.frozen.ppf(start + u * (end - start)), dtype=float)
