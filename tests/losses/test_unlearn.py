"""Unlearning by a critic: the published formulas, signs under every divergence, and a model that forgets."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import kullback as kb
from kullback import FDivergence
from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses.unlearn import Critic, Direct, LogRatio, flat, mean_token_probability
from problems.listed import USERS

ALL = [*kb.catalogue(), *USERS]
CRITICS: list[Critic] = [Direct(), LogRatio(), LogRatio(-1.0)]
V = torch.linspace(0, 1, 9, dtype=torch.float64)


def curved(d: FDivergence) -> bool:
    return d.curvature_at_one is not None


PAIRS = [(d, c) for d in ALL for c in CRITICS if curved(d) or isinstance(c, Direct)]
NAMES = [f"{d.name}-{c}" for d, c in PAIRS]

# L(template, forget) as published, with the constant that standard form takes off
PUBLISHED: dict[str, tuple[FDivergence, Critic, Callable[[Tensor, Tensor], Tensor]]] = {
    "kl": (kb.kl, LogRatio(-1.0), lambda t, f: -t + (f - 1).exp()),
    "total_variation": (kb.total_variation, Direct(), lambda t, f: (f.tanh() - t.tanh()) / 2),
    "pearson": (kb.pearson_chi2, Direct(), lambda t, f: -t + f + f**2 / 4),
    "js": (
        2 * kb.js,
        LogRatio(),
        lambda t, f: (1 + (-t).exp()).log() + f + (1 + (-f).exp()).log() - 2 * math.log(2),
    ),
    # of the others only the corrected forms, whose scores rise with the probability
    "reverse_kl": (kb.reverse_kl, LogRatio(), lambda t, f: (-t).exp() + f - 1),
    "squared_hellinger": (kb.squared_hellinger, LogRatio(), lambda t, f: (-t / 2).exp() + (f / 2).exp() - 2),
    "neyman": (kb.neyman_chi2, LogRatio(), lambda t, f: (-2 * t).exp() - 1 + 2 - 2 * (-f).exp()),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_formulas(name: str) -> None:
    d, critic, formula = PUBLISHED[name]
    got = flat(d, template=V.flip(0), forget=V, critic=critic)
    assert float(got) == pytest.approx(float(formula(V.flip(0), V).mean()), abs=1e-14)


@pytest.mark.parametrize(("d", "critic"), PAIRS, ids=NAMES)
def test_the_template_rises_and_the_forgotten_falls_under_every_divergence(
    d: FDivergence, critic: Critic
) -> None:
    template, forget = V.clone().requires_grad_(), V.clone().requires_grad_()
    loss = flat(d, template=template, forget=forget, critic=critic)
    of_template, of_forget = torch.autograd.grad(loss, [template, forget])
    assert bool((of_template < 0).all())
    assert bool((of_forget > 0).all())


@pytest.mark.parametrize(("d", "critic"), PAIRS, ids=NAMES)
def test_a_step_moves_a_model_the_right_way(d: FDivergence, critic: Critic) -> None:
    logits = torch.tensor([[1.0, 0.5, 0.0], [2.0, 0.0, -1.0]], dtype=torch.float64, requires_grad=True)

    def probabilities() -> Tensor:
        return logits.softmax(-1)

    before = probabilities().detach()
    loss = flat(d, template=probabilities()[:, 1], forget=probabilities()[:, 0], critic=critic)
    (gradient,) = torch.autograd.grad(loss, logits)
    with torch.no_grad():
        logits -= 0.1 * gradient
    moved = probabilities().detach() - before
    assert bool((moved[:, 1] > 0).all())
    assert bool((moved[:, 0] < 0).all())


@pytest.mark.parametrize(("d", "critic"), PAIRS, ids=NAMES)
def test_the_second_half_is_the_conjugate_of_the_first(d: FDivergence, critic: Critic) -> None:
    score = critic.score(d, V)
    assert torch.allclose(critic.conjugate(d, V), d.conjugate(score), rtol=2e-7, atol=1e-8)


@pytest.mark.parametrize("d", [kb.kl, kb.js, kb.le_cam, kb.alpha(3)], ids=lambda d: d.name)
def test_the_bound_is_below_the_divergence(d: FDivergence) -> None:
    template = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
    forget = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    bound = template @ LogRatio().score(d, V[1:4]) - forget @ LogRatio().conjugate(d, V[1:4])
    assert float(bound) < float(d(template, forget))


def test_a_kink_has_no_slope_to_follow() -> None:
    for d in (kb.total_variation, USERS[-1]):
        with pytest.raises(InvalidInputError, match=r"constant somewhere.*Direct"):
            flat(d, template=V, forget=V, critic=LogRatio())
    mixed = kb.kl + kb.total_variation
    template, forget = V.clone().requires_grad_(), V.clone().requires_grad_()
    loss = flat(mixed, template=template, forget=forget, critic=LogRatio())
    of_template, of_forget = torch.autograd.grad(loss, [template, forget])
    assert bool((of_template < 0).all() & (of_forget > 0).all())


def memorised() -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings of 40 prompts, the trained table of rank 8, and every prompt's answer; answer 0 is the template."""
    draws = torch.Generator().manual_seed(0)
    prompts = torch.randn(40, 8, generator=draws)
    table = (0.1 * torch.randn(8, 20, generator=draws)).requires_grad_()
    answers = torch.randint(1, 20, (40,), generator=draws)
    optimiser = torch.optim.Adam([table], 0.05)
    for _ in range(400):
        optimiser.zero_grad()
        cross_entropy(prompts @ table, answers).backward()
        optimiser.step()
    return prompts, table.detach(), answers


