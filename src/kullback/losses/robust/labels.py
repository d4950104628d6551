"""Classification losses that are worst cases over the labels: the margins of a law near the uniform one."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from kullback.bounds import upper_expectation
from kullback.divergences import FDivergence, kl
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.robust.worst_case import at_least_single


def label_robust(
    d: FDivergence,
    logits: Tensor,
    labels: Tensor,
    *,
    penalty: float | Tensor,
    margin: float = 0.0,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The worst mean margin over laws of the label, at a `penalty` λ on their divergence from the uniform law u.

    $$\frac1n \sum_i \sup_p \sum_k p_k \left(z_{ik} - z_{iy_i} + c\, 1\{k \ne y_i\}\right) - \lambda D_f(p \| u)$$

    Logits z (n, K), `labels` (n,) class numbers, c ≥ 0 the `margin`. With `kb.kl` it is LDR-KL,
    $\lambda \log \frac1K \sum_k e^{(\cdot)_k/\lambda}$: cross-entropy minus log K at λ = 1 and c = 0. At λ = 0 it is
    the multiclass hinge of the largest margin, at λ = `math.inf` the mean margin, for every f. `penalty` may be one
    number an example, (n,), with its gradient. KL in closed form on the device; any other f is solved on the host in
    float64, and has first derivatives only. Masks and policy as in `kullback.losses.batches.averaged`.

    Raises `ShapeError`, `InvalidInputError`. Source: [zhu2023].

    >>> import math, torch, kullback as kb
    >>> logits = torch.tensor([[0.0, math.log(3.0)]])
    >>> round(float(label_robust(kb.kl, logits, torch.tensor([0]), penalty=1.0)), 6)  # log 4 − log 2
    0.693147
    """
    _check(logits, labels, margin)
    price = _prices(penalty, logits)
    terms = partial(_worst_margins, d, margin)
    return averaged(terms, logits, labels, price, mask=mask, weight=weight, nonfinite=nonfinite)


def adaptive_penalties(
    d: FDivergence,
    logits: Tensor,
    labels: Tensor,
    *,
    penalty: float,
    alpha: float = 2.0,
    margin: float = 0.0,
    previous: Tensor | None = None,
) -> Tensor:
    r"""Penalties (n,), one an example: smaller where the worst law of its label is far from uniform.

    $$\lambda_i = \lambda_0 \left(1 - \frac{D_f(p_i \| u)}{\alpha\, D_f(\delta \| u)}\right), \qquad
    p_i = \arg\max_p \sum_k p_k m_{ik} - \lambda_i' D_f(p \| u)$$

    m the margins of `label_robust`, λ₀ the `penalty`, λ' the `previous` penalties (λ₀ where not given), δ one sure
    label: D_f(δ‖u) is the largest divergence, log K for KL. One step of ALDR, without gradient; steps that feed on
    themselves end at the maximum over λ of the objective of `adaptive_label_robust`. `alpha` > 1 keeps λ positive.

    Raises `ShapeError`, and `InvalidInputError` where f(0) is infinite (`reverse_kl`): there is no largest divergence
    to compare with. Source: [zhu2023].

    >>> import torch, kullback as kb
    >>> adaptive_penalties(kb.kl, torch.zeros(1, 3), torch.tensor([0]), penalty=2.0).tolist()
    [2.0]
    """
    _check(logits, labels, margin)
    largest = _largest(d, logits.shape[-1])
    _check_adaptive(penalty, alpha)
    with torch.no_grad():
        price = _prices(penalty if previous is None else previous, logits)
        scaled = _margins(logits, labels, margin) / price[:, None]
        p = _worst_labels(d, scaled)
        distance = torch.as_tensor(d(p, torch.full_like(p, 1.0 / p.shape[-1]), validate=False))
        return penalty * (1.0 - distance / (alpha * largest))


