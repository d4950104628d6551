"""Averages of f(t) over draws, with t − 1 as control variate: k1, k2, k3 and the regressed estimator are one family."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from kullback._ops import Array, ops
from kullback.divergences import FDivergence, kl, reverse_kl
from kullback.errors import InvalidInputError

# beyond this log-ratio f(t) and its linear growth are subtracted by formula: as numbers, they lose all digits
_FAR = 8.0
_HEAVY = 0.2  # the leverage from which on a bias correction is noise
_DECISIVE = 0.999  # the leverage of a draw that alone decides the line
SIGMAS = 5.0  # how many standard errors the mean ratio may be from 1
_NODES, _WEIGHTS = np.polynomial.laguerre.laggauss(32)


@dataclass(frozen=True)
class Draws:
    """Draws of one law: the log-ratio s of the other law to it, and g with $D = E[g(e^s)]$, where $E[e^s] = 1$."""

    g: FDivergence
    s: Array  # in the caller's library
    weights: np.ndarray  # sum to 1
    weighted: bool

    def values(self, x: Array) -> np.ndarray:
        """An array of the caller's library as float64 on the host."""
        xp = ops(x)
        return np.asarray(xp.to_numpy(xp.detach(xp.to_float(x, 64))), dtype=np.float64)


@dataclass(frozen=True)
class Mean:
    """An estimate, its standard error, the degrees of freedom behind that, and the terms before a control variate."""

    value: float
    error: float
    freedom: float
    terms: np.ndarray
    method: str
    notes: tuple[str, ...] = ()


class Estimator(ABC):
    r"""How f-divergences are averaged over draws: $\frac1n \sum_i g(t_i) - \lambda (t_i - 1)$ with a choice of λ.

    The ratio t is that of the other law to the law drawn from, so that E[t − 1] = 0 and every λ gives an unbiased mean;
    g is f for draws of q, and $f^\circ(t) = t f(1/t)$ for draws of p.

    >>> k3
    k3
    """

    name: str

    @abstractmethod
    def mean(self, draws: Draws) -> Mean:
        """The estimate on these draws."""

    def uses_ratio(self, g: FDivergence) -> bool:  # noqa: ARG002  (k1 must know which log-ratio it averages)
        """Whether the terms contain t, whose tail then decides what the average is worth."""
        return True

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, repr=False)
class Averaged(Estimator):
    """An estimator that is a plain average of terms, each of one draw."""

    name: str

    def terms(self, g: FDivergence, s: Array) -> Array:
        """What is averaged, elementwise and differentiable, in the library of `s`."""
        raise NotImplementedError

    def mean(self, draws: Draws) -> Mean:
        """The average of the terms."""
        return average(draws, draws.values(self.terms(draws.g, draws.s)), self.name, self.notes(draws.g))

    def notes(self, g: FDivergence) -> tuple[str, ...]:  # noqa: ARG002  (those of k2 name the divergence)
        """What a reader of the number has to know."""
        return ()


class LogRatio(Averaged):
    r"""k1, the log-ratio itself: $-s$ where kl is estimated from draws of p, $t \log t$ from draws of the other law.

    Unbiased, and of either sign. As a loss on draws of p its gradient towards p has mean zero: it teaches nothing;
    towards q it is that of kl(p, q). Exists for `kl` and `reverse_kl`. Source: [schulman2020].

    >>> k1
    k1
    """

    def terms(self, g: FDivergence, s: Array) -> Array:
        """−s for reverse_kl, t log t for kl, as the law drawn from sees them."""
        if g == reverse_kl:
            return -s
        if g == kl:
            xp = ops(s)
            # t log t is 0 at t = 0
            s = xp.where(xp.isinf(s), -1e30, s)
            return xp.exp(s) * s
        raise InvalidInputError(
            f"k1 averages a log-ratio, which estimates kl and reverse_kl, not {g.name}; use regressed or k3"
        )

    def uses_ratio(self, g: FDivergence) -> bool:
        """Only t log t does."""
        return g != reverse_kl


