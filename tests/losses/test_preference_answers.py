"""Preferences without pairs, with sets of answers, and token by token."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import kullback as kb
from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses import preference
from kullback.losses.preference import Answers

VALID = [kb.kl, kb.reverse_kl, kb.js, kb.alpha(0.3), kb.jeffreys, kb.neyman_chi2, kb.squared_hellinger]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Unpaired ----------------------------------------------------------------------------------------------------------


def test_kto() -> None:
    """By kl: the published loss with its weights, and its estimate of the divergence."""
    r, other = normal(6), normal(6, seed=1) + 0.5
    good = torch.tensor([True, False, True, True, False, False])
    z = other.mean().clamp(min=0)
    point = preference.reference_point(kb.kl, other)
    assert torch.equal(point, z)
    chosen = 1.5 * (1 - torch.sigmoid(0.3 * (r[good] - z)))
    rejected = 0.8 * (1 - torch.sigmoid(0.3 * (z - r[~good])))
    ours = preference.unpaired(
        kb.kl, r, good, reference_point=point, beta=0.3, desirable_weight=1.5, undesirable_weight=0.8
    )
    assert torch.allclose(ours, torch.cat([chosen, rejected]).mean())


@pytest.mark.parametrize("d", VALID, ids=str)
def test_unpaired_gradients(d: kb.FDivergence) -> None:
    """By finite differences; the reference point is held constant; each answer is pushed its own way."""
    r, good = normal(6).requires_grad_(), torch.tensor([True, False] * 3)
    point = preference.reference_point(d, r)
    assert not point.requires_grad
    assert float(point) >= 0
    assert torch.autograd.gradcheck(lambda x: preference.unpaired(d, x, good, reference_point=point), (r,))
    preference.unpaired(d, r, good, reference_point=point).backward()
    assert r.grad is not None
    assert ((r.grad < 0) == good).all()


def test_the_reference_point_of_equal_laws_is_zero() -> None:
    assert float(preference.reference_point(kb.js, torch.zeros(4))) == 0.0
    assert float(preference.reference_point(kb.kl, torch.full((4,), -1.0))) == 0.0


def test_unpaired_input() -> None:
    with pytest.raises(DTypeError, match=r"int64; expected torch\.bool"):
        preference.unpaired(kb.kl, torch.zeros(2), torch.tensor([1, 0]))
    with pytest.raises(ShapeError, match="`desirable`"):
        preference.unpaired(kb.kl, torch.zeros(2), torch.tensor([True]))
    with pytest.raises(InvalidInputError, match="at least 0"):
        preference.unpaired(kb.kl, torch.zeros(1), torch.tensor([True]), desirable_weight=-1.0)


# Sets of answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", VALID, ids=str)
def test_dispreference_is_its_definition(d: kb.FDivergence) -> None:
    own, rejected = normal(4, 3), normal(4, seed=1)
    margin = 0.4 * d.slope(own).mean(1) - 0.2 * d.slope(rejected)
    ours = preference.dispreference(d, own=own, rejected=rejected, beta=0.4, alpha=0.2)
    assert torch.allclose(ours, -F.logsigmoid(margin).mean())
    inputs = (own.requires_grad_(), rejected.requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b: preference.dispreference(d, own=a, rejected=b), inputs)


def test_dispreference_of_one_answer_is_dpo() -> None:
    own, rejected = normal(5), normal(5, seed=1)
    ours = preference.dispreference(kb.js, own=own[:, None], rejected=rejected, beta=0.3, alpha=0.3)
    assert torch.allclose(ours, preference.f_dpo(kb.js, chosen=own, rejected=rejected, beta=0.3))


def test_dispreference_input() -> None:
    for own, rejected in ((torch.zeros(2), torch.zeros(2)), (torch.zeros(2, 0), torch.zeros(2))):
        with pytest.raises(ShapeError, match=r"\(questions, K\)"):
            preference.dispreference(kb.kl, own=own, rejected=rejected)
    with pytest.raises(InvalidInputError, match="`alpha`"):
        preference.dispreference(kb.kl, own=torch.zeros(2, 1), rejected=torch.zeros(2), alpha=0.0)


def test_dispreference_forgets_and_keeps() -> None:
    """Forty questions on a shared low-rank table: the harm goes, and other answers stay better than by plain ascent."""
    g = torch.Generator().manual_seed(1)
    truth = torch.randint(0, 12, (40,), generator=g)
    start = [0.5 * torch.randn(*s, generator=g) for s in ((40, 6), (6, 12))]

    def fitted(loss, steps: int, parts: list[Tensor], rate: float = 0.05) -> list[Tensor]:
        parts = [x.clone().requires_grad_() for x in parts]
        optimiser = torch.optim.Adam(parts, rate)
        for _ in range(steps):
            optimiser.zero_grad()
            loss(torch.log_softmax(parts[0] @ parts[1], -1)).backward()
            optimiser.step()
        return [x.detach() for x in parts]

    base = fitted(lambda logs: F.nll_loss(logs, truth), 30, start)
    reference = torch.log_softmax(base[0] @ base[1], -1)
    harm, rows = truth[:8], torch.arange(8)
    draws = torch.multinomial(
        reference[:8].exp().scatter(1, harm[:, None], 0.0), 11, replacement=True, generator=g
    )

    def forget(logs: Tensor) -> Tensor:
        ratio = (logs - reference)[:8]
        return preference.dispreference(
            kb.kl, own=ratio.gather(1, draws), rejected=ratio[rows, harm], beta=1.0, alpha=1.0
        )

    def ascent(logs: Tensor) -> Tensor:
        return logs[rows, harm].mean()

    ours, plain = (fitted(loss, 100, base, 0.03) for loss in (forget, ascent))
    ends = [torch.log_softmax(x[0] @ x[1], -1).exp() for x in (ours, plain)]
    before = reference[rows, harm].exp().mean()
    kept = [float(p[8:].gather(1, truth[8:, None]).mean()) for p in ends]
    assert float(ends[0][rows, harm].mean()) < 0.2 * float(before)
    assert kept[0] > kept[1]


# Tokens ------------------------------------------------------------------------------------------------------------


def answers(seed: int, tokens: int = 5, grad: bool = False) -> Answers:
    r = normal(3, tokens, seed=seed)
    mask = torch.ones(3, tokens, dtype=torch.bool)
    mask[0, 3:] = False
    return Answers(r.requires_grad_(grad), normal(3, tokens, seed=seed + 1).abs(), mask)


def test_sparse_is_its_definition() -> None:
    weights = [
        torch.rand(3, n, generator=torch.Generator().manual_seed(i), dtype=torch.float64)
        for i, n in enumerate((5, 5, 4, 4))
    ]
    chosen = answers(0).masked(weights[0], divergence=weights[1])
    rejected = answers(5, 4).masked(weights[2], divergence=weights[3])

    def sums(a: Answers) -> tuple[Tensor, Tensor]:
        m, other = (w * a.mask for w in (a.reward_mask, a.divergence_mask))
        return (m * a.log_ratio).sum(1), (other * a.divergence).sum(1)

    for d in (kb.kl, kb.alpha(0.3)):
        (u, s), (v, t) = sums(chosen), sums(rejected)
        wanted = -F.logsigmoid(0.3 * (d.slope(u) - d.slope(v)) - 0.3 * (t - s))
        assert torch.allclose(preference.sparse(d, chosen=chosen, rejected=rejected, beta=0.3), wanted.mean())
        l1 = sum(
            (w * a.mask).sum(1) for a, w in zip((chosen, chosen, rejected, rejected), weights, strict=True)
        )
        count = chosen.mask.sum(1) + rejected.mask.sum(1)
        ours = preference.sparse(d, chosen=chosen, rejected=rejected, beta=0.3, sparsity=2.0)
        assert torch.allclose(ours, (wanted + l1 / count).mean())


def test_weights_of_one_and_no_divergence_are_dpo() -> None:
    a, b = answers(0), answers(5)
    zero = [Answers(x.log_ratio, torch.zeros_like(x.divergence), x.mask) for x in (a, b)]
    sums = [(x.log_ratio * x.mask).sum(1) for x in (a, b)]
    ours = preference.sparse(kb.js, chosen=zero[0], rejected=zero[1])
    assert torch.allclose(ours, preference.f_dpo(kb.js, chosen=sums[0], rejected=sums[1]))


def test_padding_leaves_no_trace() -> None:
    a, b = answers(0, grad=True), answers(5)
    spoiled = torch.where(a.mask, a.log_ratio, math.nan)
    preference.sparse(kb.kl, chosen=Answers(spoiled, a.divergence, a.mask), rejected=b).backward()
    assert a.log_ratio.grad is not None
    assert bool(torch.isfinite(a.log_ratio.grad).all())
    assert bool((a.log_ratio.grad[~a.mask] == 0).all())


def test_answers_come_from_logits() -> None:
    """The divergence is of the reference from the policy, the direction of sequential KL."""
    policy, reference = normal(2, 3, 7), normal(2, 3, 7, seed=1)
    ids, mask = torch.randint(0, 7, (2, 3)), torch.tensor([[True, True, False], [True, True, True]])
    made = Answers.of(policy=policy, reference=reference, ids=ids, mask=mask)
    p, q = (torch.log_softmax(x, -1) for x in (policy, reference))
    ratio = (p - q).gather(-1, ids[..., None])[..., 0]
    assert torch.allclose(made.log_ratio, ratio * mask)
    assert torch.allclose(made.divergence, (q.exp() * (q - p)).sum(-1) * mask)
    assert torch.allclose(made.divergence, kb.per_token(kb.kl, policy, reference, mask=mask))


def test_masks_from_activations() -> None:
    hidden = torch.tensor([[[[1.0, -1.0], [3.0, 3.0], [2.0, 2.0], [9.0, 9.0]]], [[[2.0, 2.0]] * 4]])
    mask = torch.tensor([[True, True, True, False]])
    assert preference.activation_mask(hidden, mask).tolist() == [[0.5, 1.0, 0.75, 0.0]]
    assert preference.activation_mask(hidden[0], mask).tolist() == [[0.0, 1.0, 0.5, 0.0]]
    with pytest.raises(ShapeError, match="one a token"):
        preference.activation_mask(hidden, mask[:, :3])
    with pytest.raises(ShapeError, match="2 layers of width 3"):
        preference.TokenMask(3, layers=2)(hidden)
    with pytest.raises(ShapeError, match="one layer"):
        preference.TokenMask(2)(hidden[0, 0])


def test_token_input() -> None:
    a, b = answers(0), answers(5)
    with pytest.raises(ShapeError, match="expected pairs"):
        preference.sparse(
            kb.kl, chosen=a, rejected=Answers(*(x[:2] for x in (b.log_ratio, b.divergence, b.mask)))
        )
    with pytest.raises(ShapeError, match="`reward_mask`"):
        preference.sparse(kb.kl, chosen=a.masked(torch.ones(3, 2)), rejected=b)
    with pytest.raises(InvalidInputError, match="`sparsity`"):
        preference.sparse(kb.kl, chosen=a, rejected=b, sparsity=-1.0)


def test_a_learned_mask_finds_the_token_that_decides() -> None:
    """One of six tokens decides, the others are noise: the weight on it ends several times that of the others."""
    g = torch.Generator().manual_seed(0)
    classes, tokens, pairs = 8, 6, 96
    reference = torch.zeros(classes)
    policy = torch.zeros(classes, requires_grad=True)
    said = torch.randint(2, classes, (2, pairs, tokens), generator=g)
    said[0, :, 0], said[1, :, 0] = 1, 0  # the first token, 1 or 0, is all that the order is about
    said = torch.stack([row[:, torch.randperm(tokens, generator=g)] for row in said])
    hidden, mask = F.one_hot(said, classes).float(), torch.ones(pairs, tokens, dtype=torch.bool)
    masks = preference.TokenMask(classes)
    optimiser = torch.optim.Adam([policy, *masks.parameters()], 0.05)
    for _ in range(100):
        optimiser.zero_grad()
        sides = [
            Answers.of(
                policy=policy.expand(pairs, tokens, classes),
                reference=reference.expand(pairs, tokens, classes),
                ids=ids,
                mask=mask,
            ).masked(masks(states))
            for ids, states in zip(said, hidden, strict=True)
        ]
        preference.sparse(kb.kl, chosen=sides[0], rejected=sides[1], beta=1.0, sparsity=0.5).backward()
        optimiser.step()
    weights = torch.stack([masks(states) for states in hidden]).detach()
    decisive = said < 2
    assert float(weights[decisive].mean()) > 5 * float(weights[~decisive].mean())
    assert float(policy.detach()[1] - policy.detach()[0]) > 1
