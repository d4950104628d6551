"""What each of two processes checks that has some of the classes: everything as in one process that has them all."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

import kullback as kb
from kullback.errors import InvalidInputError
from kullback.losses import Shard
from kullback.losses.engines import parallel
from losses.definitions import gradients, leaves, logits, relative, wide
from losses.processes import Checks

ROWS, CLASSES, CUT = 12, 40, 17  # slices of 17 and 23 classes
ROUNDED = 2e-6
INF = float("inf")
KINDS = (kb.kl, kb.reverse_kl, kb.js, kb.alpha(0.5), kb.total_variation, kb.pearson_chi2, kb.renyi(2))
REST = (
    kb.jeffreys,
    kb.alpha(-1.5),
    kb.alpha(3.0),
    kb.gan,
    kb.squared_hellinger,
    kb.le_cam,
    2.0 * kb.kl + kb.js,
)
RELATIVES = (kb.bhattacharyya, kb.renyi(INF), kb.renyi(0.3), kb.chernoff, kb.cauchy_schwarz, kb.squared_l2)

checks = Checks()


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mine(x: Tensor, dim: int = -1) -> Tensor:
    """This process's slice."""
    low, size = (0, CUT) if dist.get_rank() == 0 else (CUT, x.shape[dim] - CUT)
    return x.narrow(dim, low, size)


def same(got: Tensor, true: Tensor, within: float) -> None:
    """By relative L2 norm, where both are finite in the same places."""
    assert got.shape == true.shape, (got.shape, true.shape)
    finite = true.isfinite()
    assert torch.equal(got.isfinite(), finite)
    assert torch.equal(got[~finite].double(), true[~finite].double())
    got, true = got[finite].detach(), true[finite].detach()
    if float(true.abs().sum()) == 0:
        assert float(got.abs().sum()) == 0
    else:
        assert relative(got, true) <= within, relative(got, true)


def each(got: Tensor, true: Tensor, within: float) -> None:
    """Row by row."""
    torch.testing.assert_close(got.detach().double(), true.detach().double(), rtol=within, atol=1e-300)


def refused(text: str) -> Any:
    return pytest.raises(InvalidInputError, match=re.escape(text))


def agree(
    d: kb.Divergence, student: Tensor, teacher: Tensor, within: float = ROUNDED, **options: Any
) -> None:
    """Values, mean and gradients, those of a weighted sum of values as well, of logits."""
    here, whole = leaves(mine(student), mine(teacher)), wide(student, teacher)
    shards = [Shard(x) for x in here]
    values, wanted = kb.per_token(d, *shards, **options), kb.per_token(d, *whole, **options)
    each(values, wanted, within)
    finite = wanted.isfinite()
    weight = torch.linspace(0.5, 1.5, wanted.numel()).reshape(wanted.shape)[finite]
    pairs = [((values[finite] * weight).sum(), (wanted[finite] * weight).sum())]
    if bool(finite.all()):
        pairs.append((kb.loss(d, *shards, **options), kb.loss(d, *whole, **options)))
    for one, other in pairs:
        each(one, other, within)
        for got, true in zip(gradients(one, here), gradients(other, whole), strict=True):
            same(got, mine(true), within)


# Logits -----------------------------------------------------------------------------------------------------------


@checks.over(*KINDS, *REST, *RELATIVES)
def logits_in_double_precision(d: kb.Divergence) -> None:
    # Chernoff's order, the root of an equation, is known to half the digits of its value
    within = 1e-8 if d == kb.chernoff else 1e-11
    agree(d, *logits(generator(1), (3, 4, CLASSES), 1.0, dtype=torch.float64), within=within)


@checks.over(*KINDS, *REST)
def logits_at_every_distance(d: kb.Divergence) -> None:
    for delta in (1.0, 1e-2, 1e-4):
        agree(d, *logits(generator(2), (ROWS, CLASSES), delta))