class HalfSquare(Averaged):
    r"""k2, half the squared log-ratio, $\tfrac12 f''(1)\, s^2$: what every f-divergence looks like near equality.

    Never negative, biased far from equality, and its bias does not vanish with n. As a loss on draws of p its
    gradient towards p is exactly that of kl(p, q), whatever the distance. Raises `InvalidInputError` for a divergence
    with a kink. Source: [schulman2020].

    >>> k2
    k2
    """

    def uses_ratio(self, g: FDivergence) -> bool:  # noqa: ARG002
        """No: only its logarithm enters."""
        return False

    def terms(self, g: FDivergence, s: Array) -> Array:
        """f''(1) s²/2."""
        scale = g.curvature_at_one
        if scale is None:
            raise InvalidInputError(
                f"{g.name} has a kink at 1 and no second derivative there; use regressed or k3"
            )
        return 0.5 * scale * s * s

    def notes(self, g: FDivergence) -> tuple[str, ...]:
        """That it is biased."""
        note = f"k2 is a second-order approximation of {g.name}: its bias does not vanish with n"
        return (f"{note}, and the interval does not account for it",)


class NonNegative(Averaged):
    r"""k3, the generator in standard form, $g(t) \ge 0$, for kl on draws of p $e^s - 1 - s$: λ = 0.

    Unbiased, never negative. As a loss on draws of p its gradient towards p is that of kl(q, p), the other one.
    Source: [schulman2020].

    >>> k3
    k3
    """

    def terms(self, g: FDivergence, s: Array) -> Array:
        """f(t)."""
        return g.value(s)


@dataclass(frozen=True, repr=False)
class Fixed(Estimator):
    r"""$g(t) - \lambda (t - 1)$ with λ known beforehand: unbiased for any λ.

    >>> fixed(0.5)
    fixed(0.5)
    """

    coefficient: float

    @property
    def name(self) -> str:  # type: ignore[override]
        """With its coefficient."""
        return f"fixed({self.coefficient:g})"

    def mean(self, draws: Draws) -> Mean:
        """The average of g less the control variate."""
        s, values = draws.values(draws.s), draws.values(draws.g.value(draws.s))
        rest = without_growth(draws, s, values) if self.coefficient == draws.g.at_infinity else None
        if rest is None:
            # t (g°(1/t) − λ) + λ where two infinities would be subtracted
            excess = draws.values(draws.g.dual.value(-draws.s)) - self.coefficient
            product = np.where(excess == 0.0, 0.0, np.exp(s) * excess)
            rest = np.where(s > _FAR, product + self.coefficient, values - self.coefficient * np.expm1(s))
        return replace(average(draws, rest, self.name), terms=values)


class Regressed(Estimator):
    r"""$g(t) - \hat\lambda (t - 1)$ with λ by least squares: in the limit never worse than k1, k3 or any other λ.

    The jackknife takes off the bias, of order 1/n, that fitting λ to the same draws brings, and gives the standard
    error, with fewer degrees of freedom where few draws decide it. Where the ratios average to anything but 1 the
    line would be extrapolated: then λ is 0, or g'(∞), whichever leaves the smaller variance. Source: [owen2013].

    >>> regressed
    regressed
    """

    name = "regressed"

    def mean(self, draws: Draws) -> Mean:
        """The value of the regression line at t = 1."""
        s, values = draws.values(draws.s), draws.values(draws.g.value(draws.s))
        rest = without_growth(draws, s, values)
        shift = max(0.0, float(np.max(s)))
        control = np.exp(s - shift) - math.exp(-shift) if shift > 0 else np.expm1(s)
        known = average(draws, control, "control")
        if not abs(known.value) <= SIGMAS * known.error:
            plain = [average(draws, self.reduced(x), self.name) for x in (values, rest) if x is not None]
            best = min(plain, key=lambda mean: mean.error)
            return replace(
                best, terms=values, notes=("control variate left out: the ratios do not average to 1",)
            )
        start = draws.g.at_infinity if rest is not None and np.max(s) > _FAR else 0.0
        terms = rest if rest is not None and start else values
        if not np.all(np.isfinite(terms)):
            return average(draws, terms, self.name)
        value, error, slope, freedom = regress(
            self.reduced(terms), self.reduced(control), draws.weights, draws.weighted
        )
        note = f"control variate: t - 1 with coefficient {start + slope * math.exp(-shift):.4g}"
        return Mean(value, error, freedom, terms, self.name, (note,))

    def reduced(self, x: np.ndarray) -> np.ndarray:
        """x less what further control variates explain of it: nothing here."""
        return x


