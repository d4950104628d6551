"""Penalties of a policy by drawn tokens: exact expectations, rehearsal without a reference, and what they preserve."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

import kullback as kb
from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.exact import k3
from kullback.losses import kl_in_loss, sampled_kl, selected
from kullback.losses import policy as pi

CLASSES = 6
EVERY = [d for d in kb.catalogue() if isinstance(d, kb.FDivergence)]
SMOOTH = [d for d in EVERY if d.curvature_at_one is not None]
double = torch.float64


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A few numbers are not to be divided."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def logits(seed: int, *shape: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*(shape or (CLASSES,)), generator=g, dtype=double).requires_grad_()


def law(z: Tensor) -> Tensor:
    return torch.log_softmax(z, -1)


def gradient(x: Tensor, of: Tensor) -> Tensor:
    return torch.autograd.grad(x, of, retain_graph=True)[0]


@pytest.mark.parametrize("drawn", ["policy", "reference", "another"])
@pytest.mark.parametrize("d", [*EVERY, 0.5 * kb.kl + kb.js], ids=str)
def test_value_and_gradient_of_one_divergence(d: kb.FDivergence, drawn: str) -> None:
    z, q = logits(1), law(logits(2)).detach()
    mu = {"policy": law(z).detach(), "reference": q, "another": law(logits(3)).detach()}[drawn]
    given = None if drawn == "policy" else mu
    chance = CLASSES * mu.exp()
    made = pi.penalty(d, policy=law(z), reference=q, drawn_with=given, weight=chance)
    true = d.of_logits(z, q)
    torch.testing.assert_close(made, true, rtol=1e-11, atol=0)
    torch.testing.assert_close(gradient(made, z), gradient(true, z), rtol=1e-9, atol=1e-12)
    ratio = law(z) - q
    weights = {"policy": None, "reference": ratio.detach(), "another": (law(z) - mu).detach()}[drawn]
    each = pi.sampled_divergence(d, ratio, log_weights=weights)
    assert float(each.detach().min()) >= 0.0
    torch.testing.assert_close((mu.exp() * each).sum(), made)
    torch.testing.assert_close(gradient((mu.exp() * each).sum(), z), gradient(made, z))


@pytest.mark.parametrize("d", SMOOTH, ids=str)
def test_near_equality_tokens_keep_their_digits(d: kb.FDivergence) -> None:
    """Half f''(1) r² for a log-ratio of 1e-6, and f''(1) r as derivative, whoever drew."""
    for r in (1e-6, -1e-6):
        for weights in (None, torch.tensor([r], dtype=double)):
            x = torch.tensor([r], dtype=double, requires_grad=True)
            made = pi.sampled_divergence(d, x, log_weights=weights)
            scale = d.curvature_at_one
            assert scale is not None
            assert made.item() == pytest.approx(0.5 * scale * r * r, rel=1e-5)
            assert gradient(made, x).item() == pytest.approx(scale * r, rel=1e-5)


def test_it_is_sampled_kl_for_kl() -> None:
    z, q = logits(1), law(logits(2)).detach()
    drawn = law(logits(3)).detach()
    for mu in (None, drawn):
        made = pi.sampled_divergence(
            kb.kl, law(z) - q, log_weights=None if mu is None else law(z).detach() - mu
        )
        wanted = sampled_kl(k3, law(z), law(z) - q, drawn_with=mu)
        torch.testing.assert_close(made, wanted)
        torch.testing.assert_close(gradient(made.sum(), z), gradient(wanted.sum(), z))


def test_what_trainers_write_as_k3_teaches_reverse_kl() -> None:
    """k3 of a policy's own draws, held constant, has token by token the derivative of KL(reference‖policy)."""
    r = torch.linspace(-3, 3, 13, dtype=double, requires_grad=True)
    ours, common = pi.sampled_divergence(kb.reverse_kl, r), kl_in_loss(k3, r)
    torch.testing.assert_close(gradient(ours.sum(), r), gradient(common.sum(), r))
    assert not torch.allclose(ours, common)  # whose value is that of KL(policy‖reference)


def test_modes_of_diversity_preserving_training() -> None:
    """Its forward, JS and alpha modes by their formulas in u = policy/reference, from the reference's stored draws."""
    u = torch.tensor([0.01, 0.5, 0.9, 1.0, 1.3, 4.0, 90.0], dtype=double)
    stored = torch.full_like(u, -2.0)
    a = 0.2  # its α is one less ours
    modes = {
        kb.reverse_kl: u - u.log() - 1,
        2.0 * kb.js: u * u.log() - (u + 1) * ((u + 1) / 2).log(),
        kb.alpha(1 - a): (u ** (1 - a) - (1 - a) * u - a) / (a * (a - 1)),
    }
    for d, wanted in modes.items():
        for i in range(len(u)):
            one = slice(i, i + 1)
            made = pi.penalty(d, policy=u.log()[one] - 2.0, reference=stored[one], drawn_with=stored[one])
            assert made.item() == pytest.approx(wanted[i].item(), rel=1e-12, abs=1e-15)


