"""KL(policy‖reference) from the tokens that were drawn: numbers, and losses whose gradients are what they claim."""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from torch import Tensor

from kullback._ops import ops
from kullback.divergences import reverse_kl
from kullback.divergences.growth import reach
from kullback.errors import InvalidInputError, ShapeError
from kullback.exact import Estimator, k1, k2, k3
from kullback.exact.control_variates import SIGMAS, Draws, Fixed, Regressed, average, regress

_NEAR = (
    1.0  # below this log-ratio k3 − λ(t − 1) keeps more digits, above it k1 + (1 − λ)(t − 1), the same number
)


def sampled_kl(
    estimator: Estimator, log_probs: Tensor, log_ratio: Tensor, *, drawn_with: Tensor | None = None
) -> Tensor:
    r"""A number for every drawn token that has in expectation the value and the gradient of KL(policy‖reference).

    $$w\,(t - 1 - \log t - \lambda (t - 1)), \qquad t = \frac{q}{p},\quad w = \frac{p}{\mu},$$

    p the policy, q the reference, μ what drew the tokens, with the ratio w differentiated: that is what carries the
    gradient of the draws, which `kl_in_loss` leaves out. λ is 1 for `k1`, 0 for `k3`, its own for `fixed`, and for
    `regressed` a least-squares fit to the tokens passed, which should be those that count. `log_probs` are the
    policy's and `log_ratio` = log p − log q of the same tokens, both as `selected` makes them; `drawn_with` the
    log-probabilities under μ, a constant: without it the policy drew them, and w is 1. Any equal shapes; in nats.

    The gradient is that of each token's own distribution; what a token changes for those after it is the business of
    `kl_in_reward`, or of log-probabilities summed over sequences. A token beyond the reach of the precision (t above
    e⁴⁰ in single) is continued along the tangent there, with a warning that counts them.

    Raises `ShapeError`, and `InvalidInputError` for `k2`, which is biased. Source: [schulman2020], [tang2025].

    >>> import torch
    >>> from kullback.exact import k3
    >>> p = torch.tensor([0.5, 0.5]).log(); ratio = p - torch.tensor([0.25, 0.75]).log()
    >>> round(float(sampled_kl(k3, p, ratio).mean()), 6)  # (log 2 − 1/2 + log(2/3) + 1/2)/2
    0.143841
    """
    if estimator == k2:
        raise InvalidInputError(
            "k2 is biased; kl_in_loss(k2, log_ratio) has the gradient of KL(policy‖reference)"
        )
    _check("log_probs", log_probs, log_ratio)
    if drawn_with is not None:
        _check("drawn_with", drawn_with, log_ratio)
    log_weights = log_probs - (log_probs if drawn_with is None else drawn_with).detach()
    terms = _terms(estimator, log_ratio, None if drawn_with is None else log_weights)
    return log_weights.exp() * terms


def kl_in_loss(estimator: Estimator, log_ratio: Tensor, *, log_weights: Tensor | None = None) -> Tensor:
    r"""k1, k2 or k3 of every drawn token as a term of a loss, the draws not differentiated.

    | | formula | value | gradient towards the policy |
    |---|---|---|---|
    | `k1` | $r$ | KL(policy‖reference) | zero |
    | `k2` | $r^2/2$ | near equality | KL(policy‖reference) |
    | `k3` | $e^{-r} - 1 + r$ | KL(policy‖reference) | KL(reference‖policy) |
    | `fixed(λ)` | $k3 - \lambda (e^{-r} - 1)$ | KL(policy‖reference) | (1 − λ) KL(reference‖policy) |

    in expectation over tokens that the policy drew, with r = `log_ratio` = log policy − log reference; `regressed` is
    `fixed` at a fitted λ. `log_weights`, log policy − log of what drew the tokens, held constant, makes that true of
    tokens that another law drew. Far tokens and errors as in `sampled_kl`, which has the value and the gradient of
    one and the same divergence. Source: [schulman2020], [tang2025].

    >>> import torch
    >>> from kullback.exact import k2
    >>> kl_in_loss(k2, torch.tensor([2.0, -1.0])).tolist()
    [2.0, 0.5]
    """
    if log_weights is None:
        return _terms(estimator, log_ratio, None)
    _check("log_weights", log_weights, log_ratio)
    return log_weights.detach().exp() * _terms(estimator, log_ratio, log_weights)


