"""What training a policy takes from its logits, in one pass: chosen log-probabilities, entropy, divergence."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from kullback.divergences import Divergence
from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses.engines.chunks import Engine
from kullback.losses.engines.selection import Plan, Selection
from kullback.losses.engines.sides import kept, taken_apart
from kullback.losses.heads import Head, check_side
from kullback.losses.shards import refuse_shards


class Selected(NamedTuple):
    r"""One number for every token, in nats, 0 where the mask is false; `None` for what was not asked for.

    `log_probs` is $\log p_c$ of the chosen class under the policy p, `entropy` $-\sum_v p_v \log p_v$,
    `reference_log_probs` $\log q_c$ under the reference q, `log_ratio` $\log (p_c / q_c)$ with more digits than their
    difference has, `divergence` D(p‖q).

    >>> import torch
    >>> [round(float(x), 6) for x in selected(torch.tensor([[0.25, 0.75]]).log(), torch.tensor([0]))[:2]]  # log(1/4)
    [-1.386294, 0.562335]
    """

    log_probs: Tensor
    entropy: Tensor
    reference_log_probs: Tensor | None
    log_ratio: Tensor | None
    divergence: Tensor | None


def selected(
    policy: Tensor | Head,
    ids: Tensor,
    *,
    reference: Tensor | Head | None = None,
    d: Divergence | None = None,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    engine: Engine | None = None,
) -> Selected:
    r"""Log-probabilities of the chosen classes, entropy, and D(policy‖reference) of every token, in one pass.

    $$\log p_c, \qquad H = -\sum_v p_v \log p_v, \qquad \log \frac{p_c}{q_c}, \qquad D(p \| q),$$

    p the policy's softmax at `temperature`, q the reference's. Each is an array of logits of shape (..., classes) or a
    `Head`, whose logits are made a few rows at a time, once here and once in the backward pass: any function of the
    numbers can be trained at the memory of a chunk. Of no more rows than hidden states have dimensions the logits are
    kept instead, unless `engine` has a budget. `ids` of shape (...) are the chosen classes; rows where `mask` is
    false are left out before any arithmetic, and their ids are not looked at. `d` is any divergence, policy first:
    `kb.kl` is KL(policy‖reference), `kb.reverse_kl` KL(reference‖policy). Gradients reach whatever requires them, the
    reference included, and can be differentiated again.

    −inf takes a class out. Chosen, it has log-probability −inf without a gradient: no logit can make it likelier.
    Half precision is computed in float32. `engine` is that of `loss`; `compiled` concerns the divergence alone. Raises
    `ShapeError`, `DTypeError` or `InvalidInputError`. Source: [hinton2015], [csiszar1967].

    >>> import torch, kullback as kb
    >>> p = torch.tensor([[0.5, 0.5]]).log(); q = torch.tensor([[0.25, 0.75]]).log()
    >>> made = selected(p, torch.tensor([0]), reference=q, d=kb.kl)
    >>> round(float(made.log_ratio), 6), round(float(made.divergence), 6)  # log 2, and log(4/3)/2
    (0.693147, 0.143841)
    """
    lead, keep = _checked(policy, ids, reference, d, mask, temperature)
    flat = ids.reshape(-1).long()
    chosen = flat if keep is None else flat[keep]
    _check_ids(chosen, policy.shape[-1])
    apart = [taken_apart(x, float(temperature)) for x in (policy, reference) if x is not None]
    forms, parts, rows = [form for form, _ in apart], [part for _, part in apart], keep
    engine = engine or Engine()
    if engine.memory is None and (at_once := kept(forms, parts, keep)):
        forms, parts, rows = *at_once, None
    plan = Plan(d, tuple(forms), rows, chosen, engine)
    values = Selection.apply(plan, *(x for part in parts for x in part))

    def spread(x: Tensor) -> Tensor:
        if keep is not None:
            x = x.new_zeros(lead.numel()).index_copy(0, keep, x)
        return x.reshape(lead)

    made = [spread(x) for x in values]
    return Selected(*made, *[None] * (5 - len(made)))


def _checked(
    policy: Tensor | Head,
    ids: Tensor,
    reference: Tensor | Head | None,
    d: Divergence | None,
    mask: Tensor | None,
    temperature: float,
) -> tuple[torch.Size, Tensor | None]:
    """The shape of the tokens and the rows that count, `None` for all, once everything has been looked at."""
    if not (isinstance(temperature, (int, float)) and math.isfinite(temperature) and temperature > 0):
        raise InvalidInputError(f"`temperature` is {temperature!r}; expected a finite number above 0")
    if d is not None and reference is None:
        raise InvalidInputError(f"{d!r} of the policy from what? pass `reference=`, its logits or a Head")
    if d is not None and not isinstance(d, Divergence):
        raise InvalidInputError(f"`d` is {d!r}; expected a divergence such as kb.kl")
    refuse_shards("selected", policy=policy, reference=reference)
    for name, side in (("policy", policy), ("reference", reference)):
        if side is not None:
            check_side(name, side)
    shape = tuple(policy.shape)
    if reference is not None and tuple(reference.shape) != shape:
        raise ShapeError(
            f"the policy's logits have shape {shape} and the reference's {tuple(reference.shape)}; they must agree"
        )
    lead = torch.Size(shape[:-1])
    for name, x in (("ids", ids), ("mask", mask)):
        if x is not None and (not isinstance(x, Tensor) or x.shape != lead):
            came = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise ShapeError(f"`{name}` has shape {came}; expected {tuple(lead)}, one entry for every token")
    if ids.dtype.is_floating_point or ids.dtype == torch.bool:
        raise DTypeError(f"`ids` has dtype {ids.dtype}; expected the numbers of classes, an integer type")
    counted = None if mask is None else mask.reshape(-1).to(torch.bool)
    return lead, None if counted is None or bool(counted.all()) else counted.nonzero()[:, 0]


def _check_ids(chosen: Tensor, classes: int) -> None:
    outside = (chosen < 0) | (chosen >= classes)
    if bool(outside.any()):
        worst = int(chosen[outside][0])
        raise InvalidInputError(
            f"`ids` has {int(outside.sum())} entries that name no class, the first is {worst}; expected 0 to "
            f"{classes - 1}, or a `mask` that leaves such tokens out"
        )
