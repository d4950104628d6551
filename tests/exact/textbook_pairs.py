"""KL divergences of two different families in many digits: minus the entropy of p, minus the expectation of log q."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mpmath as mp

from exact.textbook import _of

Numbers = Mapping[str, Any]
Expected = Callable[..., Any]


@dataclass(frozen=True)
class Moments:
    """What the logarithms of the second densities need of the first law."""

    entropy: Any
    mean: Any
    variance: Any
    log: Any = None
    log_rest: Any = None  # E log(1 − x)
    decay: Expected | None = None  # s ↦ E e^(−sx)
    away: Expected | None = None  # m ↦ E|x − m|


def _gamma(p: Numbers) -> Moments:
    a, b = p["concentration"], p["rate"]
    entropy = a - mp.log(b) + mp.loggamma(a) + (1 - a) * mp.digamma(a)
    return Moments(entropy, a / b, a / b**2, mp.digamma(a) - mp.log(b), decay=lambda s: (1 + s / b) ** -a)


def _beta(p: Numbers) -> Moments:
    a, b = p["concentration1"], p["concentration0"]
    n, log_beta = a + b, mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
    log, rest = mp.digamma(a) - mp.digamma(n), mp.digamma(b) - mp.digamma(n)
    return Moments(log_beta - (a - 1) * log - (b - 1) * rest, a / n, a * b / n**2 / (n + 1), log, rest)


def _uniform(p: Numbers) -> Moments:
    low, high = p["low"], p["high"]
    width = high - low

    def mean_log(x: Any, y: Any) -> Any:
        return ((y * mp.log(y) if y else 0) - (x * mp.log(x) if x else 0)) / (y - x) - 1

    return Moments(
        mp.log(width),
        (low + high) / 2,
        width**2 / 12,
        mean_log(low, high) if low >= 0 else None,
        mean_log(1 - high, 1 - low) if high <= 1 else None,
        decay=lambda s: (mp.exp(-s * low) - mp.exp(-s * high)) / (s * width),
    )


def _logit(p: Numbers) -> Any:
    return p["logits"] if "logits" in p else mp.log(p["probs"] / (1 - p["probs"]))


def _tilt_normaliser(t: Any) -> Any:
    return mp.log(mp.expm1(t) / t)


def _continuous_bernoulli(p: Numbers) -> Moments:
    t = _logit(p)
    mean = 1 / (1 - mp.exp(-t)) - 1 / t
    variance = 1 / t**2 - mp.exp(t) / mp.expm1(t) ** 2
    return Moments(_tilt_normaliser(t) - t * mean, mean, variance)


def _laplace(p: Numbers) -> Moments:
    return Moments(1 + mp.log(2 * p["scale"]), p["loc"], 2 * p["scale"] ** 2)


def _gumbel(p: Numbers) -> Moments:
    scale = p["scale"]
    return Moments(mp.log(scale) + mp.euler + 1, p["loc"] + mp.euler * scale, (mp.pi * scale) ** 2 / 6)


def _pareto(p: Numbers) -> Moments:
    m, a = p["scale"], p["alpha"]
    mean = m * a / (a - 1) if a > 1 else mp.inf
    variance = m**2 * a / ((a - 1) ** 2 * (a - 2)) if a > 2 else mp.inf
    return Moments(mp.log(m / a) + 1 + 1 / a, mean, variance, mp.log(m) + 1 / a)


def _normal(p: Numbers) -> Moments:
    m, s = p["loc"], p["scale"]

    def away(x: Any) -> Any:
        d = (m - x) / s
        return s * (mp.sqrt(2 / mp.pi) * mp.exp(-(d**2) / 2) + d * mp.erf(d / mp.sqrt(2)))

    entropy = mp.log(2 * mp.pi * mp.e * s**2) / 2
    return Moments(entropy, m, s**2, decay=lambda t: mp.exp(-t * m + t**2 * s**2 / 2), away=away)


def _bernoulli(p: Numbers) -> Moments:
    x = p["probs"]
    return Moments(-x * mp.log(x) - (1 - x) * mp.log(1 - x), x, x * (1 - x))


def _log_normal_density(m: Moments, q: Numbers) -> Any:
    square = m.variance + (m.mean - q["loc"]) ** 2
    return -mp.log(2 * mp.pi * q["scale"] ** 2) / 2 - square / (2 * q["scale"] ** 2)


def _log_gamma_density(m: Moments, q: Numbers) -> Any:
    c, d = q["concentration"], q["rate"]
    return c * mp.log(d) - mp.loggamma(c) + (c - 1) * m.log - d * m.mean


def _log_gumbel_density(m: Moments, q: Numbers) -> Any:
    loc, scale = q["loc"], q["scale"]
    assert m.decay is not None
    return -mp.log(scale) - (m.mean - loc) / scale - mp.exp(loc / scale) * m.decay(1 / scale)


def _log_beta_density(m: Moments, q: Numbers) -> Any:
    a, b = q["concentration1"], q["concentration0"]
    return mp.loggamma(a + b) - mp.loggamma(a) - mp.loggamma(b) + (a - 1) * m.log + (b - 1) * m.log_rest


def _log_laplace_density(m: Moments, q: Numbers) -> Any:
    assert m.away is not None
    return -mp.log(2 * q["scale"]) - m.away(q["loc"]) / q["scale"]


MOMENTS: dict[str, Callable[[Numbers], Moments]] = {
    "gamma": _gamma,
    "beta": _beta,
    "uniform": _uniform,
    "continuous_bernoulli": _continuous_bernoulli,
    "laplace": _laplace,
    "gumbel": _gumbel,
    "pareto": _pareto,
    "normal": _normal,
    "bernoulli": _bernoulli,
}
LOG_DENSITIES: dict[str, Callable[[Moments, Numbers], Any]] = {
    "normal": _log_normal_density,
    "gamma": _log_gamma_density,
    "exponential": lambda m, q: mp.log(q["rate"]) - q["rate"] * m.mean,
    "gumbel": _log_gumbel_density,
    "laplace": _log_laplace_density,
    "uniform": lambda _, q: -mp.log(q["high"] - q["low"]),
    "beta": _log_beta_density,
    "continuous_bernoulli": lambda m, q: _logit(q) * m.mean - _tilt_normaliser(_logit(q)),
    "pareto": lambda m, q: mp.log(q["alpha"]) + q["alpha"] * mp.log(q["scale"]) - (q["alpha"] + 1) * m.log,
    "poisson": lambda m, q: m.mean * mp.log(q["rate"]) - q["rate"],
}
# members of the first family, for the pairs in which those that every family has would be outside the second's support
INSIDE: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("uniform", "gamma"): [{"low": 0.2, "high": 1.5}, {"low": 0.0, "high": 0.7}],
    ("uniform", "beta"): [{"low": 0.2, "high": 0.8}, {"low": 0.0, "high": 1.0}, {"low": 0.6, "high": 0.61}],
    ("uniform", "continuous_bernoulli"): [{"low": 0.2, "high": 0.8}, {"low": 0.0, "high": 1.0}],
    ("uniform", "pareto"): [{"low": 1.6, "high": 4.0}, {"low": 30.0, "high": 31.0}],
    ("pareto", "normal"): [{"scale": 1.5, "alpha": 2.5}, {"scale": 1.2, "alpha": 7.0}],
}


def has(left: str, right: str) -> bool:
    """Whether there is a formula here for the pair."""
    return left in MOMENTS and right in LOG_DENSITIES


def kl(left: str, right: str, p: Numbers, q: Numbers) -> Any:
    """The KL divergence from the exact values of the parameters, for p inside the support of q."""
    with mp.workdps(80):
        moments = MOMENTS[left](_of(p))
        return -moments.entropy - LOG_DENSITIES[right](moments, _of(q))
