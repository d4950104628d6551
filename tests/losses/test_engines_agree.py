"""Every divergence as a loss, on logits and on heads of every kind, against float64 autograd of its definition."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import kullback as kb
from kullback import Divergence, Engine, Head
from losses.definitions import dyadic, gradients, leaves, logits, on_masses, relative, truth, wide
from problems.listed import KINDS, ORIGINALS, UNSCALED, compiled, leeway

RELATIVES = tuple(d for d in kb.catalogue().relatives if isinstance(d, Divergence))
ALL: tuple[Divergence, ...] = (*ORIGINALS, *RELATIVES)
ROUNDED = 2e-6
SHAPE = (3, 5, 40)
CLASSES, ROWS = 24, 11

every = pytest.mark.parametrize("d", ALL, ids=repr)
every_kind = pytest.mark.parametrize("d", [*KINDS, kb.renyi(2)], ids=repr)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def agrees(got: list[Tensor], true: list[Tensor], within: float) -> None:
    """Gradients by relative L2 norm; one that is 0 throughout has to be 0."""
    for number, (mine, other) in enumerate(zip(got, true, strict=True)):
        assert mine.shape == other.shape
        if float(other.norm()) == 0:
            assert float(mine.abs().max()) == 0, number
        else:
            assert relative(mine, other) <= within, (number, relative(mine, other))


def agree(d: Divergence, mine: list[Tensor], true: list[Tensor], within: float) -> None:
    """Values row by row, mean and gradients of logits, the pairs (student, teacher)."""
    values, wanted = kb.per_token(d, *mine), truth(d, *true)
    torch.testing.assert_close(values.detach().double(), wanted.detach(), rtol=within, atol=0)
    loss = kb.loss(d, *mine)
    assert loss.item() == pytest.approx(wanted.mean().item(), rel=within)
    assert loss.shape == ()
    agrees(gradients(loss, mine), gradients(wanted.mean(), true), within)
    towards = torch.linspace(0.5, 1.5, values.numel()).reshape(values.shape)
    wanted = (truth(d, *true) * towards).sum()
    agrees(gradients((values * towards).sum(), mine), gradients(wanted, true), within)


@every
@pytest.mark.parametrize("delta", [1.0, 1e-1, 1e-2, 1e-3, 1e-4])
def test_logits_in_single_precision(d: Divergence, delta: float) -> None:
    pair = logits(generator(1), SHAPE, delta)
    agree(d, leaves(*pair), wide(*pair), ROUNDED)


@pytest.mark.parametrize("d", [d for d in ALL if getattr(d, "steepness", 0) <= 1], ids=repr)
@pytest.mark.parametrize("delta", [3.0, 1e-3])
def test_peaked_logits_of_many_classes(d: Divergence, delta: float) -> None:
    """Masses over eight orders of magnitude; where f' jumps, on the side of the jump where rounding puts them."""
    pair = logits(generator(18), (4, 1000), delta, spread=4.0)
    mine, true = leaves(*pair), wide(*pair)
    loss, wanted = kb.loss(d, *mine), truth(d, *true).mean()
    assert loss.item() == pytest.approx(wanted.item(), rel=ROUNDED)
    agrees(gradients(loss, mine), gradients(wanted, true), ROUNDED)


@pytest.mark.parametrize("d", [d for d in ORIGINALS if d.steepness > 0], ids=repr)
@pytest.mark.parametrize("gap", [9.0, 20.0, 36.0])
def test_powers_that_overflow_before_their_products_do(d: kb.FDivergence, gap: float) -> None:
    """A mass of e⁻³⁶ times a slope of e⁹⁰ is no infinity in single precision."""
    teacher = torch.tensor([[0.0, -gap, 1.0], [0.0, 0.0, 1.0]])
    for pair in ((torch.zeros(2, 3), teacher), (teacher, torch.zeros(2, 3))):
        mine, true = leaves(*pair), wide(*pair)
        values, wanted = kb.per_token(d, *mine), truth(d, *true)
        within = ROUNDED * (1 + d.steepness) * leeway(d)
        torch.testing.assert_close(
            values.detach(), wanted.detach().float(), rtol=within * max(1.0, gap / 9), atol=0
        )
        if wanted.max() < 1e30:
            agrees(gradients(values.sum(), mine), gradients(wanted.sum(), true), within * max(1.0, gap / 9))


