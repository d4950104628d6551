"""The entropy that Bayes' rule gives under a prior that is nearly flat in the entropy itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import betainc, chdtrc, digamma, gammaln, ndtri, polygamma

from kullback.errors import InvalidInputError
from kullback.estimators.counts import shannon
from kullback.estimators.counts.entropy import ChaoWangJost, counted, one_class, refusal
from kullback.estimators.counts.tally import Tally, tally
from kullback.estimators.method import EntropyMethod, Estimate, Interval
from kullback.estimators.problem import OneSample

Array = NDArray[np.float64]

_LARGE = 1e4
_GRID = np.linspace(-30.0, 60.0, 901)  # of log Kβ, where the posterior is looked for
_FAINT = 40.0  # nats below the top of the posterior, where it holds nothing any more
_HALF = 0.5
_TOLD = 0.75  # of the probability in classes that occur, from which the rows tell a Dirichlet law from a heavy tail
_UNEQUAL = 0.05  # p-value of equal classes
_SURPRISE = 2.5  # standard deviations beyond which the prior is not what the shares came from
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(100)


@dataclass(frozen=True)
class NSB(EntropyMethod):
    r"""The posterior mean of the entropy, for Dirichlet priors mixed so that no entropy is preferred beforehand.

    $$\hat H = \int E[H \mid n, \beta]\, p(\beta \mid n)\, d\beta, \qquad
      p(\beta \mid n) \propto \frac{d\xi}{d\beta}\, \frac{\Gamma(K\beta)}{\Gamma(n + K\beta)}
      \prod_i \frac{\Gamma(n_i + \beta)}{\Gamma(\beta)}, \qquad \xi = \psi(K\beta + 1) - \psi(\beta + 1)$$

    `classes` is the number K of classes that are possible, whether seen or not; `None` takes those that occur, which
    is too few where some have one row only, and no interval is given then. The standard error is the posterior's
    standard deviation and the interval its quantiles, each β's law of H taken as a beta law on [0, log K] of the same
    mean and variance. Good with far fewer rows than classes, where the shares are not far from a Dirichlet law; a
    heavy tail, such as Zipf's, is not. So where the counts contradict such a law, or where rows are fewer than classes,
    those seen hold under 3/4 of the probability and are not equally likely, the prior decides how the rest is spread:
    the interval then also reaches from the lower end of `ChaoWangJost` to what the classes that were not seen add at
    most, $h(m) + (1 - m) H_\text{seen} + m \log(K - K_\text{seen})$, m being their largest probability by Turing.
    It is two or three times as wide then and holds for heavy tails too. Weights that are not whole numbers leave none
    there. Raises `InvalidInputError` for `classes` below 1.
    Source: [nemenman2002], [archer2014], [chao2013].

    >>> import kullback as kb
    >>> from kullback.estimators import NSB
    >>> answer = kb.entropy(["a", "b", "c"] * 300, method=NSB(classes=3))
    >>> round(answer.value, 2), round(answer.high, 2)  # log 3
    (1.1, 1.1)
    """

    classes: int | None = None

    def __post_init__(self) -> None:
        k = self.classes
        if k is not None and (isinstance(k, bool) or not isinstance(k, int) or k < 1):
            raise InvalidInputError(
                f"classes is {k!r}; expected the number of possible classes, a positive integer, "
                "or None for those that occur"
            )

    @property
    def name(self) -> str:
        return "NSB" if self.classes is None else f"NSB({self.classes})"

    def refusal(self, problem: OneSample) -> str:
        reason = refusal(problem)
        if reason or self.classes is None:
            return reason
        seen = counted(problem).classes
        return "" if seen <= self.classes else f"{seen} classes occur, more than classes={self.classes}"

    def estimate(self, problem: OneSample) -> Estimate:
        return self.of_tally(counted(problem))

    def of_tally(self, t: Tally) -> Estimate:
        """The estimate from the counts of the counts."""
        k = t.classes if self.classes is None else self.classes
        if k == 1:
            return (
                one_class(t) if self.classes is None else Estimate(0.0, 0.0, notes=("one class is possible",))
            )
        posterior = Posterior(t, k)
        notes, distrust = self._told(t)
        interval, doubt = posterior.interval, posterior.doubt
        if doubt and t.whole:
            interval = _for_any_tail(posterior)
            notes = (
                *notes,
                f"{doubt}; the interval allows for any other spread of the classes that were not seen",
            )
        elif doubt:
            distrust = distrust or doubt
        return Estimate(
            posterior.mean, posterior.deviation, interval=interval, distrust=distrust, notes=notes
        )

    def _told(self, t: Tally) -> tuple[tuple[str, ...], str]:
        """Notes, and the reason against the interval, if any."""
        notes = () if self.classes else (f"classes: the {t.classes} that occur",)
        if t.coverage < _HALF:
            notes = (
                *notes,
                f"classes seen hold {t.coverage:.2g} of the probability: the prior decides much of this",
            )
        if self.classes is None and t.occurring(1):
            return (
                notes,
                "classes with one row tell of others that were not seen; state how many there are, NSB(K)",
            )
        return notes, ""


@dataclass(frozen=True)
class Posterior:
    """The law of the entropy given the counts: a mixture over the concentration β of the Dirichlet prior."""

    t: Tally
    k: int

    @cached_property
    def nodes(self) -> tuple[Array, Array]:
        """Concentrations β and their posterior weights, which sum to 1."""
        density = self._log_density(_GRID)
        inside = np.flatnonzero(density > density.max() - _FAINT)
        low, high = _GRID[max(inside[0] - 1, 0)], _GRID[min(inside[-1] + 1, len(_GRID) - 1)]
        u = 0.5 * (high + low) + 0.5 * (high - low) * _NODES
        density = self._log_density(u)
        weight = _WEIGHTS * np.exp(density - density.max())
        return np.exp(u) / self.k, weight / weight.sum()

    def _log_density(self, u: Array) -> Array:
        """Of u = log Kβ, up to a constant."""
        total = np.exp(u)
        beta = total / self.k
        seen = self.t.times @ _rising(beta, self.t.sizes[:, None])
        return np.log(_prior(beta, self.k)) + u - _rising(total, self.t.n) + seen

    @cached_property
    def moments(self) -> tuple[Array, Array]:
        r"""Mean and variance of H for each β.

        With $a_i = n_i + \beta$, $A = \sum a_i$, $d_i = \psi(a_i + 1) - \psi(A + 2) + E[H]$ and
        $\tau(x) = x \psi_1(x + 1) - 1$, all small where A is large, so that nothing large cancels:

        $$\mathrm{Var}[H] = \frac{1}{A (A + 1)} \left[\sum a_i \left(d_i^2 + \frac1{a_i + 1} + \tau(a_i + 1)\right)
          + \frac1{(A + 1)^2} - 1\right] - \frac{\tau(A + 1)}{A + 1}$$
        """
        beta = self.nodes[0]
        a = np.append(self.t.sizes, 0.0)[:, None] + beta
        times = np.append(self.t.times, self.k - self.t.classes)
        total = self.t.n + self.k * beta
        mean = times @ (a / total * (digamma(total + 1.0) - digamma(a + 1.0)))
        gap = digamma(a + 1.0) - digamma(total + 2.0) + mean
        inner = times @ (a * (gap**2 + 1.0 / (a + 1.0) + _trigamma_rest(a + 1.0))) + (total + 1.0) ** -2 - 1.0
        return mean, inner / (total * (total + 1.0)) - _trigamma_rest(total + 1.0) / (total + 1.0)

    @cached_property
    def surprise(self) -> float:
        """By how many standard deviations classes with one row outnumber what the posterior expects."""
        beta, weight = self.nodes
        rest = _rising((self.k - 1) * beta, self.t.n - 1.0) - _rising(self.k * beta, self.t.n)
        expected = self.k * self.t.n * beta * np.exp(rest)
        mean = float(weight @ expected)
        spread = mean + float(weight @ (expected - mean) ** 2)
        return (self.t.occurring(1) - mean) / math.sqrt(spread) if spread > 0 else 0.0

    @property
    def doubt(self) -> str:
        """Why the shares may be no draw of the prior; empty where the rows tell that much."""
        t = self.t
        if abs(self.surprise) > _SURPRISE:
            return (
                f"{t.occurring(1):g} classes have one row, {self.surprise:+.1f} standard deviations from what a "
                "Dirichlet prior expects: the shares are no draw of one"
            )
        if t.n < self.k and t.coverage < _TOLD and not self.equal_classes_fit(_UNEQUAL):
            return (
                f"{t.n:g} rows for {self.k} unequal classes, of which those seen hold {t.coverage:.2g} of the "
                "probability: how the rest is spread is the prior's guess"
            )
        return ""

    @cached_property
    def mean(self) -> float:
        """The posterior mean of the entropy."""
        return float(self.nodes[1] @ self.moments[0])

    @cached_property
    def deviation(self) -> float:
        """The posterior standard deviation of the entropy."""
        mean, variance = self.moments
        return math.sqrt(float(self.nodes[1] @ (variance + (mean - self.mean) ** 2)))

    def interval(self, level: float) -> tuple[float, float]:
        """The quantiles that leave the same probability on either side, up to log K where equal classes fit as well."""
        tail = (1.0 - level) / 2.0
        # a posterior with a density gives the single point log K no probability, though it may be the truth
        top = math.log(self.k) if self.equal_classes_fit(tail) else self.quantile(1.0 - tail)
        return self.quantile(tail), top

    def equal_classes_fit(self, tail: float) -> bool:
        """Whether Pearson's test does not reject them, whose chi-square has the exact variance of sparse counts."""
        n, freedom = self.t.n, self.k - 1.0
        found = self.k / n * float(self.t.times @ self.t.sizes**2) - n
        scale = max(1.0 - 1.0 / n, 0.5)
        return float(chdtrc(freedom / scale, found / scale)) > tail

    def quantile(self, probability: float) -> float:
        """Of the mixture over β of beta laws on [0, log K]."""
        top = math.log(self.k)
        mean, variance = self.moments[0] / top, self.moments[1] / top**2
        inside = mean < 1.0  # the rest is log K itself as far as float64 can tell
        mean, variance, weight = mean[inside], variance[inside], self.nodes[1][inside]
        size = mean * (1.0 - mean) / variance - 1.0
        first, second = mean * size, (1.0 - mean) * size

        def excess(h: float) -> float:
            return float(weight @ betainc(first, second, h / top)) - probability

        if excess(top) <= 0:
            return top
        return float(brentq(excess, 0.0, top, xtol=1e-14))  # pyright: ignore[reportArgumentType]


