"""Shannon's entropy from the counts of the counts: what each correction adds for classes that are rare or unseen."""

from __future__ import annotations

import numpy as np
from scipy.special import digamma

from kullback.estimators.counts.tally import Counts, Tally

_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(80)


def plug_in(t: Tally) -> float:
    """The entropy of the observed shares."""
    return float(t.times * t.shares @ -np.log(t.shares))


def first_bias(t: Tally) -> float:
    """How much the plug-in entropy is too small on average, to first order, where all classes occur."""
    return (t.classes - 1) / (2.0 * t.n)


def grassberger(t: Tally) -> float:
    """log n − Σ p G(count), with G made so that what is left of the bias falls off exponentially for large counts."""
    return float(np.log(t.n) - t.times * t.shares @ _unbiased_logarithm(t.sizes))


def _unbiased_logarithm(size: Counts) -> Counts:
    sign = 1.0 - 2.0 * (size % 2)
    return digamma(size) + 0.5 * sign * (digamma((size + 1) / 2) - digamma(size / 2))


def chao_shen(t: Tally) -> float:
    """Shares shrunk by the coverage, each term over the probability that its class is seen at all."""
    singles = t.occurring(1)
    # rows that are all different have a coverage of 0, which would leave nothing to shrink to
    coverage = 1.0 - (singles - 1.0 if singles == t.n else singles) / t.n
    p = coverage * t.shares
    seen = -np.expm1(t.n * np.log1p(-p)) if t.classes > 1 or coverage < 1 else np.ones_like(p)
    return float(t.times * p / seen @ -np.log(p)) + 0.0


def chao_wang_jost(t: Tally) -> float:
    """The unbiased estimate of the first n − 1 terms of −Σ p log p = Σ p Σ (1 − p)ʳ / r, and a bound for the rest."""
    return _first_terms(t) + unseen(t)


def _first_terms(t: Tally) -> float:
    return float(t.times * t.shares @ (digamma(t.n) - digamma(t.sizes)))


def unseen(t: Tally) -> float:
    r"""$\frac{f_1}{n} \sum_{j \ge 0} \frac{w^{j+1}}{n + j}$: the terms from r = n on, if rare classes are alike.

    $f_1$ and $f_2$ are the classes with one row and with two, $w = 1 - 2 f_2 / ((n - 1) f_1 + 2 f_2)$.
    """
    singles, doubles = t.occurring(1), t.occurring(2)
    if singles == 0:
        return 0.0
    if doubles > 0:
        rare = 2.0 * doubles / ((t.n - 1.0) * singles + 2.0 * doubles)
    else:
        rare = 2.0 / ((t.n - 1.0) * (singles - 1.0) + 2.0)
    return singles / t.n * _tail(t.n, rare)


def _tail(n: float, rare: float) -> float:
    r"""$\sum_{j \ge 0} w^{j+1} / (n + j) = \frac wn \int_0^\infty e^{-s} / (1 - w e^{-s/n})\, ds$, w = 1 − rare."""
    w, pole = 1.0 - rare, n * rare
    # s = pole (eᵛ − 1) takes the near pole of the integrand out
    end = np.log1p(45.0 / pole)
    v, weight = 0.5 * end * (_NODES + 1.0), 0.5 * end * _NODE_WEIGHTS
    s = pole * np.expm1(v)
    return float(weight @ (np.exp(-s) * w * (pole + s) / (n * (rare - w * np.expm1(-s / n)))))
