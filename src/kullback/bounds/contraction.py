r"""How much of an f-divergence a channel lets through: strong data-processing coefficients.

$$\eta_{\chi^2}(P, K) \le \eta_{\mathrm{KL}}(P, K) \le \eta_{\mathrm{KL}}(K) \le \eta_{\mathrm{TV}}(K),$$

where P fixes one of the two laws that are sent, and without it both are free.
"""

from __future__ import annotations

import math

import numpy as np

from kullback._ops import Array
from kullback.answer import Answer
from kullback.bounds.bracket import root_bracket
from kullback.divergences import kl, total_variation
from kullback.errors import InvalidInputError, ShapeError

_STEPS = 300
_TINY = float(np.finfo(float).tiny)


def dobrushin(channel: Array) -> Answer:
    r"""The largest share of an f-divergence that survives a channel, by Dobrushin's coefficient.

    $$D_f(pK \| qK) \le \eta_{\mathrm{TV}}\, D_f(p \| q) \text{ for every } f, \qquad
    \eta_{\mathrm{TV}} = \max_{x, x'} \mathrm{TV}(K_x, K_{x'})$$

    `channel` holds p(y | x), a row an input x, rows summing to 1. Exact for total variation (`high` is attained), an
    upper bound for the others. Source: [cohen1993].

    >>> round(dobrushin([[0.9, 0.1], [0.1, 0.9]]).high, 6)
    0.8
    """
    rows = _rows(channel)
    apart = total_variation(rows[:, None, :], rows[None, :, :])
    return _share(float(np.max(apart)), "Dobrushin")


def kl_contraction(channel: Array) -> Answer:
    r"""The largest share of KL, and of every f-divergence whose f is operator convex, that survives a channel.

    $$\eta_{\mathrm{KL}} = \max_{x, x'} \max_{0 \le \beta \le 1} 1 - \sum_y
    \frac{K_x(y) K_{x'}(y)}{\beta K_x(y) + (1 - \beta) K_{x'}(y)}$$

    `channel` as in `dobrushin`. Two inputs are enough, and in β the function is concave: its tangents certify `high`,
    `low` is attained, and the two agree to rounding. The same number for chi-square, squared Hellinger, Le Cam and
    Jensen–Shannon. Raises `ShapeError` and `InvalidInputError` for what is no channel.

    Source: [choi1994], [ordentlich2021].

    >>> round(kl_contraction([[0.9, 0.1], [0.1, 0.9]]).high, 6)  # (1 − 2/10)²
    0.64
    """
    rows = _rows(channel)
    first, second = np.triu_indices(len(rows), 1)
    if first.size == 0:
        return Answer(0.0, 0.0, 0.0, kind="bounds", method="pairs of inputs", unit="of the divergence")
    a, b = rows[first], rows[second]
    zero, one = np.zeros(first.size), np.ones(first.size)
    at_zero, at_one = _rise(a, b, zero), _rise(a, b, one)
    inside = (at_zero > 0) & (at_one < 0)
    start = np.where(at_one >= 0, one, zero)  # the best share where no other is better
    with np.errstate(all="ignore"):
        ends = root_bracket(
            lambda x: -_rise(a, b, x),
            np.where(inside, zero, start),
            np.where(inside, one, start),
            np.where(inside, -at_zero, 0.0),
            np.where(inside, -at_one, 0.0),
            absolute=1e-15,
        )
    values = np.stack([_survival(a, b, x) for x in ends])
    width = np.abs(ends[0] - ends[1])
    above = values + np.abs(np.stack([_rise(a, b, x) for x in ends])) * width  # the tangents at either end
    low = float(np.max(values))
    high = max(low, float(np.max(np.min(above, axis=0))))
    return Answer(low, low, high, kind="bounds", method="pairs of inputs", unit="of the divergence")


def chi2_contraction(channel: Array, law: Array) -> Answer:
    r"""The share of chi-square from a fixed input law that survives a channel: the square of the maximal correlation.

    $$\eta_{\chi^2}(P, K) = \sup_q \frac{\chi^2(qK \| pK)}{\chi^2(q \| p)} =
    \sigma_2^2\left(\operatorname{diag}(p)^{1/2} K \operatorname{diag}(pK)^{-1/2}\right)$$

    The second singular value, exact. `law` holds the masses p of the inputs; inputs without mass are left out. Raises
    `ShapeError` and `InvalidInputError`.

    Source: [renyi1959], [polyanskiy2017].

    >>> round(chi2_contraction([[0.9, 0.1], [0.1, 0.9]], [0.5, 0.5]).value, 6)
    0.64
    """
    rows, p = _sent(channel, law)
    return Answer.exact(_correlation(rows, p)[0] ** 2, "second singular value", "of the divergence")