@checks.over(*KINDS)
def near_and_far_rows_in_one_batch(d: kb.Divergence) -> None:
    """Each row in its own way: some by the sum of terms, some through logarithms."""
    student, teacher = logits(generator(3), (ROWS, CLASSES), 1e-3, dtype=torch.float64)
    teacher[3] += 8 * torch.randn(CLASSES, generator=generator(4), dtype=torch.float64)
    teacher[7] = 60 * torch.randn(CLASSES, generator=generator(5), dtype=torch.float64)
    agree(d, student, teacher, within=1e-10)


@checks.over(*KINDS)
def equal_logits_are_at_distance_zero(d: kb.Divergence) -> None:
    student, _ = logits(generator(6), (ROWS, CLASSES), 1.0)
    here = leaves(mine(student), mine(student))
    loss = kb.loss(d, *map(Shard, here))
    assert loss.item() == 0.0
    for gradient in gradients(loss, here):
        assert float(gradient.abs().max()) == 0.0


@checks.over(*KINDS, *RELATIVES)
def masked_classes(d: kb.Divergence) -> None:
    """In both, in one, and all that one process has."""
    student, teacher = logits(generator(7), (ROWS, CLASSES), 0.5, dtype=torch.float64)
    for z in (student, teacher):
        z[0, 5], z[1, :CUT], z[2, CUT:] = -INF, -INF, -INF
    student[3, 30], student[4, :CUT] = -INF, -INF
    teacher[5, 3], teacher[6, CUT:] = -INF, -INF
    agree(d, student, teacher, within=1e-8 if d == kb.chernoff else 1e-10)


@checks.over(*KINDS)
def rows_that_do_not_count(d: kb.Divergence) -> None:
    """Left out before any arithmetic, whatever they hold; with everything that a loss can be asked for."""
    student, teacher = logits(generator(8), (3, 4, CLASSES), 0.5)
    mask = torch.rand(3, 4, generator=generator(9)) < 0.6
    student[~mask] = torch.nan
    weight = torch.rand(3, 4, generator=generator(10))
    agree(d, student, teacher, mask=mask, temperature=2.0)
    options: dict[str, Any] = {"mask": mask, "weight": weight, "per": "sequence", "temperature": 0.7}
    here, whole = leaves(mine(student), mine(teacher)), wide(student, teacher)
    one = kb.loss(d, *map(Shard, here), squared_temperature=True, **options)
    other = kb.loss(d, *whole, squared_temperature=True, **options)
    each(one, other, ROUNDED)
    for got, true in zip(gradients(one, here), gradients(other, whole), strict=True):
        same(got, mine(true), ROUNDED)


