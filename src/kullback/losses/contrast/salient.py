"""What two sets have in common apart from what only one of them has: alignment, uniformity and a joint entropy."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.contrast.checks import check_number, real, states
from kullback.losses.contrast.rows import usable


def alignment(
    first: Tensor,
    second: Tensor,
    *,
    variance: float = 0.5,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""How far the two views of an example are apart, $\frac1n \sum_i |x_i - y_i|^2 / (2\tau)$.

    `first` x and `second` y (n, width); `variance` is τ, that of the kernel in `uniformity`, which is alignment's
    counterpart: both together are what InfoNCE tends to with many negatives. `mask`, `weight` and `nonfinite` as in
    `kullback.losses.batches`. Raises `ShapeError`, `DTypeError` or `InvalidInputError`. Source: [wang2020].

    >>> import torch
    >>> float(alignment(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 4.0]])))  # 25/(2/2)
    25.0
    """
    check_number("variance", variance)
    x, y = states(("first", first), ("second", second))

    def terms(x: Tensor, y: Tensor) -> Tensor:
        return (x - y).square().sum(-1) / (2 * variance)

    return averaged(terms, x, y, mask=mask, weight=weight, nonfinite=nonfinite)


def uniformity(
    points: Tensor,
    *,
    variance: float = 0.5,
    mask: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""How much examples crowd, $\log \frac1{n(n - 1)} \sum_{i \ne j} e^{-|x_i - x_j|^2 / (2\tau)}$.

    At most 0, where all are one; `points` x (n, width), n ≥ 2, usually of length 1; `variance` is τ. Without the
    constant it is minus the quadratic Rényi entropy of a kernel estimate. Examples outside `mask`, and those not finite
    where `nonfinite` is `"skip"`, are left out. Errors as in `alignment`. Source: [wang2020].

    >>> import torch
    >>> round(float(uniformity(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))), 6)  # one distance, of 2
    -4.0
    """
    check_number("variance", variance)
    (x,) = usable(real("points", points, 2, "(n, width), one row an example"), mask=mask, nonfinite=nonfinite)
    n = len(x)
    if n < 2:
        raise InvalidInputError(f"{n} examples count; uniformity is of pairs")
    exponents = -_squares(x) / (2 * variance)
    alone = torch.eye(n, dtype=torch.bool, device=x.device)
    return exponents.masked_fill(alone, -math.inf).logsumexp((0, 1)) - math.log(n * (n - 1))


def negative_joint_entropy(
    common: Tensor,
    salient: Tensor,
    *,
    variance: float = 0.5,
    mask: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""Minus the joint entropy of two codes by a kernel estimate, up to a constant.

    $$\frac1n \sum_i \log \frac1n \sum_j e^{-(|c_i - c_j|^2 + |s_i - s_j|^2) / (2\tau)}$$

    `common` c (n, width) and `salient` s (n, any width). Where the entropies of c and of s are held up by other terms,
    to minimise this is to minimise their mutual information H(c) + H(s) − H(c, s). It is at most 0, where all examples
    are one, and at least −log n, far apart. `variance` τ, `mask`, `nonfinite` and errors as in `uniformity`.
    Source: [louiset2024].

    >>> import torch
    >>> far = torch.tensor([[0.0], [1e3]])
    >>> round(float(negative_joint_entropy(far, far)), 6)  # −log 2
    -0.693147
    """
    check_number("variance", variance)
    c = real("common", common, 2, "(n, width), one row an example")
    s = real("salient", salient, 2, "(n, width), one row an example")
    if len(c) != len(s):
        raise ShapeError(f"`common` is of {len(c)} examples and `salient` of {len(s)}; expected the same")
    c, s = usable(c, s, mask=mask, nonfinite=nonfinite)
    if len(c) == 0:
        raise InvalidInputError("no example counts, and the entropy of none does not exist")
    exponents = -(_squares(c) + _squares(s)) / (2 * variance)
    return (exponents.logsumexp(-1) - math.log(len(c))).mean()


def common_salient(
    *,
    common: tuple[Tensor, Tensor],
    salient: tuple[Tensor, Tensor],
    background_common: tuple[Tensor, Tensor],
    background_salient: Tensor,
    absent: Tensor,
    variance: float = 0.5,
    salient_weight: float = 1.0,
    absence_weight: float = 1.0,
    independence_weight: float = 10.0,
) -> Tensor:
    r"""Codes of what a target set shares with a background set, and of what it has alone.

    $$A(c) + 2U(c) + \beta_s [A(s) + 2U(s)] + \beta_r\, \overline{|s_b - s'|^2} / (2\tau) + \beta_j J(c, s)$$

    `common` and `salient` are two views each, (n, width), of the target's codes c and s; `background_common` those of
    the background, which c is aligned and spread over too; `background_salient` s_b (m, width) is drawn to the constant
    `absent` s' (width,), because the background has nothing of its own. A is `alignment`, U `uniformity` (of both
    views, averaged) and J `negative_joint_entropy` of the first views of the target, which keeps s from repeating c.
    The coefficients are `salient_weight`, `absence_weight` and `independence_weight`. Codes are usually of length 1.
    Raises `ShapeError`, `DTypeError` or `InvalidInputError`. Source: [louiset2024].

    >>> import torch
    >>> c, s, none = torch.eye(2), torch.eye(2), torch.zeros(1, 2)
    >>> loss = common_salient(
    ...     common=(c, c), salient=(s, s), background_common=(-c, -c), background_salient=none, absent=none[0]
    ... )
    >>> float(loss) < 0
    True
    """
    weights = {
        "salient_weight": salient_weight,
        "absence_weight": absence_weight,
        "independence_weight": independence_weight,
    }
    for name, value in weights.items():
        check_number(name, value, zero=True)
    real("background_salient", background_salient, 2, "(m, width), one row an example")
    if tuple(absent.shape) != (background_salient.shape[-1],):
        raise ShapeError(
            f"`absent` has shape {tuple(absent.shape)}; expected {(background_salient.shape[-1],)}, one code"
        )
    everyone = [torch.cat(views) for views in zip(common, background_common, strict=True)]
    loss = _spread(everyone, variance) + salient_weight * _spread(salient, variance)
    nothing = absent.expand_as(background_salient)
    loss = loss + absence_weight * alignment(background_salient, nothing, variance=variance)
    joint = negative_joint_entropy(common[0], salient[0], variance=variance)
    return loss + independence_weight * joint


def _spread(views: tuple[Tensor, Tensor] | list[Tensor], variance: float) -> Tensor:
    crowding = [uniformity(view, variance=variance) for view in views]
    return alignment(views[0], views[1], variance=variance) + crowding[0] + crowding[1]


def _squares(x: Tensor) -> Tensor:
    """Squared distances of all pairs, by differences: those of near points are not lost in the points' squares."""
    return torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist").square()
