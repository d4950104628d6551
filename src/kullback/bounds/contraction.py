"""How much of any f-divergence a channel lets through: strong data-processing coefficients."""

from __future__ import annotations

import math

import numpy as np

from kullback._ops import Array
from kullback.answer import Answer
from kullback.divergences import total_variation
from kullback.errors import InvalidInputError, ShapeError


def dobrushin(channel: Array) -> Answer:
    r"""The largest share of an f-divergence that survives a channel, by Dobrushin's coefficient.

    $$D_f(pK \| qK) \le \eta_{\mathrm{TV}}\, D_f(p \| q) \text{ for every } f, \qquad
    \eta_{\mathrm{TV}} = \max_{x, x'} \mathrm{TV}(K_x, K_{x'})$$

    `channel` holds p(y | x), a row an input x, rows summing to 1. Exact for total variation (`high` is attained), an
    upper bound for the others. Source: [cohen1993].

    >>> round(dobrushin([[0.9, 0.1], [0.1, 0.9]]).high, 6)
    0.8
    """
    rows = np.asarray(channel, dtype=float)
    if rows.ndim != 2:
        raise ShapeError(f"`channel` has shape {rows.shape}; expected a matrix, one row p(y | x) an input")
    apart = total_variation(rows[:, None, :], rows[None, :, :])
    return _share(float(np.max(apart)), "Dobrushin")


def gaussian_noise(radius: float, *, sigma: float) -> Answer:
    r"""The share that survives normal noise on inputs of norm at most `radius`: $1 - 2 Q(A/\sigma)$ for every f.

    `radius` (A) and `sigma` (the noise per coordinate) in the same unit; any dimension. Attained for total variation by
    two points 2A apart. Source: [cohen1993].

    >>> round(gaussian_noise(1.0, sigma=1.0).high, 6)
    0.682689
    """
    if not (0 <= radius < math.inf and 0 < sigma < math.inf):
        raise InvalidInputError(
            f"`radius` is {radius!r} and `sigma` {sigma!r}; expected finite, sigma above 0"
        )
    return _share(math.erf(radius / (sigma * math.sqrt(2))), "normal noise")


def dropout(rate: float, *, width: int) -> Answer:
    r"""The share that survives dropout that is seen (erasure), each of `width` units lost with probability `rate`.

    $$\eta_f \le 1 - \text{rate}^{\text{width}} \text{ for every } f$$

    Nothing passes only where every unit is lost. Attained by inputs that differ in all units, for every f.
    Source: [cohen1993].

    >>> dropout(0.5, width=2).high
    0.75
    """
    if not 0 <= rate <= 1 or width != int(width) or width < 1:
        raise InvalidInputError(
            f"`rate` is {rate!r} and `width` {width!r}; expected one in [0, 1] and one of 1, 2, ..."
        )
    return _share(1.0 - rate**width, "erasure")


def _share(high: float, method: str) -> Answer:
    return Answer(high, 0.0, high, kind="bounds", method=method, unit="of the divergence")
