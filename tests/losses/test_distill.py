"""Both directions in balance, labels beside the teacher, the target class apart; and which noun is which name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import kullback as kb
from kullback import Head
from kullback.errors import InvalidInputError, ShapeError, UnsupportedPairError
from kullback.losses import (
    TopK,
    balanced,
    decoupled,
    decoupled_parts,
    target_cross_entropy,
    toward_labels,
    with_labels,
)
from losses.definitions import gradients, leaves, logits, relative, truth, wide
from problems.listed import KINDS

ROUNDED = 2e-6
LABELS = torch.tensor([[3, -100, 0, 9], [-100, 7, 7, 1]])
COUNT = 6


def pair(seed: int, delta: float = 1.0, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    return logits(torch.Generator().manual_seed(seed), (2, 4, 10), delta, dtype=dtype)


# Names ------------------------------------------------------------------------------------------------------------


def kl(p: Tensor, q: Tensor) -> Tensor:
    return (p * (p / q).log()).sum(-1)


def jsd(beta: float) -> Callable[[Tensor, Tensor], Tensor]:
    def value(p: Tensor, q: Tensor) -> Tensor:
        m = beta * p + (1 - beta) * q
        return beta * kl(p, m) + (1 - beta) * kl(q, m)

    return value


NAMES: dict[str, tuple[Any, Callable[[Tensor, Tensor], Tensor]]] = {
    "forward KL": (kb.kl, kl),
    "reverse KL": (kb.reverse_kl, lambda p, q: kl(q, p)),
    "the dual of KL": (kb.kl.dual, lambda p, q: kl(q, p)),
    "Jensen-Shannon": (kb.js, jsd(0.5)),
    "generalised JSD(0.1)": (kb.skew_js(0.1), jsd(0.1)),
    "generalised JSD(0.9) over its curvature": (
        kb.skew_js(0.9).normalised(),
        lambda p, q: jsd(0.9)(p, q) / 0.09,
    ),
    "symmetric KL": (kb.jeffreys, lambda p, q: kl(p, q) + kl(q, p)),
    "mixed KL": (0.3 * kb.kl + 0.7 * kb.reverse_kl, lambda p, q: 0.3 * kl(p, q) + 0.7 * kl(q, p)),
    "total variation": (kb.total_variation, lambda p, q: 0.5 * (p - q).abs().sum(-1)),
    "alpha": (kb.alpha(0.3), lambda p, q: (1 - (p**0.3 * q**0.7).sum(-1)) / 0.21),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_literature_name_is_a_noun(name: str) -> None:
    noun, value = NAMES[name]
    student, teacher = pair(1)
    p, q = teacher.double().softmax(-1), student.double().softmax(-1)
    assert kb.loss(noun, student, teacher).item() == pytest.approx(value(p, q).mean().item(), rel=ROUNDED)


def test_generalised_jsd_vanishes_at_its_ends_and_its_normalised_form_does_not() -> None:
    student, teacher = pair(2)
    for beta, end in ((1e-5, kb.kl), (1 - 1e-5, kb.reverse_kl)):
        at_end = kb.loss(end, student, teacher).item()
        assert kb.loss(kb.skew_js(beta), student, teacher).item() < 1e-4 * at_end
        normalised = kb.loss(kb.skew_js(beta).normalised(), student, teacher).item()
        assert normalised == pytest.approx(at_end, rel=1e-4)


@pytest.mark.parametrize("beta", [0, 1, -0.1, 1.5])
def test_generalised_jsd_has_no_ends(beta: float) -> None:
    with pytest.raises(InvalidInputError, match="kl"):
        kb.skew_js(beta)


# Both directions --------------------------------------------------------------------------------------------------


def entropy(z: Tensor, temperature: float) -> Tensor:
    log_p = (z.double() / temperature).log_softmax(-1)
    return -(log_p.exp() * log_p).sum(-1)


@pytest.mark.parametrize("d", KINDS, ids=repr)
def test_balance_by_entropy(d: kb.FDivergence) -> None:
    student, teacher = pair(3)
    student = student * torch.tensor([1.0, 4.0, 1.0, 4.0])[:, None]
    mine, true = leaves(student, teacher), wide(student, teacher)
    surer = entropy(student, 2.0) < entropy(teacher, 2.0)
    assert 0 < int(surer.sum()) < 8
    forth, back = truth(d, *true, temperature=2.0), truth(d.dual, *true, temperature=2.0)
    wanted = torch.where(surer, 2 * forth + back, forth + 2 * back)
    counts = LABELS != -100
    wanted = 4.0 * wanted[counts].sum() / COUNT
    got = balanced(d, *mine, labels=LABELS, temperature=2.0, squared_temperature=True)
    assert got.item() == pytest.approx(wanted.item(), rel=ROUNDED)
    for x, y in zip(gradients(got, mine), gradients(wanted, true), strict=True):
        assert relative(x, y) < ROUNDED


def test_balance_by_a_rule_of_ones_own_and_from_heads() -> None:
    seen: list[Tensor] = []

    def rule(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        seen.extend((student, teacher))
        return student, teacher

    rng = torch.Generator().manual_seed(4)
    hidden, weight = torch.randn(2, 4, 3, generator=rng), torch.randn(10, 3, generator=rng)
    teacher = pair(5)[1]
    factor = torch.rand(2, 4, generator=rng)
    got = balanced(kb.kl, Head(hidden, weight), teacher, rule=rule, weight=factor)
    student = hidden.double() @ weight.double().T
    h, h_teacher = entropy(student, 1.0), entropy(teacher, 1.0)
    torch.testing.assert_close(seen[0].double(), h, rtol=0, atol=1e-5)
    torch.testing.assert_close(seen[1].double(), h_teacher, rtol=0, atol=1e-5)
    wanted = h * truth(kb.kl, student, teacher) + h_teacher * truth(kb.reverse_kl, student, teacher)
    assert got.item() == pytest.approx((factor * wanted).mean().item(), rel=1e-5)


def test_no_balance_without_another_direction() -> None:
    with pytest.raises(UnsupportedPairError, match="dual"):
        balanced(kb.renyi(2), *pair(6))  # type: ignore[arg-type]
    student, teacher = pair(6)
    with pytest.raises(UnsupportedPairError, match="entropy"):
        balanced(kb.kl, student, TopK.of_logits(teacher, 3))  # type: ignore[arg-type]


# Labels -----------------------------------------------------------------------------------------------------------


def test_labels_beside_the_teacher() -> None:
    student, teacher = pair(7)
    mine, true = leaves(student), wide(student)
    options: dict[str, Any] = {"hard": 0.3, "soft": 0.7, "temperature": 4.0, "squared_temperature": True}
    got = with_labels(kb.js, mine[0], teacher, LABELS, **options)
    hard = cross_entropy(true[0].reshape(-1, 10), LABELS.reshape(-1))
    soft = truth(kb.js, true[0], teacher, temperature=4.0)[LABELS != -100].mean()
    wanted = 0.3 * hard + 0.7 * 16.0 * soft
    assert got.item() == pytest.approx(wanted.item(), rel=ROUNDED)
    assert relative(gradients(got, mine)[0], gradients(wanted, true)[0]) < ROUNDED


def test_labels_beside_the_teacher_from_a_head() -> None:
    rng = torch.Generator().manual_seed(8)
    hidden, weight = leaves(torch.randn(2, 4, 3, generator=rng), torch.randn(10, 3, generator=rng))
    teacher = pair(9)[1]
    got = with_labels(kb.kl, Head(hidden, weight), teacher, LABELS, hard=1.0, soft=2.0)
    wanted = with_labels(kb.kl, hidden @ weight.T, teacher, LABELS, hard=1.0, soft=2.0)
    assert got.item() == pytest.approx(wanted.item(), rel=ROUNDED)
    for x, y in zip(gradients(got, (hidden, weight)), gradients(wanted, (hidden, weight)), strict=True):
        assert relative(x, y) < 1e-5


def test_nothing_to_count_is_nothing() -> None:
    student, teacher = leaves(*pair(10))
    nowhere = torch.full((2, 4), -100)
    for got in (
        with_labels(kb.kl, student, teacher, nowhere, hard=1.0, soft=1.0),
        decoupled(kb.kl, student, teacher, nowhere),
        target_cross_entropy(student, teacher, nowhere),
        balanced(kb.kl, student, teacher, labels=nowhere),
    ):
        assert got.item() == 0
        assert float(gradients(got, [student])[0].abs().max()) == 0


def test_labels_as_much_as_the_teacher_believes_them() -> None:
    student, teacher = pair(11)
    mine, true = leaves(student, teacher), wide(student)
    got = target_cross_entropy(*mine, LABELS)
    counts = LABELS != -100
    losses = cross_entropy(true[0].reshape(-1, 10), LABELS.reshape(-1), reduction="none").reshape(2, 4)
    belief = teacher.double().softmax(-1).gather(-1, LABELS.clamp(min=0)[..., None])[..., 0]
    wanted = (losses * belief)[counts].mean()
    assert got.item() == pytest.approx(wanted.item(), rel=ROUNDED)
    to_student, to_teacher = gradients(got, mine)
    assert relative(to_student, gradients(wanted, true)[0]) < ROUNDED
    assert float(to_teacher.abs().max()) == 0


@pytest.mark.parametrize("share", [0.0, 0.35, 1.0])
def test_targets_between_teacher_and_labels(share: float) -> None:
    teacher = pair(12, dtype=torch.float64)[1]
    p = teacher.softmax(-1)
    mixed = toward_labels(teacher, LABELS, share)
    sure = torch.nn.functional.one_hot(LABELS.clamp(min=0), 10).double()
    wanted = torch.where((LABELS == -100)[..., None], p, share * sure + (1 - share) * p)
    torch.testing.assert_close(mixed.exp(), wanted, rtol=1e-13, atol=0)
    torch.testing.assert_close(mixed.exp().sum(-1), torch.ones(2, 4, dtype=torch.float64))


def test_self_distillation_round_after_round_has_its_limit() -> None:
    """A student that smooths its targets, Y ← A (s Y₀ + (1 − s) Y), ends at s (I − (1 − s) A)⁻¹ A Y₀."""
    rng = torch.Generator().manual_seed(13)
    smoother = torch.rand(12, 12, generator=rng, dtype=torch.float64).softmax(-1)
    labels = torch.randint(3, (12,), generator=rng)
    hard = torch.nn.functional.one_hot(labels, 3).double()
    share, p = 0.35, smoother @ hard
    for _ in range(100):
        p = smoother @ toward_labels(p.log(), labels, share).exp()
    eye = torch.eye(12, dtype=torch.float64)
    limit = share * torch.linalg.solve(eye - (1 - share) * smoother, smoother @ hard)
    torch.testing.assert_close(p, limit, rtol=0, atol=1e-13)


# The target class apart -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delta", [1.0, 1e-3])
def test_the_parts_make_plain_kl(delta: float) -> None:
    student, teacher = pair(14, delta, torch.float64)
    parts = decoupled_parts(kb.kl, student, teacher, LABELS, temperature=2.0)
    whole = kb.per_token(kb.kl, student, teacher, labels=LABELS, temperature=2.0)
    torch.testing.assert_close(parts.target + parts.mass * parts.others, whole, rtol=1e-12, atol=0)


@pytest.mark.parametrize("d", [*KINDS, kb.renyi(2)], ids=repr)
def test_decoupled_by_definition(d: kb.Divergence) -> None:
    student, teacher = pair(15)
    mine, true = leaves(student, teacher), wide(student, teacher)
    total = torch.zeros((), dtype=torch.float64)
    for row, label in zip(
        *(x.reshape(-1, *x.shape[2:]) for x in (torch.stack(true, 2), LABELS)), strict=True
    ):
        if label >= 0:
            q, p = (row / 3.0).softmax(-1)
            rest = torch.arange(10) != label
            two = [torch.stack([x[label], x[rest].sum()]).log() for x in (q, p)]
            total = total + 1.5 * truth(d, *two) + 8.0 * truth(d, q[rest].log(), p[rest].log())
    wanted = 9.0 * total / COUNT
    got = decoupled(d, *mine, LABELS, target=1.5, others=8.0, temperature=3.0, squared_temperature=True)
    assert got.item() == pytest.approx(wanted.item(), rel=ROUNDED)
    for x, y in zip(gradients(got, mine), gradients(wanted, true), strict=True):
        assert relative(x, y) < ROUNDED


def test_decoupled_denominator_and_masked_classes() -> None:
    student, teacher = pair(16)
    student, teacher = (z.index_fill(-1, torch.tensor([4]), -math.inf) for z in (student, teacher))
    got = decoupled(kb.kl, student, teacher, LABELS, denominator=3)
    keep = [i for i in range(10) if i != 4]
    labels = torch.where(LABELS > 4, LABELS - 1, LABELS)
    wanted = decoupled(kb.kl, student[..., keep], teacher[..., keep], labels) * COUNT / 3
    assert got.item() == pytest.approx(wanted.item(), rel=ROUNDED)


def test_labels_that_fit_nothing() -> None:
    student, teacher = pair(17)
    with pytest.raises(InvalidInputError, match="below 10"):
        decoupled(kb.kl, student, teacher, LABELS + 5)
    with pytest.raises(ShapeError, match="labels"):
        decoupled(kb.kl, student, teacher, LABELS[0])
    with pytest.raises(InvalidInputError, match="below"):
        with_labels(kb.kl, student, teacher, LABELS.clamp(min=0) + 5, hard=1.0, soft=1.0)
    with pytest.raises(InvalidInputError, match="share"):
        toward_labels(teacher, LABELS, 1.5)
    with pytest.raises(ShapeError, match="agree"):
        decoupled(kb.kl, student, teacher[..., :9], LABELS)
