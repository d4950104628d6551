"""Normal laws fitted to columns: their information, what each row contributes to it, and what stays at independence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr
from scipy.special import digamma, ndtri

from kullback.estimators.problem import Weights
from kullback.estimators.weighting import effective_rows, placed, shares
from kullback.wording import several

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Fit:
    r"""An information without its expected bias, how it varies, and an interval that holds at independence as well.

    `raw` is the information before the `bias` was taken off, `influence` what each row adds to n times it. At
    independence the influence vanishes and 2n·raw is chi-squared with `freedom` degrees; elsewhere it is taken as
    κ⁻¹ times a non-central one, with κ such that its variance is that of the influence. `columns` were fitted, to an
    effective number `size` of rows.
    """

    raw: float
    bias: float = 0.0
    freedom: int = 0
    columns: int = 0
    size: float = 1.0
    influence: Floats = field(default_factory=lambda: np.zeros(1))
    notes: tuple[str, ...] = ()

    @property
    def value(self) -> float:
        """The information without its expected bias."""
        return self.raw - self.bias

    @property
    def standard_error(self) -> float:
        """The standard deviation of the non-central chi-squared law at the estimate."""
        unit = self._unit
        return math.sqrt(2 * self.freedom + 4 * max(self.value / unit, 0.0)) * unit

    def interval(self, level: float) -> tuple[float, float]:
        r"""The non-centralities λ with $(T - f - \lambda)^2 \le z^2 (2f + 4\lambda)$, as for Wilson's interval."""
        z = float(ndtri(0.5 + level / 2))
        unit = self._unit
        u = self.value / unit
        reach = z * math.sqrt(max(4 * u + 4 * z**2 + 2 * self.freedom, 0.0))
        return (u + 2 * z**2 - reach) * unit, (u + 2 * z**2 + reach) * unit

    @property
    def _unit(self) -> float:
        """1/(2nκ), the information that one degree of the chi-squared law stands for."""
        n = self.size
        variance = float(self.influence @ self.influence) / len(self.influence) ** 2
        unit = variance / (4 * self.raw) if self.raw > 0 and variance > 0 else 1 / (2 * n)
        return unit * n / (n - self.columns - 1)  # fitted residuals are shorter than true ones


def pooled(fits: Sequence[Fit], weights: Sequence[Floats]) -> Fit:
    r"""$\sum_c p_c I_c$ over strata, p by the rows' weights: at independence chi-squared laws add up to one."""
    share = shares(np.concatenate(weights), sum(len(w) for w in weights))
    mass = np.array([part.sum() for part in np.split(share, np.cumsum([len(w) for w in weights])[:-1])])
    raw = float(mass @ np.array([fit.raw for fit in fits]))
    notes = tuple(dict.fromkeys(note for fit in fits for note in fit.notes))
    if math.isinf(raw):
        return Fit(raw, notes=notes)
    value = raw - float(mass @ np.array([fit.bias for fit in fits]))
    n = len(share)
    own = [
        p * n / len(w) * np.broadcast_to(fit.influence, len(w))
        for p, w, fit in zip(mass, weights, fits, strict=True)
    ]
    between = np.repeat([fit.value - value for fit in fits], [len(w) for w in weights])
    return Fit(
        raw,
        raw - value,
        sum(fit.freedom for fit in fits),
        sum(fit.columns + 1 for fit in fits) - 1,
        1.0 / float(share @ share),
        np.concatenate(own) + n * share * between,
        notes,
    )