def regress(
    terms: np.ndarray, control: np.ndarray, weights: np.ndarray, weighted: bool
) -> tuple[float, float, float, float]:
    """The value at control = 0 of the line through the terms, its standard error, its slope, and degrees of freedom.

    Weights that came with the draws enter squared into the fit, which is what minimises the variance of the ratio.
    """
    fit = weights * weights if weighted else weights
    fit = fit / np.sum(fit)
    middle = float(np.sum(fit * control))
    centred = control - middle
    spread = float(np.sum(fit * centred * centred))
    slope = float(np.sum(fit * centred * terms)) / spread if spread > 0 else 0.0
    value = float(np.sum(weights * (terms - slope * control)))
    n = len(terms)
    if weighted:
        off = weights * (terms - slope * control - value)
        return value, math.sqrt(float(np.sum(off * off)) * n / (n - 2)), slope, _freedom(off)
    pull = centred / (n * spread) if spread > 0 else 0.0 * centred
    leverage = float(np.max(centred * pull))
    if leverage > _DECISIVE:
        return value, math.inf, slope, float(n - 2)
    # what leaving a draw out does to the value at 0, by its residual and its leverage on the line
    moves = (1.0 / n - middle * pull) * (terms - value - slope * control) / (1.0 - 1.0 / n - centred * pull)
    error = math.sqrt(float(np.sum((moves - np.mean(moves)) ** 2)) * (n - 1) / n)
    # where few draws carry the line, the correction of the bias would cost more variance than it is worth
    centre = value + (n - 1) * float(np.mean(moves)) if leverage < _HEAVY else value
    return centre, error, slope, _freedom(moves)


def _freedom(moves: np.ndarray) -> float:
    """Degrees of freedom behind a variance that is the mean of squares: fewer, the fewer draws decide it."""
    squares = (moves - np.mean(moves)) ** 2
    level = float(np.mean(squares))
    most = float(len(moves) - 2)
    if not level > 0.0:
        return most
    spread = float(np.mean((squares / level - 1.0) ** 2))
    return min(most, 2.0 * len(moves) / spread) if spread > 0.0 else most


def average(draws: Draws, terms: np.ndarray, method: str, notes: tuple[str, ...] = ()) -> Mean:
    """The weighted mean with the standard error of a mean, or of a ratio of means where the weights are not equal."""
    w, n = draws.weights, len(terms)
    live = np.where(w > 0, terms, 0.0)
    value = float(np.sum(w * live))
    if math.isnan(value):
        raise InvalidInputError(
            f"{method}: terms beyond the largest number, of both signs; use regressed or k3"
        )
    if not math.isfinite(value):
        return Mean(value, math.inf, n - 1, live, method, notes)
    error = math.sqrt(float(np.sum((w * (live - value)) ** 2)) * n / (n - 1))
    return Mean(value, error, n - 1, live, method, notes)


def without_growth(draws: Draws, s: np.ndarray, values: np.ndarray) -> np.ndarray | None:
    """g(t) − g'(∞)(t − 1), which grows slowest of all that a regression on t − 1 cannot tell from g; or None.

    It is g'(∞) + ∫₀^∞ tilt(s + x) e⁻ˣ dx, which no large t enters: as numbers, the two lose all digits there.
    """
    if not levels_off(draws):
        return None
    far = s > _FAR
    terms = np.where(far, 0.0, values) - draws.g.at_infinity * np.expm1(np.where(far, 0.0, s))
    if far.any():
        tilted = _tilt(draws, (s[far][:, None] + _NODES).ravel()).reshape(-1, len(_NODES))
        terms[far] = draws.g.at_infinity + np.sum(tilted * _WEIGHTS, axis=-1)
    return terms


def levels_off(draws: Draws) -> bool:
    """Whether g grows linearly, up to a logarithm: powers of t in the rest would need other nodes."""
    if not math.isfinite(draws.g.at_infinity):
        return False
    near, far = np.abs(_tilt(draws, np.array([30.0, 60.0])))
    return bool(far <= 3.0 * near)


def _tilt(draws: Draws, s: np.ndarray) -> np.ndarray:
    return draws.values(draws.g.tilt(ops(draws.s).asarray(s)))


k1 = LogRatio("k1")
k2 = HalfSquare("k2")
k3 = NonNegative("k3")
regressed = Regressed()


def fixed(coefficient: float) -> Fixed:
    r"""The estimator $g(t) - \lambda (t - 1)$ with λ = `coefficient`, any finite number.

    Raises `InvalidInputError` on anything else.

    >>> fixed(1.0)
    fixed(1)
    """
    if (
        isinstance(coefficient, bool)
        or not isinstance(coefficient, (int, float))
        or not math.isfinite(coefficient)
    ):
        raise InvalidInputError(f"fixed needs a finite coefficient, got {coefficient!r}")
    return Fixed(float(coefficient))
