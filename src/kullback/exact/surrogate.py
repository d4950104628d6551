"""Scalars to differentiate: one whose gradient is that of a divergence, and k1, k2, k3 used as losses."""

from __future__ import annotations

import math
from typing import Literal

from kullback._ops import Array, Namespace, ops
from kullback.divergences import FDivergence
from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.exact.control_variates import Averaged

_FAR = -30.0  # below it t g'(t) is taken as g(t) − tilt: the slope may overflow where t underflows


def surrogate(
    d: FDivergence,
    log_p: Array,
    log_q: Array,
    *,
    drawn_from: Literal["p", "q"],
    log_weights: Array | None = None,
) -> Array:
    r"""A scalar whose gradient is, in expectation, that of D(p‖q) towards the parameters of both log-densities.

    $$\nabla D_f(p \| q) = E_q\left[(f(t) - t f'(t))\,\nabla \log q\right] + E_p\left[f'(t)\,\nabla \log p\right],
    \qquad t = p/q,$$

    each coefficient held constant and averaged over the draws of one law, the other's part weighted by the ratio. Its
    value means nothing: the number comes from `sampled`. `log_p` and `log_q` have shape (n,), torch or JAX, in nats,
    normalised, at points that are themselves held constant. The mean coefficient of the other draws is taken off the
    score of the law drawn from, which changes no expectation and lowers the variance. `log_weights`, unnormalised and
    held constant, turn draws of a third law into draws of the one named; the logarithms of all probabilities of an
    enumerable law give the exact gradient.

    Raises `DTypeError` for arrays without gradients, `ShapeError`, and `InvalidInputError` where the draws show that
    the divergence is infinite. Source: [mohamed2020].

    >>> import jax, jax.numpy as jnp, kullback as kb
    >>> q = jnp.log(jnp.array([0.25, 0.75]))
    >>> all_of_p = jnp.log(jnp.array([0.5, 0.5]))
    >>> loss = lambda z: kb.surrogate(kb.kl, jax.nn.log_softmax(z), q, drawn_from="p", log_weights=all_of_p)
    >>> [round(float(x), 4) for x in jax.grad(loss)(jnp.zeros(2))]  # p (log(p/q) − KL) = ±(log 3)/4
    [0.2747, -0.2747]
    """
    xp, g, a, b, w = _slots(d, log_p, log_q, drawn_from, log_weights)
    s = xp.detach(b - a)
    absent = s == -math.inf
    if g.at_zero == math.inf and xp.concrete(s) and bool(xp.any(absent)):
        raise InvalidInputError(
            f"{d.name} is infinite: one density is 0 where the other was drawn; an infinite divergence has no gradient"
        )
    own = _centred(xp, g.tilt(s), w)
    other = xp.where(absent, 0.0, _elasticity(xp, g, s))
    b = xp.where(absent, 0.0, b)
    terms = xp.detach(own) * a + xp.detach(other) * b
    return xp.sum(terms if w is None else w * terms) / (terms.shape[0] if w is None else 1.0)


def in_loss(
    estimator: Averaged,
    d: FDivergence,
    log_p: Array,
    log_q: Array,
    *,
    drawn_from: Literal["p", "q"],
    log_weights: Array | None = None,
) -> Array:
    r"""The average of k1, k2 or k3 as a differentiable scalar, in which draws do not move with the parameters.

    Its value estimates D(p‖q); its gradient need not be that of D(p‖q), because the law of the draws is not
    differentiated. On draws of p, for kl, with the exact gradient of which divergence it is in expectation:

    | | value | gradient towards p | gradient towards q |
    |---|---|---|---|
    | `k1` | kl(p, q) | zero | kl(p, q) |
    | `k2` | near equality | kl(p, q) | E[r ∇r], of no divergence |
    | `k3` | kl(p, q) | kl(q, p) | kl(p, q) |

    where k3's gradient is $-E_q[\nabla \log p]$. `surrogate` has the right one for every divergence. Arguments and
    errors as there. Source: [schulman2020], [tang2025].

    >>> import torch, kullback as kb
    >>> from kullback.exact import k3
    >>> half = torch.log(torch.tensor([0.5, 0.5], dtype=torch.float64))
    >>> q = torch.log(torch.tensor([0.25, 0.75], dtype=torch.float64))
    >>> round(float(in_loss(k3, kb.kl, half, q, drawn_from="p")), 6)
    0.143841
    """
    if not isinstance(estimator, Averaged):
        raise InvalidInputError(f"{estimator} has no terms of one draw each; in_loss takes k1, k2 or k3")
    xp, g, a, b, w = _slots(d, log_p, log_q, drawn_from, log_weights)
    terms = estimator.terms(g, b - a)
    return xp.sum(terms if w is None else w * terms) / (terms.shape[0] if w is None else 1.0)


def _slots(
    d: FDivergence, log_p: Array, log_q: Array, drawn_from: str, log_weights: Array | None
) -> tuple[Namespace, FDivergence, Array, Array, Array | None]:
    """The generator as the law drawn from sees it, that law's log-density, the other's, and weights that sum to 1."""
    if not isinstance(d, FDivergence):
        raise InvalidInputError(
            f"a surrogate needs an f-divergence, got {d!r}; renyi(a) has the minima of alpha(a)"
        )
    if drawn_from not in ("p", "q"):
        raise InvalidInputError(
            f'drawn_from is {drawn_from!r}; say which law the points were drawn from, "p" or "q"'
        )
    xp = ops(log_p, log_q, *(() if log_weights is None else (log_weights,)))
    if not xp.GRADIENTS:
        raise DTypeError(
            f"{xp.NAME} arrays carry no gradients; pass torch or JAX arrays, or take the number from sampled"
        )
    arrays = {"log_p": log_p, "log_q": log_q} | ({} if log_weights is None else {"log_weights": log_weights})
    wide = {}
    for name, x in arrays.items():
        x = xp.asarray(x)
        if x.ndim != 1 or x.shape != xp.asarray(log_p).shape or x.shape[0] == 0:
            raise ShapeError(
                f"`{name}` has shape {tuple(x.shape)}; every array needs one number a draw, shape (n,)"
            )
        wide[name] = xp.to_float(x, 32 if xp.precision(x) < 64 else 64)
    w = None if log_weights is None else xp.detach(xp.softmax(wide["log_weights"]))
    if drawn_from == "p":
        return xp, d.dual, wide["log_p"], wide["log_q"], w
    return xp, d, wide["log_q"], wide["log_p"], w


def _centred(xp: Namespace, coefficients: Array, w: Array | None) -> Array:
    """Less the mean of the others' coefficients: each draw's own would make the average biased."""
    n = coefficients.shape[0]
    if w is None and n == 1:
        return coefficients
    middle = xp.sum(coefficients) / n if w is None else xp.sum(w * coefficients)
    # a coefficient beyond the largest number stays with its own draw
    middle = xp.where(xp.isfinite(middle), middle, 0.0)
    return (coefficients - middle) * (n / (n - 1) if w is None else 1.0)


def _elasticity(xp: Namespace, g: FDivergence, s: Array) -> Array:
    """t g'(t) at t = eˢ."""
    far = s < _FAR
    near = xp.where(far, 0.0, s)
    away = xp.where(far & xp.isfinite(s), s, _FAR)
    tilt = g.tilt(away)
    beyond = xp.isinf(tilt)
    rest = xp.where(beyond, -math.inf, g.value(away) - xp.where(beyond, 0.0, tilt))
    return xp.where(far, rest, xp.exp(near) * g.slope(near))
