"""Comp-sum losses, from the sum of exponentials by cross-entropy to the mean absolute error; what they guarantee."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.robust.worst_case import at_least_single


def comp_sum(
    logits: Tensor,
    labels: Tensor,
    *,
    tau: float,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The comp-sum loss of parameter τ ≥ 0, continuous in τ.

    $$\Phi^\tau(u) = \frac{(1 + u)^{1 - \tau} - 1}{1 - \tau}, \qquad
    u = \sum_{k \ne y} e^{z_k - z_y} = \frac{1}{p_y} - 1, \qquad p = \mathrm{softmax}(z)$$

    | τ | is |
    |---|---|
    | 0 | sum of exponentials |
    | 1 | $\log(1 + u)$, cross-entropy |
    | 1 < τ < 2 | generalised cross-entropy $(1 - p_y^q)/q$, q = τ − 1 |
    | 2 | $1 - p_y$, the mean absolute error: total variation of label and prediction |

    Below 2 it is $(2 - \tau) D_\alpha(\text{label} \| p)$ with `kb.alpha(2 - tau)`. The larger τ, the less a label
    that disagrees with everything learnt weighs, as wrong labels do. Logits z (n, K), `labels` (n,) class numbers;
    below τ = 1 the loss grows like $e^{(1 - \tau)(z_k - z_y)}$ and may leave the precision, which `nonfinite` sees.
    Raises `ShapeError`, `InvalidInputError`. Source: [mao2023], [zhang2018].

    >>> import math, torch
    >>> z = torch.tensor([[0.0, math.log(3.0)]])  # p of the label is 1/4
    >>> [round(float(comp_sum(z, torch.tensor([0]), tau=t)), 6) for t in (0.0, 1.0, 1.5, 2.0)]
    [3.0, 1.386294, 1.0, 0.75]
    """
    check_classes(logits, labels)
    _check_tau(tau)
    return averaged(partial(_comp_sums, tau), logits, labels, mask=mask, weight=weight, nonfinite=nonfinite)


