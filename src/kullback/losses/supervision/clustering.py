"""Clustering by relative entropy: soft assignments, and the targets towards which they are trained."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kullback.errors import ConvergenceError, InvalidInputError, ShapeError
from kullback.losses.supervision.groups import check_laws, check_rows

_ENOUGH = 16  # times the rounding of a number, how far a step may still move the logarithm of a share


def student_t_logits(embedded: Tensor, centres: Tensor, *, degrees: float = 1.0) -> Tensor:
    r"""Logits (n, K) of soft assignments to cluster centres by Student's t kernel of ν `degrees` of freedom.

    $$z_{ik} = -\frac{\nu + 1}2 \log\left(1 + \frac{\|x_i - \mu_k\|^2}{\nu}\right)$$

    `embedded` x (n, width), `centres` μ (K, width), both with gradient. Raises `ShapeError`, `DTypeError`,
    `InvalidInputError`. Source: [xie2016].

    >>> import torch
    >>> z = student_t_logits(torch.tensor([[0.0]]), torch.tensor([[0.0], [1.0]]))
    >>> [round(p, 6) for p in z.softmax(-1)[0].tolist()]  # 1 : 1/2
    [0.666667, 0.333333]
    """
    x, mu = check_rows("embedded", embedded, "n, width"), check_rows("centres", centres, "K, width")
    if x.shape[-1] != mu.shape[-1]:
        raise ShapeError(
            f"`embedded` has width {x.shape[-1]} and `centres` {mu.shape[-1]}; expected the same"
        )
    if not 0 < degrees < math.inf:
        raise InvalidInputError(f"`degrees` is {degrees!r}; expected a finite positive number")
    squares = ((x[:, None] - mu) ** 2).sum(-1)
    return -(degrees + 1) / 2 * torch.log1p(squares / degrees)


def dec_targets(logits: Tensor) -> Tensor:
    r"""Sharper assignments, divided by how much each cluster holds: the target of DEC.

    $$q_{ik} \propto \frac{p_{ik}^2}{\sum_j p_{jk}}, \qquad p_i = \mathrm{softmax}(z_i)$$

    It is also the target in the published code of DEPICT, whose text has `depict_targets`. Takes logits (n, K) of all
    that is clustered and returns log q (n, K), as constants, the `teacher` of `kullback.losses.loss`. A cluster that
    nothing belongs to stays empty. Raises `ShapeError`, `DTypeError`, `InvalidInputError`. Source: [xie2016],
    [dizaji2017].

    >>> import torch
    >>> p = torch.tensor([[0.75, 0.25], [0.75, 0.25]])
    >>> [round(q, 6) for q in dec_targets(p.log()).exp()[0].tolist()]  # 9/16 / 1.5 : 1/16 / 0.5
    [0.75, 0.25]
    """
    return _powers(logits, sharpness=2.0, balance=1.0)


def depict_targets(logits: Tensor) -> Tensor:
    r"""Assignments made more even over the clusters, the closed form of DEPICT's text.

    $$q_{ik} \propto \frac{p_{ik}}{\sqrt{\sum_j p_{jk}}}$$

    An approximation to `balanced_targets` at a strength of 1, whose shares $\frac1n \sum_j q_{jk}$ it replaces by the
    geometric mean of the shares of p and the uniform ones. It is flatter than p, so that training towards it alone
    need not end in sure assignments. Arguments and errors as in `dec_targets`. Source: [dizaji2017].

    >>> import torch
    >>> p = torch.tensor([[0.8, 0.2], [0.8, 0.2]])
    >>> [round(q, 6) for q in depict_targets(p.log()).exp()[0].tolist()]  # √0.8 : √0.2
    [0.666667, 0.333333]
    """
    return _powers(logits, sharpness=1.0, balance=0.5)


def balanced_targets(
    logits: Tensor, *, prior: Tensor | None = None, strength: float = 1.0, steps: int = 10_000
) -> Tensor:
    r"""The assignments nearest to the predictions whose shares pay for leaving a prior, solved for exactly.

    $$\min_q\; \frac1n \sum_i \mathrm{KL}(q_i \| p_i) + \lambda\, \mathrm{KL}(f \| u), \quad
    f_k = \frac1n \sum_i q_{ik} \qquad \Longrightarrow \qquad
    q_{ik} \propto p_{ik} \left(\frac{u_k}{f_k}\right)^\lambda$$

    u is `prior` (K,) > 0, uniform where not given; λ is `strength` > 0. The problem is convex. Its equation is
    iterated on log(u/f) with steps damped by 2/(2 + λ), each of which leaves at most about λ/(2 + λ) of the error;
    `ConvergenceError` where `steps` do not settle it. Takes and returns what `dec_targets` does; a class at −inf in
    every row is refused, since its share cannot be mended. Raises `ShapeError`, `DTypeError`, `InvalidInputError`.
    Source: [dizaji2017].

    >>> import torch
    >>> p = torch.tensor([[0.8, 0.2], [0.8, 0.2]])
    >>> [round(q, 6) for q in balanced_targets(p.log()).exp()[0].tolist()]  # q² ∝ p
    [0.666667, 0.333333]
    """
    log_p = _assignments(logits)
    if not 0 < strength < math.inf:
        raise InvalidInputError(f"`strength` is {strength!r}; expected a finite positive number")
    classes = log_p.shape[-1]
    uniform = torch.full((classes,), 1.0 / classes, dtype=log_p.dtype, device=log_p.device)
    log_u = check_laws("prior", uniform if prior is None else prior, classes).to(log_p)
    if bool(torch.isneginf(log_u).any()) or bool(torch.isneginf(log_p).all(0).any()):
        raise InvalidInputError(
            "a cluster has no share in `prior`, or no row can be in it; take it out of the logits"
        )
    price, damping = torch.zeros_like(log_u), 2.0 / (2.0 + strength)
    small = _ENOUGH * torch.finfo(log_p.dtype).eps * (1.0 + strength)
    for _ in range(steps):
        shares = (log_p - price).log_softmax(-1).logsumexp(0) - math.log(len(log_p))
        move = strength * (shares - log_u) - price
        price = price + damping * move
        if bool(move.abs().max() <= small * (1.0 + price.abs().max())):
            return (log_p - price).log_softmax(-1)
    raise ConvergenceError(
        f"after {steps} steps a share is still off by {float(move.abs().max() / strength):.1e} of itself; allow more "
        "`steps`, or a smaller `strength`"
    )


def _powers(logits: Tensor, sharpness: float, balance: float) -> Tensor:
    log_p = _assignments(logits)
    shares = log_p.logsumexp(0)
    shares = torch.where(torch.isneginf(shares), 0.0, shares)  # of an empty cluster: nothing to divide
    return (sharpness * log_p - balance * shares).log_softmax(-1)


def _assignments(logits: Tensor) -> Tensor:
    """Logarithms of the probabilities, without gradient."""
    z = check_rows("logits", logits.detach(), "n, K")
    if len(z) == 0:
        raise InvalidInputError("`logits` has no rows; targets need all that is clustered")
    log_p = z.log_softmax(-1)
    if bool(torch.isnan(log_p).any()):
        bad = torch.isnan(log_p).any(-1).nonzero()
        raise InvalidInputError(
            f"{len(bad)} of {len(z)} rows of `logits` have no softmax, the first is row {int(bad[0])}; the shares of "
            "all rows depend on them: leave them out"
        )
    return log_p
