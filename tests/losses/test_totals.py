"""What becomes of the rows: masks, weights, divisors, temperature, rows that are not finite; second derivatives."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import kullback as kb
from kullback import Divergence, Engine, Head
from losses.definitions import dyadic, gradients, leaves, logits, relative, truth, wide
from problems.listed import KINDS

SHAPE = (3, 5, 12)
ROUNDED = 2e-6
MASK = torch.tensor([[1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [0, 1, 1, 1, 1]], dtype=torch.bool)

every_kind = pytest.mark.parametrize("d", [*KINDS, kb.renyi(2)], ids=repr)
PER: list[Any] = ["token", "sequence", "batch"]


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def plain(values: Tensor, counted: Tensor, per: str) -> Tensor:
    """The three averages as sentences say them."""
    if per == "token":
        return values[counted].mean()
    if per == "batch":
        return (values * counted).sum() / len(values)
    return torch.stack([v[c].mean() for v, c in zip(values, counted, strict=True) if c.any()]).mean()


@pytest.mark.parametrize("per", PER)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("way", ["all", "mask", "labels", "ignore_index"])
@every_kind
def test_averages(d: Divergence, way: str, weighted: bool, per: Any) -> None:
    pair = logits(generator(20), SHAPE, 1.0)
    mine, true = leaves(*pair), wide(*pair)
    labels = torch.where(MASK, 7, -100)
    named: dict[str, dict[str, Any]] = {
        "all": {},
        "mask": {"mask": MASK},
        "labels": {"labels": labels},
        "ignore_index": {"labels": labels.clamp(min=-1), "ignore_index": -1},
    }
    counted = torch.ones_like(MASK) if way == "all" else MASK
    weight = (
        torch.rand(3, 5, generator=generator(21), dtype=torch.float64) if weighted else torch.ones(3, 5)
    ).requires_grad_(weighted)
    loss = kb.loss(d, *mine, weight=weight if weighted else None, per=per, **named[way])
    wanted = plain(truth(d, *true) * weight, counted, per)
    assert loss.item() == pytest.approx(wanted.item(), rel=ROUNDED)
    inputs = [weight] if weighted else []
    both = zip(gradients(loss, [*mine, *inputs]), gradients(wanted, [*true, *inputs]), strict=True)
    for got, other in both:
        assert relative(got, other) <= ROUNDED
    rows = kb.per_token(d, *mine, **named[way])
    assert rows.shape == (3, 5)
    assert (rows[~counted] == 0).all()
    torch.testing.assert_close(rows.double(), truth(d, *true) * counted, rtol=ROUNDED, atol=0)


@pytest.mark.parametrize("per", PER)
def test_micro_batches_with_one_denominator_are_one_batch(per: Any) -> None:
    pair = logits(generator(22), (4, 5, 12), 1.0)
    mask = torch.cat([MASK, MASK[:1]])
    divisor = {"token": mask.sum(), "sequence": mask.any(-1).sum(), "batch": 4}[per]
    one, parts = leaves(*pair), leaves(*pair)
    kb.loss(kb.js, *one, mask=mask, per=per).backward()
    total = 0.0
    for piece in (slice(0, 1), slice(1, 2), slice(2, 4)):  # the second has nothing that counts
        loss = kb.loss(
            kb.js, parts[0][piece], parts[1][piece], mask=mask[piece], per=per, denominator=divisor
        )
        loss.backward()
        total += loss.item()
    assert total == pytest.approx(kb.loss(kb.js, *one, mask=mask, per=per).item(), rel=ROUNDED)
    for a, b in zip(one, parts, strict=True):
        assert relative(b.grad, a.grad) <= ROUNDED  # type: ignore[arg-type]


def test_a_denominator_is_a_number_or_a_tensor() -> None:
    pair = logits(generator(23), SHAPE, 1.0)
    total = kb.loss(kb.kl, *pair).item() * 15
    for divisor in (7, 7.0, torch.tensor(7), torch.tensor(7.0)):
        assert kb.loss(kb.kl, *pair, denominator=divisor).item() == pytest.approx(total / 7, rel=1e-6)


@every_kind
@pytest.mark.parametrize("temperature", [0.5, 2.0])
@pytest.mark.parametrize("linear", [False, True])
def test_temperature(d: Divergence, temperature: float, linear: bool) -> None:
    """Both sides are softened; T² is there when it is asked for; a tensor learns."""
    rng = generator(24)
    parts = [dyadic(rng, 9, 4), dyadic(rng, 12, 4, size=8), logits(rng, (9, 12), 1.0)[1]]
    options: list[dict[str, Any]] = [{}, {"squared_temperature": True}]
    for option in options:
        for t in (temperature, torch.tensor(temperature, requires_grad=True)):
            mine, true = leaves(*parts), wide(*parts, torch.tensor(temperature))
            z = mine[0] @ mine[1].T
            student = Head(mine[0], mine[1]) if linear else z
            loss = kb.loss(d, student, mine[2], temperature=t, **option)
            wide_t = true[3] if isinstance(t, Tensor) else true[3].detach()
            wanted = truth(d, true[0] @ true[1].T / wide_t, true[2] / wide_t).mean()
            wanted = wanted * wide_t**2 if option else wanted
            assert loss.item() == pytest.approx(wanted.item(), rel=ROUNDED)
            learning = [t] if isinstance(t, Tensor) else []
            got = gradients(loss, [*mine, *learning])
            for a, b in zip(got, gradients(wanted, true[: len(got)]), strict=True):
                assert relative(a, b) <= 2 * ROUNDED


def test_a_hidden_unit_temperature_of_masked_classes_has_a_finite_gradient() -> None:
    student, teacher = logits(generator(25), (4, 6), 1.0)
    student[:, 2], teacher[:, 2] = -math.inf, -math.inf
    temperature = torch.tensor(2.0, requires_grad=True)
    loss = kb.loss(kb.kl, student, teacher, temperature=temperature)
    keep = [0, 1, 3, 4, 5]
    wide_t = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    wanted = truth(kb.kl, student[:, keep].double() / wide_t, teacher[:, keep].double() / wide_t).mean()
    assert loss.item() == pytest.approx(wanted.item(), rel=ROUNDED)
    (got,), (true,) = gradients(loss, [temperature]), gradients(wanted, [wide_t])
    assert float(got) == pytest.approx(float(true), rel=ROUNDED)


# Rows that are not finite -----------------------------------------------------------------------------------------


def with_a_nan() -> tuple[Tensor, Tensor]:
    student, teacher = logits(generator(26), (2, 3, 7), 1.0)
    student[0, 1, 4] = math.nan
    return student, teacher


def test_propagate_keeps_the_damage_in_its_row() -> None:
    mine = leaves(*with_a_nan())
    loss = kb.loss(kb.kl, *mine)
    assert math.isnan(loss.item())
    for gradient in gradients(loss, mine):
        bad = ~torch.isfinite(gradient).all(-1)
        assert bad.tolist() == [[False, True, False], [False, False, False]]
    assert torch.isfinite(kb.per_token(kb.kl, *mine)).sum() == 5


def test_skip_counts_what_it_leaves_out() -> None:
    mine = leaves(*with_a_nan())
    rest = torch.tensor([[1, 0, 1], [1, 1, 1]], dtype=torch.bool)
    with pytest.warns(RuntimeWarning, match="1 of 6 rows .* the first is row 1; they were skipped"):
        loss = kb.loss(kb.kl, *mine, nonfinite="skip")
    assert loss.item() == pytest.approx(kb.loss(kb.kl, *mine, mask=rest).item(), rel=1e-6)
    for gradient in gradients(loss, mine):
        assert torch.isfinite(gradient).all()
        assert (gradient[0, 1] == 0).all()


def test_raise_says_where() -> None:
    with pytest.raises(kb.InvalidInputError, match=r"1 of 6 rows .* row 1; look for NaN"):
        kb.loss(kb.kl, *with_a_nan(), nonfinite="raise")
    with pytest.raises(kb.InvalidInputError, match="`nonfinite` is 'ignore'; expected one of 'propagate'"):
        kb.loss(kb.kl, *with_a_nan(), nonfinite="ignore")  # type: ignore[arg-type]


def test_the_policies_change_nothing_where_all_is_finite() -> None:
    pair = logits(generator(27), SHAPE, 1.0)
    assert kb.loss(kb.kl, *pair, nonfinite="skip") == kb.loss(kb.kl, *pair)
    assert kb.loss(kb.kl, *pair, nonfinite="raise") == kb.loss(kb.kl, *pair)


# Derivatives of derivatives ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [kb.kl, kb.js, kb.alpha(-1.5), kb.renyi(2), kb.renyi(0)], ids=repr)
@pytest.mark.parametrize("masked", [False, True])
def test_second_derivatives(d: Divergence, masked: bool) -> None:
    rng = generator(28)
    parts = [dyadic(rng, 3, 2), dyadic(rng, 4, 2, size=8), logits(rng, (3, 4), 1.0)[1], torch.rand(3)]
    mine = wide(*parts)
    options: dict[str, Any] = {"mask": torch.tensor([True, False, True])} if masked else {}

    def loss(hidden: Tensor, weight: Tensor, teacher: Tensor, per_row: Tensor) -> Tensor:
        sides = Head(hidden, weight, scale=0.5, softcap=3.0), teacher
        return kb.loss(d, *sides, weight=per_row, temperature=1.5, engine=Engine(memory=1), **options)

    def rows(hidden: Tensor, weight: Tensor, teacher: Tensor) -> Tensor:
        return kb.per_token(d, Head(hidden, weight), teacher, engine=Engine(memory=1), **options)

    if d != kb.renyi(0):
        assert torch.autograd.gradcheck(loss, mine)
        assert torch.autograd.gradcheck(rows, mine[:3])
    assert torch.autograd.gradgradcheck(loss, mine)
    assert torch.autograd.gradgradcheck(rows, mine[:3])


def test_a_penalty_on_the_gradient() -> None:
    pair = logits(generator(29), (4, 6), 1.0)
    mine, true = leaves(*pair), wide(*pair)
    (got,) = torch.autograd.grad(kb.loss(kb.js, *mine), mine[:1], create_graph=True)
    (wanted,) = torch.autograd.grad(truth(kb.js, *true).mean(), true[:1], create_graph=True)
    for a, b in zip(gradients(got.square().sum(), mine), gradients(wanted.square().sum(), true), strict=True):
        assert relative(a, b) <= ROUNDED


def test_a_scaled_loss_has_scaled_gradients() -> None:
    """As a gradient scaler or a sum with another loss does it."""
    pair = logits(generator(30), (4, 6), 1.0)
    one, other = leaves(*pair), leaves(*pair)
    kb.loss(kb.kl, *one).backward()
    (3.0 * kb.loss(kb.kl, *other) + other[0].square().sum()).backward()
    torch.testing.assert_close(other[0].grad, 3.0 * one[0].grad + 2.0 * pair[0])  # type: ignore[operator]