def between_columns(x: Floats, y: Floats, z: Floats, *, weights: Weights = None, ranked: bool) -> Fit:
    r"""I(X; Y | Z) of a normal law, from the canonical correlations of what z leaves of x and y.

    The expected bias, $\tfrac12 \sum_i$ of digammas, is that of Wishart log-determinants with n − 1 − d_z degrees of
    freedom; of weighted rows that of `_bias`. At independence 2nI is chi-squared with d_x d_y degrees of freedom.
    """
    n = len(x)
    share = shares(weights, n)
    root = np.sqrt(n * share)[:, None]
    condition, basis = _independent(z - share @ z, root, np.empty((n, 0)))
    kept_x, q_x = _independent(x - share @ x, root, basis)
    kept_y, q_y = _independent(y - share @ y, root, basis)
    gone = x.shape[1] + y.shape[1] - kept_x.shape[1] - kept_y.shape[1]
    told = _left_out(gone)
    dx, dy, dz = kept_x.shape[1], kept_y.shape[1], condition.shape[1]
    if not dx or not dy:
        return Fit(0.0, notes=told)
    rho = np.linalg.svd(q_x.T @ q_y, compute_uv=False)
    if rho[0] >= 1.0 - n * np.finfo(np.float64).eps:
        return Fit(math.inf, notes=told)
    raw = -float(np.log1p(-(rho**2)).sum()) / 2
    columns = np.column_stack([kept_x, kept_y, condition])
    of_x, of_y, of_z = np.split(np.arange(dx + dy + dz), [dx, dx + dy])
    blocks = [(np.r_[of_x, of_z], 1), (np.r_[of_y, of_z], 1), (np.r_[of_x, of_y, of_z], -1), (of_z, -1)]
    pulls = [(sign, columns @ _inverse(root * columns, block)) for block, sign in blocks]
    if weights is None:
        psi = digamma((n - dz - np.arange(1, dx + dy + 1)) / 2)
        bias = float(psi[:dy].sum() - psi[dx:].sum()) / 2
    else:
        bias = sum(sign * _bias(columns, pull, share) for sign, pull in pulls)
    pull = np.sum([sign * pull for sign, pull in pulls], axis=0)
    influence = _influence((columns * pull).sum(axis=1) / 2, columns, pull, weights, ranked=ranked)
    return Fit(raw, bias, dx * dy, dx + dy + dz, effective_rows(weights, n), influence, told)


def _left_out(gone: int) -> tuple[str, ...]:
    return (f"{several(gone, 'column')} left out: constant, or linear in others",) if gone else ()


def between_classes(values: Floats, codes: Codes, *, weights: Weights = None, ranked: bool) -> Fit:
    r"""I(X; C) of columns that are normal in every class, and normal together: the drop of the log-determinant.

    At independence 2nI is chi-squared with (classes − 1)·d(d + 3)/2 degrees of freedom.
    """
    n = len(values)
    share = shares(weights, n)
    columns, _ = _independent(values - share @ values, np.sqrt(n * share)[:, None], np.empty((n, 0)))
    d = columns.shape[1]
    gone = values.shape[1] - d
    told = _left_out(gone)
    if not d or codes.max() == codes.min():
        return Fit(0.0, notes=told)
    raw, bias, own, pull = _log_determinant(columns, weights)
    present = np.unique(codes)
    for code in present:
        rows = codes == code
        inside = None if weights is None else weights[rows]
        here = float(share[rows].sum())
        within = _log_determinant(columns[rows], inside)
        if math.isinf(within[0]):
            return Fit(math.inf, notes=told)
        raw -= here * within[0]
        bias -= here * within[1]
        own[rows] -= within[2]
        pull[rows] -= within[3]
    influence = _influence(own, columns, pull, weights, ranked=ranked)
    freedom = (len(present) - 1) * d * (d + 3) // 2
    fitted = len(present) * (d + 1) - 1  # each class has its own mean, too
    return Fit(raw, bias, freedom, fitted, effective_rows(weights, n), influence, told)


def _influence(own: Floats, columns: Floats, pull: Floats, weights: Weights, *, ranked: bool) -> Floats:
    """What each row adds to n times the information: its own part, and by ranks that of the others."""
    share = shares(weights, len(own))
    through = _through_ranks(columns, pull, weights) if ranked else 0.0
    return len(own) * share * (own - share @ own + through)