def kl_contraction_from(channel: Array, law: Array) -> Answer:
    r"""The share of KL from a fixed input law that survives a channel, between certified bounds.

    $$\eta_{\chi^2}(P, K) \le \eta_{\mathrm{KL}}(P, K) = \sup_q \frac{\mathrm{KL}(qK \| pK)}{\mathrm{KL}(q \| p)}
    \le \eta_{\mathrm{KL}}(K)$$

    `value` and `low` are the larger of the left bound and the best ratio of an ascent that never falls, from all
    vertices and both ends of the most correlated direction: attained, but perhaps not the supremum; `high` is the right
    bound. `law` as in `chi2_contraction`. Raises `ShapeError` and `InvalidInputError`.

    Source: [polyanskiy2017].

    >>> round(kl_contraction_from([[0.9, 0.1], [0.1, 0.9]], [0.5, 0.5]).value, 6)
    0.64
    """
    rows, p = _sent(channel, law)
    correlation, direction = _correlation(rows, p)
    low = max(correlation**2, _ascent(rows, p, direction))
    high = max(low, kl_contraction(rows).high)  # a last bit, where all three are one
    return Answer(
        low, low, high, kind="bounds", method="ascent and pairs of inputs", unit="of the divergence"
    )


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


def _rows(channel: Array) -> np.ndarray:
    rows = np.asarray(channel, dtype=float)
    if rows.ndim != 2:
        raise ShapeError(f"`channel` has shape {rows.shape}; expected a matrix, one row p(y | x) an input")
    kl(rows, rows)  # refuses what are no masses
    return rows


def _sent(channel: Array, law: Array) -> tuple[np.ndarray, np.ndarray]:
    """The channel from the inputs that are used, into the outputs that come."""
    rows, p = _rows(channel), np.asarray(law, dtype=float)
    if p.shape != rows.shape[:1]:
        raise ShapeError(
            f"`law` has shape {p.shape}; expected one mass an input of the channel, {rows.shape[0]}"
        )
    kl(p, p)
    rows, p = rows[p > 0], p[p > 0]
    return rows[:, rows.max(axis=0) > 0], p


def _survival(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """1 − Σ ab/(βa + (1 − β)b) as a sum of terms that are not negative."""
    beta = share[:, None]
    both = (a > 0) & (b > 0)
    mixed = np.where(both, beta * a + (1 - beta) * b, 1.0)
    met = beta * (1 - beta) * (a - b) ** 2 / mixed
    return np.sum(np.where(both, met, (1 - beta) * a + beta * b), axis=-1)


def _rise(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Its derivative towards β."""
    both = (a > 0) & (b > 0)
    mixed = np.where(both, share[:, None] * a + (1 - share[:, None]) * b, 1.0)
    return np.sum(np.where(both, a * b * (a - b) / mixed**2, 0.0), axis=-1)


def _correlation(rows: np.ndarray, p: np.ndarray) -> tuple[float, np.ndarray]:
    """The maximal correlation of input and output, and its function of the input."""
    root, came = np.sqrt(p), np.sqrt(p @ rows)
    # less the first singular pair, which every channel has, so that the second comes first
    left, values, _ = np.linalg.svd(root[:, None] * rows / came - np.outer(root, came))
    return min(float(values[0]), 1.0), left[:, 0] / root


def _ascent(rows: np.ndarray, p: np.ndarray, direction: np.ndarray) -> float:
    """The best ratio of output to input KL over laws q, by steps that are lengthened while they keep paying."""

    def ratio(log_tilt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        weight = p * np.exp(log_tilt - log_tilt.max(axis=-1, keepdims=True))
        q = weight / weight.sum(axis=-1, keepdims=True)
        sent = kl(q, np.broadcast_to(p, q.shape), normalize=True)
        came = kl(q @ rows, np.broadcast_to(p @ rows, (len(q), rows.shape[1])), normalize=True)
        return q, np.where(sent > 0, came / np.where(sent > 0, sent, 1.0), 0.0)

    swing = 0.5 * direction / max(float(np.max(np.abs(direction))), _TINY)
    vertices = np.log1p(np.eye(p.size) / p)  # halfway between p and each of them
    tilt = np.concatenate([np.log1p([swing, -swing]), vertices])
    q, best = ratio(tilt)
    stride = np.ones((len(q), 1))
    for _ in range(_STEPS):
        # the numerator's tangent less the price `best`: its maximiser, one stride away, never has a smaller ratio
        gain = np.log(np.maximum(q @ rows, _TINY) / (p @ rows)) @ rows.T
        step = gain / np.maximum(best, _TINY)[:, None] - tilt
        step -= step @ p[:, None]
        q_near, near = ratio(tilt + step)
        q_far, far = ratio(tilt + stride * step)
        pays = far > near
        settled = np.maximum(far, near) <= best * (1 + 1e-15)
        tilt = tilt + np.where(pays[:, None], stride, 1.0) * step
        q, best = np.where(pays[:, None], q_far, q_near), np.maximum(best, np.where(pays, far, near))
        stride = np.where(pays[:, None], 2 * stride, 2.0)
        if settled.all():
            break
    return float(best.max())


def _share(high: float, method: str) -> Answer:
    return Answer(high, 0.0, high, kind="bounds", method=method, unit="of the divergence")
