"""What each of two processes checks beside the numbers: DTensors, means over data-parallel processes, and refusals."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Partial, Replicate, distribute_tensor
from torch.distributed.tensor import Shard as Place
from torch.nn.parallel import DistributedDataParallel

import kullback as kb
from kullback.losses import Shard, TopK, shared_denominator
from losses.definitions import gradients, leaves, logits, wide
from losses.parallel_numbers import (
    CLASSES,
    ROUNDED,
    ROWS,
    built,
    checks,
    each,
    generator,
    heads,
    mine,
    refused,
    same,
)
from losses.processes import Checks


def listed() -> Checks:
    """Those about numbers, too."""
    return checks


# DTensors ---------------------------------------------------------------------------------------------------------


def spread(x: Tensor, dim: int) -> Any:
    """Divided by torch itself, which gives the first process the larger part."""
    made = distribute_tensor(x.detach(), init_device_mesh("cpu", (dist.get_world_size(),)), [Place(dim)])
    return made.requires_grad_()


@checks.over(kb.kl, kb.total_variation, kb.renyi(2))
def dtensors_of_logits(d: kb.Divergence) -> None:
    student, teacher = logits(generator(23), (3, 4, 41), 0.5)
    here, whole = [spread(x, -1) for x in (student, teacher)], wide(student, teacher)
    one, other = kb.loss(d, *here), kb.loss(d, *whole)
    each(one, other, ROUNDED)
    one.backward()
    for x, true in zip(here, gradients(other, whole), strict=True):
        assert isinstance(x.grad, DTensor)
        same(x.grad.full_tensor(), true, ROUNDED)


@checks.over("plain", "replicated", "cut")
def dtensors_of_heads(hidden: str) -> None:
    """Hidden states as the layer before leaves them: plain, replicated, or divided by tokens."""
    parts = heads(24)
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    here: list[Any] = [spread(x, 0) for x in (parts[1], parts[2], parts[4], parts[5])]
    states: list[Any] = leaves(parts[0], parts[3])
    if hidden != "plain":
        place = Replicate() if hidden == "replicated" else Place(0)
        states = [distribute_tensor(x.detach(), mesh, [place]).requires_grad_() for x in states]
    whole = wide(*parts)
    one = kb.loss(kb.js, *built([states[0], *here[:2], states[1], *here[2:]]))
    other = kb.loss(kb.js, *built(whole))
    each(one, other, ROUNDED)
    one.backward()
    for x, true in zip([states[0], *here[:2], states[1], *here[2:]], gradients(other, whole), strict=True):
        got = x.grad.full_tensor() if isinstance(x.grad, DTensor) else x.grad
        same(got, true, 2 * ROUNDED)


# Data-parallel means ----------------------------------------------------------------------------------------------


@checks.over()
def data_parallel_steps_that_accumulate() -> None:
    """Two processes of two steps each, with unlike numbers of tokens, learn as one that sees everything at once."""
    rng = generator(25)
    inputs, teacher = torch.randn(4, 6, 5, generator=rng), torch.randn(4, 6, CLASSES, generator=rng)
    mask = torch.rand(4, 6, generator=rng) < torch.tensor([0.2, 0.9, 0.5, 0.7])[:, None]
    weight = torch.randn(CLASSES, 5, generator=rng)

    def model() -> torch.nn.Linear:
        made = torch.nn.Linear(5, CLASSES, bias=False)
        made.weight.data = weight.clone()
        return made

    whole = model()
    kb.loss(kb.js, whole(inputs), teacher, mask=mask).backward()
    steps = [2 * dist.get_rank(), 2 * dist.get_rank() + 1]
    for averaged in (True, False):
        local = model()
        wrapped = DistributedDataParallel(local) if averaged else local
        count = shared_denominator([mask[i] for i in steps], averaged=averaged)
        assert count.item() == int(mask.sum()) / (dist.get_world_size() if averaged else 1)
        for i in steps:
            last = not averaged or i == steps[-1]
            with contextlib.nullcontext() if last else wrapped.no_sync():  # type: ignore[union-attr]
                kb.loss(kb.js, wrapped(inputs[i]), teacher[i], mask=mask[i], denominator=count).backward()
        assert local.weight.grad is not None
        if not averaged:
            dist.all_reduce(local.weight.grad)
        assert whole.weight.grad is not None
        same(local.weight.grad, whole.weight.grad, ROUNDED)


@checks.over()
def no_token_anywhere() -> None:
    mask = torch.zeros(5, dtype=torch.bool)
    count = shared_denominator(mask)
    student, teacher = logits(generator(26), (5, CLASSES), 1.0)
    assert count.item() == 0.5
    assert kb.loss(kb.kl, student, teacher, mask=mask, denominator=count).item() == 0.0


# Refusals: on both processes, which go on together afterwards -----------------------------------------------------


@checks.over()
def second_derivatives_are_refused() -> None:
    here = leaves(*map(mine, logits(generator(27), (ROWS, CLASSES), 0.5)))
    for value in (kb.loss(kb.kl, *map(Shard, here)), kb.per_token(kb.kl, *map(Shard, here)).sum()):
        with refused("cannot be differentiated again"):
            torch.autograd.grad(value, here, create_graph=True)


@checks.over()
def calls_that_differ_are_refused() -> None:
    rank = dist.get_rank()
    student, teacher = (mine(x) for x in logits(generator(28), (ROWS, CLASSES), 0.5))
    sides = [Shard(student), Shard(teacher)]
    mask = torch.arange(ROWS) != rank
    with refused("which rows count"):
        kb.loss(kb.kl, *sides, mask=mask)
    with refused("the divergence"):
        kb.loss(kb.kl if rank else kb.js, *sides)
    with refused("the divergence"):
        kb.loss(kb.kl, *sides, temperature=1.0 + rank)
    with refused("how many rows there are"):
        kb.loss(kb.kl, Shard(student[rank:]), Shard(teacher[rank:]))
    with refused("the types of the tensors"):
        kb.loss(kb.kl, Shard(student.double() if rank else student), Shard(teacher))
    with refused("require a gradient"):
        kb.loss(kb.kl, Shard(student.clone().requires_grad_(rank == 0)), Shard(teacher))
    with refused("has no class"):
        kb.loss(kb.kl, *(Shard(x[:, : CLASSES * rank]) for x in (student, teacher)))


@checks.over()
def sides_that_do_not_fit_are_refused() -> None:
    student, teacher = (mine(x) for x in logits(generator(29), (ROWS, CLASSES), 0.5))
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    with refused("the other side is a Tensor"):
        kb.loss(kb.kl, Shard(student), teacher)
    with refused("the other side is a TopK"):
        kb.loss(kb.kl, Shard(student), TopK.of_logits(teacher, 3))
    with refused("different groups"):
        alone: Any = dist.new_subgroups(1)[0]
        kb.loss(kb.kl, Shard(student, alone), Shard(teacher))
    with refused("`temperature` is a tensor"):
        kb.loss(kb.kl, Shard(student), Shard(teacher), temperature=torch.tensor(2.0))
    with refused("pass it to the loss without Shard"):
        Shard(spread(student, -1))
    rows = spread(student, 0)
    with refused("expected classes (axis 1) sharded"):
        kb.loss(kb.kl, rows, rows)
    shares: Any = DTensor.from_local(student, mesh, [Partial()])
    with refused("expected classes (axis 1) sharded"):
        kb.loss(kb.kl, shares, shares)
    head = kb.Head(torch.zeros(2, 4), torch.zeros(CLASSES, 4), torch.zeros(CLASSES))
    with refused("DTensors and plain tensors"):
        side = replace(head, weight=spread(head.weight, 0))
        kb.loss(kb.kl, side, side)
