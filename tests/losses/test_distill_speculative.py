"""Speculative decoding against enumeration and simulation."""

from __future__ import annotations

import itertools

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor

import kullback as kb
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses import (
    Sources,
    acceptance,
    best_draft,
    residual,
    speculative_step,
    speed_up,
    tokens_per_call,
)

WIDE = torch.float64


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def models(seed: int, *shape: int) -> tuple[Tensor, Tensor]:
    rng = generator(seed)
    return tuple(torch.randn(shape, generator=rng, dtype=WIDE) for _ in range(2))  # type: ignore[return-value]


def test_acceptance_is_the_overlap() -> None:
    student, teacher = models(1, 5, 7, 9)
    overlap = torch.minimum((student / 2).softmax(-1), (teacher / 2).softmax(-1)).sum(-1)
    got = acceptance(student, teacher, temperature=2.0)
    torch.testing.assert_close(got, overlap, rtol=1e-14, atol=0)
    hidden, weight = torch.randn(5, 7, 3, generator=generator(2), dtype=WIDE), torch.randn(9, 3, dtype=WIDE)
    torch.testing.assert_close(
        acceptance(kb.Head(hidden, weight), teacher), acceptance(hidden @ weight.T, teacher)
    )


def test_accepted_drafts_and_replacements_make_the_teacher() -> None:
    student, teacher = models(3, 100, 6)
    student = student.masked_fill(torch.rand(100, 6, generator=generator(4)) < 0.2, -torch.inf)
    student[:, 0] = 0.0
    q, p = student.softmax(-1), teacher.softmax(-1)
    law = torch.minimum(p, q) + (1 - acceptance(student, teacher))[:, None] * residual(student, teacher)
    torch.testing.assert_close(law, p, rtol=1e-12, atol=1e-15)
    assert torch.equal(residual(teacher, teacher), p)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.999, 1.0])
