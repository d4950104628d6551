"""Inequalities in closed form: from a number that is known to one that is not."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import minimize_scalar, root_scalar

from kullback._ops import Array
from kullback.answer import Answer
from kullback.divergences import kl, reverse_kl
from kullback.errors import InvalidInputError


def pinsker(divergence: float) -> Answer:
    r"""The total variation that a relative entropy allows, by Pinsker and by Bretagnolle and Huber, whichever is less.

    $$\mathrm{TV} \le \min\left(\sqrt{\mathrm{KL}/2}, \sqrt{1 - e^{-\mathrm{KL}}}\right)$$

    `divergence` in nats, +inf allowed. Attained in the limits of 0 and of +inf; the sharp range is
    `kb.bound(kb.total_variation, given=kb.kl, at=...)`.

    Source: [bretagnolle1979].

    >>> round(pinsker(0.02).high, 6)
    0.1
    """
    x = _nonnegative("divergence", divergence)
    return _upper(math.sqrt(min(0.5 * x, -math.expm1(-x))), "Pinsker, Bretagnolle–Huber")


def bretagnolle_huber(divergence: float) -> Answer:
    r"""The least sum of both errors of any test between p and q, by Bretagnolle and Huber.

    $$\Pr_p(\text{says } q) + \Pr_q(\text{says } p) \ge 1 - \sqrt{1 - e^{-\mathrm{KL}}} \ge \tfrac12 e^{-\mathrm{KL}}$$

    `divergence` is KL(p‖q) in nats of all that is observed, +inf allowed; `value` and `low` are the first bound, with
    all its digits however small. Attained at 0, and in the limit of none.

    Source: [bretagnolle1979].

    >>> bretagnolle_huber(0.0).low
    1.0
    """
    x = _nonnegative("divergence", divergence)
    low = math.exp(-x) / (1 + math.sqrt(-math.expm1(-x)))
    return Answer(low, low, 1.0, kind="bounds", method="Bretagnolle–Huber", unit="of error")


def le_cam(squared_hellinger: float, *, n: int = 1) -> Answer:
    r"""The total variation of n independent draws that a squared Hellinger distance of one draw allows, by Le Cam.

    $$\tfrac12 H_n^2 \le \mathrm{TV}(p^n, q^n) \le \sqrt{\tfrac12 H_n^2 \left(2 - \tfrac12 H_n^2\right)}, \qquad
    1 - \tfrac12 H_n^2 = \left(1 - \tfrac12 H^2\right)^n$$

    `squared_hellinger` is Σ(√p − √q)², from 0 to 2. The least error of a test with equal priors is (1 − TV)/2. Both
    ends are attained at n = 1.

    Source: [lecam1986].

    >>> round(le_cam(0.5).low, 6), round(le_cam(0.5).high, 6)
    (0.25, 0.661438)
    """
    x = _nonnegative("squared_hellinger", squared_hellinger, 2.0)
    if n != int(n) or n < 1:
        raise InvalidInputError(f"`n` is {n!r}; expected a whole number of at least 1")
    apart = 1.0 if x == 2 else -math.expm1(n * math.log1p(-0.5 * x))
    high = math.sqrt(apart * (2 - apart))
    return Answer(apart, apart, high, kind="bounds", method="Le Cam", unit="of mass")


def reverse_pinsker(total_variation: float, *, smallest_mass: float) -> Answer:
    r"""The relative entropy KL(p‖q) that a total variation allows where no category of q is rarer than `smallest_mass`.

    $$\mathrm{KL}(p \| q) \le \log\left(1 + \frac{2\, \mathrm{TV}^2}{q_{\min}}\right)$$

    In nats; attained by a fair coin against one that always falls the same way. Source: [sason2016].

    >>> round(reverse_pinsker(0.5, smallest_mass=0.5).high, 6)  # attained by (1, 0) and (1/2, 1/2)
    0.693147
    """
    x = _nonnegative("total_variation", total_variation, 1.0)
    if not 0 < smallest_mass <= 1:
        raise InvalidInputError(
            f"`smallest_mass` is {smallest_mass!r}; expected a mass above 0 and at most 1"
        )
    return _upper(math.log1p(2 * x * x / smallest_mass), "reverse Pinsker", "nats")


def fano(conditional_entropy: float, *, classes: int) -> Answer:
    r"""The error that no classifier can avoid where H(X | Y) nats of its target are unknown, by Fano's inequality.

    $$h(e) + e \log(M - 1) \ge H(X | Y),$$

    solved for the least error e in [0, 1 − 1/M]: `low` is that bound, `high` the error of a blind guess among equals.
    For a uniform target H(X | Y) = log M − I(X; Y). Source: [cover2006].

    >>> round(fano(math.log(4), classes=4).low, 6)
    0.75
    """
    if classes != int(classes) or classes < 2:
        raise InvalidInputError(f"`classes` is {classes!r}; expected a whole number of at least 2")
    most = math.log(classes)
    x = _nonnegative("conditional_entropy", conditional_entropy, most * (1 + 1e-12))
    blind = 1 - 1 / classes
    if x >= most:
        return Answer(blind, blind, blind, kind="bounds", method="Fano", unit="of error")

    def excess(error: float) -> float:
        return kl.entropy([error, 1 - error]) + error * math.log(classes - 1) - x

    least = 0.0 if x == 0 else root_scalar(excess, bracket=(0.0, blind), xtol=1e-15).root
    return Answer(least, least, blind, kind="bounds", method="Fano", unit="of error")


def chernoff(p: Array, q: Array, *, prior: float = 0.5, n: int = 1) -> Answer:
    r"""The error of the best test between p and q from n independent draws, by Chernoff's bound.

    $$\Pr(\text{error}) \le \min_{0 \le s \le 1} \pi^s (1 - \pi)^{1 - s} \left(\sum_i p_i^s q_i^{1 - s}\right)^n$$

    `prior` is the probability π of p. The exponent −log of the sum at its least is Chernoff's information.

    Source: [cover2006].

    >>> round(chernoff([1.0, 0.0], [0.5, 0.5]).high, 6)
    0.25
    """
    if not 0 < prior < 1 or n != int(n) or n < 1:
        raise InvalidInputError(
            f"`prior` is {prior!r} and `n` {n!r}; expected one in (0, 1) and one of 1, 2, ..."
        )
    p, q = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    kl(p, q)  # refuses what are no masses
    live = (p > 0) & (q > 0)
    log_p, log_q = np.log(p[live]), np.log(q[live])

    def exponent(s: float) -> float:
        mass = float(np.sum(np.exp(s * log_p + (1 - s) * log_q)))
        return s * math.log(prior) + (1 - s) * math.log1p(-prior) + n * math.log(mass)

    if not live.any():
        return _upper(0.0, "Chernoff", "of error")
    inner = minimize_scalar(exponent, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-12})
    least = min(exponent(0.0), exponent(1.0), float(inner.fun))  # every s bounds the error
    return _upper(math.exp(least), "Chernoff", "of error")


def gaussian_reverse_kl(divergence: float) -> Answer:
    r"""The largest KL(Q‖P) of two normal laws, in any dimension, whose KL(P‖Q) is at most `divergence`.

    $$\sup = \tfrac12 \left(\frac1w - \log \frac1w - 1\right), \qquad w = -W_0\left(-e^{-(1 + 2\varepsilon)}\right),$$

    ε + 2ε^{3/2} + O(ε²) near 0; attained by equal means and variances that differ by w along one direction. Solved in
    log w, where nothing cancels, so that it keeps its digits for the smallest ε. In nats. Source: [zhang2023].

    >>> round(gaussian_reverse_kl(0.5).high, 6)
    1.731995
    """
    x = _nonnegative("divergence", divergence)
    narrow = log_variance(2 * x, -1)
    return _upper(0.5 * float(reverse_kl.value(-narrow)), "normal laws, reversed", "nats")


def gaussian_triangle(first: float, second: float) -> Answer:
    r"""The largest KL(P‖R) of normal laws, in any dimension, with KL(P‖Q) ≤ `first` and KL(Q‖R) ≤ `second`.

    $$\sup = \varepsilon_1 + \varepsilon_2 + \tfrac12 (a - 1)(b - 1), \qquad
    a - \log a - 1 = 2 \varepsilon_1,\ b - \log b - 1 = 2 \varepsilon_2,\ a, b \ge 1,$$

    $\varepsilon_1 + \varepsilon_2 + 2 \sqrt{\varepsilon_1 \varepsilon_2}$ to leading order; attained by equal means and
    variances a : 1 : 1/b in one dimension. In nats. Source: [zhang2023] for the question and a looser answer.

    >>> round(gaussian_triangle(1e-6, 1e-6).high * 1e6, 2)
    4.0
    """
    x, y = _nonnegative("first", first), _nonnegative("second", second)
    a, b = math.expm1(log_variance(2 * x, 1)), math.expm1(log_variance(2 * y, 1))
    return _upper(x + y + 0.5 * a * b, "normal laws, three of them", "nats")


def log_variance(excess: float, sign: int) -> float:
    """The r of the given sign with eʳ − r − 1 = excess, by Newton's method from outside, where it cannot overshoot."""
    if excess in (0, math.inf):
        return sign * excess
    r = math.sqrt(2 * excess) + 1 if sign > 0 else -(excess + 1 + math.sqrt(2 * excess))
    if sign > 0 and excess > 1:
        r = min(r, math.log(excess) + 2)
    for _ in range(100):
        step = (float(reverse_kl.value(r)) - excess) / math.expm1(r)
        if r - step == r or abs(step) < 1e-16 * abs(r):
            break
        r -= step
    return r


def _nonnegative(name: str, x: float, most: float = math.inf) -> float:
    if not 0 <= float(x) <= most:
        raise InvalidInputError(f"`{name}` is {x!r}; expected a number from 0 to {most:g}")
    return float(x)


def _upper(high: float, method: str, unit: str = "of mass") -> Answer:
    return Answer(high, 0.0, high, kind="bounds", method=method, unit=unit)