def test_from_the_logits_of_two_models() -> None:
    """`selected` makes the log-ratios, and the mean over many draws is the exact divergence."""
    rng = np.random.default_rng(0)
    z, y = logits(4, 1, CLASSES), logits(5, 1, CLASSES)
    n = 20_000
    ids = torch.tensor(rng.choice(CLASSES, (1, n), p=law(z)[0].detach().exp().numpy()))
    made = selected(z.detach().expand(n, CLASSES)[None], ids, reference=y.detach().expand(n, CLASSES)[None])
    assert made.log_ratio is not None
    terms = pi.sampled_divergence(kb.js, made.log_ratio)
    exact = float(kb.js.of_logits(z.detach()[0], y.detach()[0]))
    assert abs(float(terms.mean()) - exact) < 4 * float(terms.std()) / n**0.5


def test_tokens_of_any_shape_and_those_that_do_not_count() -> None:
    new, old = law(logits(6, 2, 3)), law(logits(7, 2, 3)).detach()
    mask = torch.tensor([[True, True, False], [True, False, False]])
    bad = torch.where(mask, old, math.nan)
    made = pi.penalty(kb.js, policy=new, reference=bad, mask=mask)
    wanted = pi.penalty(kb.js, policy=new[mask], reference=old[mask])
    assert made.item() == wanted.item()
    assert gradient(made, new)[~mask].tolist() == [0.0] * 3
    assert pi.penalty(kb.js, policy=new, reference=old, mask=torch.zeros_like(mask)).item() == 0.0


def test_tokens_that_one_side_cannot_say() -> None:
    """The policy drew what the reference cannot: infinite under kl, a price under js; skipped if so asked."""
    new = torch.tensor([-1.0, -1.0], dtype=double, requires_grad=True)
    old = torch.tensor([-1.0, -math.inf], dtype=double)
    assert pi.penalty(kb.js, policy=new, reference=old).item() == pytest.approx(0.25 * math.log(2.0))
    assert pi.penalty(kb.kl, policy=new, reference=old).item() == math.inf
    with pytest.warns(RuntimeWarning, match="1 of 2 examples"):
        assert pi.penalty(kb.kl, policy=new, reference=old, nonfinite="skip").item() == 0.0
    gone = torch.tensor([-1.0, -math.inf], dtype=double, requires_grad=True)
    kept = torch.tensor([-1.0, -1.0], dtype=double)
    made = pi.penalty(kb.js, policy=gone, reference=kept, drawn_with=kept)
    assert made.item() == pytest.approx(0.25 * math.log(2.0))
    assert gradient(made, gone).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("dtype", [torch.float32, double], ids=str)
@pytest.mark.parametrize("size", [1e4, -1e4])
@pytest.mark.parametrize("d", EVERY, ids=str)
def test_nothing_overflows(d: kb.FDivergence, size: float, dtype: torch.dtype) -> None:
    r = torch.tensor([size, 0.0], dtype=dtype, requires_grad=True)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for weights in (None, r.detach(), torch.full_like(r, -5000.0)):
            made = pi.sampled_divergence(d, r, log_weights=weights)
            assert bool(torch.isfinite(made).all())
            assert bool((made >= 0).all())
            slope = gradient(made.sum(), r)
            assert bool(torch.isfinite(slope).all())
            assert float(slope[0]) * size >= 0.0
    for warning in told:
        assert "1 of 2 samples" in str(warning.message)


def test_a_rehearsed_token_that_is_lost_is_missed_by_one() -> None:
    """Under reverse_kl a token e⁻¹⁰⁰⁰ times as likely as before has gradient −1, not −∞ · 0."""
    old = torch.tensor([-2.0], dtype=double)
    new = torch.tensor([-1002.0], dtype=double, requires_grad=True)
    made = pi.penalty(kb.reverse_kl, policy=new, reference=old, drawn_with=old)
    assert made.item() == pytest.approx(999.0)
    assert gradient(made, new).item() == pytest.approx(-1.0)


def test_trust_region_holds_a_policy_at_its_threshold() -> None:
    """A bandit that would leave: the coefficient settles the divergence within a factor of two."""
    reward, start = torch.linspace(0.0, 1.0, CLASSES, dtype=double), torch.zeros(CLASSES, dtype=double)
    region = pi.TrustRegion(threshold=0.05, coefficient=1e-3)
    z = start.clone().requires_grad_()
    search = torch.optim.SGD([z], 0.5)
    for _ in range(30):
        for _ in range(20):
            search.zero_grad()
            far = kb.js.of_logits(z, start)
            (region.coefficient * far - (law(z).exp() * reward).sum()).backward()
            search.step()
        region.update(kb.js.of_logits(z.detach(), start))
    assert 0.025 < float(kb.js.of_logits(z.detach(), start)) < 0.1


def test_trust_region_refusals() -> None:
    region = pi.TrustRegion(threshold=0.1)
    region.update(0.1)
    assert region.coefficient == 1.0
    region.update(torch.tensor(0.01))
    assert region.coefficient == 0.5
    for bad in (math.nan, -1.0, math.inf):
        with pytest.raises(InvalidInputError, match="the divergence is"):
            region.update(bad)
    with pytest.raises(InvalidInputError, match="`threshold`"):
        pi.TrustRegion(threshold=0.0)


