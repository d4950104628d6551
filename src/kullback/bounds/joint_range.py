r"""All values that two f-divergences take together, from the likelihood ratio's law alone.

With m = (p + q)/2 and v = (p − q)/(p + q) every f-divergence is $E_m F(v)$ for an F of its own, and $E_m v = 0$ is all
that p and q impose. So the values of two divergences form the convex hull of a curve, cut where the mean of v is 0; its
edges are linear programs over v, whose solutions have three atoms at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from kullback.answer import Answer
from kullback.divergences import Divergence, FDivergence
from kullback.errors import ConvergenceError, InvalidInputError

_FARTHEST = 600.0
_ROUNDS = 6
_COSTLIEST = 1e300
_TOLERANCES = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
_SOLVERS = (
    "highs",
    "highs-ipm",
)  # the simplex method cycles now and then where many columns are nearly alike
_WIDEST_GAP = 1e-3  # of the value


@dataclass(frozen=True)
class Edge:
    r"""One edge of a joint range: a value, a line that no pair of laws crosses, and a pair that attains it.

    $$D_f \ge \text{slope} \cdot D_g + \text{intercept} \quad (\le \text{ at the upper edge})$$

    holds for all laws, with `value` = slope · at + intercept; `p` and `q` are masses of a pair that is that far apart.

    >>> import kullback as kb
    >>> low = joint_range(kb.total_variation, kb.squared_hellinger, at=1.0)[0]
    >>> round(low.value, 6)
    0.5
    """

    value: float
    slope: float
    intercept: float
    p: np.ndarray
    q: np.ndarray


def joint_range(target: Divergence, given: Divergence, *, at: float) -> tuple[Edge, Edge]:
    r"""The least and the largest value of `target` over all pairs of laws whose `given` divergence is `at`.

    $$\inf \,(\sup) \{ D_f(p \| q) : D_g(p \| q) = x \}$$

    Over all probability spaces, by linear programs over the likelihood ratio that are refined to about 1e-9 relative
    (coarser where `at` is below 1e-7); values are those of the certified line, on the safe side. Where the supremum is
    infinite, its edge is the number alone. Raises `InvalidInputError` where no pair is `at` apart.

    Source: [harremoes2011].

    >>> import kullback as kb
    >>> low, high = joint_range(kb.kl, kb.js, at=0.3)
    >>> round(low.value, 5), high.value
    (1.02098, inf)
    """
    f, g = (_checked(d, name) for d, name in ((target, "target"), (given, "given")))
    x = float(at)
    if not 0 <= x <= g.upper_bound or x == math.inf:
        raise InvalidInputError(
            f"`at` is {at!r}; {g.name} takes finite values from 0 to {g.upper_bound:.12g}, so no pair is that far apart"
        )
    one = np.ones(1)
    if x == 0:
        nothing = Edge(0.0, 0.0, 0.0, one, one)
        return nothing, nothing
    apart = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    if x == g.upper_bound:
        disjoint = Edge(f.upper_bound, 0.0, f.upper_bound, *apart)
        return disjoint, disjoint
    # where g is had for almost nothing of f, the infimum is 0, approached and not attained
    low = Edge(0.0, 0.0, 0.0, one, one) if _unbounded(g, f) else _edge(f, g, x, 1)
    return low, Edge(math.inf, math.inf, 0.0, *apart) if _unbounded(f, g) else _edge(f, g, x, -1)


def bound(target: Divergence, *, given: Divergence, at: float) -> Answer:
    r"""What one f-divergence says about another: the sharp range of `target` over all laws with `given` equal to `at`.

    $$\text{low} = \inf \{ D_f(p \| q) : D_g(p \| q) = x \}, \qquad \text{high} = \sup \{ \dots \}$$

    Pinsker's inequality is `bound(kl, given=total_variation, at=x).low` made sharp, Bretagnolle and Huber's
    `bound(total_variation, given=kl, at=x).high`. The `value` is the lower end; `high` may be infinite. In the
    unit of the target. Raises `InvalidInputError` where `at` is beyond what `given` takes, or for anything but
    f-divergences.

    Source: [harremoes2011].

    >>> import kullback as kb
    >>> round(kb.bound(kb.kl, given=kb.js, at=0.3).low, 5)
    1.02098
    """
    low, high = joint_range(target, given, at=at)
    top = max(low.value, high.value)  # the two meet up to rounding where one determines the other
    note = f"given {given.name} = {at:.6g}; value is the lower end, and both ends are sharp"
    return Answer(
        low.value,
        low.value,
        top,
        kind="bounds",
        method=f"joint range with {given.name}",
        unit=target.unit,
        notes=(note,),
    )


def _checked(d: Divergence, name: str) -> FDivergence:
    if not isinstance(d, FDivergence):
        raise InvalidInputError(
            f"`{name}` is {d!r}; joint ranges are of f-divergences, such as those of kb.catalogue()"
        )
    return d


def _unbounded(f: FDivergence, g: FDivergence) -> bool:
    """Whether little mass at an extreme ratio makes f as large as one likes while it costs g nothing."""
    for one, other in ((f, g), (f.dual, g.dual)):
        if one.at_zero < math.inf:
            continue
        if other.at_zero < math.inf or one.power_at_zero > other.power_at_zero:
            return True
        ratios = [float(one.value(-r) / other.value(-r)) for r in (30.0, 300.0)]
        # equal powers: what is left are logarithms, whose ratio either settles or goes with r
        if one.power_at_zero == other.power_at_zero and ratios[1] > 2.0 * ratios[0]:
            return True
    return False


def _columns(f: FDivergence, g: FDivergence, r: np.ndarray) -> tuple[np.ndarray, ...]:
    """p, q, F and G of single ratios, relative to (p + q)/2; those that a float cannot hold are left out."""
    p, q = 2 / (1 + np.exp(-r)), 2 / (1 + np.exp(r))
    big_f, big_g = (np.asarray(d.terms(p, q, validate=False)) for d in (f, g))
    fine = np.isfinite(big_f) & np.isfinite(big_g) & (big_g > 0)
    return r[fine], p[fine], q[fine], big_f[fine], big_g[fine]


def _edge(f: FDivergence, g: FDivergence, x: float, sign: int) -> Edge:
    with np.errstate(all="ignore"):
        side = np.geomspace(_nearest(g, x), _FARTHEST, 700)
        grid = np.concatenate([-side, side, [-np.inf, np.inf]])
        columns = _columns(f, g, grid)
        width = math.log(side[1] / side[0])
        unit = 1.0
        for step in range(_ROUNDS):
            z, dual = _solved(columns, x, sign, unit)
            # the solver's tolerances are absolute, so the next round prices in units of this one's optimum
            unit = abs(float(dual[0] + dual[2])) or unit
            if step < _ROUNDS - 1:
                active = columns[0][(z > 1e-13) & np.isfinite(columns[0])]
                fresh = np.exp(width * np.linspace(-2, 2, 41))
                more = _columns(f, g, np.concatenate([a * fresh for a in active] or [grid[:0]]))
                columns = tuple(np.concatenate(pair) for pair in zip(columns, more, strict=True))
                width *= 0.1
        return _certified(f, g, columns, z, dual, x, sign)


def _nearest(g: FDivergence, x: float) -> float:
    """A log-ratio whose divergence is far below x, where atoms no longer matter."""
    r = np.geomspace(1.0, 1e-150, 500)
    terms = np.asarray(g.terms(2 / (1 + np.exp(-r)), 2 / (1 + np.exp(r)), validate=False))
    small = terms <= 1e-7 * x
    return float(r[np.argmax(small)]) if small.any() else float(r[-1])


def _solved(
    columns: tuple[np.ndarray, ...], x: float, sign: int, unit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Shares z of D_g and the dual (slope, price of the mean, price of the mass), columns scaled by G."""
    _, p, q, big_f, big_g = columns
    weigh = np.maximum(
        x / big_g, 1.0
    )  # a column's largest entry is then about 1, whichever divergence it feeds
    # what overflows is never used, and the certificate does not rely on it
    cost = np.clip(sign * big_f / big_g / weigh / unit, -_COSTLIEST, _COSTLIEST)
    mean = np.array([np.ones_like(big_g), 0.5 * (p - q) * math.sqrt(x) / big_g]) / weigh
    for method in _SOLVERS:
        done = linprog(
            cost, (x / big_g / weigh)[None], [1.0], mean, [1.0, 0.0], method=method, options=_TOLERANCES
        )
        if done.status == 0:
            break
    else:
        raise ConvergenceError(f"the linear program of the joint range stopped: {done.message}")
    return done.x / weigh, unit * np.array(
        [*done.eqlin.marginals, min(float(done.ineqlin.marginals[0]), 0.0)]
    )


