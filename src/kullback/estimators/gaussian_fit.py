"""Normal laws fitted to columns: their information, what each row contributes to it, and what stays at independence."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr
from scipy.special import digamma, ndtri
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Fit:
    r"""An information without its expected bias, how it varies, and an interval that holds at independence as well.

    `raw` is the information before the `bias` was taken off, `influence` what each row adds to n times it. At
    independence the influence vanishes and 2n·raw is chi-squared with `freedom` degrees; elsewhere it is taken as
    κ⁻¹ times a non-central one, with κ such that its variance is that of the influence. `columns` were fitted.
    """

    raw: float
    bias: float = 0.0
    freedom: int = 0
    columns: int = 0
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
        n = len(self.influence)
        variance = float(self.influence @ self.influence) / n**2
        unit = variance / (4 * self.raw) if self.raw > 0 and variance > 0 else 1 / (2 * n)
        return unit * n / (n - self.columns - 1)  # fitted residuals are shorter than true ones


def between_columns(x: Floats, y: Floats, z: Floats, *, ranked: bool) -> Fit:
    r"""I(X; Y | Z) of a normal law, from the canonical correlations of what z leaves of x and y.

    The expected bias, $\tfrac12 \sum_i$ of digammas, is that of Wishart log-determinants with n − 1 − d_z degrees of
    freedom. At independence 2nI is chi-squared with d_x d_y degrees of freedom.
    """
    n = len(x)
    condition, basis = _independent(z - z.mean(axis=0), np.empty((n, 0)))
    kept_x, q_x = _independent(x - x.mean(axis=0), basis)
    kept_y, q_y = _independent(y - y.mean(axis=0), basis)
    gone = x.shape[1] + y.shape[1] - kept_x.shape[1] - kept_y.shape[1]
    told = (f"{gone} columns that depend linearly on others left out",) if gone else ()
    dx, dy, dz = kept_x.shape[1], kept_y.shape[1], condition.shape[1]
    if not dx or not dy:
        return Fit(0.0, notes=told)
    rho = np.linalg.svd(q_x.T @ q_y, compute_uv=False)
    if rho[0] >= 1.0 - n * np.finfo(np.float64).eps:
        return Fit(math.inf, notes=told)
    psi = digamma((n - dz - np.arange(1, dx + dy + 1)) / 2)
    bias = float(psi[:dy].sum() - psi[dx:].sum()) / 2
    raw = -float(np.log1p(-(rho**2)).sum()) / 2
    columns = np.column_stack([kept_x, kept_y, condition])
    of_x, of_y, of_z = np.split(np.arange(dx + dy + dz), [dx, dx + dy])
    blocks = [(np.r_[of_x, of_z], 1), (np.r_[of_y, of_z], 1), (np.r_[of_x, of_y, of_z], -1), (of_z, -1)]
    pull = columns @ sum(sign * _inverse(columns, block) for block, sign in blocks)
    own = (columns * pull).sum(axis=1) / 2
    influence = own - own.mean() + (_through_ranks(columns, pull) if ranked else 0.0)
    return Fit(raw, bias, dx * dy, dx + dy + dz, influence, told)


def between_classes(values: Floats, codes: Codes, *, ranked: bool) -> Fit:
    r"""I(X; C) of columns that are normal in every class, and normal together: the drop of the log-determinant.

    At independence 2nI is chi-squared with (classes − 1)·d(d + 3)/2 degrees of freedom.
    """
    n = len(values)
    columns, _ = _independent(values - values.mean(axis=0), np.empty((n, 0)))
    d = columns.shape[1]
    gone = values.shape[1] - d
    told = (f"{gone} columns that depend linearly on others left out",) if gone else ()
    if not d or codes.max() == codes.min():
        return Fit(0.0, notes=told)
    shares = np.bincount(codes) / n
    raw, bias, own, pull = _log_determinant(columns)
    for code in np.flatnonzero(shares):
        rows = codes == code
        within = _log_determinant(columns[rows] - columns[rows].mean(axis=0))
        if math.isinf(within[0]):
            return Fit(math.inf, notes=told)
        raw -= shares[code] * within[0]
        bias -= shares[code] * within[1]
        own[rows] -= within[2]
        pull[rows] -= within[3]
    influence = own - own.mean() + (_through_ranks(columns, pull) if ranked else 0.0)
    classes = np.count_nonzero(shares)
    freedom = (classes - 1) * d * (d + 3) // 2
    return Fit(raw, bias, freedom, classes * (d + 1) - 1, influence, told)  # each class has its own mean, too


def _independent(columns: Floats, basis: Floats) -> tuple[Floats, Floats]:
    """The columns that depend linearly neither on `basis` nor on each other, of length √n, and an orthonormal basis."""
    n = len(columns)
    reach = np.abs(columns).max(axis=0, initial=0.0)
    moving = columns[:, reach > 0] / reach[reach > 0]
    moving = moving / np.linalg.norm(moving, axis=0)
    if not moving.shape[1]:
        return np.empty((n, 0)), np.empty((n, 0))
    rest = moving - basis @ (basis.T @ moving)
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


def _log_determinant(columns: Floats) -> tuple[float, float, Floats, Floats]:
    """log |Σ| / 2 (−inf becomes inf), its bias, and for each row its part of the former and the slope in it."""
    n, d = columns.shape
    lengths = np.linalg.norm(columns, axis=0)
    diagonal = np.abs(np.diag(np.linalg.qr(columns / lengths).R)) if lengths.all() else np.zeros(d)
    if diagonal.min() <= n * np.finfo(np.float64).eps:
        return math.inf, 0.0, np.zeros(n), columns
    half = float(np.log(diagonal * lengths).sum()) - d * math.log(n) / 2
    bias = float(digamma((n - np.arange(1, d + 1)) / 2).sum() - d * math.log(n / 2)) / 2
    pull = columns @ _inverse(columns, np.arange(d))
    return half, bias, half + ((columns * pull).sum(axis=1) - d) / 2, pull


def _through_ranks(columns: Floats, pull: Floats) -> Floats:
    r"""What a row does to the scores of the others: $\frac1n \sum_j g_j (1\{x_i \le x_j\} - u_j) / \varphi(s_j)$.

    `pull` is g, the slope of n times the information in each score. Source: [klaassen1997].
    """
    n = len(columns)
    total = np.zeros(n)
    for column, slope in zip(columns.T, pull.T, strict=True):
        u = rankdata(column) / (n + 1)
        score = ndtri(u)
        # the columns were put on another scale: slopes in the scores themselves
        scale = np.linalg.norm(column) / np.linalg.norm(score - score.mean())
        force = slope * scale / (np.exp(-(score**2) / 2) / math.sqrt(2 * math.pi))
        order = np.sort(column)
        above = np.concatenate([[0.0], np.cumsum(force[np.argsort(column, kind="stable")])])
        first, last = np.searchsorted(order, column), np.searchsorted(order, column, side="right")
        total += (above[-1] - (above[first] + above[last]) / 2 - force @ u) / n
    return total
