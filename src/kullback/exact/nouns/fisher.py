"""The Fisher divergence: normal laws in closed form, laws on the line by quadrature of their scores."""

from __future__ import annotations

import math

import numpy as np

from kullback._ops import ops
from kullback.answer import Answer
from kullback.divergences.fisher import Fisher
from kullback.errors import ConvergenceError, UnsupportedPairError
from kullback.exact.answers import Answers, answered
from kullback.exact.closed import Closed
from kullback.exact.integral import integral
from kullback.exact.law import Law
from kullback.exact.normals import normals
from kullback.exact.panels import panels
from kullback.exact.scores import score
from kullback.exact.triangular import solve, transpose

_FAR = 1e-9  # what the last half of an endless panel may hold of a sum that converges


def closed(d: Fisher, p: Law, q: Law) -> Closed | None:
    r"""$\|S_q^{-1}(\mu_p - \mu_q)\|^2 + \|(S_q^{-1} - S_p^{-1}) L_p\|^2$, from the differences of factors."""
    left, right = normals(p), normals(q)
    if left is None or right is None or left.size > 1 or right.size > 1:
        return None
    xp = ops(left.loc, right.loc)
    one, two = left.scale_tril[..., 0, :, :], right.scale_tril[..., 0, :, :]
    shift = (left.loc - right.loc)[..., 0, :, None]
    change = solve(two, one - two) + transpose(solve(one, one - two))
    # a solution with the transposed factor is the product with the transposed inverse
    inverse = transpose(xp.inv(two))
    spread, moved = inverse @ change, inverse @ solve(two, shift)
    value = xp.sum(xp.sum(spread * spread)) + xp.sum(xp.sum(moved * moved))
    return Closed(value, f"{d.name} of normal laws, means and covariances")


def by_quadrature(d: Fisher, p: Law, q: Law) -> Answer:
    """Laws on the line with the same support; the error counts rounding and numerical derivatives."""
    for law in (p, q):
        if law.size != 1 or law.support is None or law.support.discrete:
            raise UnsupportedPairError(
                f"{d.name} needs densities on the line that can be differentiated: {law.name}"
            )
    left, right = p.support, q.support
    if left is None or right is None or (left.low, left.high) != (right.low, right.high):
        raise UnsupportedPairError(
            f"{d.name} compares scores, which do not see where a density ends: the supports of {p.name} and {q.name} "
            "differ, so that it could be 0 for different laws"
        )
    scores = score(p), score(q)

    def rows(x: np.ndarray) -> np.ndarray:
        mass = np.exp(p.everywhere(x, ends=False))
        (first, off), (second, more) = (s(x) for s in scores)
        gap = np.where(mass > 0, first - second, 0.0)
        off = np.where(mass > 0, off + more, 0.0)
        return np.stack([[mass * gap * gap], [mass * off * (2.0 * np.abs(gap) + off)]])

    found = integral(rows, panels(p, q))
    value, error = float(found.totals[0]), float(found.errors[0])
    if found.endless[0] > _FAR * value > 0:
        raise ConvergenceError(
            f"{d.name} of {p.name}‖{q.name} does not converge towards an end of the support"
        )
    if not math.isfinite(value):
        raise ConvergenceError(f"{d.name} of {p.name}‖{q.name} is not finite")
    method = f"adaptive, {found.points} points"
    return Answer(
        value, max(value - error, 0.0), value + error, kind="quadrature", method=method, unit=d.unit
    )


answered(lambda d: isinstance(d, Fisher), Answers(closed, {"quadrature": by_quadrature}))
