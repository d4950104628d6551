"""Values that are trained through any function of them: what is kept between the passes, and the gradients of it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

import kullback as kb
from kullback import Divergence, Engine, Head
from kullback.losses.engines import again as second
from kullback.losses.engines import rows as first
from losses.definitions import gradients, leaves, logits, relative, truth, wide
from losses.test_engines_agree import ALL, ROUNDED
from problems.listed import KINDS

ROWS, CLASSES, WIDTH = 9, 24, 5
MASK = torch.tensor([1, 1, 0, 1, 0, 1, 1, 1, 1], dtype=torch.bool)
CHUNKS = Engine(memory=4 * 2 * CLASSES * 4)

every = pytest.mark.parametrize("d", ALL, ids=repr)
every_kind = pytest.mark.parametrize("d", [*KINDS, kb.renyi(2)], ids=repr)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def heads(seed: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Hidden states and weights of both sides, unit-variance logits."""
    shapes = ((ROWS, WIDTH), (CLASSES, WIDTH)) * 2
    return [
        torch.randn(s, generator=generator(seed + i), dtype=dtype) * WIDTH**-0.25
        for i, s in enumerate(shapes)
    ]


@every
@pytest.mark.parametrize("learning", ["student", "teacher", "both"])
def test_heads_with_mask_weights_and_temperature(d: Divergence, learning: str) -> None:
    parts, up = heads(40), torch.randn(ROWS, generator=generator(44), dtype=torch.float64)
    asked = {"student": slice(0, 2), "teacher": slice(2, 4), "both": slice(0, 4)}[learning]
    mine, true = leaves(*parts), wide(*parts)
    for x in (*mine[: asked.start], *mine[asked.stop :]):
        x.requires_grad_(False)
    values = kb.per_token(
        d, Head(mine[0], mine[1]), Head(mine[2], mine[3]), mask=MASK, temperature=1.5, engine=CHUNKS
    )
    wanted = truth(d, true[0] @ true[1].T, true[2] @ true[3].T, temperature=1.5) * MASK
    # weights of either sign, and a function of the values that is not linear
    got = gradients(((1.0 + values).sqrt() * up).sum(), mine[asked])
    other = gradients(((1.0 + wanted).sqrt() * up).sum(), true[asked])
    for a, b in zip(got, other, strict=True):
        if float(b.norm()) == 0:
            assert float(a.abs().max()) == 0
        else:
            assert relative(a, b) <= (1e-8 if d == kb.chernoff else 1e-11)


@every
@pytest.mark.parametrize("delta", [1.0, 1e-2, 1e-4])
def test_single_precision_near_equality_and_far_from_zero(d: Divergence, delta: float) -> None:
    """Both passes make the gradients of the one, though a log-normaliser of 256 has few digits left."""
    pair = [(z * 2**14).round() / 2**14 + 256.0 for z in logits(generator(45), (ROWS, CLASSES), delta)]
    mine, up = leaves(*pair), torch.linspace(-1.0, 2.0, ROWS)
    got = gradients((kb.per_token(d, *mine) * up).sum(), mine)
    at_once = gradients(kb.loss(d, *mine, weight=up, denominator=1.0), mine)
    for a, b in zip(got, at_once, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=ROUNDED * float(b.norm()))


@every_kind
def test_masked_classes_and_rows_beyond_reach(d: Divergence) -> None:
    """Rows that are the noun's among others; upstream factors that differ."""
    student, teacher = logits(generator(46), (6, CLASSES), 0.5, dtype=torch.float64)
    student[1, 3], teacher[1, 3] = -math.inf, -math.inf
    teacher[2, 5] = -math.inf
    student[3, 0] += 700.0
    up = torch.tensor([1.0, -2.0, 0.5, 3.0, 0.0, 1.5], dtype=torch.float64)
    one, other = leaves(student, teacher), leaves(student, teacher)
    values = kb.per_token(d, *one)
    finite = values.isfinite()
    got = gradients((values * up)[finite].sum(), one)
    wanted = gradients(kb.loss(d, *other, weight=up, mask=finite, denominator=1.0), other)
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-13)


def kept(d: Divergence, parts: list[Tensor]) -> list[Tensor]:
    """What the graph of the values has saved beside the caller's own tensors."""
    found: list[Tensor] = []
    with saved_tensors_hooks(lambda x: found.append(x) or x, lambda x: x):
        kb.per_token(d, Head(parts[0], parts[1]), Head(parts[2], parts[3]), engine=CHUNKS)
    return [x for x in found if x.data_ptr() not in {y.data_ptr() for y in parts}]


@every_kind
@pytest.mark.parametrize("learning", [(0, 1), (2, 3), (0, 1, 2, 3)])
def test_three_numbers_a_row_are_kept(d: Divergence, learning: tuple[int, ...]) -> None:
    """Both log-normalisers and a sum; one sum more where both sides learn, and the value of a function of one."""
    parts = [x.requires_grad_(i in learning) for i, x in enumerate(heads(47, torch.float32))]
    assert [tuple(x.shape) for x in kept(d, parts)] == [(ROWS,)] * (
        3 + (len(learning) == 4) + (d == kb.renyi(2))
    )


def test_nothing_is_kept_of_a_divergence_that_is_no_sum_over_classes() -> None:
    assert kept(kb.chernoff, [x.requires_grad_() for x in heads(48, torch.float32)]) == []


def test_the_second_pass_forms_no_normaliser_and_no_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = leaves(*logits(generator(49), (ROWS, CLASSES), 1.0))
    values = kb.per_token(kb.js, *mine)
    wanted = gradients(kb.per_token(kb.js, *mine).sum(), mine)

    def refuse(*_: Any) -> None:
        raise AssertionError("the first pass has done this")

    for name in ("masses", "_sum", "carefully"):
        monkeypatch.setattr(first, name, refuse)
    for got, other in zip(gradients(values.sum(), mine), wanted, strict=True):
        assert torch.equal(got, other)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "d", [kb.skew_js(0.1), *(pytest.param(d, marks=pytest.mark.slow) for d in (kb.kl, kb.renyi(2)))], ids=repr
)
def test_compiled(d: Divergence) -> None:
    """Near equality as well, where both passes have to form the very same log-ratios."""
    for delta in (1.0, 1e-3):
        pair = logits(generator(50), (ROWS, CLASSES), delta)
        mine, true = leaves(*pair), wide(*pair)
        up = torch.linspace(-1.0, 2.0, ROWS)
        got = gradients((kb.per_token(d, *mine, engine=Engine(compiled=True)) * up).sum(), mine)
        for a, b in zip(got, gradients((truth(d, *true) * up).sum(), true), strict=True):
            assert relative(a, b) <= ROUNDED


def test_a_row_leaves_nothing_where_nobody_learns() -> None:
    found = first.rows(kb.kl, *logits(generator(51), (2, 3), 1.0), (False, False))
    assert second.left(kb.kl, found, (False, False)) == []
