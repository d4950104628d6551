"""Learning from responses that are known for bags of examples only: losses of the bag, of its members, between."""

from __future__ import annotations

import torch
from torch import Tensor

from kullback.divergences import Divergence
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.supervision.groups import Groups, check_laws, check_numbers, check_rows


def bag_regression(
    predictions: Tensor,
    responses: Tensor,
    *,
    bags: Tensor,
    rho: float,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The squared error of bags of examples, from that of their mean (ρ = 0) to that of every member (ρ = 1).

    $$\frac1B \sum_b (1 - \rho) (\bar y_b - \bar f_b)^2 + \rho\, \frac{1}{n_b} \sum_{i \in b} (\bar y_b - f_i)^2
    = \frac1B \sum_b (\bar y_b - \bar f_b)^2 + \rho\, \mathrm{Var}_b(f)$$

    The loss of the members is that of the bag and the variance of the predictions within it, so that `rho` is a
    regulariser: 0 ≤ ρ ≤ 1. `predictions` f (n,), one an example; `responses` ȳ (B,), the mean response of each bag;
    `bags` (n,) says by numbers from 0 to B − 1 whose each example is. Bags may differ in size, and each counts once;
    `mask`, `weight` (the sizes, say) and `nonfinite` are about bags, as in `kullback.losses.batches.averaged`. Raises
    `ShapeError`, `DTypeError`, `InvalidInputError`. Source: [javanmard2024].

    >>> import torch
    >>> f, bags = torch.tensor([0.0, 2.0]), torch.tensor([0, 0])
    >>> [float(bag_regression(f, torch.tensor([3.0]), bags=bags, rho=rho)) for rho in (0.0, 0.5, 1.0)]
    [4.0, 4.5, 5.0]
    """
    f, y = check_rows("predictions", predictions, "n,"), check_rows("responses", responses, "B,")
    _check(bags, len(f), len(y), rho)

    def terms(answers: Tensor, numbers: Tensor) -> Tensor:
        rows, sets = _members(bags, numbers)
        means = sets.mean(f[rows])
        spread = sets.mean((f[rows] - means[sets.place]) ** 2)
        return (answers - means) ** 2 + rho * spread

    nothing = f[:0].sum()  # keeps the graph where no bag counts
    return nothing + averaged(terms, y, _numbers(y), mask=mask, weight=weight, nonfinite=nonfinite)


def bag_matching(
    d: Divergence,
    logits: Tensor,
    responses: Tensor,
    *,
    bags: Tensor,
    rho: float,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The divergence of the shares of the classes in a bag from its predictions: their mean (ρ = 0) to each (ρ = 1).

    $$\frac1B \sum_b (1 - \rho)\, D_f(\bar y_b \| \bar p_b)
    + \rho\, \frac{1}{n_b} \sum_{i \in b} D_f(\bar y_b \| p_i), \qquad \bar p_b = \frac{1}{n_b} \sum_{i \in b} p_i$$

    D_f(response‖prediction), the response first: `kb.kl` is cross-entropy less the entropy of the shares. The members
    cost at least what the bag does, for every f. With `kb.reverse_kl`, KL(prediction‖response), what they cost more is
    the `within_bag` of `kb.kl`, the Jensen–Shannon divergence of the members, exactly; with `kb.kl` it is
    $\sum_k \bar y_k (\log \bar p_k - \overline{\log p_k})$, which depends on the response too. Logits (n, K);
    `responses` ȳ (B, K), rows that sum to 1, as constants; the rest as in `bag_regression`. Source: [javanmard2024].

    >>> import torch, kullback as kb
    >>> p, y = torch.tensor([[0.75, 0.25], [0.25, 0.75]]), torch.tensor([[0.5, 0.5]])
    >>> bags = torch.tensor([0, 0])
    >>> [round(float(bag_matching(kb.kl, p.log(), y, bags=bags, rho=rho)), 6) for rho in (0.0, 1.0)]
    [0.0, 0.143841]
    """
    z, log_y = check_rows("logits", logits, "n, K"), check_laws("responses", responses, logits.shape[-1])
    if log_y.ndim != 2:
        raise ShapeError(f"`responses` has shape {tuple(log_y.shape)}; expected (B, K), a law for each bag")
    _check(bags, len(z), len(log_y), rho)
    log_y = log_y.to(z)

    def terms(answers: Tensor, numbers: Tensor) -> Tensor:
        rows, sets = _members(bags, numbers)
        log_p = z[rows].log_softmax(-1)
        # a side at ρ = 0 is left out, because infinity times 0 is not 0
        parts = []
        if rho < 1:
            parts.append((1 - rho) * torch.as_tensor(d.of_logits(answers, sets.log_mean(log_p))))
        if rho > 0:
            parts.append(rho * sets.mean(torch.as_tensor(d.of_logits(answers[sets.place], log_p))))
        return torch.stack(parts).sum(0)

    nothing = z[:0].sum()  # keeps the graph where no bag counts
    return nothing + averaged(terms, log_y, _numbers(log_y), mask=mask, weight=weight, nonfinite=nonfinite)


def within_bag(d: Divergence, logits: Tensor, *, bags: Tensor) -> Tensor:
    r"""How far the members of each bag are from their mean prediction, (B,).

    $$\frac{1}{n_b} \sum_{i \in b} D_f(p_i \| \bar p_b)$$

    With `kb.kl` the generalised Jensen–Shannon divergence of the members. `logits` (n, K), `bags` (n,) numbers from 0
    on, none left out. Raises `ShapeError`, `DTypeError`, `InvalidInputError`. Source: [lin1991].

    >>> import torch, kullback as kb
    >>> z = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]])
    >>> [round(x, 6) for x in within_bag(kb.kl, z, bags=torch.tensor([0, 0])).tolist()]  # log 2
    [0.693147]
    """
    z = check_rows("logits", logits, "n, K")
    check_numbers("bags", bags, len(z))
    if len(z) == 0:
        raise InvalidInputError("`logits` has no rows; a bag needs members")
    _check(bags, len(z), int(bags.max()) + 1, 0.0)
    sets = Groups.of(bags)
    log_p = z.log_softmax(-1)
    return sets.mean(torch.as_tensor(d.of_logits(log_p, sets.log_mean(log_p)[sets.place])))


def _members(bags: Tensor, numbers: Tensor) -> tuple[Tensor, Groups]:
    """The rows that are in the bags of these numbers, and their groups."""
    rows = torch.isin(bags, numbers).nonzero()[:, 0]
    return rows, Groups.of(bags[rows])


def _numbers(responses: Tensor) -> Tensor:
    return torch.arange(len(responses), device=responses.device)


def _check(bags: Tensor, rows: int, count: int, rho: float) -> None:
    check_numbers("bags", bags, rows)
    if not 0 <= rho <= 1:
        raise InvalidInputError(f"`rho` is {rho!r}; expected a number from 0 (the bag) to 1 (its members)")
    if rows and (int(bags.min()) < 0 or int(bags.max()) >= count):
        raise InvalidInputError(
            f"`bags` goes from {int(bags.min())} to {int(bags.max())}; expected numbers from 0 to {count - 1}"
        )
    sizes = torch.zeros(count, dtype=torch.long, device=bags.device).index_add(
        0, bags.long(), torch.ones_like(bags).long()
    )
    if bool((sizes == 0).any()):
        raise InvalidInputError(
            f"{int((sizes == 0).sum())} of {count} bags have no examples, the first is number "
            f"{int((sizes == 0).nonzero()[0])}; a mean needs members: leave them out and number the others anew"
        )