@checks.over()
def more_rows_than_fit_between_two_exchanges() -> None:
    """Of unlike numbers of classes, so that each process would stop at other rows if nobody asked the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "_EXCHANGED", 1 << 13)
        patch.setattr(parallel, "block_rows", lambda *_, **__: 1)
        agree(kb.js, *logits(generator(31), (1000, CLASSES), 0.5))


@checks.over()
def nothing_counts() -> None:
    here = leaves(*map(mine, logits(generator(11), (ROWS, CLASSES), 0.5)))
    loss = kb.loss(kb.kl, *map(Shard, here), mask=torch.zeros(ROWS, dtype=torch.bool))
    assert loss.item() == 0.0
    assert [float(g.abs().max()) for g in gradients(loss, here)] == [0.0, 0.0]


@checks.over()
def rows_that_are_not_finite() -> None:
    student, teacher = logits(generator(12), (ROWS, CLASSES), 0.5)
    student[2, 33] = -INF  # a class of the second process
    kept = torch.arange(ROWS) != 2
    sides = [Shard(mine(student)), Shard(mine(teacher))]
    with pytest.warns(RuntimeWarning, match="1 of 12 rows"):
        kb.loss(kb.kl, *sides, nonfinite="skip")
    with refused("1 of 12 rows"):
        kb.loss(kb.kl, *sides, nonfinite="raise")
    values = kb.per_token(kb.kl, *sides)
    assert values[2].item() == INF
    each(values[kept], kb.per_token(kb.kl, student[kept].double(), teacher[kept].double()), ROUNDED)


@checks.over(*KINDS)
def a_row_without_numbers_spoils_no_other(d: kb.Divergence) -> None:
    """NaN in a class of one process, a row without any class, +inf."""
    student, teacher = logits(generator(32), (ROWS, CLASSES), 0.5)
    student[2, 33], teacher[4, 3], student[6], student[8, 1] = torch.nan, torch.nan, -INF, INF
    broken = torch.zeros(ROWS, dtype=torch.bool).index_fill(0, torch.tensor([2, 4, 6, 8]), True)
    here, whole = leaves(mine(student), mine(teacher)), wide(student, teacher)
    values, wanted = kb.per_token(d, *map(Shard, here)), kb.per_token(d, *whole)
    assert torch.equal(values.isnan(), wanted.isnan())
    assert bool(values[[2, 4, 6]].isnan().all())
    each(values[~broken], wanted[~broken], ROUNDED)
    one, other = (gradients(x[~broken].sum(), of) for x, of in ((values, here), (wanted, whole)))
    for got, true in zip(one, other, strict=True):
        same(got[~broken], mine(true)[~broken], ROUNDED)


@checks.over()
def a_group_of_one_has_everything() -> None:
    alone: Any = dist.new_subgroups(1)[0]
    student, teacher = logits(generator(33), (ROWS, CLASSES), 0.5)
    (here,), (whole,) = leaves(student), leaves(student)
    one = kb.loss(kb.js, Shard(here, alone), Shard(teacher, alone))
    other = kb.loss(kb.js, whole, teacher)
    each(one, other, ROUNDED)
    same(gradients(one, [here])[0], gradients(other, [whole])[0], ROUNDED)


# Heads ------------------------------------------------------------------------------------------------------------


def heads(seed: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Hidden states, weight and bias of a student and of a teacher that is wider."""
    rng = generator(seed)
    shapes = [(3, 4, 6), (CLASSES, 6), (CLASSES,), (3, 4, 8), (CLASSES, 8), (CLASSES,)]
    return [torch.randn(shape, generator=rng, dtype=torch.float64).to(dtype) * 0.5 for shape in shapes]


def cut(parts: list[Tensor]) -> list[Tensor]:
    return [x if x.ndim == 3 else mine(x, 0) for x in parts]


def built(parts: list[Tensor]) -> list[kb.Head]:
    return [
        kb.Head(*parts[:3], scale=1.5, softcap=4.0),  # type: ignore[arg-type]
        kb.Head(*parts[3:], scale=-0.75),  # type: ignore[arg-type]
    ]


def budget() -> kb.Engine:
    """Another one on each process: how long a chunk is has to be agreed upon."""
    return kb.Engine(memory=(5 if dist.get_rank() == 0 else 3) * 2 * CLASSES * 4)


@checks.over(*KINDS)
def heads_of_two_widths(d: kb.Divergence) -> None:
    parts = heads(13)
    here, whole = leaves(*cut(parts)), wide(*parts)
    mask = torch.rand(3, 4, generator=generator(14)) < 0.8
    one = kb.loss(d, *map(Shard, built(here)), mask=mask, engine=budget())
    other = kb.loss(d, *built(whole), mask=mask)
    each(one, other, ROUNDED)
    for got, true in zip(gradients(one, here), cut(gradients(other, whole)), strict=True):
        same(got, true, 2 * ROUNDED)


@checks.over(*KINDS)
def values_of_heads(d: kb.Divergence) -> None:
    parts = heads(15)
    here, whole = leaves(*cut(parts)), wide(*parts)
    one = kb.per_token(d, *map(Shard, built(here)), engine=budget())
    other = kb.per_token(d, *built(whole))
    each(one, other, ROUNDED)
    pairs = zip(gradients(one.square().sum(), here), cut(gradients(other.square().sum(), whole)), strict=True)
    for got, true in pairs:
        same(got, true, 2 * ROUNDED)


