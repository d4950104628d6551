"""Coins of an auxiliary head, teachers that tell more, and hidden states, against sums written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import kullback as kb
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses import (
    ClassCentroids,
    Critic,
    binary_loss,
    class_information,
    conditional_information,
    feature_information,
    informative_teacher,
)
from losses.definitions import gradients, leaves, logits, relative, truth, wide
from problems.listed import KINDS

WIDE = torch.float64
LABELS = torch.tensor([[3, -100, 0, 4], [-100, 3, 3, 1]])


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pair(seed: int, delta: float = 1.0) -> tuple[Tensor, Tensor]:
    return logits(generator(seed), (2, 4, 5), delta)


# Coins ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [*KINDS, kb.renyi(2)], ids=repr)
@pytest.mark.parametrize("delta", [1.0, 1e-2])
def test_coins_by_definition(d: kb.Divergence, delta: float) -> None:
    mine, true = leaves(*pair(1, delta)), wide(*pair(1, delta))
    chances = [torch.sigmoid(z / 3.0) for z in true]
    coins = [torch.stack([c, 1 - c], -1).log() for c in chances]
    counts = LABELS != -100
    wanted = 9.0 * truth(d, *coins).sum(-1)[counts].mean()
    got = binary_loss(d, *mine, mask=counts, temperature=3.0, squared_temperature=True)
    assert got.item() == pytest.approx(wanted.item(), rel=1e-5)
    for x, y in zip(gradients(got, mine), gradients(wanted, true), strict=True):
        assert relative(x, y) < 1e-5


def test_coins_that_are_nearly_certain() -> None:
    """KL of Ber(1 − e⁻⁸⁰) from Ber(1 − e⁻⁹⁰): the tails, where 1 − σ is 0 in single precision."""
    student, teacher = torch.tensor([[90.0]]), torch.tensor([[80.0]])
    u, v = math.exp(-80.0), math.exp(-90.0)
    wanted = u * 10 - u + v
    assert binary_loss(kb.kl, student, teacher).item() == pytest.approx(wanted, rel=1e-4)
    (z,) = leaves(torch.tensor([[-200.0]]))
    got = binary_loss(kb.kl, z, torch.tensor([[200.0]]))
    got.backward()
    assert got.item() == pytest.approx(200.0)
    assert z.grad is not None
    assert z.grad.item() == pytest.approx(-1.0)


def test_coins_see_what_softmax_does_not() -> None:
    student, _ = pair(2)
    assert kb.loss(kb.kl, student + 1, student).item() == pytest.approx(0.0, abs=1e-10)
    assert binary_loss(kb.kl, student + 1, student).item() > 0.1
    assert binary_loss(kb.kl, student, student, denominator=3).item() == 0
    with pytest.raises(ShapeError, match="agree"):
        binary_loss(kb.kl, student, student[..., :3])


# Teachers ---------------------------------------------------------------------------------------------------------


def entropy(p: Tensor) -> Tensor:
    return -(p * p.log()).sum(-1)


def test_information_beyond_the_label_is_a_difference_of_entropies() -> None:
    """I(X; Ŷ | Y) = H(Ŷ | Y) − H(Ŷ | X)."""
    z = 2 * torch.randn(60, 4, generator=generator(3), dtype=WIDE)
    labels = torch.randint(4, (60,), generator=generator(4))
    p = z.softmax(-1)
    means = torch.stack([p[labels == y].mean(0) for y in range(4)])
    wanted = (entropy(means)[labels] - entropy(p)).mean()
    assert conditional_information(z, labels) == pytest.approx(wanted.item(), rel=1e-12)


def test_centroids_of_batches_are_those_of_all() -> None:
    z, labels = pair(5)[0], LABELS
    whole, parts = ClassCentroids(5), ClassCentroids(5)
    whole.update(z, labels)
    for row, y in zip(z, labels, strict=True):
        parts.update(row, y)
    seen = torch.tensor([0, 1, 3, 4])
    torch.testing.assert_close(parts.log_probs(seen), whole.log_probs(seen), rtol=1e-12, atol=0)
    mean = z[labels == 3].double().softmax(-1).mean(0)
    torch.testing.assert_close(whole.log_probs(torch.tensor(3)).exp(), mean, rtol=1e-12, atol=0)
    with pytest.raises(InvalidInputError, match=r"\[2\]"):
        whole.log_probs(torch.tensor([0, 2]))


def test_centroids_that_forget() -> None:
    """Weights γ² and γ² for the first two, 1 for the last two: no bias towards the start."""
    z = torch.randn(4, 3, generator=generator(6))
    centroids = ClassCentroids(3, decay=0.8)
    for part in (z[:2], z[2:]):
        centroids.update(part, torch.tensor([1, 1]))
    w = torch.tensor([0.64, 0.64, 1.0, 1.0], dtype=WIDE)
    wanted = (w[:, None] * z.double().softmax(-1)).sum(0) / w.sum()
    torch.testing.assert_close(centroids.log_probs(torch.tensor(1)).exp(), wanted, rtol=1e-12, atol=0)
    again = ClassCentroids(3, decay=0.8)
    again.load_state_dict(centroids.state_dict())
    assert torch.equal(again.log_probs(torch.tensor(1)), centroids.log_probs(torch.tensor(1)))
    assert list(centroids.parameters()) == []


@pytest.mark.parametrize("d", [kb.kl, kb.js], ids=repr)
def test_an_informative_teacher_by_definition(d: kb.FDivergence) -> None:
    z = pair(7)[0]
    centroids = ClassCentroids(5)
    centroids.update(pair(8)[0], LABELS)
    mine, true = leaves(z), wide(z)
    counts = LABELS != -100
    means = centroids.log_probs(LABELS[counts])
    told = truth(d, means, true[0][counts]).mean()
    wanted = cross_entropy(true[0].reshape(-1, 5), LABELS.reshape(-1)) - 0.3 * told
    got = informative_teacher(d, mine[0], LABELS, centroids, weight=0.3)
    assert got.item() == pytest.approx(wanted.item(), rel=2e-6)
    assert relative(gradients(got, mine)[0], gradients(wanted, true)[0]) < 2e-6
    assert class_information(d, z, LABELS, centroids).item() == pytest.approx(told.item(), rel=2e-6)


def test_nothing_to_tell() -> None:
    (z,) = leaves(pair(9)[0])
    nowhere = torch.full((2, 4), -100)
    got = informative_teacher(kb.kl, z, nowhere, ClassCentroids(5), weight=0.3)
    assert got.item() == 0
    assert float(gradients(got, [z])[0].abs().max()) == 0


def test_tuning_for_information_raises_it() -> None:
    z, labels = pair(10)[0].reshape(8, 5), LABELS.reshape(-1).clamp(min=0)
    found = []
    for weight in (0.0, 0.5):
        (tuned,) = leaves(z)
        for _ in range(10):
            centroids = ClassCentroids(5)
            centroids.update(tuned, labels)
            (slope,) = gradients(informative_teacher(kb.kl, tuned, labels, centroids, weight=weight), [tuned])
            tuned = (tuned - 3 * slope).detach().requires_grad_()
        found.append(conditional_information(tuned.detach(), labels))
    assert found[1] > 1.2 * found[0]


def test_what_makes_no_centroids() -> None:
    with pytest.raises(InvalidInputError, match="decay"):
        ClassCentroids(3, decay=1.0)
    with pytest.raises(ShapeError, match=r"\(2, 3\)"):
        ClassCentroids(3).update(torch.zeros(2, 4), torch.tensor([0, 1]))


# Hidden states ----------------------------------------------------------------------------------------------------


def correlated(seed: int, n: int, rho: float, width: int) -> tuple[Tensor, Tensor]:
    x, noise = torch.randn(2, n, width, generator=generator(seed), dtype=WIDE)
    return x, rho * x + (1 - rho**2) ** 0.5 * noise


def best_critic(rho: float):
    """The log-ratio of the density of the pair and of its margins."""

    def scores(x: Tensor, y: Tensor) -> Tensor:
        gap = (y[:, None] - rho * x[None]).square().sum(-1) / (1 - rho**2)
        return 0.5 * (y.square().sum(-1)[:, None] - gap - x.shape[-1] * math.log(1 - rho**2))

    return scores


def test_the_bound_written_out() -> None:
    rng = generator(11)
    table = torch.randn(6, 6, generator=rng, dtype=WIDE)
    states = torch.zeros(6, 2)
    alpha, first, second = 0.3, 0.0, 0.0
    for i in range(6):
        with_own = torch.stack([table[i, (i + k) % 6] for k in range(5)]).exp().mean()
        without = torch.stack([table[i, (i + k) % 6] for k in range(1, 6)]).exp().mean()
        first += float(table[i, i] - (alpha * with_own + 1 - alpha).log()) / 6
        second += float(without / (alpha * without + 1 - alpha)) / 6
    got = feature_information(lambda *_: table, states, states, alpha=alpha)
    assert float(got) == pytest.approx(-(1 + first - second), rel=1e-12)


@pytest.mark.parametrize("alpha", [0.01, 0.5, 1.0])
def test_the_best_critic_bounds_from_below(alpha: float) -> None:
    rho, width, n = 0.6, 3, 64
    known = -0.5 * width * math.log(1 - rho**2)
    found = [
        -float(feature_information(best_critic(rho), *correlated(20 + i, n, rho, width), alpha=alpha))
        for i in range(40)
    ]
    mean, sd = torch.tensor(found).mean().item(), torch.tensor(found).std().item() / 40**0.5
    assert known - 0.15 < mean < known + 4 * sd


def test_training_raises_what_one_state_tells_of_the_other() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        critic = Critic(4, 6, width=16)
    inputs, _ = correlated(30, 64, 0.5, 4)
    teacher = torch.randn(4, 6, generator=generator(31), dtype=WIDE)
    (student,) = leaves(0.1 * torch.randn(4, 4, generator=generator(32)))
    trained = [student, *critic.parameters()]
    values = []
    for _ in range(40):
        loss = feature_information(critic, inputs.float() @ student, (inputs @ teacher).float(), alpha=0.5)
        with torch.no_grad():
            for x, slope in zip(trained, gradients(loss, trained), strict=True):
                x -= 0.2 * slope
        values.append(loss.item())
    assert values[-1] < values[0] - 1.0
    assert -values[-1] < math.log(63 / 0.5)


def test_states_that_do_not_fit() -> None:
    critic = Critic(2, 3, width=4)
    with pytest.raises(ShapeError, match="every example"):
        feature_information(critic, torch.zeros(4, 2), torch.zeros(5, 3), alpha=0.5)
    with pytest.raises(InvalidInputError, match="two others"):
        feature_information(critic, torch.zeros(2, 2), torch.zeros(2, 3), alpha=0.5)
    with pytest.raises(ShapeError, match=r"\(4, 4\)"):
        feature_information(lambda x, _: x, torch.zeros(4, 2), torch.zeros(4, 3), alpha=0.5)
    with pytest.raises(InvalidInputError, match="alpha"):
        feature_information(critic, torch.zeros(4, 2), torch.zeros(4, 3), alpha=2.0)