def _certified(
    f: FDivergence,
    g: FDivergence,
    columns: tuple[np.ndarray, ...],
    z: np.ndarray,
    dual: np.ndarray,
    x: float,
    sign: int,
) -> Edge:
    """The line moved until it holds at every ratio of a fine grid and of the columns, and the pair that attains it."""
    side = np.geomspace(1e-9, _FARTHEST, 20_000)
    grid = _columns(f, g, np.concatenate([-side, side]))
    # what a ratio is short of the line is made good by the slope where it weighs much, by the intercept where little
    tilt, drop = 0.0, 0.0
    for _, p, q, big_f, big_g in (columns, grid):
        line = dual[0] + dual[1] * 0.5 * (p - q) * math.sqrt(x) / big_g + dual[2] * x / big_g
        short = line - sign * big_f / big_g
        tilt = max(tilt, float(np.max(np.where(big_g >= x, short, 0.0))))
        drop = max(drop, float(np.max(np.where(big_g < x, short * big_g, 0.0))))
    slope, intercept = float(sign * (dual[0] - tilt)), float(sign * (dual[2] * x - drop))
    value = slope * x + intercept
    if sign > 0 and value < 0:
        slope, intercept, value = 0.0, 0.0, 0.0  # no divergence is negative
    weight = z * x / columns[4]
    used = weight > 0
    rest = max(0.0, 1.0 - float(weight.sum()))
    p, q = (np.append(weight[used] * mass[used], rest) for mass in columns[1:3])
    p, q = p / p.sum(), q / q.sum()
    attained = float(f(p, q, validate=False))
    gap = abs(attained - value)
    if gap > _WIDEST_GAP * attained:
        raise ConvergenceError(
            f"the edge of {f.name} at {g.name} = {x:g} is known to lie between {value:.6g} and {attained:.6g} only "
            f"(gap {gap:.3g}); near 0 use the quadratic form, half of f''(1) times chi-square"
        )
    return Edge(value, slope, intercept, p, q)
