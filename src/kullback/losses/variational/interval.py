"""The log evidence from below and from above, by the weights of a guide's draws."""

from __future__ import annotations

import torch
from torch import Tensor

from kullback.answer import Answer
from kullback.errors import InvalidInputError, ShapeError
from kullback.exact import pareto_k
from kullback.losses.variational.objectives import chi_upper, importance_weighted

_HEAVY = 0.5  # the tail index above which the weights, or for the chi bound their squares, have no variance


def evidence(log_weights: Tensor, *, posterior: Tensor | None = None, level: float = 0.95) -> Answer:
    r"""The log evidence log p(x) between a lower and an upper bound, each with its Monte Carlo error.

    $$E_q\left[\log \frac1K \sum_k w_k\right] \le \log p(x) \le
    \begin{cases} E_{p(z|x)}[\log w] & \text{(EUBO)} \\ \tfrac12 \log E_q[w^2] & \text{(chi bound)} \end{cases}$$

    `log_weights` are log p(x, z) − log q(z) at independent draws of the guide, (K, n): n sets of K; (n,) is K = 1, the
    ELBO below. `posterior` are the same differences at independent draws of the posterior, (m,), where there are any:
    long chains, or data that the model made. Without them the bound above is the chi bound of all draws, which needs
    guides with tails wider than the posterior's, and says so in a note where the tail of the weights is too heavy.
    `low` and `high` are the bounds less and plus the normal quantile of (1 + `level`)/2 times their standard errors;
    `value` is log of the mean weight, which rises to log p(x) as draws are added, and an end that noise has put beyond
    it is moved to it, with a note. In nats, `kind` monte-carlo. Raises `ShapeError`, and `InvalidInputError` for fewer
    than two sets or draws, NaN, +inf or a level outside (0, 1). Source: [burda2016], [dieng2017], [grosse2015].

    >>> import torch
    >>> print(evidence(torch.tensor([1.5, 1.5, 1.5])))  # equal weights: the guide is the posterior
    1.5 nats (monte-carlo: 3 sets of 1, ELBO below, chi bound above, n=3)
    """
    if not 0 < level < 1:
        raise InvalidInputError(f"`level` is {level}; expected a number between 0 and 1")
    w = _draws("log_weights", log_weights, (1, 2)).reshape(-1, log_weights.shape[-1])
    z = float(torch.special.ndtri(torch.tensor((1.0 + level) / 2.0, dtype=torch.float64)))
    value = float(importance_weighted(w.reshape(-1)))
    below, error_below = _mean(importance_weighted(w))
    if posterior is None:
        above, error_above, notes = _chi(w.reshape(-1))
    else:
        above, error_above = _mean(_draws("posterior", posterior, (1,)))
        notes = ()
    low, high = below - z * error_below, above + z * error_above
    notes = notes + _crossed(low, value, high)
    k, n = w.shape
    ends = ("importance-weighted bound" if k > 1 else "ELBO", "chi bound" if posterior is None else "EUBO")
    method = f"{n} sets of {k}, {ends[0]} below, {ends[1]} above"
    low, high = min(low, value), max(high, value)
    return Answer(value, low, high, level, "monte-carlo", method, w.numel(), notes=notes)


def _chi(w: Tensor) -> tuple[float, float, tuple[str, ...]]:
    """The bound, its error by the delta method, and whether its tail can be trusted."""
    squares = torch.softmax(2.0 * w, 0) * len(w)  # w² over its mean
    error = float(squares.std() / (2.0 * len(w) ** 0.5))
    index = pareto_k(2.0 * w.numpy())
    notes: tuple[str, ...] = ()
    if index > _HEAVY:
        text = (
            f"the squared weights have tail index {index:.2g} (above {_HEAVY}): the upper end rests on a few draws and "
            "may be too low; use a guide with wider tails, or `posterior=`"
        )
        notes = (text,)
    return float(chi_upper(w)), error, notes


def _crossed(low: float, value: float, high: float) -> tuple[str, ...]:
    rounding = 1e-12 * max(1.0, abs(value))
    if low > high + rounding:
        return ("the bounds cross: the draws do not come from the laws that their weights name",)
    if low > value + rounding or high < value - rounding:
        return ("an end lay beyond the value by noise, and was moved to it",)
    return ()


def _mean(x: Tensor) -> tuple[float, float]:
    mean = float(x.mean())
    return mean, float(x.std() / len(x) ** 0.5) if mean > -torch.inf else 0.0  # a weight of 0 leaves no bound


def _draws(name: str, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    if x.ndim not in axes:
        raise ShapeError(
            f"`{name}` has shape {tuple(x.shape)}; expected (n,){' or (K, n)' if 2 in axes else ''}"
        )
    x = x.detach().double().cpu()
    if x.shape[-1] < 2:
        raise InvalidInputError(
            f"`{name}` has {x.shape[-1]} independent numbers; an error needs two at least"
        )
    if bool((x.isnan() | (x == torch.inf)).any()):
        raise InvalidInputError(
            f"`{name}` has NaN or +inf; a log-weight is finite, or -inf where the model is 0"
        )
    if bool((x == -torch.inf).all()):
        raise InvalidInputError(f"`{name}` is -inf throughout; the model gives no draw any probability")
    return x
