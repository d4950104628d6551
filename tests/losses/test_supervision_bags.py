"""Bags against their members: what the members cost more, gradients, masks, and a risk that is least in between."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import softmax

import kullback as kb
from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses import supervision

every = pytest.mark.parametrize("d", tuple(kb.catalogue()), ids=repr)
whose = torch.tensor([2, 0, 1, 0, 2, 2, 1, 2])  # the bag of each example


def logits(*shape: int, seed: int = 0) -> Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def in_bags(x: Tensor) -> list[Tensor]:
    return [x[whose == b] for b in range(3)]


@pytest.mark.parametrize("rho", [0.0, 0.1, 0.5, 1.0])
def test_members_are_the_bag_and_its_variance(rho: float) -> None:
    f, y = logits(8).requires_grad_(True), logits(3, seed=1)
    bag = torch.stack([(a - x.mean()) ** 2 for a, x in zip(y, in_bags(f), strict=True)]).mean()
    members = torch.stack([((a - x) ** 2).mean() for a, x in zip(y, in_bags(f), strict=True)]).mean()
    value = supervision.bag_regression(f, y, bags=whose, rho=rho)
    assert value.item() == pytest.approx(((1 - rho) * bag + rho * members).item(), rel=1e-12)
    variance = torch.stack([x.var(correction=0) for x in in_bags(f)]).mean()
    assert members.item() == pytest.approx((bag + variance).item(), rel=1e-12)
    assert torch.autograd.gradcheck(lambda x: supervision.bag_regression(x, y, bags=whose, rho=rho), (f,))


@every
@pytest.mark.parametrize("rho", [0.0, 0.3, 1.0])
def test_bag_matching_by_its_definition(d: kb.FDivergence, rho: float) -> None:
    z = logits(8, 4)
    y = torch.tensor(np.random.default_rng(1).dirichlet(np.ones(4), size=3))

    def defined(x: Tensor) -> Tensor:
        p = in_bags(softmax(x, -1))
        bag = [torch.as_tensor(d(a, x.mean(0), validate=False)) for a, x in zip(y, p, strict=True)]
        one = [
            torch.as_tensor(d(a.expand_as(x), x, validate=False)).mean() for a, x in zip(y, p, strict=True)
        ]
        return (1 - rho) * torch.stack(bag).mean() + rho * torch.stack(one).mean()

    def ours(x: Tensor) -> Tensor:
        return supervision.bag_matching(d, x, y, bags=whose, rho=rho)

    assert float(ours(z)) == pytest.approx(float(defined(z)), rel=1e-12)
    mine, theirs = (torch.autograd.functional.jacobian(f, z) for f in (ours, defined))
    torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)


def test_members_are_the_bag_and_a_divergence_within_it() -> None:
    z = logits(8, 4)
    y = torch.tensor(np.random.default_rng(1).dirichlet(np.ones(4), size=3))

    def both(d: kb.Divergence) -> list[float]:
        return [float(supervision.bag_matching(d, z, y, bags=whose, rho=rho)) for rho in (0.0, 1.0)]

    bag, members = both(kb.reverse_kl)
    js = supervision.within_bag(kb.kl, z, bags=whose)
    assert members == pytest.approx(bag + float(js.mean()), rel=1e-12)
    p = softmax(z, -1)
    entropy = [torch.special.entr(x.mean(0)).sum() - torch.special.entr(x).sum(-1).mean() for x in in_bags(p)]
    assert js.tolist() == pytest.approx([float(x) for x in entropy], rel=1e-12)
    # with the response first the remainder depends on it: the gap between arithmetic and geometric means
    bag, members = both(kb.kl)
    gaps = [(a * (x.mean(0).log() - x.log().mean(0))).sum() for a, x in zip(y, in_bags(p), strict=True)]
    assert members == pytest.approx(bag + float(torch.stack(gaps).mean()), rel=1e-12)


@every
def test_members_never_cost_less_than_the_bag(d: kb.FDivergence) -> None:
    for seed in range(5):
        z = 2 * logits(8, 4, seed=seed)
        y = torch.tensor(np.random.default_rng(seed).dirichlet(np.full(4, 0.5), size=3))
        values = [float(supervision.bag_matching(d, z, y, bags=whose, rho=rho)) for rho in (0.0, 0.5, 1.0)]
        assert values[0] <= values[1] * (1 + 1e-12)
        assert values[1] <= values[2] * (1 + 1e-12)


def test_a_bag_of_one_is_its_example() -> None:
    z, y = logits(3, 4), torch.tensor(np.random.default_rng(0).dirichlet(np.ones(4), size=3))
    for rho in (0.0, 1.0):
        value = supervision.bag_matching(kb.kl, z, y, bags=torch.arange(3), rho=rho)
        assert float(value) == pytest.approx(float(kb.loss(kb.kl, student=z, teacher=y.log())), rel=1e-13)


def test_shares_that_members_contradict_are_no_contradiction_of_the_bag() -> None:
    z = torch.tensor([[0.0, -math.inf], [-math.inf, 0.0]], dtype=torch.float64).requires_grad_(True)
    y, bags = torch.tensor([[0.5, 0.5]], dtype=torch.float64), torch.tensor([0, 0])
    value = supervision.bag_matching(kb.kl, z, y, bags=bags, rho=0.0)
    assert value.item() == 0.0
    value.backward()
    assert z.grad is not None
    assert bool((z.grad == 0).all())
    assert supervision.bag_matching(kb.kl, z, y, bags=bags, rho=0.1).item() == math.inf


def test_masks_are_of_bags() -> None:
    f, y = logits(8), logits(3, seed=1)
    f[whose == 1] = math.nan
    f.requires_grad_(True)
    kept = torch.tensor([True, False, True])
    rows = whose != 1
    expected = supervision.bag_regression(f[rows], y[kept], bags=whose[rows] // 2, rho=0.2)
    value = supervision.bag_regression(f, y, bags=whose, rho=0.2, mask=kept)
    assert value.item() == expected.item()
    value.backward()
    assert f.grad is not None
    assert bool(torch.isfinite(f.grad).all())
    with pytest.warns(RuntimeWarning, match="1 of 3"):
        skipped = supervision.bag_regression(f, y, bags=whose, rho=0.2, nonfinite="skip")
    assert skipped.item() == expected.item()
    sizes = torch.tensor([1.0, 0.0, 3.0])
    weighted = supervision.bag_regression(f, y, bags=whose, rho=0.2, mask=kept, weight=sizes)
    parts = [
        supervision.bag_regression(f[whose == b], y[b : b + 1], bags=whose[whose == b] * 0, rho=0.2)
        for b in (0, 2)
    ]
    assert weighted.item() == pytest.approx((parts[0] + 3 * parts[1]).item() / 2, rel=1e-13)
    none = supervision.bag_regression(f, y, bags=whose, rho=0.2, mask=torch.zeros(3, dtype=torch.bool))
    none.backward()
    assert none.item() == 0.0


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"rho": 1.5}, InvalidInputError, "rho"),
        ({"rho": math.nan}, InvalidInputError, "rho"),
        ({"bags": whose + 1}, InvalidInputError, "from 1 to 3"),
        ({"bags": whose - 1}, InvalidInputError, "from -1 to 1"),
        ({"bags": whose // 2 * 2}, InvalidInputError, "1 of 3 bags have no examples, the first is number 1"),
        ({"bags": whose[:7]}, ShapeError, "bags"),
        ({"bags": whose.double()}, DTypeError, "whole numbers"),
        ({"mask": torch.ones(8, dtype=torch.bool)}, ShapeError, "mask"),
    ],
)
def test_bags_refuse(arguments: dict, error: type[Exception], text: str) -> None:
    given = {"bags": whose, "rho": 0.5} | arguments
    laws = torch.full((3, 4), 0.25)
    with pytest.raises(error, match=text):
        supervision.bag_regression(logits(8), logits(3), **given)
    with pytest.raises(error, match=text):
        supervision.bag_matching(kb.kl, logits(8, 4), laws, **given)


def test_bags_refuse_what_is_no_law() -> None:
    with pytest.raises(ShapeError, match="4 classes"):
        supervision.bag_matching(kb.kl, logits(8, 4), torch.full((3, 2), 0.5), bags=whose, rho=0.5)
    with pytest.raises(InvalidInputError, match="sum to 1"):
        supervision.bag_matching(kb.kl, logits(8, 4), torch.ones(3, 4), bags=whose, rho=0.5)
    with pytest.raises(ShapeError, match="a law for each bag"):
        supervision.bag_matching(kb.kl, logits(8, 4), torch.full((4,), 0.25), bags=whose, rho=0.5)
    with pytest.raises(InvalidInputError, match="no rows"):
        supervision.within_bag(kb.kl, torch.zeros(0, 3), bags=torch.zeros(0, dtype=torch.long))
    with pytest.raises(InvalidInputError, match="no examples"):
        supervision.within_bag(kb.kl, torch.zeros(2, 3), bags=torch.tensor([0, 2]))


def risks_of_linear_regression(draws: int) -> dict[float, float]:
    """‖θ̂ − θ‖² of the least-squares solution on 30 bags of 5 in 20 dimensions, from the loss itself."""
    rng = np.random.default_rng(0)
    theta = rng.normal(size=20)
    bags = torch.arange(150) // 5
    found = dict.fromkeys((0.0, 0.1, 1.0), 0.0)
    for _ in range(draws):
        x = rng.normal(size=(150, 20))
        y = torch.tensor(x @ theta + 3 * rng.normal(size=150)).reshape(30, 5).mean(-1)
        for rho in found:
            start = torch.zeros(20, dtype=torch.float64, requires_grad=True)
            loss = supervision.bag_regression(torch.tensor(x) @ start, y, bags=bags, rho=rho)
            (slope,) = torch.autograd.grad(loss, start, create_graph=True)
            bend = torch.stack([torch.autograd.grad(s, start, retain_graph=True)[0] for s in slope])
            best = torch.linalg.solve(bend, -slope.detach())
            found[rho] += float(((best.numpy() - theta) ** 2).sum()) / draws
    return found


def test_a_little_of_the_members_is_better_than_bag_or_members_alone() -> None:
    found = risks_of_linear_regression(40)
    assert found[0.1] < 0.7 * found[1.0] < 0.7 * found[0.0], found
