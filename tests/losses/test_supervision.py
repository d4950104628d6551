"""Priors of the classes and clusters: gradients, exact zeros, the optimum of the targets, what is refused."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import softmax

import kullback as kb
from kullback.errors import ConvergenceError, DTypeError, InvalidInputError, ShapeError
from kullback.losses import supervision
from kullback.losses.supervision.groups import Groups

every = pytest.mark.parametrize("d", tuple(kb.catalogue()), ids=repr)
HALF = torch.tensor([0.5, 0.5])


def logits(n: int = 6, k: int = 4, seed: int = 0) -> Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=(n, k)))


def law(k: int = 4, seed: int = 1) -> Tensor:
    return torch.tensor(np.random.default_rng(seed).dirichlet(np.ones(k)))


# prior_matching --------------------------------------------------------------------------------------------------


@every
def test_value_and_gradient_are_those_of_the_definition(d: kb.FDivergence) -> None:
    z, w, groups = logits(), torch.tensor([0.5, 1.0, 2.0, 0.0]), torch.tensor([3, 0, 3, 3, 0, 3])
    prior = torch.stack([law(seed=s) for s in range(4)])

    def defined(x: Tensor) -> Tensor:
        p = softmax(x, -1)
        entropy = -(w * p * p.log()).sum(-1).mean()
        far = [d(p[groups == g].mean(0), prior[g], validate=False) for g in (0, 3)]
        return entropy + 0.7 * torch.stack([torch.as_tensor(x) for x in far]).mean()

    def ours(x: Tensor) -> Tensor:
        return supervision.prior_matching(d, x, prior=prior, strength=0.7, class_weights=w, groups=groups)

    assert float(ours(z)) == pytest.approx(float(defined(z)), rel=1e-12)
    mine, theirs = (torch.autograd.functional.jacobian(f, z) for f in (ours, defined))
    torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)
    assert torch.autograd.gradcheck(ours, (z.requires_grad_(True),))


def test_the_mean_prediction_comes_first() -> None:
    """KL(predicted‖prior): the slot that a docstring may call cross-entropy with the prior."""
    z, prior = torch.log(torch.tensor([[0.9, 0.1], [0.7, 0.3]])), HALF
    entropy = supervision.weighted_entropy(z)
    far = supervision.prior_matching(kb.kl, z, prior=prior) - entropy
    assert float(far) == pytest.approx(kb.kl([0.8, 0.2], [0.5, 0.5]), abs=1e-6)
    assert float(far) != pytest.approx(kb.kl([0.5, 0.5], [0.8, 0.2]), abs=1e-2)


def test_zeros_are_exact() -> None:
    out = torch.tensor([[0.0, 1.0, -math.inf], [2.0, 0.0, -math.inf]], dtype=torch.float64)
    allowed = torch.tensor([0.25, 0.75, 0.0], dtype=torch.float64)
    z = out.clone().requires_grad_(True)
    value = supervision.prior_matching(kb.kl, z, prior=allowed)
    same = supervision.prior_matching(kb.kl, out[:, :2], prior=allowed[:2])
    assert value.item() == pytest.approx(same.item(), rel=4e-16)
    value.backward()
    assert z.grad is not None
    assert bool(torch.isfinite(z.grad).all())
    assert bool((z.grad[:, 2] == 0).all())
    # what the prior lacks costs lim f(t)/t a unit, what the predictions lack f(0)
    lacking = torch.tensor([0.0, 1.0], dtype=torch.float64)
    z = torch.tensor([[0.0, 0.0]], dtype=torch.float64)
    by_tv = supervision.prior_matching(kb.total_variation, z, prior=lacking)
    assert float(by_tv) == pytest.approx(math.log(2) + 0.5, rel=1e-15)
    assert float(supervision.prior_matching(kb.kl, z, prior=lacking)) == math.inf
    sure = torch.tensor([[0.0, -math.inf]])
    assert float(supervision.prior_matching(kb.reverse_kl, sure, prior=HALF)) == math.inf


def test_predictions_far_below_the_precision_keep_their_share() -> None:
    z = torch.tensor([[0.0, -900.0], [0.0, -901.0]], dtype=torch.float64).requires_grad_(True)
    value = supervision.prior_matching(kb.reverse_kl, z, prior=HALF.double())
    with mpmath.workdps(60):
        share = (mpmath.exp(-900) + mpmath.exp(-901)) / 2
        expected = mpmath.mpf("0.5") * (mpmath.log(0.5 / (1 - share)) + mpmath.log(0.5 / share))
    assert value.item() == pytest.approx(float(expected), rel=1e-14)
    value.backward()
    assert z.grad is not None
    # −½ of the slope of log share, by the softmax of what the share is made of
    assert z.grad[:, 1].tolist() == pytest.approx((-0.5 * softmax(z[:, 1].detach(), 0)).tolist(), rel=1e-12)


@every
def test_it_is_the_entropy_at_the_prior_and_grows_from_there(d: kb.FDivergence) -> None:
    z = logits(9, 3)
    prior = softmax(z, -1).mean(0)
    entropy = float(supervision.weighted_entropy(z))
    assert float(supervision.prior_matching(d, z, prior=prior)) == pytest.approx(entropy, rel=1e-14)
    values = [float(supervision.prior_matching(d, z, prior=law(3), strength=s)) for s in (1e-9, 1.0, 2.0)]
    assert values[0] == pytest.approx(entropy, rel=1e-7)
    assert values[2] - values[1] == pytest.approx(values[1] - values[0], rel=1e-6)


def test_a_uniform_prior_is_mutual_information() -> None:
    """log K − H(mean) + mean H is log K − I(input; prediction)."""
    z = logits(20, 5).float().double()
    value = supervision.prior_matching(kb.kl, z, prior=torch.full((5,), 0.2, dtype=torch.float64))
    p = softmax(z, -1)
    told = float(torch.as_tensor(kb.kl(p, p.mean(0).expand_as(p), validate=False)).mean())
    assert float(value) == pytest.approx(math.log(5) - told, rel=1e-13)


def test_weights_are_masses_and_masks_leave_nothing() -> None:
    z, prior = logits(4, 3), law(3)
    groups = torch.tensor([0, 0, 1, 1])
    repeated = supervision.prior_matching(kb.js, z[[0, 1, 1, 2, 3, 3]], prior=prior)
    weight = torch.tensor([1.0, 2.0, 1.0, 2.0])
    weighted = supervision.prior_matching(kb.js, z, prior=prior, weight=weight)
    entropies = supervision.weighted_entropy(z[[0, 1, 1, 2, 3, 3]]) * (6 / 4 - 1)
    assert float(weighted) == pytest.approx(float(repeated + entropies), rel=1e-13)
    bad = z.clone()
    bad[3] = math.nan
    bad.requires_grad_(True)
    kept = torch.tensor([True, True, True, False])
    value = supervision.prior_matching(kb.js, bad, prior=prior, groups=groups, mask=kept)
    assert value.item() == supervision.prior_matching(kb.js, z[:3], prior=prior, groups=groups[:3]).item()
    value.backward()
    assert bad.grad is not None
    assert bool((bad.grad[3] == 0).all())
    assert bool(torch.isfinite(bad.grad).all())
    none = supervision.prior_matching(kb.js, bad, prior=prior, mask=torch.zeros(4, dtype=torch.bool))
    assert none.item() == 0.0
    none.backward()


def test_rows_that_are_not_finite() -> None:
    z, prior = logits(4, 3), law(3)
    z[2, 0] = math.nan
    assert math.isnan(float(supervision.prior_matching(kb.kl, z, prior=prior)))
    with pytest.warns(
        RuntimeWarning, match="1 of 4 examples are not finite, the first is number 2"
    ) as caught:
        skipped = supervision.prior_matching(kb.kl, z, prior=prior, nonfinite="skip")
    assert caught[0].filename == __file__
    assert float(skipped) == float(supervision.prior_matching(kb.kl, z[[0, 1, 3]], prior=prior))
    with pytest.raises(InvalidInputError, match="number 2"):
        supervision.prior_matching(kb.kl, z, prior=prior, nonfinite="raise")


def test_half_precision_is_computed_in_single() -> None:
    z = logits().to(torch.bfloat16)
    value = supervision.prior_matching(kb.kl, z, prior=law())
    assert value.dtype == torch.float32
    assert float(value) == float(supervision.prior_matching(kb.kl, z.float(), prior=law()))


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"prior": law(3)}, ShapeError, "4 classes"),
        ({"prior": torch.ones(4)}, InvalidInputError, "sum to 1"),
        ({"prior": torch.tensor([1.5, -0.5, 0.0, 0.0])}, InvalidInputError, "non-negative"),
        ({"prior": torch.tensor([math.nan] * 4)}, InvalidInputError, "non-negative"),
        ({"prior": law()[None], "groups": torch.arange(6)}, ShapeError, "from 0 to 5"),
        ({"strength": 0.0}, InvalidInputError, "strength"),
        ({"strength": math.inf}, InvalidInputError, "strength"),
        ({"class_weights": torch.ones(3)}, ShapeError, "class_weights"),
        ({"class_weights": -torch.ones(4)}, InvalidInputError, "class_weights"),
        ({"groups": torch.zeros(6)}, DTypeError, "whole numbers"),
        ({"groups": torch.zeros(5, dtype=torch.long)}, ShapeError, "one number for each row"),
        ({"weight": torch.ones(5)}, ShapeError, "weight"),
        ({"weight": -torch.ones(6)}, InvalidInputError, "negative"),
        ({"weight": torch.zeros(6)}, InvalidInputError, "mask"),
        ({"mask": torch.ones(5, dtype=torch.bool)}, ShapeError, "mask"),
    ],
)
def test_refusals(arguments: dict, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        supervision.prior_matching(kb.kl, logits(), **{"prior": law(), **arguments})


def test_logits_are_refused_by_their_shape_and_type() -> None:
    with pytest.raises(ShapeError, match="n, K"):
        supervision.weighted_entropy(torch.zeros(3))
    with pytest.raises(DTypeError, match="int64"):
        supervision.weighted_entropy(torch.zeros(3, 2, dtype=torch.long))
    with pytest.raises(InvalidInputError, match="no example"):
        supervision.prior_matching(kb.kl, torch.zeros(0, 4), prior=law())


# Clusters --------------------------------------------------------------------------------------------------------


def crowded() -> Tensor:
    """400 rows over 5 clusters, the first of which most are in."""
    z = np.random.default_rng(0).normal(size=(400, 5)) + np.array([2.0, 1, 0, -1, -2])
    return torch.tensor(z)


def objective(log_q: Tensor, z: Tensor, strength: float = 1.0, prior: Tensor | None = None) -> float:
    """The mean KL(q‖p) and the strength times KL(f‖u)."""
    uniform = torch.full(z.shape[-1:], 1 / z.shape[-1], dtype=z.dtype)
    shares = log_q.exp().mean(0)
    away = kb.kl(shares, uniform if prior is None else prior, validate=False)
    return float(kb.loss(kb.kl, student=z, teacher=log_q)) + strength * float(away)


def test_both_published_targets_are_here_by_name() -> None:
    """The text of DEPICT has p/√Σp, its code p²/Σp, the target of DEC."""
    z = crowded()
    p = softmax(z, -1)
    for ours, by_hand in (
        (supervision.dec_targets(z), p**2 / p.sum(0)),
        (supervision.depict_targets(z), p / p.sum(0).sqrt()),
    ):
        torch.testing.assert_close(
            ours.exp(), by_hand / by_hand.sum(-1, keepdim=True), rtol=1e-13, atol=1e-16
        )


def test_exact_targets_against_the_closed_form() -> None:
    z = crowded()
    p, closed = z.log_softmax(-1), supervision.depict_targets(z)
    exact = supervision.balanced_targets(z)
    assert [round(objective(q, z), 4) for q in (p, closed, exact)] == [0.4575, 0.2857, 0.2844]
    spread = [float(torch.special.entr(q.exp().mean(0)).sum()) for q in (p, closed)]
    assert spread == pytest.approx([1.152, 1.418], abs=1e-3)


@pytest.mark.parametrize("strength", [1e-6, 0.3, 1.0, 10.0, 100.0])
@pytest.mark.parametrize("prior", [None, law(5)], ids=["uniform", "given"])
def test_exact_targets_solve_their_equation_and_no_neighbour_is_better(
    strength: float, prior: Tensor | None
) -> None:
    z = crowded()
    exact = supervision.balanced_targets(z, prior=prior, strength=strength)
    u = torch.full((5,), 0.2, dtype=torch.float64) if prior is None else prior
    shares = exact.exp().mean(0)
    told = (z.log_softmax(-1) + strength * (u / shares).log()).log_softmax(-1)
    torch.testing.assert_close(exact, told, rtol=1e-10, atol=1e-10)
    best = objective(exact, z, strength, prior)
    for seed in range(5):
        moved = (exact + 1e-2 * logits(400, 5, seed)).log_softmax(-1)
        assert objective(moved, z, strength, prior) > best


def test_exact_targets_go_from_the_predictions_to_the_prior() -> None:
    z = crowded()
    near = supervision.balanced_targets(z, strength=1e-9)
    torch.testing.assert_close(near, z.log_softmax(-1), rtol=0, atol=1e-8)
    shares = supervision.balanced_targets(z, strength=100.0).exp().mean(0)
    assert float((shares - 0.2).abs().max()) < 1e-2


def test_targets_are_constants_in_single_precision_too() -> None:
    z = crowded().float().requires_grad_(True)
    for targets in (supervision.dec_targets, supervision.depict_targets, supervision.balanced_targets):
        made = targets(z)
        assert made.dtype == torch.float32
        assert not made.requires_grad
        torch.testing.assert_close(made.double(), targets(z.double()), rtol=1e-5, atol=1e-5)


def test_an_empty_cluster_stays_empty() -> None:
    z = torch.tensor([[0.0, 1.0, -math.inf], [1.0, 0.0, -math.inf]])
    for targets in (supervision.dec_targets, supervision.depict_targets):
        q = targets(z).exp()
        assert q[:, 2].tolist() == [0.0, 0.0]
        torch.testing.assert_close(q[:, :2], targets(z[:, :2]).exp())
    with pytest.raises(InvalidInputError, match="no row can be in it"):
        supervision.balanced_targets(z)


def test_student_t_against_its_kernel() -> None:
    x, mu = logits(6, 3).requires_grad_(True), logits(4, 3, 1).requires_grad_(True)
    squares = torch.cdist(x, mu) ** 2
    kernel = (1 + squares / 3.0) ** -2.0
    p = supervision.student_t_logits(x, mu, degrees=3.0).softmax(-1)
    torch.testing.assert_close(p, kernel / kernel.sum(-1, keepdim=True), rtol=1e-12, atol=1e-14)
    assert torch.autograd.gradcheck(supervision.student_t_logits, (x, mu))


def test_clusters_refuse() -> None:
    with pytest.raises(InvalidInputError, match="1 of 2 rows"):
        supervision.dec_targets(torch.tensor([[0.0, 1.0], [math.nan, 0.0]]))
    with pytest.raises(InvalidInputError, match="no rows"):
        supervision.depict_targets(torch.zeros(0, 2))
    with pytest.raises(InvalidInputError, match="strength"):
        supervision.balanced_targets(crowded(), strength=-1.0)
    with pytest.raises(InvalidInputError, match="no share"):
        supervision.balanced_targets(torch.zeros(3, 2), prior=torch.tensor([1.0, 0.0]))
    with pytest.raises(ConvergenceError, match="after 2 steps"):
        supervision.balanced_targets(crowded(), steps=2)
    with pytest.raises(ShapeError, match="width"):
        supervision.student_t_logits(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(InvalidInputError, match="degrees"):
        supervision.student_t_logits(torch.zeros(2, 3), torch.zeros(2, 3), degrees=0.0)


def test_groups_average_in_logarithms() -> None:
    x, groups = logits(7, 3), torch.tensor([5, 2, 5, 2, 2, 9, 5])
    sets, weight = Groups.of(groups), torch.linspace(0.5, 2.0, 7, dtype=torch.float64)
    assert sets.numbers.tolist() == [2, 5, 9]
    for w in (None, weight):
        torch.testing.assert_close(
            sets.log_mean(x, weight=w).exp(), sets.mean(x.exp(), weight=w), rtol=1e-13, atol=0
        )
    first = (weight[groups == 2] @ x[groups == 2]) / weight[groups == 2].sum()
    torch.testing.assert_close(sets.mean(x, weight=weight)[0], first, rtol=1e-13, atol=0)
    far = sets.log_mean(x - 2000.0)
    torch.testing.assert_close(far, sets.log_mean(x) - 2000.0, rtol=1e-13, atol=0)