@pytest.mark.parametrize(
    "d", [d for d in ALL if getattr(d, "steepness", 0) == 0 and d != kb.renyi(2)], ids=repr
)
@pytest.mark.parametrize("gap", [8.0, 16.0, 24.0])
def test_nearly_nothing_in_common(d: Divergence, gap: float) -> None:
    """An affinity of 1e-5 beside 1: what is 1 − 0.99999 in single precision has two digits left."""
    pair = torch.tensor([[0.0, gap, 1.0]]), torch.tensor([[gap, 0.0, 1.0]])
    mine, true = leaves(*pair), wide(*pair)
    loss, wanted = kb.loss(d, *mine), truth(d, *true).mean()
    assert loss.item() == pytest.approx(wanted.item(), rel=ROUNDED, abs=1e-9)
    for got, other in zip(gradients(loss, mine), gradients(wanted, true), strict=True):
        # a softmax that is nearly 1 moves little, and what it moves is rounded on the scale of its slopes
        torch.testing.assert_close(got.double(), other, rtol=2e-5 if gap < 20 else 1e-3, atol=2e-6)


@every
def test_logits_in_double_precision(d: Divergence) -> None:
    pair = logits(generator(2), SHAPE, 1.0, dtype=torch.float64)
    # Chernoff's order, the root of an equation, is known to half the digits of its value
    agree(d, leaves(*pair), wide(*pair), 1e-9 if d == kb.chernoff else 1e-12)


@pytest.mark.parametrize("d", [d for d in UNSCALED if d not in ORIGINALS], ids=repr)
def test_the_dual_is_the_other_direction(d: kb.FDivergence) -> None:
    student, teacher = logits(generator(3), SHAPE, 0.3)
    mine, true = leaves(student, teacher), wide(teacher, student)
    wanted = truth(d.dual, *true).mean()
    loss = kb.loss(d, *mine)
    assert loss.item() == pytest.approx(wanted.item(), rel=ROUNDED)
    agrees(gradients(loss, mine), gradients(wanted, true)[::-1], ROUNDED)


@every
@pytest.mark.parametrize(
    "dtypes", [("bfloat16", "bfloat16"), ("float16", "float16"), ("float32", "bfloat16")]
)
def test_half_precision_is_single_precision_of_the_rounded_numbers(
    d: Divergence, dtypes: tuple[str, str]
) -> None:
    kinds = [getattr(torch, name) for name in dtypes]
    halves = [z.to(k) for z, k in zip(logits(generator(4), SHAPE, 0.2), kinds, strict=True)]
    half, single = leaves(*halves), leaves(*(z.float() for z in halves))
    loss, wanted = kb.loss(d, *half), kb.loss(d, *single)
    assert loss.dtype == torch.float32
    assert loss.item() == wanted.item()
    for got, true, kind in zip(gradients(loss, half), gradients(wanted, single), kinds, strict=True):
        assert got.dtype == kind
        torch.testing.assert_close(got, true.to(kind), rtol=0, atol=0)


# Heads ------------------------------------------------------------------------------------------------------------


def head(seed: int, width: int, *, bias: bool = False) -> list[Tensor]:
    """Hidden states, weight and perhaps bias, whose products are exact in single precision."""
    rng = generator(seed)
    made = [dyadic(rng, ROWS, width), dyadic(rng, CLASSES, width, size=8)]
    return [*made, dyadic(rng, CLASSES, size=12)] if bias else made


def dense(parts: list[Tensor], scale: float = 1.0, softcap: float | None = None) -> Tensor:
    z = scale * (parts[0] @ parts[1].T + (parts[2] if len(parts) > 2 else 0.0))
    return z if softcap is None else softcap * torch.tanh(z / softcap)