@checks.over(kb.js, kb.renyi(2))
def a_frozen_head_and_logits_of_a_teacher(d: kb.Divergence) -> None:
    hidden, weight, *_ = heads(16)
    teacher = logits(generator(17), (3, 4, CLASSES), 1.0)[1]
    (here,), (whole,) = leaves(hidden), wide(hidden)
    one = kb.loss(d, Shard(kb.Head(here, mine(weight, 0))), Shard(mine(teacher)), engine=budget())
    other = kb.loss(d, kb.Head(whole, weight.double()), teacher.double())
    each(one, other, ROUNDED)
    same(gradients(one, [here])[0], gradients(other, [whole])[0], ROUNDED)


@checks.over(torch.bfloat16, torch.float16)
def heads_in_half_precision(dtype: torch.dtype) -> None:
    parts = heads(18, dtype)
    here, whole = leaves(*cut(parts)), wide(*parts)
    one, other = kb.loss(kb.js, *map(Shard, built(here))), kb.loss(kb.js, *built(whole))
    assert one.dtype == torch.float32
    for got, true in zip(gradients(one, here), cut(gradients(other, whole)), strict=True):
        assert got.dtype == dtype
        same(got, true, 20 * torch.finfo(dtype).eps)


# The gradient of what all processes have --------------------------------------------------------------------------


class Copied(torch.autograd.Function):
    """The way into a parallel region: the same forward, the sum of all shares backward."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:  # type: ignore[override]
        return x.view_as(x)

    @staticmethod
    def backward(_: Any, *up: Tensor) -> Any:
        total = up[0].clone()
        dist.all_reduce(total)
        return total


@checks.over(False, True)
def a_body_learns_as_in_one_process(partial: bool) -> None:
    """The loss is right on every process even where the body's gradient is twice what it should be, or half."""
    parts, inputs = heads(19), torch.randn(3, 4, 5, generator=generator(20))
    body = torch.randn(5, 6, generator=generator(21))
    (here, weight), (whole, all_weight) = leaves(body, mine(parts[1], 0)), wide(body, parts[1])
    hidden = torch.tanh(inputs @ here)
    student = Shard(kb.Head(Copied.apply(hidden) if partial else hidden, weight), partial=partial)
    one = kb.loss(kb.kl, student, Shard(kb.Head(parts[3], mine(parts[4], 0))))
    wanted = kb.Head(torch.tanh(inputs.double() @ whole), all_weight)
    other = kb.loss(kb.kl, wanted, kb.Head(parts[3].double(), parts[4].double()))
    each(one, other, ROUNDED)
    got, true = gradients(one, [here, weight]), gradients(other, [whole, all_weight])
    same(got[0], true[0], ROUNDED)
    same(got[1], mine(true[1], 0), ROUNDED)


@checks.over()
def a_partial_gradient_is_a_share() -> None:
    parts = heads(22)
    shares, (whole,) = leaves(parts[0]), wide(parts[0])
    sides = [kb.Head(shares[0], mine(parts[1], 0)), kb.Head(parts[3], mine(parts[4], 0))]
    share = gradients(kb.loss(kb.js, *(Shard(x, partial=True) for x in sides)), shares)[0]
    true = kb.loss(kb.js, kb.Head(whole, parts[1].double()), kb.Head(parts[3].double(), parts[4].double()))
    wanted = gradients(true, [whole])[0]
    assert relative(share, wanted) > 0.1
    dist.all_reduce(share)
    same(share, wanted, ROUNDED)


# Compiled ---------------------------------------------------------------------------------------------------------


@checks.over(kb.js, kb.kl, kb.renyi(2))
def compiled_kernels_have_the_same_numbers(d: kb.Divergence) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the compiler's own code
        for delta in (1.0, 1e-3):
            agree(d, *logits(generator(30), (ROWS, CLASSES), delta), engine=kb.Engine(compiled=True))
