"""Worst-case expectations: over all laws in a divergence ball, or over all laws with a price on the divergence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kullback._ops import Array, Namespace, ops
from kullback.answer import Answer
from kullback.bounds.bracket import root_bracket
from kullback.bounds.tilting import Tilting
from kullback.divergences import Divergence, FDivergence
from kullback.errors import ConvergenceError, DTypeError, InvalidInputError, ShapeError

_WIDEST_GAP = 1e-8  # of the range of the losses: beyond it the answer is refused
_STRIDES = 120


@dataclass(frozen=True)
class WorstCase:
    r"""An extreme expectation over laws near q, the law that attains it, and how far it can be from the truth.

    $$\text{value} = \sum_i w_i \ell_i \;(\mp \lambda D_f(w \| q) \text{ where } \lambda \text{ is a price}),
    \qquad |\text{value} - \text{optimum}| \le \text{gap}.$$

    `weights` (the extreme law w) have the shape of the losses and sum to 1; `value`, `gap`, `multiplier` (λ, the price
    of a unit of radius) and `threshold` (η, where a loss leaves its weight alone) have one entry a row. The optimum
    lies between `value`, which the weights attain, and the value of the dual, `gap` away.

    >>> import kullback as kb
    >>> worst = kb.upper_expectation(kb.total_variation, [0.0, 1.0, 2.0, 5.0], radius=0.25)
    >>> [round(float(w), 9) for w in worst.weights]
    [0.0, 0.25, 0.25, 0.5]
    """

    value: Array
    gap: Array
    weights: Array
    multiplier: Array
    threshold: Array
    sign: int = 1

    def surrogate(self, losses: Array) -> Array:
        """A number equal to `value` whose gradient towards the losses is the weights, by the envelope theorem.

        First derivatives only: the weights are held fixed, so differentiating twice gives 0 and not the curvature.
        """
        xp = ops(losses, self.weights)
        losses = xp.asarray(losses)
        return self.value + xp.sum(xp.detach(self.weights) * (losses - xp.detach(losses)))

    @property
    def answer(self) -> Answer:
        """The value of a single row as an `Answer`, its interval closed by the dual."""
        if getattr(self.value, "ndim", 0):
            raise ShapeError(f"`answer` is for one row of losses; this has shape {tuple(self.value.shape)}")
        value, other = float(self.value), float(self.value) + self.sign * float(self.gap)
        low, high = min(value, other), max(value, other)
        return Answer(value, low, high, kind="bounds", method="convex dual", unit="of the losses")


def upper_expectation(
    d: Divergence,
    losses: Array,
    *,
    reference: Array | None = None,
    radius: float | None = None,
    penalty: float | None = None,
) -> WorstCase:
    r"""The largest expected loss over laws within `radius` of the reference q, or with a `penalty` λ on the divergence.

    $$\sup_{D_f(p \| q) \le \rho} E_p\,\ell = \min_{\lambda \ge 0,\,\eta}
    \lambda\rho + \eta + \lambda E_q f^*\!\left(\tfrac{\ell - \eta}{\lambda}\right), \qquad
    \sup_p E_p\,\ell - \lambda D_f(p \| q).$$

    `losses` and `reference` (uniform where not given) have the categories on their last axis and broadcast before it;
    give exactly one of `radius` (in the units of D) and `penalty` (loss per unit of D). A category without reference
    mass is reached where lim f(t)/t is finite, at that price. Solved in float64 on the host for every f-divergence; the
    duality gap comes with the result. Raises `InvalidInputError`, `ShapeError`, and `ConvergenceError` with its gap.

    Source: [bental2013], [duchi2021].

    >>> import kullback as kb
    >>> worst = kb.upper_expectation(kb.kl, [0.0, 1.0], penalty=1.0)
    >>> round(worst.value, 6)  # log of (1 + e)/2
    0.620115
    """
    return _extreme(d, losses, reference, radius, penalty, 1)


def lower_expectation(
    d: Divergence,
    values: Array,
    *,
    reference: Array | None = None,
    radius: float | None = None,
    penalty: float | None = None,
) -> WorstCase:
    r"""The least expected value over laws near the reference: the inner problem of robust value iteration.

    $$\inf_{D_f(p \| q) \le \rho} E_p V, \qquad \inf_p E_p V + \lambda D_f(p \| q) = \max_\eta\,
    \eta - \lambda E_q f^*\!\left(\tfrac{\eta - V}{\lambda}\right).$$

    Arguments and errors as in `upper_expectation`; `reference` may be a whole transition kernel, one row a state.

    Source: [iyengar2005], [bental2013].

    >>> import kullback as kb
    >>> round(kb.lower_expectation(kb.total_variation, [0.0, 1.0, 2.0, 5.0], penalty=1.5).value, 9)
    1.0
    """
    return _extreme(d, values, reference, radius, penalty, -1)


def _extreme(
    d: Divergence,
    losses: Array,
    reference: Array | None,
    radius: float | None,
    penalty: float | None,
    sign: int,
) -> WorstCase:
    if not isinstance(d, FDivergence):
        raise InvalidInputError(
            f"{d!r} has no generator, and the dual needs one; use an f-divergence of kb.catalogue()"
        )
    xp, rows, q, shape = _read(losses, reference)
    amount = _amount(radius, penalty)
    with np.errstate(all="ignore"):
        tilting, top = Tilting.of(d, sign * rows, q)
        law, low, high, scale = (_ball if penalty is None else _priced)(tilting, amount)
        gap = _gap(tilting, low, high)
        threshold = _threshold(tilting, law, scale) + top

    def shaped(x: np.ndarray, to: tuple[int, ...]) -> Array:
        plain = x.reshape(to)
        if xp.NAME == "numpy":
            return plain if to else float(plain)
        return xp.asarray(plain, like=losses if hasattr(losses, "dtype") else reference)

    one = shape[:-1]
    return WorstCase(
        shaped(sign * (top + low), one),
        shaped(gap, one),
        shaped(law, shape),
        shaped(scale, one),
        shaped(sign * threshold, one),
        sign,
    )


def _gap(tilting: Tilting, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """What primal and dual leave open, refused where it is wide."""
    span = -tilting.losses.min(axis=-1, keepdims=True)
    gap = np.maximum(high - low, 0.0)  # rounding may leave the two in the wrong order
    if np.any(~(gap <= _WIDEST_GAP * span + np.finfo(float).tiny)):
        worst = float(np.max(np.nan_to_num(gap / span, nan=np.inf)))
        raise ConvergenceError(
            f"the dual of {tilting.d.name} stopped {worst:.3g} of the range of the losses apart from its primal; "
            "rescale losses that span many orders of magnitude, or move the radius off its limit"
        )
    return gap


def _threshold(tilting: Tilting, law: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """η relative to the top, from the category that moved least: ℓ − λ f'(p/q)."""
    live = (law > 0) & (tilting.q > 0)
    r = np.where(live, np.log(np.where(live, law, 1.0)) - np.log(np.where(live, tilting.q, 1.0)), np.inf)
    place = np.argmin(np.abs(r), axis=-1, keepdims=True)
    r, loss = np.take_along_axis(r, place, -1), np.take_along_axis(tilting.losses, place, -1)
    return np.where(np.isfinite(scale), loss - scale * tilting.d.slope(r), np.nan)