@pytest.mark.parametrize("drafted", [0, 1, 5])
def test_expected_tokens_by_enumeration(alpha: float, drafted: int) -> None:
    total = 0.0
    for fates in itertools.product((True, False), repeat=drafted):
        chance = 1.0
        for fate in fates:
            chance *= alpha if fate else 1 - alpha
        prefix = next((i for i, fate in enumerate(fates) if not fate), drafted)
        total += chance * (prefix + 1)
    assert tokens_per_call(alpha, drafted) == pytest.approx(total, rel=1e-12)
    assert speed_up(alpha, drafted, cost=0.2) == pytest.approx(total / (0.2 * drafted + 1), rel=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.2, 0.5, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("cost", [0.01, 0.1, 0.5, 1.0, 1.5])
def test_the_best_draft_is_the_best_of_all(alpha: float, cost: float) -> None:
    best = max(range(41), key=lambda n: (round(speed_up(alpha, n, cost=cost), 12), -n))
    assert best_draft(alpha, cost=cost, most=40) == best


def drafts(student: Tensor, rng: torch.Generator) -> Tensor:
    flat = student.softmax(-1).reshape(-1, student.shape[-1])
    return torch.multinomial(flat, 1, generator=rng).reshape(student.shape[:-1])


@pytest.mark.parametrize("lenience", [1.0, 2.5])
def test_the_step_draws_from_its_law(lenience: float) -> None:
    """First tokens of two models that see no context, with one draft and with none of them like the other."""
    student, teacher = models(5, 4)
    rounds, rng = 200_000, generator(6)
    two = student.expand(rounds, 1, 4), teacher.expand(rounds, 2, 4)
    drafted = drafts(two[0], rng)
    found = speculative_step(*two, drafted, generator=rng, lenience=lenience)
    first = torch.where(found.accepted > 0, drafted[:, 0], found.token)
    q, p = student.softmax(-1), teacher.softmax(-1)
    kept = torch.minimum(q, lenience * p)
    law = kept + (1 - kept.sum()) * residual(student[None], teacher[None])[0]
    if lenience == 1:
        torch.testing.assert_close(law, p)
    else:
        assert float((law - p).abs().max()) > 0.02
    counts = torch.bincount(first, minlength=4).double()
    assert chisquare(counts.numpy(), (law * rounds).numpy()).pvalue > 1e-3
    assert found.accepted.double().mean() == pytest.approx(float(kept.sum()), abs=5e-3)
    # a token after an accepted draft is the teacher's own
    after = torch.bincount(found.token[found.accepted == 1], minlength=4).double()
    assert chisquare(after.numpy(), (p * after.sum()).numpy()).pvalue > 1e-3


def test_whole_sequences_have_the_teachers_law() -> None:
    """Two tokens of models with memory: every pair as often as the teacher makes it, and τ tokens a call."""
    rng, rounds = generator(7), 200_000
    first, then = models(8, 3), models(9, 3, 3)
    student = torch.stack([first[0].expand(rounds, 3), torch.empty(rounds, 3, dtype=WIDE)], 1)
    one = drafts(student[:, :1], rng)
    student[:, 1] = then[0][one[:, 0]]
    drafted = torch.cat([one, drafts(student[:, 1:], rng)], 1)
    teacher = torch.stack([first[1].expand(rounds, 3), then[1][drafted[:, 0]], then[1][drafted[:, 1]]], 1)
    found = speculative_step(student, teacher, drafted, generator=rng)
    made = torch.cat([drafted, torch.zeros(rounds, 1, dtype=torch.long)], 1)
    made.scatter_(1, found.accepted[:, None], found.token[:, None])
    # where the call ended after one token, the teacher goes on by itself
    alone = drafts(then[1][made[:, 0]][:, None], rng)[:, 0]
    made[:, 1] = torch.where(found.accepted == 0, alone, made[:, 1])
    law = first[1].softmax(-1)[:, None] * then[1].softmax(-1)
    counts = torch.bincount(3 * made[:, 0] + made[:, 1], minlength=9).double()
    assert chisquare(counts.numpy(), (law.reshape(-1) * rounds).numpy()).pvalue > 1e-3


def test_tokens_per_call_in_the_long_run() -> None:
    student, teacher = models(10, 5)
    alpha, rounds, rng = float(acceptance(student[None], teacher[None])[0]), 100_000, generator(11)
    two = student.expand(rounds, 4, 5), teacher.expand(rounds, 5, 5)
    found = speculative_step(*two, drafts(two[0], rng), generator=rng)
    made = (found.accepted + 1).double()
    assert abs(float(made.mean()) - tokens_per_call(alpha, 4)) < 4 * float(made.std()) / rounds**0.5


def test_equal_models_accept_all() -> None:
    student = models(12, 3, 5)[0].float()
    drafted = drafts(student, generator(13))
    teacher = torch.cat([student, student[:1]])
    assert int(speculative_step(student, teacher, drafted, generator=generator(14)).accepted) == 3


def test_total_variation_trains_for_acceptance() -> None:
    student, teacher = models(15, 8, 6)
    gain = acceptance(student, teacher).mean() + kb.loss(kb.total_variation, student, teacher)
    assert float(gain) == pytest.approx(1.0, abs=1e-12)


def test_what_makes_no_step() -> None:
    student, teacher = models(16, 3, 5)
    drafted = torch.zeros(3, dtype=torch.long)
    with pytest.raises(ShapeError, match=r"n \+ 1"):
        speculative_step(student, teacher, drafted, generator=generator(0))
    four = torch.cat([teacher, teacher[:1]])
    with pytest.raises(InvalidInputError, match="lenience"):
        speculative_step(student, four, drafted, generator=generator(0), lenience=0.0)
    for call in (
        lambda: tokens_per_call(1.1, 3),
        lambda: tokens_per_call(0.5, -1),
        lambda: speed_up(0.5, 3, cost=-1.0),
    ):
        with pytest.raises(InvalidInputError, match="expected"):
            call()


# Sources ----------------------------------------------------------------------------------------------------------


def test_sources_in_their_proportions() -> None:
    sources = Sources({"data": 1.0, "student": 2.0, "teacher": 1.0}, seed=5)
    drawn = [name for step in range(2000) for name in sources.draw(step=step, count=8)]
    counts = [drawn.count(name) for name in sources.weights]
    assert chisquare(counts, [0.25 * 16000, 0.5 * 16000, 0.25 * 16000]).pvalue > 1e-3
    assert sources.shares == {"data": 0.25, "student": 0.5, "teacher": 0.25}


def test_sources_depend_on_seed_and_step_alone() -> None:
    weights = {"data": 1.0, "student": 1.0}
    one, again, other = Sources(weights, seed=1), Sources(dict(weights), seed=1), Sources(weights, seed=2)
    weights["data"] = 0.0
    first = one.draw(step=3, count=64)
    one.draw(step=4, count=5)
    assert one.draw(step=3, count=64) == first == again.draw(step=3, count=64)
    assert other.draw(step=3, count=64) != first != one.draw(step=4, count=64)


@pytest.mark.parametrize(
    "weights", [{}, {"data": 0.0}, {"data": -1.0, "student": 2.0}, {"data": float("nan")}]
)
def test_sources_need_weights(weights: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError, match="weights"):
        Sources(weights, seed=0)
