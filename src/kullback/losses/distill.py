r"""Distillation beyond one divergence: both directions in balance, labels beside the teacher, the target class apart.

What needs no function of its own is `kb.loss` of a noun: `kb.kl` is the literature's forward KL, `kb.reverse_kl` the
reverse one, `kb.skew_js(beta)` the generalised JSD(β) of on-policy distillation and `kb.skew_js(beta).normalised()`
the form over β (1 − β), which is KL at one end and reverse KL at the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from kullback.divergences import Divergence, FDivergence, kl
from kullback.errors import InvalidInputError, ShapeError, UnsupportedPairError
from kullback.losses.averaging import averaged, check_logits, kept
from kullback.losses.engines.chunks import Engine
from kullback.losses.engines.sides import raised, tempered
from kullback.losses.heads import Head
from kullback.losses.sparse import TopK
from kullback.losses.token import Per, loss, per_token

Rule = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def by_entropy(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    r"""Weights of D(teacher‖student) and of D(student‖teacher), from the entropies of the two.

    $$\nu = (2, 1) \text{ where } H_{\text{student}} < H_{\text{teacher}},\quad (1, 2) \text{ where it is larger},$$

    and (1, 1) where they agree: a student that is too sure is pushed to cover what the teacher allows, one that is not
    sure enough to leave what the teacher excludes. Which direction to strengthen, and by a factor of 2, is our reading
    of [amara2022], who decide it by a comparison of the entropies; any function of the two takes its place.

    >>> import torch
    >>> [w.tolist() for w in by_entropy(torch.tensor([0.1, 0.9]), torch.tensor([0.5, 0.5]))]
    [[2.0, 1.0], [1.0, 2.0]]
    """
    one = torch.ones_like(student)
    return one + (student < teacher), one + (student > teacher)


def balanced(
    d: FDivergence,
    student: Tensor | Head,
    teacher: Tensor | Head,
    *,
    rule: Rule = by_entropy,
    mask: Tensor | None = None,
    labels: Tensor | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    temperature: float = 1.0,
    squared_temperature: bool = False,
    per: Per = "token",
    denominator: float | Tensor | None = None,
    engine: Engine | None = None,
) -> Tensor:
    r"""Both directions at once, each token with its own balance.

    $$\frac1n \sum_i \left[\nu_i\, D(\text{teacher}_i \| \text{student}_i)
    + \nu_i'\, D(\text{student}_i \| \text{teacher}_i)\right], \qquad (\nu_i, \nu_i') = \text{rule}(H_i, H_i')$$

    `rule` takes the entropies of student and teacher at the temperature, in nats and in the shape of the leading axes,
    and returns the two weights; no gradient passes through them. The other arguments are those of `kb.loss`, and so is
    the memory: with heads no logits are kept. Raises `UnsupportedPairError` for a divergence without another direction,
    and for a `TopK` teacher. Source: [amara2022].

    >>> import torch, kullback as kb
    >>> p = torch.tensor([[0.5, 0.5]]).log(); q = torch.tensor([[0.25, 0.75]]).log()
    >>> both = kb.loss(kb.kl, q, p), kb.loss(kb.reverse_kl, q, p)
    >>> round(float(balanced(kb.kl, student=q, teacher=p) - 2 * both[0] - both[1]), 6)  # the student is surer
    0.0
    """
    if not isinstance(d, FDivergence):
        raise UnsupportedPairError(f"{d.name} is not an f-divergence and has no dual to balance it with")
    if isinstance(teacher, TopK):
        raise UnsupportedPairError(
            "the entropy of a teacher known by a few classes is not known; pass its logits or its Head"
        )
    forth, back = rule(*(_entropies(x, temperature, engine) for x in (student, teacher)))
    total = torch.zeros(())
    for noun, factor in ((d, forth), (d.dual, back)):
        total = total.to(factor.device) + loss(
            noun,
            student,
            teacher,
            mask=mask,
            labels=labels,
            ignore_index=ignore_index,
            weight=factor if weight is None else factor * weight,
            temperature=temperature,
            squared_temperature=squared_temperature,
            per=per,
            denominator=denominator,
            engine=engine,
        )
    return total


def _entropies(side: Tensor | Head, temperature: float, engine: Engine | None) -> Tensor:
    """The entropy of every row, without its logits in memory: how far it is from the uniform one."""
    first = side.hidden if isinstance(side, Head) else side
    classes = side.shape[-1]
    uniform = first.new_zeros(1).expand(tuple(side.shape))
    with torch.no_grad():
        return math.log(classes) - per_token(kl, uniform, side, temperature=temperature, engine=engine)


def with_labels(
    d: Divergence,
    student: Tensor | Head,
    teacher: Tensor | Head | TopK,
    labels: Tensor,
    *,
    hard: float,
    soft: float,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    temperature: float = 1.0,
    squared_temperature: bool = False,
    per: Per = "token",
    denominator: float | Tensor | None = None,
    engine: Engine | None = None,
) -> Tensor:
    r"""Cross-entropy with the labels beside the divergence from the teacher.

    $$\text{hard} \cdot \frac1n \sum_i -\log q_i(y_i) + \text{soft} \cdot \frac1n \sum_i
    D\big(\text{teacher}_i^{1/T} \| \text{student}_i^{1/T}\big)$$

    `labels` are class numbers in the shape of the leading axes; rows of `ignore_index` count in neither sum. The labels
    are compared at temperature 1, the teacher at `temperature` T; `squared_temperature=True` multiplies the second sum
    by T², which keeps its gradient of one size as T grows. The other arguments are those of `kb.loss`. Source:
    [hinton2015].

    >>> import torch, kullback as kb
    >>> q = torch.tensor([[0.25, 0.75]]).log()
    >>> round(float(with_labels(kb.kl, q, q, torch.tensor([1]), hard=1.0, soft=1.0)), 6)  # log 4/3
    0.287682
    """
    shared = _one_hot(student, labels, ignore_index)
    sides = ((kl, shared, hard, 1.0), (d, teacher, soft, temperature))
    parts = [
        factor
        * loss(
            noun,
            student,
            target,
            labels=labels,
            ignore_index=ignore_index,
            weight=weight,
            temperature=at,
            squared_temperature=squared_temperature,
            per=per,
            denominator=denominator,
            engine=engine,
        )
        for noun, target, factor, at in sides
    ]
    return parts[0] + parts[1]


def target_cross_entropy(
    student: Tensor | Head,
    teacher: Tensor,
    labels: Tensor,
    *,
    ignore_index: int = -100,
    denominator: float | Tensor | None = None,
    engine: Engine | None = None,
) -> Tensor:
    r"""Cross-entropy with the labels, each as much as the teacher believes it.

    $$\frac1n \sum_i -p_i(y_i) \log q_i(y_i), \qquad p = \mathrm{softmax}(\text{teacher}),\;
    q = \mathrm{softmax}(\text{student})$$

    The part of the target class beside a transport between the others (`class_transport`). No gradient to the teacher.
    In nats. Source: [lv2024].

    >>> import torch
    >>> q = torch.tensor([[0.25, 0.75]]).log()
    >>> round(float(target_cross_entropy(q, q, torch.tensor([1]))), 6)  # 3/4 of log 4/3
    0.215762
    """
    with torch.no_grad():
        found = raised(teacher).log_softmax(-1)
        belief = found.gather(-1, _places(labels, found.shape, ignore_index))[..., 0].exp()
    return loss(
        kl,
        student,
        _one_hot(student, labels, ignore_index),
        labels=labels,
        ignore_index=ignore_index,
        weight=belief,
        denominator=denominator,
        engine=engine,
    )


def toward_labels(teacher: Tensor, labels: Tensor, share: float, *, ignore_index: int = -100) -> Tensor:
    r"""Log-probabilities of the teacher mixed with the labels, to stand where a loss takes a teacher's logits.

    $$\log\big(\text{share} \cdot 1[v = y] + (1 - \text{share}) \cdot \mathrm{softmax}(\text{teacher})_v\big)$$

    The targets of self-distillation round after round, whose ground truth keeps the regularisation from piling up.
    Rows of `ignore_index` stay as they are. To mix at a temperature T, pass teacher / T here, and the student over T to
    the loss. Raises `InvalidInputError` for a share outside [0, 1]. Source: [borup2021].

    >>> import torch
    >>> mixed = toward_labels(torch.tensor([[0.25, 0.75]]).log(), torch.tensor([0]), 0.5)
    >>> [round(x, 6) for x in mixed[0].exp().tolist()]
    [0.625, 0.375]
    """
    if not 0 <= share <= 1:
        raise InvalidInputError(f"`share` is {share!r}; expected a number from 0 to 1")
    log_p = raised(teacher).log_softmax(-1)
    places = _places(labels, log_p.shape, ignore_index)
    mine, rest = torch.tensor([share, 1.0 - share], dtype=log_p.dtype, device=log_p.device).log()
    scaled = log_p + rest
    mixed = scaled.scatter(-1, places, torch.logaddexp(scaled.gather(-1, places), mine))
    return torch.where((labels == ignore_index)[..., None], log_p, mixed)


class Decoupled(NamedTuple):
    r"""A divergence with the target class apart, all of shape (...).

    `target` compares the target class with all others together, `others` the classes among those others, and `mass` is
    what the teacher gives them: for KL, $D = \text{target} + \text{mass} \cdot \text{others}$. Source: [zhao2022].

    >>> Decoupled._fields
    ('target', 'others', 'mass')
    """

    target: Tensor
    others: Tensor
    mass: Tensor


def decoupled_parts(
    d: Divergence,
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    *,
    ignore_index: int = -100,
    temperature: float = 1.0,
) -> Decoupled:
    r"""The two parts of a divergence around the target class y, for every row.

    $$\text{target} = D\big((p_y, 1 - p_y) \| (q_y, 1 - q_y)\big), \qquad
    \text{others} = D\Big(\frac{p_{\ne y}}{1 - p_y} \Big\| \frac{q_{\ne y}}{1 - q_y}\Big)$$

    Rows of `ignore_index` are 0. Gradients reach both sides. A row where only the target class has mass has no others:
    NaN there. In nats. Source: [zhao2022].

    >>> import torch, kullback as kb
    >>> p = torch.tensor([[0.5, 0.25, 0.25]]).log(); q = torch.tensor([[0.25, 0.5, 0.25]]).log()
    >>> parts = decoupled_parts(kb.kl, q, p, torch.tensor([0]))
    >>> round(float(parts.target + parts.mass * parts.others), 6), round(kb.kl([0.5, 0.25, 0.25], [0.25, 0.5, 0.25]), 6)
    (0.173287, 0.173287)
    """
    check_logits(student, teacher)
    places = _places(labels, student.shape, ignore_index)
    rows = kept(labels.shape, labels != ignore_index).to(student.device)
    pairs = [_apart(x[rows], places[rows], temperature) for x in (student, teacher)]
    values = [per_token(d, *both) for both in zip(*(pair[:2] for pair in pairs), strict=True)]
    mass = pairs[1][0].softmax(-1)[:, 1]
    return Decoupled(*(x.new_zeros(labels.shape).masked_scatter(rows, x) for x in (*values, mass)))


def decoupled(
    d: Divergence,
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    *,
    target: float = 1.0,
    others: float = 1.0,
    ignore_index: int = -100,
    temperature: float = 1.0,
    squared_temperature: bool = False,
    denominator: float | Tensor | None = None,
) -> Tensor:
    r"""Decoupled distillation: the two parts of `decoupled_parts` with weights that do not depend on the teacher.

    $$\frac1n \sum_i \left[\text{target} \cdot D(b_i \| b_i') + \text{others} \cdot D(\hat p_i \| \hat q_i)\right]$$

    In plain KL the second part has the weight 1 − p_y, which silences it where the teacher is sure. Mean over the rows
    whose label is not `ignore_index`; `denominator` replaces their number. In nats. Source: [zhao2022].

    >>> import torch, kullback as kb
    >>> p = torch.tensor([[0.5, 0.25, 0.25]]).log(); q = torch.tensor([[0.25, 0.5, 0.25]]).log()
    >>> round(float(decoupled(kb.kl, q, p, torch.tensor([0]), others=0.0)), 6)  # of (1/2, 1/2) and (1/4, 3/4)
    0.143841
    """
    parts = decoupled_parts(d, student, teacher, labels, ignore_index=ignore_index, temperature=temperature)
    rows = labels != ignore_index
    values = target * parts.target[rows] + others * parts.others[rows]
    return averaged(values, denominator) * (temperature**2 if squared_temperature else 1.0)


def _apart(z: Tensor, places: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Logits of the target against the rest in one, and of the rest among themselves."""
    z = tempered(raised(z), float(temperature))
    rest = z.scatter(-1, places, -torch.inf)
    return torch.cat([z.gather(-1, places), rest.logsumexp(-1, keepdim=True)], -1), rest


def _one_hot(student: Tensor | Head, labels: Tensor, ignore_index: int) -> TopK:
    """The teacher who is sure of the labels."""
    ids = torch.where(labels == ignore_index, -1, labels)[..., None]
    return TopK(ids, torch.zeros(ids.shape, device=ids.device), student.shape[-1])


def _places(labels: Tensor, shape: torch.Size, ignore_index: int) -> Tensor:
    """Labels as indices along the last axis, 0 for those that do not count."""
    if labels.shape != shape[:-1]:
        raise ShapeError(
            f"`labels` has shape {tuple(labels.shape)}; expected {tuple(shape[:-1])}, one for every row of logits"
        )
    places = torch.where(labels == ignore_index, 0, labels)
    if places.numel() and not 0 <= int(places.min()) <= int(places.max()) < shape[-1]:
        raise InvalidInputError(
            f"`labels` lie between {int(places.min())} and {int(places.max())}; expected class numbers below "
            f"{shape[-1]}"
        )
    return places[..., None].long()
