"""Scores of a critic at rows that it has not seen, and how surely they say what they say."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from kullback.bounds import by_log_ratio, donsker_varadhan, interpolated
from kullback.divergences import FDivergence
from kullback.estimators.method import Estimate
from kullback.exact.pareto import term_k

Floats = NDArray[np.float64]
HEAVY = 0.7  # tail index above which a mean of n terms says little of the expectation


@dataclass(frozen=True)
class HeldOut:
    """Scores T at rows of p, (n,), and of q; and log E_q eᵀ as the rows that were watched have it.

    For pairs, `at_q` is (n, m): the score of x_i with y_j for the m rows j in `partners[i]`, never i itself. For two
    samples it is (rows of q,) and `partners` is None.
    """

    at_p: Floats
    at_q: Floats
    log_mean: float
    partners: NDArray[np.int64] | None = None

    def shifted(self, by: float) -> HeldOut:
        """The critic plus a constant."""
        return replace(self, at_p=self.at_p + by, at_q=self.at_q + by, log_mean=self.log_mean + by)

    def error(self, over_p: Floats, over_q: Floats) -> float:
        """The standard error of mean(over_p) + mean(over_q).

        A pair's term counts for both of its rows, so that pairs that share a row do not count as independent draws.
        """
        if self.partners is None:
            parts = [np.var(terms, ddof=1) / len(terms) for terms in (over_p, over_q)]
            return math.sqrt(sum(parts))
        n, m = over_q.shape
        by_y = np.bincount(self.partners.ravel(), over_q.ravel(), n) / m
        return float(np.std(over_p + over_q.mean(axis=1) + by_y, ddof=1) / math.sqrt(n))


@dataclass(frozen=True)
class Reading:
    """What scores say: a number, its standard error, and the tail index of the terms behind it.

    `together` is the standard error that an average over folds has if they err as one.
    """

    value: float
    error: float
    tail: float = -math.inf
    together: float = math.nan


def by_ratio(d: FDivergence, seen: HeldOut) -> Reading:
    """The bound of D_f by scores that are log-ratios; for KL it is NWJ's with T = v + 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        value = float(by_log_ratio(d, seen.at_p, seen.at_q))
        over_p, over_q = np.asarray(d.slope(seen.at_p)), np.asarray(d.tilt(seen.at_q))
        error = seen.error(over_p, over_q)
    tails = (term_k(over_p, seen.at_p), term_k(over_q.ravel(), seen.at_q.ravel()))
    return Reading(value, error, max((k for k in tails if not math.isnan(k)), default=-math.inf))


def by_logarithm(seen: HeldOut) -> Reading:
    """Donsker and Varadhan's bound; the error by the derivative of the logarithm."""
    share = np.exp(seen.at_q - np.logaddexp.reduce(seen.at_q, axis=None) + math.log(seen.at_q.size))
    tail = term_k(share.ravel(), seen.at_q.ravel())
    return Reading(
        float(donsker_varadhan(seen.at_p, seen.at_q)),
        seen.error(seen.at_p, -share),
        -math.inf if math.isnan(tail) else tail,
    )


def by_contrast(seen: HeldOut) -> Reading:
    """The contrastive bound of each row's own partner among the others; its terms are bounded above."""
    rows = np.column_stack([seen.at_p, seen.at_q])
    value = float(interpolated(rows, rows, alpha=1.0))
    found = seen.at_p - np.logaddexp.reduce(rows, axis=1) + math.log(rows.shape[1])
    weights = softmax(rows, axis=1)
    # a row's influence: its own term, less what its y takes from the terms of other rows
    own = found - 2.0 * weights[:, 0]
    return Reading(value, seen.error(own, -(rows.shape[1] - 1) * weights[:, 1:]))


def combined(readings: list[Reading]) -> Reading:
    """The mean over the folds, each judged by a critic that saw none of it."""
    count = len(readings)
    value = math.fsum(r.value for r in readings) / count
    error = math.sqrt(math.fsum(r.error**2 for r in readings)) / count
    # near independence they do: a critic trained on one half's chance finds it in the other if and only if the reverse
    together = math.fsum(r.error for r in readings) / count
    return Reading(value, error, max(r.tail for r in readings), together)


def lower_bound(found: Reading, bound: Reading, *, cap: float, kind: str, notes: tuple[str, ...]) -> Estimate:
    """An estimate whose interval is open above: from the lower end of a bound, one-sided at the level, to the cap."""
    from scipy.special import ndtri

    reason = ""
    if not math.isfinite(found.value) or not math.isfinite(bound.error) or bound.tail > HEAVY:
        reason = (
            f"the terms under the independent pairs or second sample have Pareto k {bound.tail:.2f} above {HEAVY}, so "
            "that rare rows decide their mean; InfoNCE's terms are bounded"
        )
    return Estimate(
        found.value,
        found.error,
        interval=lambda level: (bound.value - float(ndtri(level)) * bound.together, cap),
        distrust=reason,
        notes=notes,
        kind=kind,
    )
