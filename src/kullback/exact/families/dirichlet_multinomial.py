"""Dirichlet-multinomial laws: the counts of a Pólya urn."""

from __future__ import annotations

from typing import Any

import numpy as np

from kullback._ops import Array, ops
from kullback.errors import UnsupportedPairError
from kullback.exact.law import POSITIVE, WHOLE, Family, to_numpy
from kullback.exact.registry import closed_form, family
from kullback.exact.remainders import excess_at, log_ratio

_MOST = 20_000_000  # terms of the sum


class _DirichletMultinomial:
    """SciPy's law has no draws."""

    def __init__(self, p: Any) -> None:
        self._count, self._concentration = int(p["total_count"]), p["concentration"]

    def logpmf(self, x: np.ndarray) -> np.ndarray:
        from scipy.special import gammaln

        a, n = self._concentration, self._count
        # the normaliser is the same with one category of the whole concentration and count
        parts = gammaln(x + a) - gammaln(a) - gammaln(x + 1.0)
        whole = gammaln(n + 1.0) + gammaln(a.sum()) - gammaln(n + a.sum())
        return np.where(x.sum(axis=-1) == n, parts.sum(axis=-1) + whole, -np.inf)

    def rvs(self, *, size: int, random_state: np.random.Generator) -> np.ndarray:
        chances = random_state.dirichlet(self._concentration, size)
        return random_state.multinomial(self._count, chances)


DIRICHLET_MULTINOMIAL = family(
    Family(
        "dirichlet_multinomial",
        {"total_count": WHOLE, "concentration": POSITIVE},
        frozen=_DirichletMultinomial,
        rank=1,
        ranks={"concentration": 1},
    )
)


@closed_form("kl", DIRICHLET_MULTINOMIAL, DIRICHLET_MULTINOMIAL)
def dirichlet_multinomial(p: Any, q: Any) -> Array:
    """The expected divergences of the next ball's colour, added over the draws of the urn, for equal n."""
    alpha, beta = p["concentration"], q["concentration"]
    xp = ops(alpha, beta)
    whole = p["total_count"] + 0.0 * q["total_count"]
    if not ops(whole).concrete(whole):
        raise UnsupportedPairError(
            "the terms of the sum depend on total_count, which has no value inside a trace"
        )
    counts = to_numpy(whole)
    if bool(xp.any(xp.asarray(p["total_count"] != q["total_count"]))):
        raise UnsupportedPairError("a closed form exists for equal total_count only: no outcome is common")
    most = int(counts.max())
    if most * most * max(alpha.shape[-1], 1) > _MOST:
        raise UnsupportedPairError(
            f"{most} draws of {alpha.shape[-1]} colours would take more than {_MOST} terms"
        )
    gaps = alpha - beta
    gap = xp.sum(gaps, keepdims=True)
    total = 0.0 * xp.sum(gaps)
    for drawn in range(most):
        step = _next(alpha, beta, gaps, gap, drawn)
        total = total + xp.where(xp.asarray(counts > drawn), step, 0.0)
    return total


def _next(alpha: Array, beta: Array, gaps: Array, gap: Array, drawn: int) -> Array:
    """Σ k(π_p, π_q) of the chances of the next colour after so many draws, expected under p."""
    xp = ops(alpha, beta)
    seen = xp.asarray(np.arange(drawn + 1.0), like=alpha)
    a, b = alpha[..., None] + seen, beta[..., None] + seen
    whole_p, whole_q = (xp.sum(x, keepdims=True)[..., None] + drawn for x in (alpha, beta))
    turn = log_ratio(a, b, gaps[..., None]) - log_ratio(whole_p, whole_q, gap[..., None])
    return xp.sum(xp.sum(_seen(alpha, drawn) * excess_at(b / whole_q, turn)))


def _seen(alpha: Array, drawn: int) -> Array:
    """The chances that so many of the balls drawn have a colour, for each colour, as the last axis."""
    from scipy.special import gammaln

    xp = ops(alpha)
    rest = xp.sum(alpha, keepdims=True) - alpha
    ways = gammaln(drawn + 1.0) - gammaln(np.arange(drawn + 1) + 1.0)
    ways = xp.asarray(ways - gammaln(drawn - np.arange(drawn + 1) + 1.0), like=alpha)
    first, second = _rising(alpha, drawn), _rising(rest, drawn)
    turned = xp.asarray(np.arange(drawn, -1, -1))
    logs = ways + first + second[..., turned] - _rising(alpha + rest, drawn)[..., -1:]
    return xp.exp(logs)


def _rising(a: Array, n: int) -> Array:
    """log of a (a + 1) ... (a + j − 1) for j = 0, ..., n, as a new last axis."""
    xp = ops(a)
    factors = xp.log(a[..., None] + xp.asarray(np.arange(float(n)), like=a))
    return xp.concat([xp.zeros_like(a)[..., None], xp.cumulative_sum(factors, axis=-1)], axis=-1)