def _for_any_tail(posterior: Posterior) -> Interval:
    """From what many rare classes hide at least to what they add at most; the posterior's own where that is wider."""
    t, k = posterior.t, posterior.k

    def interval(level: float) -> tuple[float, float]:
        low, high = posterior.interval(level)
        least = ChaoWangJost().of_tally(t)
        z = float(ndtri(0.5 + level / 2.0))
        reach = z * math.hypot(least.standard_error, least.bias_error)
        return min(low, least.value - reach), max(high, min(_most_spread(t, k, z), math.log(k)))

    return interval


def _most_spread(t: Tally, k: int, z: float) -> float:
    """The entropy if all classes without rows are equally likely, and together as likely as they can be."""
    seen = min(math.log(t.classes), shannon.plug_in(t) + shannon.first_bias(t))
    left, singles = k - t.classes, t.occurring(1)
    most = (singles + z * math.sqrt(singles + 2.0 * t.occurring(2))) / t.n
    unseen = min(most, left / (left + math.exp(seen)))  # beyond it the entropy falls again
    if unseen == 0.0:
        return seen
    return (
        shannon.plug_in(tally(np.array([unseen, 1.0 - unseen])))
        + (1.0 - unseen) * seen
        + unseen * math.log(left)
    )


def _prior(beta: Array, k: int) -> Array:
    """The derivative of the expected entropy without data, Kψ₁(Kβ + 1) − ψ₁(β + 1), which is positive."""
    large = beta > _LARGE
    b = np.where(large, 1.0, beta)
    small = k * polygamma(1, k * b + 1.0) - polygamma(1, b + 1.0)
    b = np.where(large, beta, 1.0)
    return np.where(large, (1.0 - 1.0 / k) / (2.0 * b**2) * (1.0 - (1.0 + 1.0 / k) / (3.0 * b)), small)


def _trigamma_rest(x: Array) -> Array:
    """x ψ₁(x + 1) − 1, by its series where it is small."""
    y = np.where(x > _LARGE, x, 1.0)
    far = -1.0 / (2.0 * y) + 1.0 / (6.0 * y**2)
    y = np.where(x > _LARGE, 1.0, x)
    return np.where(x > _LARGE, far, y * polygamma(1, y + 1.0) - 1.0)


def _rising(x: Array, m: Array | float) -> Array:
    """log Γ(x + m) − log Γ(x), by Stirling's series where the two would cancel."""
    large = x > _LARGE
    y = np.where(large, x, 1.0)
    rest = (1.0 / (y + m) - 1.0 / y) / 12.0
    far = (y - 0.5) * np.log1p(m / y) + m * np.log(y + m) - m + rest
    y = np.where(large, 1.0, x)
    return np.where(large, far, gammaln(y + m) - gammaln(y))
