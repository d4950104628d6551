"""What is summed over points: contributions to a divergence from two log-densities, and what rounding does to them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from kullback._ops import ops
from kullback.divergences import FDivergence, alpha, bhattacharyya, kl
from kullback.divergences.growth import weigh
from kullback.divergences.noun import Noun
from kullback.divergences.renyi import Renyi
from kullback.errors import UnsupportedPairError

EPSILON = float(np.finfo(float).eps)
_FARTHEST = 1e150  # squares of log-ratios stay finite


def contributions(d: FDivergence, log_p: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """Rows: q f(p/q) ≥ 0, p, q, and the size of the rounding error of the first; columns: the points."""
    xp = ops(log_p)
    with np.errstate(all="ignore"):
        p, q = np.exp(log_p), np.exp(log_q)
        live = np.isfinite(log_p) & np.isfinite(log_q)
        r = np.clip(np.where(live, log_p - log_q, 0.0), -_FARTHEST, _FARTHEST)
        below, above = xp.sides(r)
        safe_p, safe_q = np.where(live, log_p, 0.0), np.where(live, log_q, 0.0)
        terms = weigh(xp, np.exp(safe_q), safe_q, d._below, below, d.power_at_zero)
        terms = terms + weigh(xp, np.exp(safe_p), safe_p, d.dual._below, above, d.dual.power_at_zero)
        terms = np.where(live, terms, 0.0)
        terms = terms + np.where(~live & (q > 0), q, 0.0) * (d.at_zero if d.at_zero < math.inf else 0.0)
        terms = np.where(~live & (q > 0) & (d.at_zero == math.inf), math.inf, terms)
        terms = terms + np.where(~live & (p > 0), p, 0.0) * (
            d.at_infinity if d.at_infinity < math.inf else 0.0
        )
        terms = np.where(~live & (p > 0) & (d.at_infinity == math.inf), math.inf, terms)
        by_p = p * np.abs(d.slope(r))  # what moves with log p; with log q, the term less that
        moved = (1.0 + np.abs(safe_p)) * by_p + (1.0 + np.abs(safe_q)) * (terms + by_p)
        noise = np.where(live, 4.0 * EPSILON * moved, 0.0)
    return np.stack([terms, p, q, np.where(np.isfinite(noise), noise, 0.0)])


def reduced(d: Noun) -> tuple[FDivergence, Callable[[float], float]]:
    """The f-divergence to integrate, and the increasing map from its value to that of `d`."""
    if isinstance(d, FDivergence):
        return d, lambda value: value
    order, weight = (0.5, 0.5) if d == bhattacharyya else (getattr(d, "order", None), 1.0)
    if not (isinstance(d, Renyi) or d == bhattacharyya) or order in (None, 0.0, math.inf):
        raise UnsupportedPairError(
            f"{d.name} is neither an f-divergence nor a function of one, so that it is no integral of q f(p/q)"
        )
    if order == 1.0:
        return kl, lambda value: value
    size, rest = order * (order - 1.0), order - 1.0

    def from_alpha(value: float) -> float:
        inside = size * value
        return math.inf if inside <= -1.0 or value == math.inf else weight * math.log1p(inside) / rest

    return alpha(order), from_alpha