def after(
    loss: Callable[[Tensor, Tensor], Tensor], start: tuple[Tensor, Tensor, Tensor]
) -> tuple[float, float]:
    """Mean probabilities of the 8 answers to forget and of the 32 others, after 120 steps."""
    prompts, table, answers = start
    table = table.clone().requires_grad_()
    optimiser = torch.optim.Adam([table], 0.01)
    for _ in range(120):
        p = (prompts[:8] @ table).softmax(-1)
        optimiser.zero_grad()
        loss(p[:, 0], p.gather(1, answers[:8, None])[:, 0]).backward()
        optimiser.step()
    p = (prompts @ table).softmax(-1).gather(1, answers[:, None])[:, 0].detach()
    return float(p[:8].mean()), float(p[8:].mean())


def test_answers_are_forgotten_and_the_others_kept_better_than_by_ascent() -> None:
    start = memorised()
    p = (start[0] @ start[1]).softmax(-1).gather(1, start[2][:, None])[:, 0]
    assert float(p[:8].mean()) > 0.7
    ascent = after(lambda template, forget: forget.log().mean() + 0 * template.mean(), start)
    for d in kb.catalogue():
        forgotten, kept = after(lambda t, f, d=d: flat(d, template=t, forget=f), start)
        assert forgotten < 0.1, d.name
        assert kept > ascent[1] + 0.05, d.name


def test_mean_token_probability() -> None:
    logs = torch.tensor([[0.5, 0.25, 0.0], [0.1, 0.3, 0.8]]).log().requires_grad_()
    mask = torch.tensor([[True, True, False], [True, True, True]])
    v = mean_token_probability(logs, mask=mask)
    assert v.tolist() == pytest.approx([0.375, 0.4])
    (gradient,) = torch.autograd.grad(v.sum(), logs)
    assert gradient.tolist() == [pytest.approx([0.25, 0.125, 0.0]), pytest.approx([0.1 / 3, 0.1, 0.8 / 3])]
    assert mean_token_probability(logs.detach().half(), mask=mask).dtype == torch.float32
    with pytest.raises(InvalidInputError, match="1 of 2 answers have no token"):
        mean_token_probability(logs, mask=torch.tensor([[False] * 3, [True] * 3]))
    with pytest.raises(ShapeError, match="answers, tokens"):
        mean_token_probability(logs[0])
    with pytest.raises(ShapeError, match="`mask`"):
        mean_token_probability(logs, mask=mask[:, :2])


def test_what_counts() -> None:
    template, forget = torch.tensor([0.1, math.nan, 0.3]), torch.tensor([0.8, 0.2, 0.4])
    want = float(flat(kb.js, template=template[[0, 2]], forget=forget[[0, 2]]))
    mask = torch.tensor([True, False, True])
    assert float(flat(kb.js, template=template, forget=forget, mask=mask)) == pytest.approx(want)
    assert math.isnan(float(flat(kb.js, template=template, forget=forget)))
    with pytest.warns(RuntimeWarning, match="1 of 3 examples"):
        assert float(flat(kb.js, template=template, forget=forget, nonfinite="skip")) == pytest.approx(want)
    twice = flat(kb.js, template=template, forget=forget, mask=mask, weight=torch.full((3,), 2.0))
    assert float(twice) == pytest.approx(2 * want)
    halves: dict[str, Any] = {"template": template[:1].half(), "forget": forget[:1].half()}
    singles: dict[str, Any] = {name: v.float() for name, v in halves.items()}
    assert torch.equal(flat(kb.total_variation, **halves), flat(kb.total_variation, **singles))


def test_bad_input() -> None:
    with pytest.raises(InvalidInputError, match="not their logarithms"):
        flat(kb.kl, template=V, forget=(V + 0.1).log())
    with pytest.raises(InvalidInputError, match="1 of 9 numbers of `template`"):
        flat(kb.kl, template=V * 1.01, forget=V)
    with pytest.raises(ShapeError, match="same n"):
        flat(kb.kl, template=V, forget=V[:2])
    with pytest.raises(ShapeError, match="one probability for every answer"):
        flat(kb.kl, template=V[None], forget=V[None])
    with pytest.raises(DTypeError, match="real numbers"):
        flat(kb.kl, template=torch.zeros(3, dtype=torch.long), forget=V)
    with pytest.raises(InvalidInputError, match="finite number"):
        LogRatio(math.inf)
