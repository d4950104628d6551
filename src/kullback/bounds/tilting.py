r"""The law that maximises $E_p\,\ell - \lambda D_f(p \| q)$: f'(p/q) = (ℓ − η)/λ, with η set by the total mass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kullback.bounds.bracket import root_bracket
from kullback.divergences import FDivergence

_WIDEST = 700.0  # the log-ratios that a float64 can exponentiate
_EPS = float(np.finfo(float).eps)
_NARROW = 1e-14  # what is left between two ends is shared out, so no last bit is lost


class InverseSlope:
    """(f')⁻¹ as a log-ratio: r with f'(eʳ) = u; −inf and +inf where u is at or beyond the slope's own limits."""

    def __init__(self, d: FDivergence) -> None:
        side = np.geomspace(1e-18, _WIDEST, 1500)
        self.d = d
        self.grid = np.concatenate([-side[::-1], [0.0], side])
        self.slopes = np.maximum.accumulate(np.asarray(d.slope(self.grid)))

    def __call__(self, u: np.ndarray) -> np.ndarray:
        """The log-ratio whose slope is u, elementwise, any shape."""
        place = np.searchsorted(self.slopes, u)
        inner = (place > 0) & (place < self.grid.size)
        place = np.where(inner, place, 1)
        low, high = self.grid[place - 1], self.grid[place]
        target = np.where(inner, u, self.slopes[place])
        r = self._refined(target, low, high)
        return np.where(inner, r, np.where(u <= self.slopes[0], -np.inf, np.inf))

    def _refined(self, u: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Newton's method inside the bracket; what has not settled soon, as at a kink of f, by halving it."""
        r = 0.5 * (low + high)
        settled = np.zeros(r.shape, dtype=bool)
        for step in range(80):
            excess = self.d.slope(r) - u
            low, high = np.where(excess < 0, r, low), np.where(excess < 0, high, r)
            moved = r - excess * np.exp(r) / self.d.curvature(r)
            newton = (moved >= low) & (moved <= high) & (step < 8)
            moved = np.where(newton, moved, 0.5 * (low + high))
            exact = np.abs(excess) <= 4 * _EPS * np.abs(u)
            moved = np.where(settled | exact, r, moved)
            settled = settled | exact | (np.abs(moved - r) <= 1e-11 * np.abs(r)) | (high - low <= 1e-17)
            r = moved
            if settled.all():
                break
        return r


@dataclass(frozen=True)
class Tilting:
    """Rows of losses, shifted so that the largest is 0, and the reference masses; every array has shape (rows, n)."""

    d: FDivergence
    inverse: InverseSlope
    losses: np.ndarray
    q: np.ndarray
    at_top: np.ndarray  # the law of the largest loss alone

    @classmethod
    def of(cls, d: FDivergence, losses: np.ndarray, q: np.ndarray) -> tuple[Tilting, np.ndarray]:
        """The shifted rows and the largest losses, those that p may reach: an infinite price keeps p where q is."""
        reachable = (q > 0) | np.isfinite(d.at_infinity)
        top = np.max(np.where(reachable, losses, -np.inf), axis=-1, keepdims=True)
        shifted = np.where(reachable, losses - top, 0.0)
        ties = reachable & (shifted == 0)
        share = np.where(ties, q, 0.0)
        share = np.where(share.sum(axis=-1, keepdims=True) > 0, share, ties)
        share = share / share.sum(axis=-1, keepdims=True)
        return cls(d, InverseSlope(d), shifted, q, share), top

    def law(self, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The maximising p at λ = `scale` (rows, 1), and the best value of the dual over η, relative to the top."""
        u = np.where(self.losses == 0, 0.0, self.losses / scale)
        end = self._largest_offset(u)
        zero = np.zeros_like(end)
        at_zero, at_end = self._log_mass(u), self._log_mass(u + end)
        # p needs more mass than the slopes give: the rest goes to the top, where the price per unit is then constant
        low = np.where(at_end < 0, end, zero)
        high = np.where(at_zero >= 0, zero, end)
        low = np.where(at_zero >= 0, zero, low)
        open_ = (at_zero < 0) & (at_end > 0)
        low, high = root_bracket(
            lambda e: self._log_mass(u + e),
            np.where(open_, low, high),
            high,
            np.where(open_, at_zero, 0.0),
            np.where(open_, at_end, 0.0),
            relative=_NARROW,
            absolute=0.1 * _NARROW,
        )
        mean = np.sum(self.q * self.losses, axis=-1, keepdims=True)
        duals = [mean + scale * self._conjugate_excess(u + e) for e in (low, high)]
        return self._balanced(u + low, u + high), np.fmin(*duals)

    def _largest_offset(self, u: np.ndarray) -> np.ndarray:
        """Where −η/λ must end: no p/q is above 1/q(top), no slope above f'(∞), and some p/q is below 1."""
        mass = np.where(self.losses == 0, self.q, 0.0).sum(axis=-1, keepdims=True)
        steepest = self.d.slope(-np.log(np.where(mass > 0, mass, 1.0)))
        steepest = np.where(mass > 0, steepest, np.inf)
        return np.minimum(np.minimum(steepest, self.d.at_infinity), -u.min(axis=-1, keepdims=True))

    def _masses(self, u: np.ndarray) -> np.ndarray:
        return np.where(self.q > 0, np.exp(self.inverse(u) + np.log(np.where(self.q > 0, self.q, 1.0))), 0.0)

    def _log_mass(self, u: np.ndarray) -> np.ndarray:
        return np.log(self._masses(u).sum(axis=-1, keepdims=True))

    def _conjugate_excess(self, u: np.ndarray) -> np.ndarray:
        """E_q (f*(u) − u), each term of which is at least 0."""
        r = np.where(self.q > 0, self.inverse(u), 0.0)
        inside = np.where(np.abs(r) < _WIDEST, r, 0.0)
        # every t gives a lower bound of f*(u), and this one is nearly the best: where f* was inverted numerically the
        # larger of the two is the truer
        by_slope = np.where(r == inside, u * np.exp(inside) - self.d.value(inside), -self.d.at_zero)
        values = np.fmax(self.d.conjugate(np.where(self.q > 0, u, 0.0)), by_slope)
        return np.where(self.q > 0, self.q * (values - u), 0.0).sum(axis=-1, keepdims=True)

    def _balanced(self, u_low: np.ndarray, u_high: np.ndarray) -> np.ndarray:
        """Mass 1 exactly: between the laws at both ends, which differ at kinks of f; else the top takes the rest."""
        less, more = self._masses(u_low), self._masses(u_high)
        mass, larger = less.sum(axis=-1, keepdims=True), more.sum(axis=-1, keepdims=True)
        between = np.isfinite(larger) & (larger > mass) & (larger >= 1)
        share = np.where(between, (1 - mass) / np.where(between, larger - mass, 1.0), 0.0)
        p = less + share * np.where(between, more - less, 0.0)
        rest = np.where(between, 0.0, np.maximum(1 - mass, 0.0))
        p = p + rest * self.at_top
        return p / p.sum(axis=-1, keepdims=True)
