"""Worst cases over examples and over labels: primal, closed forms, limits, gradients and the duals that are trained."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import logsumexp

import kullback as kb
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses import robust

CATALOGUE = tuple(kb.catalogue())
every = pytest.mark.parametrize("d", CATALOGUE, ids=repr)


def numbers(n: int = 7, seed: int = 0) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=n))


def logits_and_labels(n: int = 5, k: int = 7, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.normal(size=(n, k))), torch.tensor(rng.integers(0, k, n))


def attained(d: kb.FDivergence, losses: torch.Tensor, penalty: float) -> float:
    """The primal by a general-purpose optimiser over the logits of the weights."""
    x, q = losses.numpy(), np.full(len(losses), 1 / len(losses))

    def short(z: np.ndarray) -> float:
        p = np.exp(z - logsumexp(z))
        return -float(p @ x - penalty * d(p, q, validate=False))

    starts = [s * x for s in (0.0, 1.0)]
    return max(
        -minimize(short, s, method="Nelder-Mead", options={"maxiter": 800, "fatol": 1e-11}).fun
        for s in starts
    )


# worst_case ------------------------------------------------------------------------------------------------------


@every
def test_no_reweighting_is_worse(d: kb.FDivergence) -> None:
    losses = numbers(3)
    value = float(robust.worst_case(d, losses, penalty=0.7))
    best = attained(d, losses, 0.7)
    assert value >= best - 1e-8
    # a simplex search stops early at a kink
    assert value == pytest.approx(best, abs=1e-4 if d.curvature_at_one else 2e-2)


@every
@pytest.mark.parametrize("kind", ["radius", "penalty"])
def test_gradient_is_the_worst_weights(d: kb.FDivergence, kind: str) -> None:
    losses = numbers().requires_grad_(True)

    def at(x: torch.Tensor) -> torch.Tensor:
        return robust.worst_case(d, x, **{kind: 0.08 if kind == "radius" else 0.9})

    at(losses).backward()
    assert losses.grad is not None
    assert float(losses.grad.sum()) == pytest.approx(1.0, abs=1e-9)
    assert bool((losses.grad >= 0).all())
    way, h = numbers(seed=3), 1e-5
    with torch.no_grad():
        difference = float(at(losses + h * way) - at(losses - h * way)) / (2 * h)
    assert float(losses.grad @ way) == pytest.approx(difference, abs=2e-5)


def test_kl_and_pearson_in_closed_form() -> None:
    losses = numbers()
    by_hand = 0.3 * (logsumexp(losses.numpy() / 0.3) - math.log(len(losses)))
    assert float(robust.worst_case(kb.kl, losses, penalty=0.3)) == pytest.approx(by_hand, abs=1e-12)
    # a small ball of E(t − 1)² drops nobody: mean + √(ρ Var)
    spread = float(losses.mean()) + math.sqrt(0.01 * float(losses.var(correction=0)))
    assert float(robust.worst_case(kb.pearson_chi2, losses, radius=0.01)) == pytest.approx(spread, abs=1e-9)


@every
def test_price_goes_from_maximum_to_mean(d: kb.FDivergence) -> None:
    losses = numbers()
    prices = (1e-3, 0.1, 1.0, 10.0, 1e5)
    values = [float(robust.worst_case(d, losses, penalty=x)) for x in prices]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(float(losses.max()), abs=0.15)  # √λ for chi-square
    assert values[-1] == pytest.approx(float(losses.mean()), abs=1e-4)
    assert float(robust.worst_case(d, losses, radius=0.0)) == pytest.approx(float(losses.mean()), abs=1e-12)


def test_high_powers_have_the_mean_of_the_worst_share_as_their_limit() -> None:
    """E tᵃ ≤ cᵃ is t ≤ c as a grows: the conditional value at risk of the worst 1/c."""
    losses, c = numbers(12), 3.0
    tail = float(losses.sort().values[-4:].mean())
    gaps = []
    for a in (4.0, 16.0, 64.0):
        radius = (c**a - 1) / (a * (a - 1))
        gaps.append(float(robust.worst_case(kb.alpha(a), losses, radius=radius)) - tail)
    assert gaps[0] > gaps[1] > gaps[2] > 0
    assert gaps[2] < 0.05


def test_weights_are_the_law_that_is_left() -> None:
    losses, mass = numbers(4), torch.tensor([1.0, 2.0, 0.0, 3.0])
    repeated = losses[[0, 1, 1, 3, 3, 3]]
    given = robust.worst_case(kb.kl, losses, penalty=0.5, weight=mass)
    assert float(given) == pytest.approx(float(robust.worst_case(kb.kl, repeated, penalty=0.5)), abs=1e-12)


def test_masked_and_non_finite_examples() -> None:
    losses = torch.tensor([1.0, math.nan, 2.0], requires_grad=True)
    kept = torch.tensor([True, False, True])
    robust.worst_case(kb.kl, losses, penalty=1.0, mask=kept).backward()
    assert losses.grad is not None
    assert bool(torch.isfinite(losses.grad).all())
    assert losses.grad[1] == 0
    assert torch.isnan(robust.worst_case(kb.kl, losses, penalty=1.0))
    with pytest.warns(RuntimeWarning, match="1 of 3"):
        assert torch.isfinite(robust.worst_case(kb.kl, losses, radius=0.1, nonfinite="skip"))
    with pytest.raises(InvalidInputError, match="number 1"):
        robust.worst_case(kb.kl, losses, radius=0.1, nonfinite="raise")


def test_half_precision_is_solved_in_single() -> None:
    losses = numbers().to(torch.bfloat16)
    value = robust.worst_case(kb.js, losses, penalty=0.5)
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(float(robust.worst_case(kb.js, losses.float(), penalty=0.5)))


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"radius": 0.1, "penalty": 1.0}, InvalidInputError, "exactly one"),
        ({}, InvalidInputError, "exactly one"),
        ({"penalty": 0.0}, InvalidInputError, "penalty"),
        ({"radius": -1.0}, InvalidInputError, "radius"),
        ({"radius": 0.1, "weight": torch.ones(2)}, ShapeError, "weight"),
        ({"radius": 0.1, "weight": -torch.ones(7)}, InvalidInputError, "negative"),
    ],
)
def test_refusals(arguments: dict, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        robust.worst_case(kb.kl, numbers(), **arguments)


def test_rows_are_refused() -> None:
    with pytest.raises(ShapeError, match="one loss an example"):
        robust.worst_case(kb.kl, torch.zeros(2, 3), radius=0.1)
    with pytest.raises(InvalidInputError, match="generator"):
        robust.worst_case(kb.renyi(2), numbers(), radius=0.1)  # type: ignore[arg-type]


# DualVariables ---------------------------------------------------------------------------------------------------


def dual(d: kb.FDivergence, losses: torch.Tensor, **given: float) -> robust.DualVariables:
    return robust.DualVariables(d, highest=float(losses.max()), **given).double()


@every
def test_trained_dual_is_above_and_touches(d: kb.FDivergence) -> None:
    losses = numbers()
    top = float(losses.max())
    worst = kb.upper_expectation(d, losses, radius=0.05)
    for above, multiplier in ((0.1, 0.3), (1.0, 1.0), (0.3, 4.0)):
        bound = dual(d, losses, radius=0.05, threshold=top + above, multiplier=multiplier)
        assert bound(losses).item() >= float(worst.value) - 1e-9
    best = dual(d, losses, radius=0.05)
    with torch.no_grad():
        best.log_multiplier.copy_(torch.as_tensor(worst.multiplier).log())
        place = torch.as_tensor(worst.threshold)
        if math.isfinite(d.at_infinity):
            least = top - float(worst.multiplier) * d.at_infinity
            place = (place - least).clamp(min=1e-300).log()
        best.place.copy_(place)
    assert best(losses).item() == pytest.approx(float(worst.value), abs=1e-6)


@pytest.mark.parametrize("d", [kb.kl, kb.pearson_chi2, kb.js], ids=repr)
def test_minibatches_reach_the_worst_case_of_all(d: kb.FDivergence) -> None:
    losses = numbers(64, seed=2)
    top = float(losses.max())
    bound = dual(d, losses, radius=0.05, threshold=top, multiplier=1.0)
    optimiser = torch.optim.Adam(bound.parameters(), 0.03)
    order = torch.Generator().manual_seed(0)
    for step in range(400):
        optimiser.param_groups[0]["lr"] = 0.03 * (1 - step / 400)
        batch = losses[torch.randint(64, (16,), generator=order)]
        optimiser.zero_grad()
        bound(batch).backward()
        optimiser.step()
    truth = float(robust.worst_case(d, losses, radius=0.05))
    assert truth <= bound(losses).item() <= truth + 0.01


def test_mean_of_minibatch_worst_cases_is_too_small() -> None:
    losses = numbers(64, seed=2)
    parts = [float(robust.worst_case(kb.kl, x, radius=0.05)) for x in losses.split(4)]
    assert np.mean(parts) < float(robust.worst_case(kb.kl, losses, radius=0.05))


def test_dual_of_a_bounded_conjugate_needs_the_highest_loss() -> None:
    with pytest.raises(InvalidInputError, match="highest"):
        robust.DualVariables(kb.js, radius=0.1)
    with pytest.raises(InvalidInputError, match="need one above"):
        robust.DualVariables(kb.js, radius=0.1, highest=5.0, threshold=0.0)
    bound = robust.DualVariables(kb.js, radius=0.1, highest=1.0, threshold=1.0)
    with pytest.raises(InvalidInputError, match="above `highest`"):
        bound(torch.tensor([0.5, 1.5]))
    assert not robust.DualVariables(kb.kl, penalty=2.0).log_multiplier.requires_grad


@pytest.mark.parametrize("given", [{}, {"radius": 0.1, "penalty": 1.0}, {"penalty": 0.0}, {"radius": 0.0}])
def test_dual_refusals(given: dict) -> None:
    with pytest.raises(InvalidInputError):
        robust.DualVariables(kb.kl, **given)


# Labels ----------------------------------------------------------------------------------------------------------


def test_label_robust_kl_has_its_limits() -> None:
    z, y = logits_and_labels()
    margins = z - z.gather(1, y[:, None])

    def at(penalty: float) -> float:
        return float(robust.label_robust(kb.kl, z, y, penalty=penalty))

    cross_entropy = float(torch.nn.functional.cross_entropy(z, y))
    assert at(1.0) == pytest.approx(cross_entropy - math.log(7), abs=1e-14)
    assert at(0.0) == pytest.approx(float(margins.amax(1).mean()), abs=1e-15)
    assert at(math.inf) == pytest.approx(float(margins.mean()), abs=1e-15)
    assert at(1e-4) == pytest.approx(at(0.0), abs=2e-4 * math.log(7))
    assert at(1e9) == pytest.approx(at(math.inf), abs=1e-8)


def test_small_differences_keep_their_digits_at_a_large_penalty() -> None:
    z, y = logits_and_labels(1)
    m = (z - z.gather(1, y[:, None])).numpy()[0]
    price = 1e7
    expansion = m.mean() + m.var() / (2 * price)  # the third term is 1e-14 of it
    assert float(robust.label_robust(kb.kl, z, y, penalty=price)) == pytest.approx(expansion, abs=1e-13)


@every
def test_label_robust_is_a_worst_case_for_every_divergence(d: kb.FDivergence) -> None:
    z, y = logits_and_labels(3, 4)
    margins = z - z.gather(1, y[:, None]) + 0.5 * (torch.arange(4) != y[:, None])
    by_example = [float(robust.worst_case(d, m, penalty=0.6)) for m in margins]
    value = float(robust.label_robust(d, z, y, penalty=0.6, margin=0.5))
    assert value == pytest.approx(np.mean(by_example), abs=1e-8)
    ends = [float(robust.label_robust(d, z, y, penalty=x, margin=0.5)) for x in (0.0, 1e-4, 1e6, math.inf)]
    assert ends[0] == pytest.approx(float(margins.amax(1).mean()), abs=1e-15)
    assert ends[1] == pytest.approx(ends[0], abs=0.03)
    assert ends[2] == pytest.approx(ends[3], abs=1e-5)
    assert ends[3] == pytest.approx(float(margins.mean()), abs=1e-15)


@every
def test_label_gradients_are_differences(d: kb.FDivergence) -> None:
    z, y = logits_and_labels(3, 4, seed=4)
    z.requires_grad_(True)
    price = torch.tensor([0.4, 0.9, 2.0], dtype=torch.float64, requires_grad=True)
    robust.label_robust(d, z, y, penalty=price, margin=0.3).backward()
    assert z.grad is not None
    assert price.grad is not None
    way, h = logits_and_labels(3, 4, seed=5)[0], 1e-5

    def at(step: float, step_price: float) -> float:
        return float(
            robust.label_robust(
                d, z.detach() + step * way, y, penalty=price.detach() + step_price, margin=0.3
            )
        )

    assert float((z.grad * way).sum()) == pytest.approx((at(h, 0) - at(-h, 0)) / (2 * h), abs=2e-5)
    assert float(price.grad.sum()) == pytest.approx((at(0, h) - at(0, -h)) / (2 * h), abs=2e-5)


def test_the_worst_label_law_of_kl_is_the_tempered_softmax() -> None:
    z, y = logits_and_labels()
    z.requires_grad_(True)
    (5 * robust.label_robust(kb.kl, z, y, penalty=0.7)).backward()
    p = torch.softmax(z.detach() / 0.7, 1)
    expected = p - torch.nn.functional.one_hot(y, 7)
    assert torch.allclose(z.grad, expected, atol=1e-14)  # type: ignore[arg-type]


def test_limits_mix_within_a_batch_with_finite_gradients() -> None:
    z, y = logits_and_labels(3, 4)
    z.requires_grad_(True)
    price = torch.tensor([0.0, 1.0, math.inf])
    value = robust.label_robust(kb.js, z, y, penalty=price)
    apart = [
        float(robust.label_robust(kb.js, z.detach()[[i]], y[[i]], penalty=float(price[i]))) for i in range(3)
    ]
    assert float(value.detach()) == pytest.approx(np.mean(apart), abs=1e-12)
    value.backward()
    assert bool(torch.isfinite(z.grad).all())  # type: ignore[arg-type]


def test_impossible_labels_cost_nothing() -> None:
    z = torch.tensor([[0.0, 1.0, -math.inf]], dtype=torch.float64, requires_grad=True)
    value = robust.label_robust(kb.kl, z, torch.tensor([0]), penalty=1.0)
    value.backward()
    assert value.item() == pytest.approx(math.log((1 + math.e) / 3), abs=1e-14)
    assert bool(torch.isfinite(z.grad).all())  # type: ignore[arg-type]
    assert not torch.isfinite(robust.label_robust(kb.js, z.detach(), torch.tensor([0]), penalty=1.0))


@pytest.mark.parametrize("d", [kb.kl, kb.pearson_chi2, kb.js], ids=repr)
def test_adaptive_penalties_end_at_the_joint_maximum(d: kb.FDivergence) -> None:
    z, y = logits_and_labels(2, 4, seed=6)
    z, start, alpha = 2 * z, 1.5, 2.0
    price = torch.full((2,), start, dtype=torch.float64)
    for _ in range(30):
        new = robust.adaptive_penalties(d, z, y, penalty=start, alpha=alpha, previous=price)
        assert bool(((new > 0) & (new <= start)).all())
        price = 0.5 * (price + new)
    value = float(robust.adaptive_label_robust(d, z, y, penalty=start, alpha=alpha, previous=price))
    largest = d([1.0, 0.0, 0.0, 0.0], [0.25] * 4)
    grid = torch.linspace(0.05, start, 30, dtype=torch.float64)
    worst = 0.0
    for i in range(2):
        many = [float(robust.label_robust(d, z[[i]], y[[i]], penalty=float(x))) for x in grid]
        cost = alpha * largest / (2 * start) * (grid - start) ** 2
        worst += max((np.array(many) - cost.numpy()).tolist()) / 2
    assert value == pytest.approx(worst, abs=2e-2)
    assert value >= worst - 1e-9


def test_adaptive_loss_leaves_masked_examples_alone() -> None:
    z, y = logits_and_labels(3, 4)
    z[1] = math.nan
    z.requires_grad_(True)
    kept = torch.tensor([True, False, True])
    value = robust.adaptive_label_robust(kb.kl, z, y, penalty=1.0, mask=kept)
    value.backward()
    assert torch.isfinite(value)
    assert bool(torch.isfinite(z.grad).all())
    assert torch.isnan(robust.adaptive_label_robust(kb.kl, z.detach(), y, penalty=1.0))


def test_label_refusals() -> None:
    z, y = logits_and_labels()
    with pytest.raises(InvalidInputError, match=r"f\(0\) of reverse_kl is infinite"):
        robust.adaptive_penalties(kb.reverse_kl, z, y, penalty=1.0)
    with pytest.raises(InvalidInputError, match="alpha"):
        robust.adaptive_penalties(kb.kl, z, y, penalty=1.0, alpha=1.0)
    with pytest.raises(InvalidInputError, match="penalty"):
        robust.label_robust(kb.kl, z, y, penalty=-1.0)
    with pytest.raises(InvalidInputError, match="margin"):
        robust.label_robust(kb.kl, z, y, penalty=1.0, margin=-1.0)
    with pytest.raises(ShapeError, match="penalty"):
        robust.label_robust(kb.kl, z, y, penalty=torch.ones(4))
    with pytest.raises(ShapeError, match="labels"):
        robust.label_robust(kb.kl, z, y[:2], penalty=1.0)
