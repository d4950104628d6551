r"""How far a sample's shares stray from their law: radii that hold with a stated confidence, and the draws they need.

Three divergences have a bound of their own for every law with k categories; every other one follows from them by its
joint range with each, and the least radius is the answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
from scipy.special import gammaincc, gammaln, xlogy

from kullback._ops import Array
from kullback.answer import Answer
from kullback.bounds.inequalities import log_variance
from kullback.bounds.joint_range import bound
from kullback.divergences import Divergence, kl, pearson_chi2, total_variation
from kullback.errors import InvalidInputError, ShapeError

_MOST_TYPES = 1_000_000
_MOST_DRAWS = 2**53  # whole numbers that a float64 tells apart


def radius(d: Divergence, *, n: int, categories: int, level: float = 0.95) -> Answer:
    r"""A radius that D(p̂‖p) stays within, with probability `level` at least, whatever the law p of the draws.

    $$\Pr\left(\mathrm{KL} \ge \varepsilon\right) \le e^{-n \varepsilon} \min\left(C_{n, k},
    \left[\tfrac{e n \varepsilon}{k - 1}\right]^{k - 1}\right), \qquad
    \Pr\left(\mathrm{TV} \ge \varepsilon\right) \le (2^k - 2)\, e^{-2 n \varepsilon^2}, \qquad
    E \chi^2 = \tfrac{k - 1}{n}$$

    p̂ holds the shares of k `categories` among `n` independent draws. $C_{n, k} = E_p\, e^{n \mathrm{KL}}$, Shtarkov's
    sum, is the same for all p, and 2 is enough in its place where k = 2; for TV there is also McDiarmid's bound around
    a mean of at most $\tfrac12 \sqrt{(k - 1)/n}$, for chi-square Markov's. `high` is the radius, in the unit of D.
    Raises `InvalidInputError` for a divergence that none of the three limits, such as KL(p‖p̂), infinite as soon as a
    category is not drawn.

    Source: [agrawal2020], [weissman2003], [shtarkov1987].

    >>> import kullback as kb
    >>> round(radius(kb.kl, n=8, categories=2, level=1 - 2**-7).high, 6)  # attained by 8 equal tosses of a fair coin
    0.693147
    """
    n, k, _ = _whole("n", n, 1), _whole("categories", categories, 2), _sure(level)
    made = [
        (_carried(d, g, own(n, k, math.log1p(-level))), f"{name}, {n} draws of {k} categories")
        for g, own, name in _OWN
    ]
    high, method = min(made)
    if high == math.inf:
        raise _no_radius(d)
    return Answer(high, 0.0, high, level=level, kind="bounds", method=method, n=n, unit=d.unit)


def sample_size(d: Divergence, radius: float, *, categories: int, level: float = 0.95) -> Answer:
    r"""A number of draws from which D(p̂‖p) stays within `radius` with probability `level`, whatever the law p.

    $$\min\{n : \varepsilon_n \le \text{radius}\}, \qquad
    \Pr(D(\hat p \| p) \ge \varepsilon_n) \le 1 - \text{level}$$

    by the bounds of the function `radius`, so that fewer may do for a law that is known. `value` and `high` are that
    number. Raises `InvalidInputError` where no number of draws is enough for all laws.

    Source: [agrawal2020], [weissman2003], [shtarkov1987].

    >>> import kullback as kb
    >>> sample_size(kb.kl, 0.1, categories=2, level=0.95).high  # log(2/0.05)/0.1, rounded up
    37.0
    """
    k, log_miss = _whole("categories", categories, 2), math.log1p(-_sure(level))
    if not 0 < float(radius) < math.inf:
        raise InvalidInputError(f"`radius` is {radius!r}; expected a finite number above 0")
    made = []
    for g, own, name in _OWN:
        # D_g below this keeps D_f below its radius: the range of the two is convex and holds (0, 0)
        inner = float(radius) if g == d else bound(g, given=d, at=radius).low
        if inner > 0:
            made.append((_least(own, inner, k, log_miss), f"{name}, {k} categories"))
    if not made:
        raise _no_radius(d)
    draws, method = min(made)
    return Answer(draws, 1.0, draws, level=level, kind="bounds", method=method, unit="draws")


def exact_radius(d: Divergence, law: Array, *, n: int, level: float = 0.95) -> Answer:
    r"""The least radius that D(p̂‖p) stays within with probability `level` where the law p is known.

    $$\min\left\{r : \sum_{c :\, D(c/n \| p) \le r} \frac{n!}{\prod_i c_i!} \prod_i p_i^{c_i} \ge \text{level}\right\}$$

    Over all counts c of `n` draws, for coins the binomial law; `law` holds the masses of p, one row. Any divergence of
    vectors; infinite where D is so too often. Raises `InvalidInputError` where there are more than a million counts:
    then draw them, or use `radius`.

    Source: [cover2006].

    >>> import kullback as kb
    >>> exact_radius(kb.total_variation, [0.5, 0.5], n=2, level=0.5).high  # one head each: half of the time
    0.0
    """
    n, _ = _whole("n", n, 1), _sure(level)
    p = np.asarray(law, dtype=float)
    if p.ndim != 1 or p.size < 2:
        raise ShapeError(f"`law` has shape {p.shape}; expected the masses of two categories or more")
    kl(p, p)  # refuses what are no masses
    counts = _types(n, p.size)
    logs = gammaln(n + 1) + np.sum(xlogy(counts, p) - gammaln(counts + 1), axis=-1)
    apart = np.asarray(d(counts / n, np.broadcast_to(p, counts.shape)))
    order = np.argsort(apart, kind="stable")
    covered = np.cumsum(np.exp(logs[order]))
    place = min(int(np.searchsorted(covered, level)), order.size - 1)
    high = float(apart[order][place])
    method = f"{order.size} counts of {n} draws"
    return Answer(high, 0.0, high, level=level, kind="enumeration", method=method, n=n, unit=d.unit)


def log_complexity(n: int, categories: int) -> float:
    r"""The logarithm of Shtarkov's sum, the parametric complexity of n draws from k categories.

    $$C_{n, k} = \sum_{c_1 + \dots + c_k = n} \frac{n!}{\prod_i c_i!} \prod_i (c_i/n)^{c_i}, \qquad
    C_{n, k + 2} = C_{n, k + 1} + \tfrac{n}{k} C_{n, k}$$

    In nats; O(k) time for any n. Raises `InvalidInputError` for numbers that are not whole.

    Source: [shtarkov1987], [kontkanen2007].

    >>> round(math.exp(log_complexity(2, 2)), 12)  # 1 + 1/2 + 1
    2.5
    """
    n, k = _whole("n", n, 1), _whole("categories", categories, 1)
    # the logarithm of n! eⁿ/nⁿ, whose large terms cancel; from 100 on Stirling's upper bound, 1e-8/3 off at most
    exact = n < 100
    root = math.lgamma(n + 1) - n * math.log(n) + n if exact else math.log(2 * math.pi * n) / 2 + 1 / (12 * n)
    before, now, shift = 1.0, 1.0 + math.exp(root) * float(gammaincc(n, n)), 0.0
    if k == 1:
        return 0.0
    for j in range(1, k - 1):
        before, now = now, now + n / j * before
        if now > 1e200:
            before, now, shift = before / now, 1.0, shift + math.log(now)
    return shift + math.log(now)


def _relative_entropy(n: int, k: int, log_miss: float) -> float:
    """Three tails inverted, each of which holds for all laws."""
    by_sum = (log_complexity(n, k) - log_miss) / n
    by_moments = (k - 1) / n * math.exp(log_variance(-log_miss / (k - 1), 1))
    by_sides = (math.log(2) - log_miss) / n if k == 2 else math.inf
    return min(by_sum, by_moments, by_sides)


def _total_variation(n: int, k: int, log_miss: float) -> float:
    events = k * math.log(2) + math.log1p(
        -(2.0 ** (1 - k))
    )  # log(2ᵏ − 2): all but the empty and the full one
    by_union = math.sqrt((events - log_miss) / (2 * n))
    by_differences = 0.5 * math.sqrt((k - 1) / n) + math.sqrt(-log_miss / (2 * n))
    return min(by_union, by_differences, 1.0)


def _chi_square(n: int, k: int, log_miss: float) -> float:
    return (k - 1) / n * math.exp(-log_miss)


_OWN: tuple[tuple[Divergence, Callable[[int, int, float], float], str], ...] = (
    (kl, _relative_entropy, "tail of KL"),
    (total_variation, _total_variation, "tail of TV"),
    (pearson_chi2, _chi_square, "mean of chi-square"),
)


def _carried(d: Divergence, g: Divergence, x: float) -> float:
    """The largest D_f where D_g is at most x: its sharp range, whose upper edge does not fall."""
    return x if g == d else bound(d, given=g, at=x).high


def _least(own: Callable[[int, int, float], float], inner: float, k: int, log_miss: float) -> float:
    """The first n whose radius, which falls with n, is small enough."""
    high = 1
    while own(high, k, log_miss) > inner:
        high *= 2
        if high > _MOST_DRAWS:
            raise InvalidInputError(f"a radius of {inner:.3g} needs more than {_MOST_DRAWS} draws")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if own(middle, k, log_miss) > inner else (low, middle)
    return float(high)


def _types(n: int, k: int) -> np.ndarray:
    """All counts of n draws in k categories, a row each: k − 1 bars among n + k − 1 places."""
    many = math.comb(n + k - 1, k - 1)
    if many > _MOST_TYPES:
        raise InvalidInputError(
            f"{n} draws of {k} categories have {many} counts, more than {_MOST_TYPES}; use `radius`, or draw samples"
        )
    flat = (bar for bars in combinations(range(n + k - 1), k - 1) for bar in bars)
    bars = np.fromiter(flat, dtype=np.int64, count=many * (k - 1)).reshape(many, k - 1)
    return np.diff(bars, axis=1, prepend=-1, append=n + k - 1) - 1


def _no_radius(d: Divergence) -> InvalidInputError:
    return InvalidInputError(
        f"no radius of {d!r} for all laws follows from those of kl, total_variation and pearson_chi2, as rare "
        "categories cost it too much; bound one such as js, smooth the shares, or give the law to `exact_radius`"
    )


def _whole(name: str, x: int, least: int) -> int:
    if not (math.isfinite(x) and x == int(x) and x >= least):
        raise InvalidInputError(f"`{name}` is {x!r}; expected a whole number of at least {least}")
    return int(x)


def _sure(level: float) -> float:
    if not 0 < level < 1:
        raise InvalidInputError(f"`level` is {level!r}; expected a probability above 0 and below 1")
    return float(level)