def test_clipped_is_the_policy_gradient_at_the_start() -> None:
    old = law(logits(8)).detach()
    new, gain = old.clone().requires_grad_(), torch.linspace(-1, 1, CLASSES, dtype=double)
    made = pi.clipped(policy=new, drawn_with=old, advantages=gain)
    torch.testing.assert_close(gradient(made, new), -gain / CLASSES)
    moved = (old + torch.tensor([0.5, -0.5, 0.5, -0.5, 0.1, -0.1])).requires_grad_()
    gain = torch.tensor([1.0, 1.0, -1.0, -1.0, 1.0, 1.0], dtype=double)
    found = gradient(pi.clipped(policy=moved, drawn_with=old, advantages=gain), moved)
    going = torch.tensor([False, True, True, False, True, True])
    torch.testing.assert_close(found, torch.where(going, -gain * (moved - old).exp() / 6, 0.0).detach())


def test_rewards_that_are_not_finite_cost_their_group() -> None:
    rewards = torch.tensor([[1.0, 0.0, 0.0], [math.nan, 1.0, 0.0], [2.0, 2.0, 2.0]])
    made = pi.group_advantages(rewards)
    assert made.isnan().tolist() == [[False] * 3, [True] * 3, [False] * 3]
    assert made[2].tolist() == [0.0] * 3
    x = torch.zeros(9, requires_grad=True)
    with pytest.warns(RuntimeWarning, match="3 of 9 examples"):
        loss = pi.clipped(policy=x, drawn_with=torch.zeros(9), advantages=made.reshape(-1), nonfinite="skip")
    assert bool(torch.isfinite(gradient(loss, x)).all())


def test_refusals() -> None:
    x = torch.zeros(2, 3)
    with pytest.raises(ShapeError, match=r"`policy` \(2, 3\), `reference` \(3,\)"):
        pi.penalty(kb.kl, policy=x, reference=x[0])
    with pytest.raises(ShapeError, match=r"`mask` has shape \(3, 2\)"):
        pi.penalty(kb.kl, policy=x, reference=x, mask=torch.ones(3, 2, dtype=torch.bool))
    with pytest.raises(ShapeError, match="`log_weights`"):
        pi.sampled_divergence(kb.kl, x, log_weights=x[0])
    with pytest.raises(DTypeError, match="`reference` is int"):
        pi.penalty(kb.kl, policy=x, reference=0)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="not an f-divergence"):
        pi.penalty(kb.wasserstein(1), policy=x, reference=x)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="`advantages` has shape"):
        pi.clipped(policy=x, drawn_with=x, advantages=torch.zeros(2))
    with pytest.raises(InvalidInputError, match="`low` is 1"):
        pi.clipped(policy=x, drawn_with=x, advantages=x, low=1.0)
    with pytest.raises(ShapeError, match="at least 2 answers"):
        pi.group_advantages(torch.zeros(3, 1))


# Sixty questions of twelve answers, three of them right -----------------------------


def trained(
    d: kb.FDivergence | None, *, rehearse: bool, coefficient: float, steps: int
) -> tuple[float, float]:
    """Accuracy, and the mean chance that a right answer is among 32 draws."""
    rng, g = np.random.default_rng(0), torch.Generator().manual_seed(1)
    z = torch.tensor(rng.normal(size=(60, 12)) * 1.2, requires_grad=True)
    old = law(z).detach()
    stored = torch.multinomial(old.exp(), 64, replacement=True, generator=g)
    search = torch.optim.SGD([z], 30.0)  # of a mean over 60 questions
    for _ in range(steps):
        now = law(z)
        answers = torch.multinomial(now.detach().exp(), 8, replacement=True, generator=g)
        said = now.gather(1, answers)
        gains = pi.group_advantages((answers < 3).double())
        loss = pi.clipped(policy=said, drawn_with=said.detach(), advantages=gains)
        if d is not None:
            ids = stored if rehearse else answers
            p, q = now.gather(1, ids), old.gather(1, ids)
            loss = loss + coefficient * pi.penalty(
                d, policy=p, reference=q, drawn_with=q if rehearse else None
            )
        search.zero_grad()
        loss.backward()
        search.step()
    right = law(z).detach().exp()[:, :3]
    return float(right.sum(1).mean()), float((1 - (1 - right) ** 32).mean())


@pytest.mark.slow
def test_rehearsal_keeps_more_right_answers() -> None:
    runs = {
        "none": trained(None, rehearse=False, coefficient=0.0, steps=1500),
        "kl": trained(kb.kl, rehearse=False, coefficient=0.05, steps=1500),
        "reverse_kl": trained(kb.reverse_kl, rehearse=True, coefficient=0.05, steps=1500),
    }
    accuracy, cover = ({name: run[i] for name, run in runs.items()} for i in (0, 1))
    assert min(accuracy.values()) > 0.9
    assert cover["reverse_kl"] > cover["kl"] + 0.1
    assert cover["kl"] >= cover["none"]
