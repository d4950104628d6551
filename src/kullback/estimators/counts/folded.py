"""Divergences of two count vectors where f has kinks: what these add to the observed value, and the smooth rest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from kullback.divergences import FDivergence
from kullback.estimators.counts import kinked, statistics
from kullback.estimators.counts.statistics import Counts, Masses
from kullback.estimators.counts.variation import signs

_ROOT = math.sqrt(2.0 * math.pi)


def needed(measure: FDivergence, a: Counts, b: Counts) -> bool:
    """Whether f has a kink at 1, or elsewhere within the noise of a cell."""
    return measure.curvature_at_one is None or bool(kinked.jumps(measure, *_noise(a, b))[1].any())


@dataclass(frozen=True)
class Folded:
    r"""Limits of a divergence whose f rises by J in its slope at 1: those of total variation, and a smooth rest.

    $$f(t) = \tfrac J2 |t - 1| + g(t), \qquad \hat D - E - B \le D \le \hat D - B$$

    on average: E is by how much halves of the rows disagree at the kinks, as in `kinked.Folds`, also at those of g; B
    is the bias of the rest. The variance is that of the slopes, and of g between equal laws. J times total variation
    has J times its limits.
    """

    value: float
    lowest: float
    highest: float
    error: float
    jump: float
    rows: int

    @classmethod
    def of(cls, measure: FDivergence, a: Counts, b: Counts) -> Folded:
        """That of two count vectors on which the divergence is finite."""
        n, m = int(a.sum()), int(b.sum())
        jump, folds = measure.jump_at_one, kinked.Folds.between(a / n, b / m, n, m)
        where, by = kinked.jumps(measure, *_noise(a, b))
        bias = _bias(measure, a, b, where, by)
        excess = jump * folds.excess + float(by @ _folds(a, b, np.exp(where)))
        smooth = statistics.plugin(measure, a, b) - bias
        at_equality = 2.0 * bias**2 / max(a.size - 1, 1)
        return cls(
            # between the two, where the worst biases of both balance
            value=smooth - 2.0 / 3.0 * excess,
            lowest=smooth - excess,
            highest=max(smooth, 0.0) + jump * folds.short,
            error=math.sqrt(_variance(measure, a, b) + at_equality),
            jump=jump,
            rows=min(n, m),
        )

    def low(self, confidence: float) -> float:
        """Below the divergence with this confidence."""
        return min(self.value, self.lowest - self._reach(confidence))

    def high(self, confidence: float) -> float:
        """Above the divergence with this confidence."""
        return max(self.value, self.highest + self._reach(confidence))

    def _reach(self, confidence: float) -> float:
        # cells that nobody has seen yet may hold this much of the smaller sample
        unseen = 1.0 - (1.0 - confidence) ** (1.0 / self.rows)
        return max(float(ndtri(confidence)) * self.error, self.jump * unseen)


def _noise(a: Counts, b: Counts) -> tuple[Masses, Masses]:
    """The log-ratio of every cell with half a row more, and its standard deviation."""
    p, q = statistics.smoothed(a), statistics.smoothed(b)
    return np.log(p) - np.log(q), np.sqrt((1.0 - p) / (p * a.sum()) + (1.0 - q) / (q * b.sum()))


def _folds(a: Counts, b: Counts, t: Masses) -> Masses:
    """The excess of every cell whose kink is at t, for a jump of 1."""
    p, q = a / a.sum(), b / b.sum()
    spread = np.sqrt(p * (1.0 - p) / a.sum() + t**2 * q * (1.0 - q) / b.sum())
    return kinked.excess_of(np.abs(p - t * q), spread)


def _bias(measure: FDivergence, a: Counts, b: Counts, where: Masses, by: Masses) -> float:
    r"""Of the plug-in value without kinks: $\sum_i p_i \sigma_i [f'(t_i e^{h_i}) - f'(t_i e^{-h_i})]/\sqrt{2\pi}$.

    With $h = \sigma \sqrt{2\pi}/4$, σ the noise of the log-ratio: exact for a slope that is straight over the noise,
    and for one that jumps in its middle.
    """
    r, noise = _noise(a, b)
    above, below = r + 0.25 * _ROOT * noise, r - 0.25 * _ROOT * noise
    rise = measure.slope(above) - measure.slope(below)
    rise -= 0.5 * measure.jump_at_one * (np.sign(above) - np.sign(below))
    rise -= by * ((below < where) & (where <= above))
    return float(statistics.smoothed(a) * noise @ rise) / _ROOT


def _variance(measure: FDivergence, a: Counts, b: Counts) -> float:
    """To first order; a cell whose shares agree is on the side of 1 on which the sum varies most."""
    p, q = a / a.sum(), b / b.sum()
    side = signs(p - q, p + q)
    r, _ = _noise(a, b)
    r = np.where(np.sign(r) == side, r, kinked.NEXT * side)
    return _spread(p, measure.slope(r)) / float(a.sum()) + _spread(q, measure.tilt(r)) / float(b.sum())


def _spread(share: Masses, x: Masses) -> float:
    return float(share @ (x - share @ x) ** 2)