def smooth_adversarial(
    logits: Tensor,
    perturbed: Tensor,
    labels: Tensor,
    *,
    tau: float,
    strength: float,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The comp-sum loss of the inputs x, and how far a perturbation x' moves the margins: smooth adversarial comp-sum.

    $$\Phi^\tau\Big(\sum_{k \ne y} e^{-\Delta_k(x)}\Big) + \nu\, \|\Delta(x') - \Delta(x)\|_2, \qquad
    \Delta_k = z_y - z_k,\ k \ne y$$

    `logits` (n, K) of the inputs, `perturbed` those of inputs moved within the ball against which the classifier is to
    be robust, ideally where the norm is largest; ν is `strength` ≥ 0. A common shift of all logits of an example is
    free. At x' = x the gradient of the norm is taken as 0. Other arguments as in `comp_sum`. Source: [mao2023].

    >>> import torch
    >>> x = torch.tensor([[0.0, 0.0]])
    >>> moved = smooth_adversarial(x, torch.tensor([[3.0, 0.0]]), torch.tensor([0]), tau=2.0, strength=1.0)
    >>> float(moved)  # 1/2, and 3 of movement
    3.5
    """
    check_classes(logits, labels)
    _check_tau(tau)
    if perturbed.shape != logits.shape:
        raise ShapeError(
            f"`perturbed` has shape {tuple(perturbed.shape)} and `logits` {tuple(logits.shape)}; expected the same"
        )
    if not 0 <= strength < math.inf:
        raise InvalidInputError(f"`strength` is {strength!r}; expected a finite number that is not negative")

    def terms(at: Tensor, moved: Tensor, own: Tensor) -> Tensor:
        way = at_least_single(moved) - at_least_single(at)
        margins = way.gather(-1, own[:, None]) - way
        return _comp_sums(tau, at, own) + strength * torch.linalg.vector_norm(margins, dim=-1)

    return averaged(terms, logits, perturbed, labels, mask=mask, weight=weight, nonfinite=nonfinite)


def consistency_bound(excess: float | Tensor, *, tau: float, classes: int) -> Tensor:
    r"""What a 0–1 excess b costs at least in comp-sum loss: $T_\tau(b) \le$ excess of the surrogate.

    With s = 1 − τ and n `classes`,

    $$T_\tau(b) = \frac{c}{s}\left[1 - \left(\tfrac12 (1 + b)^{\frac1{1 + s}}
    + \tfrac12 (1 - b)^{\frac1{1 + s}}\right)^{1 + s}\right], \quad
    c = \begin{cases} 2^s & \tau < 1 \\ n^s & 1 < \tau < 2,\end{cases}$$

    $\tfrac12[(1 + b)\log(1 + b) + (1 - b)\log(1 - b)]$ at τ = 1 and $b n^s / (\tau - 1)$ from τ = 2 on. Excesses are of
    the risk, plus the minimisability gap of the hypotheses. Tight for two classes. `excess` any shape, 0 ≤ b ≤ 1; in
    float64. Raises `InvalidInputError`. Source: [mao2023].

    >>> round(float(consistency_bound(0.5, tau=2.0, classes=2)), 6)
    0.25
    >>> round(float(consistency_bound(1.0, tau=1.0, classes=2)), 6)  # log 2
    0.693147
    """
    _check_tau(tau)
    if classes < 2:
        raise InvalidInputError(f"`classes` is {classes}; expected at least 2")
    b = torch.as_tensor(excess, dtype=torch.float64)
    if bool((~((b >= 0) & (b <= 1))).any()):
        raise InvalidInputError("`excess` leaves [0, 1]: it is a difference of two rates of error")
    s = 1.0 - tau
    scale = (2.0 if tau < 1 else float(classes)) ** s
    if tau >= 2:
        return b * scale / -s
    if s == 0:
        return _near_one(b, s)
    if s < -0.5:
        # (1 + s) log of the mean, through the larger of the two: the exponent grows without limit towards τ = 2
        sides = torch.stack([torch.log1p(b), torch.log1p(-b)]) / (1.0 + s)
        return -scale / s * torch.expm1((1.0 + s) * (torch.logsumexp(sides, 0) - math.log(2.0)))
    return -scale / s * torch.expm1((1.0 + s) * torch.log1p(_near_one(b, s)))


def _near_one(b: Tensor, s: float) -> Tensor:
    """½ Σ (1 ± b) [(1 ± b)^(−s/(1 + s)) − 1], small with s; at s = 0 what it is −s times of, ½ Σ (1 ± b) log(1 ± b)."""
    total = torch.zeros_like(b)
    for sign in (1.0, -1.0):
        side = 1.0 + sign * b
        empty = side == 0
        log = torch.log1p(torch.where(empty, 0.0, sign * b))
        power = log if s == 0 else torch.expm1(-s / (1.0 + s) * log)
        # (1 − b)^e at b = 1 is 0 for every e > 0, and the bracket times its factor −(1 − b) = 0
        total = total + torch.where(empty, 0.0, 0.5 * side * power)
    return total


def _comp_sums(tau: float, logits: Tensor, labels: Tensor) -> Tensor:
    z = at_least_single(logits)
    own = labels[:, None]
    rest = z.scatter(-1, own, -math.inf)
    alone = (rest == -math.inf).all(-1)  # no other class is possible: u = 0, and no gradient
    log_u = torch.logsumexp(torch.where(alone[:, None], 0.0, rest), -1) - z.gather(-1, own)[:, 0]
    # log(1 + u) from log u keeps its digits where the label is nearly sure
    cross_entropy = torch.where(alone, 0.0, torch.logaddexp(log_u, torch.zeros_like(log_u)))
    s = 1.0 - tau
    return cross_entropy if s == 0 else torch.expm1(s * cross_entropy) / s


def _check_tau(tau: float) -> None:
    if not 0 <= tau < math.inf:
        raise InvalidInputError(f"`tau` is {tau!r}; expected a finite number that is not negative")


def check_classes(logits: Tensor, labels: Tensor) -> None:
    """(n, K ≥ 2) logits with (n,) labels."""
    if logits.ndim != 2 or logits.shape[-1] < 2 or labels.shape != logits.shape[:1]:
        raise ShapeError(
            f"`logits` has shape {tuple(logits.shape)} and `labels` {tuple(labels.shape)}; expected (n, K) with K at "
            "least 2, and (n,)"
        )