def _priced(tilting: Tilting, penalty: float) -> tuple[np.ndarray, ...]:
    scale = np.full((len(tilting.losses), 1), penalty)
    law, high = tilting.law(scale)
    # equal losses: nothing to gain, and the rounding of D is all that the gap would be measured against
    flat = (tilting.losses == 0).all(axis=-1, keepdims=True)
    low = _mean(law, tilting.losses) - penalty * _distance(tilting, law)
    return law, np.where(flat, 0.0, low), np.where(flat, 0.0, high), scale


def _ball(tilting: Tilting, radius: float) -> tuple[np.ndarray, ...]:
    q, losses = tilting.q, tilting.losses
    whole = _distance(tilting, tilting.at_top) <= radius  # the ball reaches the largest loss
    if radius == 0:
        stay = np.where(whole, tilting.at_top, q)
        mean = _mean(stay, losses)
        return stay, mean, mean, np.where(whole, 0.0, np.inf)
    start = np.log(_first_scale(tilting, radius))
    low, high = _around(tilting, np.where(whole, 0.0, start), radius, whole)
    law, dual, scale = _between(tilting, low, high, radius, whole)
    law = np.where(whole, tilting.at_top, law)
    # a last bit outside the ball: back towards its centre, along which D falls at least in proportion
    beyond = np.maximum(_distance(tilting, law) / radius, 1.0)
    law = np.where(whole | (beyond == 1), law, q + (law - q) / beyond)
    return law, np.where(whole, 0.0, _mean(law, losses)), np.where(whole, 0.0, dual), scale


def _between(
    tilting: Tilting, low: np.ndarray, high: np.ndarray, radius: float, whole: np.ndarray
) -> tuple[np.ndarray, ...]:
    """The law of distance `radius`, between those of adjacent prices: D jumps with the price where f has kinks."""

    def excess(log_scale: np.ndarray) -> np.ndarray:
        distance = _distance(tilting, tilting.law(np.exp(log_scale))[0])
        # a user's f may round below 0 at equality
        return np.where(distance > 0, np.log(distance), -np.inf) - math.log(radius)

    at_low, at_high = (np.where(whole, 0.0, excess(x)) for x in (low, high))
    outer, inner = root_bracket(lambda x: -excess(x), low, high, -at_low, -at_high, absolute=1e-12)
    (far, far_dual), (near, near_dual) = (tilting.law(np.exp(x)) for x in (outer, inner))
    more, less = _distance(tilting, far), _distance(tilting, near)
    share = np.where(more > less, (radius - less) / np.where(more > less, more - less, 1.0), 0.0)
    law = near + np.clip(share, 0.0, 1.0) * (far - near)
    duals = [np.exp(x) * radius + dual for x, dual in ((outer, far_dual), (inner, near_dual))]
    first = ~(duals[1] < duals[0])
    scale = np.where(whole, 0.0, np.exp(np.where(first, outer, inner)))
    return law, np.where(first, *duals), scale


