"""Quantities that are squares, near 0: their noise is no longer that of a mean, and their intervals lean upwards."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from kullback.estimators.distances import kernel_sums
from kullback.estimators.distances.kernel_sums import Sums
from kullback.estimators.distances.spread import variance

Floats = NDArray[np.float64]
_SEEN = 128  # rows of a sample, of which the largest eigenvalue is told well


@dataclass(frozen=True)
class Noise:
    """Standard errors of U: its own, the part that pairs add, and `step`, how much of it one direction makes.

    Near equality U is a sum of squares, one for each direction of the kernel's space; `step` is the variance that the
    noise of the samples has along the direction in which they scatter most.
    """

    error: float
    pairs: float
    step: float

    def times(self, factor: float) -> Noise:
        """The noise of U times a positive factor."""
        return Noise(self.error * factor, self.pairs * factor, self.step * factor)


def noise_of(xx: Sums, yy: Sums, xy: Sums, w: Floats, v: Floats, strongest: float) -> Noise:
    r"""That of $U = \overline{k(x, x)} + \overline{k(y, y)} - 2\, \overline{k(x, y)}$.

    The error is that of the projections, corrected for their own noise, and at least what pairs add to them: where
    the laws are equal pairs are all there is. `strongest` is the kernel's largest eigenvalue.
    """
    inner_x = xx.square - xx.mean**2 - 2.0 * variance(xx.left, w)
    inner_y = yy.square - yy.mean**2 - 2.0 * variance(yy.left, v)
    inner = xy.square - xy.mean**2 - variance(xy.left, w) - variance(xy.right, v)
    sum_w, sum_v = float(w @ w), float(v @ v)  # 1/n and 1/m without weights
    pairs = 2.0 * max(inner_x, 0.0) * sum_w**2 + 2.0 * max(inner_y, 0.0) * sum_v**2
    pairs += 4.0 * max(inner, 0.0) * sum_w * sum_v
    first = 4.0 * variance(xx.left - xy.left, w) * sum_w + 4.0 * variance(yy.left - xy.right, v) * sum_v
    # a row's mean carries the noise of its partners, which is twice the pairs' own variance
    return Noise(math.sqrt(max(first - pairs, pairs)), math.sqrt(pairs), strongest * (sum_w + sum_v))


def strongest(kernel: kernel_sums.Kernel, x: Floats, y: Floats, w: Floats, v: Floats) -> float:
    """The largest eigenvalue of the centred kernel under the mean of both laws, from at most 128 rows of each."""
    picked = [np.lexsort(rows.T)[:: 1 + (len(rows) - 1) // _SEEN] for rows in (x, y)]
    rows = np.concatenate([x[picked[0]], y[picked[1]]])
    mass = np.concatenate([w[picked[0]] / w[picked[0]].sum(), v[picked[1]] / v[picked[1]].sum()]) / 2.0
    table = np.concatenate([kernel(squares) for _, squares in kernel_sums.blocks(rows, rows)])
    means = table @ mass
    centred = table - means[:, None] - means + mass @ means
    root = np.sqrt(mass)
    return max(float(np.linalg.eigvalsh(root[:, None] * centred * root)[-1]), 0.0)


def ends(value: float, noise: Noise, level: float) -> tuple[float, float]:
    r"""The ends for a sum of squares that is unbiased and has this error, of which `pairs` is left at equality.

    With c the noise along the direction in which the laws differ, $U/c + \nu$ is about a noncentral
    $\chi^2_\nu(D/c)$ with $\nu = \text{pairs}^2 / (2 c^2)$, so that

    $$\sqrt{U/c + \tfrac{\nu + 1}{2}} \approx \sqrt{D/c + \tfrac{\nu - 1}{2}} \pm z$$

    gives the upper end. Far from equality the error tells c, $\text{error}^2 / (4 U)$; near it c is at most `step`.
    Where noise makes U small it makes the error small too, which an interval of that error alone does not see. The
    lower end is $U + \tfrac14 e \min(U/e,\, e/U)_+ - e$ with $e = z \cdot \text{error}$. Source: [sankaran1963].
    """
    z = float(ndtri(0.5 + level / 2))
    reach = z * noise.error
    if reach == 0.0:
        return value, value
    shift = 0.0 if value <= 0 else 0.25 * reach * min(value / reach, reach / value)
    c = min(noise.step, noise.error**2 / (4.0 * value)) if value > 0 else noise.step
    if c <= 0.0:
        return value + shift - reach, value + shift + reach
    freedom = max(noise.pairs**2 / (2.0 * c**2), 1.0)
    root = math.sqrt(max(value / c + 0.5 * (freedom + 1.0), 0.0)) + z
    top = c * (root**2 - 0.5 * (freedom - 1.0))
    return value + shift - reach, max(top, value + shift + reach)