FORMS: dict[str, tuple[bool, dict[str, Any]]] = {
    "plain": (False, {}),
    "bias": (True, {}),
    "scale": (True, {"scale": 0.375}),
    "softcap": (False, {"softcap": 3.0}),
    "all": (True, {"scale": -1.5, "softcap": 4.0}),
}
BUDGETS = [
    1,
    3 * 2 * CLASSES * 4,
    8 * 2 * CLASSES * 4,
    1 << 30,
    None,
]  # 1 row, 3 or 6, 8 or 16, all, measured


@every
def test_two_heads_of_different_widths(d: Divergence) -> None:
    parts = [head(5, 6, bias=True), head(6, 4)]
    mine, true = leaves(*parts[0], *parts[1]), wide(*parts[0], *parts[1])
    sides = [Head(mine[0], mine[1], mine[2], scale=0.25), Head(mine[3], mine[4], softcap=4.0)]
    wanted = truth(d, dense(true[:3], 0.25), dense(true[3:], softcap=4.0))
    loss = kb.loss(d, *sides, engine=Engine(memory=4 * 2 * CLASSES * 4))
    assert loss.item() == pytest.approx(wanted.mean().item(), rel=ROUNDED)
    agrees(gradients(loss, mine), gradients(wanted.mean(), true), ROUNDED)


@every_kind
@pytest.mark.parametrize("memory", BUDGETS)
@pytest.mark.parametrize("form", FORMS)
def test_a_head_for_the_student(d: Divergence, form: str, memory: int | None) -> None:
    bias, options = FORMS[form]
    parts, teacher = head(7, 6, bias=bias), logits(generator(8), (ROWS, CLASSES), 1.0)[1]
    mine, true = leaves(*parts, teacher), wide(*parts, teacher)
    wanted = truth(d, dense(true[:-1], **options), true[-1])
    engine = Engine(memory=memory)
    values = kb.per_token(d, Head(*mine[:-1], **options), mine[-1], engine=engine)
    torch.testing.assert_close(values.detach().double(), wanted.detach(), rtol=ROUNDED, atol=0)
    agrees(gradients(values.square().sum(), mine), gradients(wanted.square().sum(), true), 2 * ROUNDED)
    wanted = truth(d, dense(true[:-1], **options), true[-1]).mean()
    loss = kb.loss(d, Head(*mine[:-1], **options), mine[-1], engine=engine)
    assert loss.item() == pytest.approx(wanted.item(), rel=ROUNDED)
    agrees(gradients(loss, mine), gradients(wanted, true), ROUNDED)


@every_kind
@pytest.mark.parametrize("memory", BUDGETS)
def test_a_head_for_the_teacher(d: Divergence, memory: int | None) -> None:
    parts, student = head(9, 3, bias=True), logits(generator(10), (ROWS, CLASSES), 1.0)[0]
    mine, true = leaves(student, *parts), wide(student, *parts)
    wanted = truth(d, true[0], dense(true[1:], 0.5)).mean()
    loss = kb.loss(d, mine[0], Head(*mine[1:], scale=0.5), engine=Engine(memory=memory))
    assert loss.item() == pytest.approx(wanted.item(), rel=ROUNDED)
    agrees(gradients(loss, mine), gradients(wanted, true), ROUNDED)


@every_kind
@pytest.mark.parametrize("asked", [(0,), (1,), (2,), (0, 2), (3,), (0, 3), (1, 4)])
def test_only_what_asks_gets_a_gradient(d: Divergence, asked: tuple[int, ...]) -> None:
    """A frozen head, a frozen body, a teacher that learns as well: each alone is what it is among all."""
    parts = [*head(11, 5, bias=True), *head(12, 4)]
    mine = [x.clone().requires_grad_(i in asked) for i, x in enumerate(parts)]
    true = wide(*parts)
    loss = kb.loss(d, Head(*mine[:3]), Head(*mine[3:]), engine=Engine(memory=5 * 2 * CLASSES * 4))
    loss.backward()
    wanted = gradients(truth(d, dense(true[:3]), dense(true[3:])).mean(), true)
    for i, (x, w) in enumerate(zip(mine, wanted, strict=True)):
        if i in asked:
            assert x.grad is not None
            assert relative(x.grad, w) <= ROUNDED
        else:
            assert x.grad is None


