"""The continuous Bernoulli law: the uniform law on [0, 1], tilted exponentially."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._ops import Array, ops
from kullback.exact import langevin
from kullback.exact.law import REAL, UNIT, Domain, Family
from kullback.exact.registry import closed_form, family, geodesic, squared
from kullback.exact.remainders import log_ratio

_FLAT = 1e-5  # below it a quantile is its linear part in the logit to the last bit


class _ContinuousBernoulli:
    """SciPy has no such law."""

    def __init__(self, logit: float) -> None:
        self._logit = logit

    def logpdf(self, x: np.ndarray) -> np.ndarray:
        half = np.asarray(0.5 * self._logit)
        return self._logit * (x - 0.5) - langevin.log_sinhc(half)

    def ppf(self, u: np.ndarray) -> np.ndarray:
        if abs(self._logit) < _FLAT:
            return u + 0.5 * self._logit * u * (u - 1.0)
        size = abs(self._logit)
        # the mass sits at 0 for negative logits: there the exponentials are small
        share = u if self._logit < 0 else 1.0 - u
        x = -np.log1p(share * np.expm1(-size)) / size
        return x if self._logit < 0 else 1.0 - x

    def rvs(self, *, size: int, random_state: np.random.Generator) -> np.ndarray:
        return self.ppf(random_state.uniform(size=size))


CONTINUOUS_BERNOULLI = family(
    Family(
        "continuous_bernoulli",
        {"probs": Domain("a number in (0, 1)", lambda x: (x > 0) & (x < 1)), "logits": REAL},
        lambda _: UNIT,
        lambda p: _ContinuousBernoulli(float(logit(p))),
    )
)


def logit(p: Any) -> Array:
    """log(probs/(1 − probs)), with its digits at probs near ½."""
    if "logits" in p:
        return p["logits"]
    chance = p["probs"]
    return log_ratio(ops(chance).asarray(chance), 1.0 - chance, 2.0 * (chance - 0.5))


@closed_form("kl", CONTINUOUS_BERNOULLI, CONTINUOUS_BERNOULLI)
def continuous_bernoulli(p: Any, q: Any) -> Array:
    """L(y) − L(x) − L'(x)(y − x) with L(x) = log(sinh x/x), x and y half the logits of p and q."""
    x, y = logit(p), logit(q)
    gap = y - x
    if "probs" in p and "probs" in q:
        a, b = p["probs"], q["probs"]
        gap = log_ratio(b, a, b - a) - log_ratio(1.0 - b, 1.0 - a, a - b)
    return langevin.log_sinhc_excess(0.5 * y, 0.5 * x, 0.5 * gap)


@geodesic(CONTINUOUS_BERNOULLI)
def between_continuous_bernoullis(p: Any, q: Any, order: float) -> tuple[dict[str, Array], Array]:
    """Logits mix."""
    mixed = order * logit(p) + (1.0 - order) * logit(q)
    return {"logits": mixed}, ops(mixed).abs(mixed) < math.inf


@squared(CONTINUOUS_BERNOULLI)
def continuous_bernoulli_squared(p: Any) -> tuple[dict[str, Array], Array]:
    """The logit doubles."""
    doubled = 2.0 * logit(p)
    return {"logits": doubled}, ops(doubled).abs(doubled) < math.inf