def _independent(columns: Floats, root: Floats, basis: Floats) -> tuple[Floats, Floats]:
    """The columns that depend linearly neither on `basis` nor on each other, of variance 1, and an orthonormal basis.

    `root` (n, 1) are square roots of weights: what is orthogonal are the columns times these.
    """
    n = len(columns)
    reach = np.abs(columns).max(axis=0, initial=0.0)
    moving = columns[:, reach > 0] / reach[reach > 0]
    moving = moving / np.linalg.norm(root * moving, axis=0)
    if not moving.shape[1]:
        return np.empty((n, 0)), np.empty((n, 0))
    rest = root * moving
    rest -= basis @ (basis.T @ rest)
    factors: Any = qr(rest, mode="economic", pivoting=True)
    q, r, order = factors
    rank = int((np.abs(np.diag(r)) > n * np.finfo(np.float64).eps).sum())
    return moving[:, order[:rank]] * math.sqrt(n), q[:, :rank]


def _inverse(columns: Floats, block: NDArray[np.int64]) -> Floats:
    """The inverse covariance of some of the columns, zero elsewhere."""
    found = np.zeros((columns.shape[1],) * 2)
    if block.size:
        r = np.linalg.qr(columns[:, block]).R / math.sqrt(len(columns))
        root = np.linalg.inv(r)
        found[np.ix_(block, block)] = root @ root.T
    return found


def _log_determinant(columns: Floats, weights: Weights) -> tuple[float, float, Floats, Floats]:
    """log |Σ| / 2 (−inf becomes inf), its bias, and for each row its part of the former and the slope in it."""
    n, d = columns.shape
    share = shares(weights, n)
    columns = columns - share @ columns
    rooted = np.sqrt(n * share)[:, None] * columns
    lengths = np.linalg.norm(rooted, axis=0)
    diagonal = np.abs(np.diag(np.linalg.qr(rooted / lengths).R)) if lengths.all() else np.zeros(d)
    if diagonal.min() <= n * np.finfo(np.float64).eps:
        return math.inf, 0.0, np.zeros(n), columns
    half = float(np.log(diagonal * lengths).sum()) - d * math.log(n) / 2
    pull = columns @ _inverse(rooted, np.arange(d))
    if weights is None:
        bias = float(digamma((n - np.arange(1, d + 1)) / 2).sum() - d * math.log(n / 2)) / 2
    else:
        bias = _bias(columns, pull, share) - d * float(share @ share) / 4
    return half, bias, half + ((columns * pull).sum(axis=1) - d) / 2, pull


def _bias(columns: Floats, pull: Floats, share: Floats) -> float:
    r"""The bias of log |Σ| / 2 of rows of unlike weight, $-\tfrac14 \sum_i s_i^2 (q_i^2 + d)$, without its d.

    $q_i$ is the squared distance of row i from the mean in the metric of Σ: the second term of the expansion in the
    weighted empirical law. Of d columns whose rows are alike and normal it is −d (d + 3) / (4n).
    """
    return -float(share**2 @ (columns * pull).sum(axis=1) ** 2) / 4


def _through_ranks(columns: Floats, pull: Floats, weights: Weights) -> Floats:
    r"""What a row does to the scores of the others: $\sum_j s_j g_j (1\{x_i \le x_j\} - u_j) / \varphi(s_j)$.

    `pull` is g, the slope of the information in each score. Source: [klaassen1997].
    """
    n = len(columns)
    share = shares(weights, n)
    total = np.zeros(n)
    for column, slope in zip(columns.T, pull.T, strict=True):
        u = placed(column[:, None], weights)[:, 0]
        score = ndtri(u)
        # the columns were put on another scale: slopes in the scores themselves
        scale = math.sqrt((share @ column**2) / (share @ (score - share @ score) ** 2))
        force = share * slope * scale / (np.exp(-(score**2) / 2) / math.sqrt(2 * math.pi))
        order = np.sort(column)
        above = np.concatenate([[0.0], np.cumsum(force[np.argsort(column, kind="stable")])])
        first, last = np.searchsorted(order, column), np.searchsorted(order, column, side="right")
        total += above[-1] - (above[first] + above[last]) / 2 - force @ u
    return total