@every_kind
@pytest.mark.parametrize("delta", [1e-2, 1e-4])
def test_heads_that_are_nearly_equal(d: Divergence, delta: float) -> None:
    """Logits of the two sides exactly as they are in single precision, a power of two apart."""
    parts = [dyadic(generator(13), ROWS, 6), dyadic(generator(14), CLASSES, 6, size=4)]
    bias = 2.0 ** round(torch.tensor(delta).log2().item()) * (2.0 * (torch.arange(CLASSES) % 2) - 1)
    mine, true = leaves(*parts, *parts, bias), wide(*parts, *parts, bias)
    wanted = truth(d, dense(true[:2]), dense(true[2:])).mean()
    loss = kb.loss(d, Head(*mine[:2]), Head(*mine[2:]), engine=Engine(memory=1000))
    assert loss.item() == pytest.approx(wanted.item(), rel=ROUNDED)
    agrees(gradients(loss, mine), gradients(wanted, true), 2 * ROUNDED)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@every_kind
def test_half_precision_heads(d: Divergence, dtype: torch.dtype) -> None:
    """Products in half precision, the divergence and the sums over tokens in single: as good as the logits are."""
    parts = [*head(15, 6), *head(16, 4)]
    mine = leaves(*(x.to(dtype) for x in parts))
    true = wide(*mine)
    loss = kb.loss(d, Head(*mine[:2]), Head(*mine[2:]), engine=Engine(memory=4 * 2 * CLASSES * 2))
    rounded = [(true[i] @ true[i + 1].T).to(dtype).double() for i in (0, 2)]
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(truth(d, *rounded).mean().item(), rel=ROUNDED)
    wanted = truth(d, dense(true[:2]), dense(true[2:])).mean()
    agrees(gradients(loss, mine), gradients(wanted, true), 20 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_gradients_of_a_weight_are_summed_in_single_precision(dtype: torch.dtype) -> None:
    """600 equal terms one by one: in bfloat16 the sum would stand still at 256 of them."""
    parts = [torch.ones(600, 1), torch.tensor([[0.5], [0.25]]), torch.tensor([0.5, -0.5])]
    mine = leaves(*(x.to(dtype) for x in parts))
    teacher = torch.zeros(600, 2)
    loss = kb.loss(kb.kl, Head(*mine), teacher, engine=Engine(memory=1))
    true = wide(*parts)
    wanted = truth(kb.kl, dense(true), teacher).mean()
    agrees(gradients(loss, mine)[1:], gradients(wanted, true)[1:], 2 * torch.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("weights", "free", "chunks"), [(1 << 27, 1 << 40, 4), (1 << 30, 1 << 40, 2), (1 << 30, 1 << 31, 8)]
)
def test_buffers_without_a_budget(
    weights: int, free: int, chunks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a gigabyte for 2 GiB of logits, more where the weights are larger, an eighth of the memory that is free."""
    monkeypatch.setattr("kullback.losses.engines.chunks.free_memory", lambda _: free)
    assert Engine().rows(1 << 13, 1 << 18, weights, torch.device("cpu")) == (1 << 13) // chunks


# Compiled ---------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("d", compiled(tuple(x for x in ALL if isinstance(x, kb.FDivergence))), ids=repr)
def test_the_compiled_engine_has_the_same_numbers(d: kb.FDivergence) -> None:
    for delta in (1.0, 1e-3):
        pair = logits(generator(17), SHAPE, delta)
        mine, true = leaves(*pair), wide(*pair)
        loss, wanted = kb.loss(d, *mine, engine=Engine(compiled=True)), truth(d, *true).mean()
        assert loss.item() == pytest.approx(wanted.item(), rel=ROUNDED)
        agrees(gradients(loss, mine), gradients(wanted, true), ROUNDED)


def test_every_divergence_has_a_definition() -> None:
    for d in ALL:
        assert on_masses(d) is not None
