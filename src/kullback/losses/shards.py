"""Sides whose classes are divided among processes, and divisors that processes share."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor

from kullback.errors import DTypeError, InvalidInputError
from kullback.losses.engines.parallel import Across
from kullback.losses.heads import Head

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


@dataclass(frozen=True, eq=False)
class Shard:
    r"""This process's classes of a side whose vocabulary is divided among the processes of a group.

    `part` is a slice of the logits, shape (..., classes here), or a `Head` with a slice of weight and bias and all of
    the hidden states; slices may differ in size. In a loss both sides are shards, cut at the same places. Every process
    gets the loss of the whole vocabulary and calls `backward` on it. No logits travel: of a row these do,

    $$\log \sum_v e^{z_v}, \quad \sum_v p\, f'(t), \quad \sum_v q\,\big(f(t) - t f'(t)\big), \qquad t = p / q,$$

    and once more a few where the two sides nearly agree or a class is masked. Gradients of logits, weights and biases
    are those of the slice. That of hidden states is summed over the group once, so that each process has the whole of
    it; with `partial=True` it stays the share of this process's classes, for models that sum it themselves where
    hidden states enter the parallel head (Megatron's copy to, or gather of sequences into, the parallel region).
    `group` is a `torch.distributed` group, by default that of all processes.

    DTensors that are sharded on the class axis, as logits or as weight and bias of a head, are taken for shards without
    being told. Raises `InvalidInputError` or `DTypeError`. Source: [shoeybi2019].

    >>> import torch, kullback as kb, torch.distributed as dist
    >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    >>> p, q = (kb.losses.Shard(torch.tensor([x]).log()) for x in ([0.5, 0.5], [0.25, 0.75]))
    >>> round(float(kb.loss(kb.kl, student=q, teacher=p)), 6)
    0.143841
    >>> dist.destroy_process_group()
    """

    part: Tensor | Head
    group: ProcessGroup | None = None
    partial: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.part, (Tensor, Head)):
            raise DTypeError(
                f"`part` is a {type(self.part).__name__}; expected a torch tensor of logits or a Head"
            )
        tensors = [self.part] if isinstance(self.part, Tensor) else [self.part.hidden, self.part.weight]
        if any(map(_is_spread, tensors)):
            raise InvalidInputError(
                "`part` is a DTensor, which knows its group; pass it to the loss without Shard"
            )
        if not (dist.is_available() and dist.is_initialized()):
            raise InvalidInputError(
                "a Shard needs processes to share its classes with, and none are known: call "
                "torch.distributed.init_process_group first"
            )
        if self.group is not None and not isinstance(self.group, dist.ProcessGroup):
            raise InvalidInputError(f"`group` is {self.group!r}; this process is not a member of that group")

    def processes(self) -> ProcessGroup:
        """The group itself, where none was named."""
        return dist.group.WORLD if self.group is None else self.group  # type: ignore[return-value]


def parted(student: Any, teacher: Any) -> tuple[Any, Any, Across | None]:
    """What of the two sides is here, and who has the rest: `None` if nobody."""
    sides = [_recognised(name, x) for name, x in (("student", student), ("teacher", teacher))]
    shards = [x for x in sides if isinstance(x, Shard)]
    if not shards:
        return student, teacher, None
    if len(shards) == 1:
        one, other = ("student", teacher) if isinstance(sides[0], Shard) else ("teacher", student)
        raise InvalidInputError(
            f"the {one}'s classes are divided among processes and the other side is a {type(other).__name__} of all of "
            "them; divide both at the same places, in Shards or in DTensors of one mesh"
        )
    groups = [x.processes() for x in shards]
    if dist.get_process_group_ranks(groups[0]) != dist.get_process_group_ranks(groups[1]):
        raise InvalidInputError(
            "the two sides' classes are divided among different groups; divide both alike"
        )
    summed = tuple(isinstance(x.part, Head) and not x.partial for x in shards)
    return shards[0].part, shards[1].part, Across(groups[0], (summed[0], summed[1]))


def refuse_shards(verb: str, **sides: Any) -> None:
    """Raises `InvalidInputError` for a side, of those named, whose classes are divided among processes."""
    for name, side in sides.items():
        tensors = (side.hidden, side.weight, side.bias) if isinstance(side, Head) else (side,)
        if isinstance(side, Shard) or any(map(_is_spread, tensors)):
            raise InvalidInputError(
                f"the classes of `{name}` are divided among processes, and {verb} looks at whole rows: gather the "
                "logits of a few rows (all_gather, or full_tensor() of a DTensor) and pass those; kullback.loss and "
                "per_token take a Shard as it is"
            )


def shared_denominator(
    counted: Tensor | Iterable[Tensor], *, group: ProcessGroup | None = None, averaged: bool = True
) -> Tensor:
    r"""What to divide by on every one of W data-parallel processes, so that together they average over all tokens.

    $$\frac{1}{W} \sum_{w=1}^{W} n_w \quad\text{if gradients are averaged over processes}, \qquad
    \sum_{w=1}^{W} n_w \quad\text{if they are summed},$$

    with n the number of rows that count on a process: `counted` is a mask that is true where they do
    (`labels != -100`), or all masks of the steps whose gradients accumulate before the optimiser's. Goes to
    `denominator=` of each of these steps' losses. DDP and FSDP average, so that the loss that a process sees is W times
    its part of the mean; `averaged=False` is for code that sums. `group` is that of the data-parallel processes, not of
    those that share a vocabulary; by default all. At least 1/W, in a tensor on the masks' device. Raises
    `InvalidInputError` or `DTypeError`. Source: [li2020].

    >>> import torch, torch.distributed as dist
    >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    >>> masks = [torch.tensor([True, True, False]), torch.tensor([True, False, False])]
    >>> shared_denominator(masks).item()
    3.0
    >>> dist.destroy_process_group()
    """
    masks = [counted] if isinstance(counted, Tensor) else list(counted)
    if not masks:
        raise InvalidInputError("`counted` has no masks; pass one for every step that accumulates")
    for mask in masks:
        if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
            kind = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
            raise DTypeError(
                f"`counted` has {kind} where masks are expected, true where a row counts: labels != -100"
            )
    if not (dist.is_available() and dist.is_initialized()):
        raise InvalidInputError(
            "no processes are known to share a denominator with: call torch.distributed.init_process_group first"
        )
    total = torch.stack([mask.sum() for mask in masks]).sum()
    dist.all_reduce(total, dist.ReduceOp.SUM, group)
    total = total.clamp(min=1).double()
    return total / dist.get_world_size(group) if averaged else total


def _is_spread(x: Any) -> bool:
    """Whether it is a DTensor; where nobody has imported them, nobody has made one."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(x, module.DTensor)


def _recognised(name: str, side: Any) -> Any:
    """DTensors as shards; anything else as it is."""
    if _is_spread(side):
        axis = _class_axis(name, side, side.ndim - 1)
        return Shard(side.to_local(), side.device_mesh.get_group(axis))
    if not isinstance(side, Head) or not any(map(_is_spread, (side.hidden, side.weight, side.bias))):
        return side
    if not _is_spread(side.weight) or not (side.bias is None or _is_spread(side.bias)):
        raise InvalidInputError(
            f"the {name}'s head has DTensors and plain tensors as weight and bias; both have to be sharded on their "
            "classes"
        )
    weight: Any = side.weight
    axis, mesh = _class_axis(f"{name}'s weight", weight, 0), weight.device_mesh
    bias: Any = side.bias
    if bias is not None:
        _class_axis(f"{name}'s bias", bias, 0)
        bias = bias.to_local()
    hidden = _replicated(side.hidden, mesh)
    return Shard(replace(side, hidden=hidden, weight=weight.to_local(), bias=bias), mesh.get_group(axis))


def _replicated(x: Any, mesh: Any) -> Tensor:
    """All of it on every process; a plain tensor is that by itself."""
    if not _is_spread(x):
        return x
    from torch.distributed.tensor import Replicate

    return x.redistribute(mesh, [Replicate()] * mesh.ndim).to_local()


def _class_axis(name: str, x: Any, axis: int) -> int:
    """The dimension of the mesh along which a DTensor's classes are divided; it is whole along all others."""
    found = [i for i, place in enumerate(x.placements) if place.is_shard()]
    if (
        len(found) != 1
        or x.placements[found[0]].dim % x.ndim != axis
        or any(p.is_partial() for p in x.placements)
    ):
        raise InvalidInputError(
            f"the {name} is a DTensor placed {x.placements}; expected classes (axis {axis}) sharded along one "
            "dimension of the mesh and the rest replicated: redistribute it, or pass Shard(x.to_local(), group) with "
            "the rows of this process and their `denominator=`"
        )
    return found[0]