def _first_scale(tilting: Tilting, radius: float) -> np.ndarray:
    """The price at which the quadratic form of D near equality reaches the radius."""
    mean = _mean(tilting.q, tilting.losses)
    variance = _mean(tilting.q, (tilting.losses - mean) ** 2)
    curvature = tilting.d.curvature_at_one or 1.0
    scale = np.sqrt(variance / (2 * curvature * radius))
    return np.where((scale > 0) & np.isfinite(scale), scale, 1.0)


def _around(
    tilting: Tilting, start: np.ndarray, radius: float, whole: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of a price at which the law is outside the ball and of one at which it is inside."""
    low, high = start - 1.0, start + 1.0
    stride = 1.0
    for _ in range(_STRIDES):
        too_near = ~whole & ~(_distance(tilting, tilting.law(np.exp(low))[0]) >= radius)
        too_far = ~whole & ~(_distance(tilting, tilting.law(np.exp(high))[0]) <= radius)
        if not (too_near.any() or too_far.any()):
            return low, high
        low, high = np.where(too_near, low - stride, low), np.where(too_far, high + stride, high)
        stride *= 1.2 if stride < 8 else 1.0
    raise ConvergenceError(
        f"no price between e^{float(low.min()):.0f} and e^{float(high.max()):.0f} puts the law of {tilting.d.name} at "
        f"the radius {radius:g}: the gap is the whole range of the losses, {float(-tilting.losses.min()):g}"
    )


def _distance(tilting: Tilting, law: np.ndarray) -> np.ndarray:
    return np.asarray(tilting.d(law, tilting.q, keepdims=True, validate=False))


def _mean(law: np.ndarray, losses: np.ndarray) -> np.ndarray:
    return np.sum(law * losses, axis=-1, keepdims=True)


def _amount(radius: float | None, penalty: float | None) -> float:
    if (radius is None) == (penalty is None):
        raise InvalidInputError(
            "give exactly one of `radius` (a ball) and `penalty` (a price on the divergence)"
        )
    if penalty is None:
        amount = float(radius)  # type: ignore[arg-type]
        if not 0 <= amount < math.inf:
            raise InvalidInputError(f"`radius` is {radius!r}; expected a finite number that is not negative")
        return amount
    if not 0 < float(penalty) < math.inf:
        raise InvalidInputError(f"`penalty` is {penalty!r}; expected a finite positive number")
    return float(penalty)


def _read(
    losses: Array, reference: Array | None
) -> tuple[Namespace, np.ndarray, np.ndarray, tuple[int, ...]]:
    """Both as rows in float64 on the host, checked, and the shape that they came in."""
    given = [losses] if reference is None else [losses, reference]
    xp = ops(*given)
    made = []
    for name, x in zip(("losses", "reference"), given, strict=False):
        x = xp.asarray(x)
        if not xp.concrete(x):
            raise DTypeError(
                f"`{name}` is being traced, and the solver needs its numbers; solve outside of the compiled function "
                "and use `surrogate` inside"
            )
        if xp.kind(x) not in ("float", "integer"):
            raise DTypeError(f"`{name}` has dtype {xp.dtype_name(x)}; expected real numbers")
        made.append(np.asarray(xp.to_numpy(xp.to_float(xp.detach(x), 64)), dtype=float))
        if made[-1].ndim == 0 or made[-1].shape[-1] == 0:
            raise ShapeError(f"`{name}` has shape {made[-1].shape}; expected categories along a last axis")
        if not np.isfinite(made[-1]).all():
            bad = np.argwhere(~np.isfinite(made[-1]))[0]
            raise InvalidInputError(
                f"`{name}`{bad.tolist()} is {made[-1][tuple(bad)]}; expected finite numbers"
            )
    values = made[0]
    n = values.shape[-1]
    q = made[1] if len(made) > 1 else np.full(n, 1.0 / n)
    if q.shape[-1] != n:
        raise ShapeError(f"`losses` has {n} categories and `reference` {q.shape[-1]}; they must be the same")
    if (q < 0).any() or np.any(np.abs(q.sum(axis=-1) - 1) > 1e-6):
        raise InvalidInputError("`reference` must be non-negative and sum to 1; divide it by its sum")
    try:
        shape = np.broadcast_shapes(values.shape, q.shape)
    except ValueError:
        raise ShapeError(
            f"`losses` has shape {values.shape}, `reference` {q.shape}: they do not broadcast"
        ) from None
    rows, masses = (np.broadcast_to(x, shape).reshape(-1, n) for x in (values, q))
    return xp, rows, masses, shape