def adaptive_label_robust(
    d: FDivergence,
    logits: Tensor,
    labels: Tensor,
    *,
    penalty: float,
    alpha: float = 2.0,
    margin: float = 0.0,
    previous: Tensor | None = None,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""`label_robust` at penalties that each example sets itself, at a cost for leaving λ₀: ALDR.

    $$\frac1n \sum_i \sup_p \sum_k p_k m_{ik} - \lambda_i D_f(p \| u)
    - \frac{\alpha D_f(\delta \| u)}{2 \lambda_0} (\lambda_i - \lambda_0)^2$$

    with λ_i from `adaptive_penalties`, held constant; arguments as there and in `label_robust`. The published recipe
    divides the logits of an example by the mean of their absolute values first, which is left to the caller. Source:
    [zhu2023].

    >>> import torch, kullback as kb
    >>> float(adaptive_label_robust(kb.kl, torch.zeros(1, 3), torch.tensor([0]), penalty=2.0))
    0.0
    """
    finite = torch.isfinite(logits.detach()).all(-1)
    price = torch.full(logits.shape[:1], penalty, dtype=torch.float64, device=logits.device)
    kept = finite if mask is None else finite & mask
    if bool(kept.any()):
        price[kept] = adaptive_penalties(
            d,
            logits[kept],
            labels[kept],
            penalty=penalty,
            alpha=alpha,
            margin=margin,
            previous=None if previous is None else previous[kept],
        ).double()
    cost = alpha * _largest(d, logits.shape[-1]) / (2.0 * penalty) * (price - penalty) ** 2

    def terms(z: Tensor, y: Tensor, at: Tensor, left: Tensor) -> Tensor:
        worst = _worst_margins(d, margin, z, y, at)
        return worst - left.to(worst.dtype)

    return averaged(terms, logits, labels, price, cost, mask=mask, weight=weight, nonfinite=nonfinite)


def _worst_margins(d: FDivergence, margin: float, logits: Tensor, labels: Tensor, price: Tensor) -> Tensor:
    """λ sup_p E_p (m/λ) − D for every example, with its limits at λ = 0 and λ = ∞."""
    m = _margins(logits, labels, margin)
    price = price.to(m.dtype)
    inner = (price > 0) & torch.isfinite(price)
    limit = torch.where(price > 0, m.mean(-1), m.amax(-1))
    if not bool(inner.any()):
        return limit
    if bool(inner.all()):
        return price * _unit_price(d, m / price[:, None])
    # the others are taken out before the arithmetic: m/0 would reach the gradient through a product with 0
    return limit.index_put(
        inner.nonzero(as_tuple=True), price[inner] * _unit_price(d, m[inner] / price[inner, None])
    )


def _unit_price(d: FDivergence, x: Tensor) -> Tensor:
    """sup_p E_p x − D_f(p‖u) for each row."""
    if d == kl:
        top = x.detach().amax(-1, keepdim=True)
        # log mean exp, in small numbers where all x are near each other
        return top[:, 0] + torch.log1p(kl.conjugate(x - top).mean(-1))
    if not bool(torch.isfinite(x.detach()).all()):
        return x.sum(-1)  # not finite where a row is not, for the policy of the batch to find
    return upper_expectation(d, x, penalty=1.0).surrogate(x)


def _worst_labels(d: FDivergence, x: Tensor) -> Tensor:
    return torch.softmax(x, -1) if d == kl else torch.as_tensor(upper_expectation(d, x, penalty=1.0).weights)


def _margins(logits: Tensor, labels: Tensor, margin: float) -> Tensor:
    logits = at_least_single(logits)
    own = labels[:, None]
    extra = torch.full_like(logits, margin).scatter(-1, own, 0.0)
    return logits - logits.gather(-1, own) + extra


def _largest(d: FDivergence, classes: int) -> float:
    """D_f(δ‖u), one sure label from the uniform law."""
    if not math.isfinite(d.at_zero):
        raise InvalidInputError(
            f"f(0) of {d.name} is infinite, so there is no largest divergence to set the penalties by; use one with "
            "f(0) finite: kl, js, pearson_chi2, alpha(a) with a > 0"
        )
    sure, uniform = [1.0] + [0.0] * (classes - 1), [1.0 / classes] * classes
    return float(d(sure, uniform))


def _prices(penalty: float | Tensor, logits: Tensor) -> Tensor:
    given = torch.as_tensor(penalty, dtype=None if isinstance(penalty, Tensor) else torch.float64)
    if given.ndim and given.shape != logits.shape[:1]:
        raise ShapeError(
            f"`penalty` has shape {tuple(given.shape)}; expected a number or one for each of {len(logits)} examples"
        )
    if bool((~(given >= 0)).any()):
        raise InvalidInputError(
            f"`penalty` is {float(given.min()):g} in places; expected numbers that are not negative"
        )
    return given.to(logits.device).expand(len(logits))


def _check_adaptive(penalty: float, alpha: float) -> None:
    if not 0 < penalty < math.inf:
        raise InvalidInputError(f"`penalty` is {penalty!r}; expected a finite positive number")
    if not alpha > 1:
        raise InvalidInputError(f"`alpha` is {alpha!r}; above 1 every penalty stays positive")


def _check(logits: Tensor, labels: Tensor, margin: float) -> None:
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ShapeError(
            f"`logits` has shape {tuple(logits.shape)} and `labels` {tuple(labels.shape)}; expected (n, K) and (n,)"
        )
    if not 0 <= margin < math.inf:
        raise InvalidInputError(f"`margin` is {margin!r}; expected a finite number that is not negative")