def kl_in_reward(log_ratio: Tensor) -> Tensor:
    r"""What to take off the reward of every token, times a coefficient: k1, $\log p - \log q$, held constant.

    With the sum of what follows a token as its return, the policy gradient has in expectation that of
    KL(policy‖reference) of whole sequences,

    $$\nabla \mathrm{KL} = E\left[\sum_t \nabla \log p_t \sum_{s \ge t} (\log p_s - \log q_s)\right].$$

    No other estimator has this: k3 in its place has the gradient of KL(policy‖reference) − KL(reference‖policy).
    In nats. Source: [schulman2020], [tang2025].

    >>> import torch
    >>> kl_in_reward(torch.tensor([0.5, -0.25])).tolist()
    [0.5, -0.25]
    """
    return log_ratio.detach()


def _terms(estimator: Estimator, log_ratio: Tensor, log_weights: Tensor | None) -> Tensor:
    s = -log_ratio  # log t
    if estimator == k1:
        return k1.terms(reverse_kl, s)
    if estimator == k2:
        return k2.terms(reverse_kl, s)
    if estimator == k3:
        return _without_control(s, 0.0)
    if isinstance(estimator, Fixed):
        return _without_control(s, estimator.coefficient)
    if isinstance(estimator, Regressed):
        return _without_control(s, _fitted(s, log_weights))
    raise InvalidInputError(
        f"{estimator!r} has no terms of one token each; use k1, k2, k3, fixed or regressed"
    )


def _without_control(s: Tensor, coefficient: float) -> Tensor:
    """φ(s) − λ (eˢ − 1), φ(s) = eˢ − 1 − s, along the tangent where eˢ is out of reach."""
    furthest = reach(ops(s), s)
    beyond = s > furthest
    if bool(beyond.any()):
        warnings.warn(
            f"{int(beyond.sum())} of {s.numel()} tokens are e^{furthest:g} times likelier under the reference than "
            "under the policy: there the estimate follows its tangent",
            RuntimeWarning,
            stacklevel=4,
        )
    inside = torch.where(beyond, furthest, s)
    far = inside.abs() >= _NEAR
    k = reverse_kl.value(torch.where(far, 0.0, inside)) if coefficient else reverse_kl.value(inside)
    if coefficient:
        growth = torch.expm1(inside)
        k = torch.where(far, (1.0 - coefficient) * growth - inside, k - coefficient * growth)
    slope = (1.0 - coefficient) * math.exp(furthest) - 1.0
    return k + torch.where(beyond, slope * (s - furthest), 0.0)


def _fitted(s: Tensor, log_weights: Tensor | None) -> float:
    """The λ that explains most of k3 by t − 1; 0 or 1 where the ratios do not average to 1, as they should."""
    if s.numel() < 3:
        raise InvalidInputError(
            f"regressed fits a line to the tokens, and there are {s.numel()}; use k1 or k3"
        )
    x = s.detach().double().reshape(-1)
    w = torch.full_like(x, 1.0 / len(x)) if log_weights is None else _normalised(log_weights)
    x = x.clamp(max=reach(ops(x), x))
    draws = Draws(reverse_kl, x, w.cpu().numpy(), log_weights is not None)
    control, terms = (draws.values(f) for f in (torch.expm1(x), reverse_kl.value(x)))
    if not np.all(np.isfinite(terms)):
        return 0.0
    known = average(draws, control, "control")
    if abs(known.value) <= SIGMAS * known.error:
        return regress(terms, control, draws.weights, draws.weighted)[2]
    return min((0.0, 1.0), key=lambda c: average(draws, terms - c * control, "terms").error)


def _normalised(log_weights: Tensor) -> Tensor:
    return torch.softmax(log_weights.detach().double().reshape(-1), 0)


def _check(name: str, x: Tensor, log_ratio: Tensor) -> None:
    if x.shape != log_ratio.shape:
        raise ShapeError(
            f"`{name}` has shape {tuple(x.shape)} and `log_ratio` {tuple(log_ratio.shape)}; expected one number for "
            "every token in each"
        )
