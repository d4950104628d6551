"""Comp-sum losses and their consistency bound, and the Z-loss: nouns, mpmath, brute force and invariance as truth."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import logsumexp

import kullback as kb
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses import robust


def outputs(n: int = 5, k: int = 7, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.normal(size=(n, k))), torch.tensor(rng.integers(0, k, n))


# Comp-sum --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 1.3, 1.5, 1.9])
def test_comp_sum_is_an_alpha_divergence_from_the_label(tau: float) -> None:
    z, y = outputs()
    sure = torch.nn.functional.one_hot(y, 7).double()
    by_noun = (2 - tau) * kb.alpha(2 - tau)(sure, torch.softmax(z, 1)).mean()  # type: ignore[attr-defined]
    assert float(robust.comp_sum(z, y, tau=tau)) == pytest.approx(float(by_noun), rel=1e-12)


def test_comp_sum_has_the_named_losses() -> None:
    z, y = outputs()
    p = torch.softmax(z, 1).gather(1, y[:, None])[:, 0]
    named = {
        0.0: (1 / p - 1),
        1.0: -p.log(),
        1.7: (1 - p**0.7) / 0.7,
        2.0: 1 - p,
        3.0: 0.5 * (1 - p**2),
    }
    for tau, terms in named.items():
        assert float(robust.comp_sum(z, y, tau=tau)) == pytest.approx(float(terms.mean()), rel=1e-12), tau
    variation = kb.total_variation(torch.nn.functional.one_hot(y, 7).double(), torch.softmax(z, 1))
    assert float(robust.comp_sum(z, y, tau=2.0)) == pytest.approx(float(torch.as_tensor(variation).mean()))


@pytest.mark.parametrize("away", [1e-13, -1e-13, 1e-9, -1e-9, 1e-5, 0.3])
@pytest.mark.parametrize("gap", [-40.0, -1.0, 0.3, 30.0])
def test_comp_sum_keeps_its_digits_near_cross_entropy(away: float, gap: float) -> None:
    tau = 1.0 + away
    with mpmath.workdps(60):
        s = 1 - mpmath.mpf(tau)
        truth = ((1 + mpmath.exp(mpmath.mpf(gap))) ** s - 1) / s
    z = torch.tensor([[0.0, gap]], dtype=torch.float64)
    assert float(robust.comp_sum(z, torch.tensor([0]), tau=tau)) == pytest.approx(float(truth), rel=4e-15)


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 1.0 + 1e-9, 1.5, 2.0, 2.5])
def test_comp_sum_gradient(tau: float) -> None:
    z, y = outputs(2, 3)
    z.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: robust.comp_sum(x, y, tau=tau), (z,))


def test_far_logits_stay_finite_where_the_loss_is() -> None:
    z = torch.tensor([[0.0, 500.0], [0.0, -500.0], [0.0, -math.inf]], requires_grad=True)
    for tau in (1.0, 1.5, 2.0):
        value = robust.comp_sum(z, torch.tensor([0, 0, 0]), tau=tau)
        (slope,) = torch.autograd.grad(value, z)
        assert bool(torch.isfinite(value))
        assert bool(torch.isfinite(slope).all())
    with pytest.raises(InvalidInputError, match="number 0"):
        robust.comp_sum(z, torch.tensor([0, 0, 0]), tau=0.0, nonfinite="raise")


def test_smooth_adversarial_adds_the_movement_of_margins() -> None:
    z, y = outputs()
    moved = z + outputs(seed=1)[0]
    margins = [
        np.delete(x[label] - x, label) for x, label in zip((moved - z).numpy(), y.tolist(), strict=True)
    ]
    by_hand = np.mean([math.sqrt(float(m @ m)) for m in margins])
    clean = float(robust.comp_sum(z, y, tau=1.5))
    value = robust.smooth_adversarial(z, moved, y, tau=1.5, strength=0.4)
    assert float(value) == pytest.approx(clean + 0.4 * by_hand, rel=1e-13)
    shifted = robust.smooth_adversarial(z, z + 3.0, y, tau=1.5, strength=0.4)
    assert float(shifted) == pytest.approx(clean, rel=1e-13)
    z.requires_grad_(True)
    robust.smooth_adversarial(z, z.detach(), y, tau=1.5, strength=0.4).backward()
    assert bool(torch.isfinite(z.grad).all())  # type: ignore[arg-type]


# The consistency bound -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tau", [0.0, 0.4, 0.999999, 1 - 1e-12, 1.0, 1 + 1e-12, 1.000001, 1.5, 1.999, 2.0, 3.0]
)
@pytest.mark.parametrize("b", [0.0, 1e-6, 0.3, 0.97, 1.0])
def test_bound_against_its_formula_in_many_digits(tau: float, b: float) -> None:
    n = 5
    with mpmath.workdps(80):
        s, x = 1 - mpmath.mpf(tau), mpmath.mpf(b)
        if tau >= 2:
            truth = x * n**s / -s
        elif tau == 1:
            truth = ((1 + x) * mpmath.log(1 + x) + ((1 - x) * mpmath.log(1 - x) if b < 1 else 0)) / 2
        else:
            mean = ((1 + x) ** (1 / (1 + s)) + (1 - x) ** (1 / (1 + s))) / 2
            truth = (mpmath.mpf(2 if tau < 1 else n) ** s) / s * (1 - mean ** (1 + s))
    found = float(robust.consistency_bound(b, tau=tau, classes=n))
    # at b = 1e-6 it is b²/2 times a constant, what is left of terms of size b
    assert found == pytest.approx(float(truth), rel=1e-9 if b == 1e-6 else 2e-13, abs=1e-18)


def test_bound_is_continuous_in_tau() -> None:
    b = torch.linspace(0, 1, 11)
    for tau in (1.0, 2.0):
        below, at, above = (
            robust.consistency_bound(b, tau=x, classes=2) for x in (tau - 1e-7, tau, tau + 1e-7)
        )
        assert torch.allclose(below, at, atol=1e-6)
        assert torch.allclose(above, at, atol=1e-6)


def phi(tau: float, u: np.ndarray) -> np.ndarray:
    return np.log1p(u) if tau == 1 else ((1 + u) ** (1 - tau) - 1) / (1 - tau)


def slack(tau: float, p: np.ndarray, rng: np.random.Generator) -> float:
    """Least surrogate excess among scores that choose another class than the likeliest, over the bound."""

    def risk(z: np.ndarray, wrong: int | None = None) -> float:
        s = np.clip(np.exp(z - logsumexp(z)), 1e-12, 1)
        return float(p @ phi(tau, 1 / s - 1)) + (0 if wrong is None else 1e3 * (s.max() - s[wrong]))

    def least(wrong: int | None) -> float:
        options = {"maxiter": 1500, "xatol": 1e-7, "fatol": 1e-10}
        starts = rng.normal(size=(2, len(p)))
        return min(minimize(risk, z, (wrong,), "Nelder-Mead", options=options).fun for z in starts)

    best = 1 - p.max() if tau == 2 else least(None)
    first = int(p.argmax())
    wrong = int(rng.choice([k for k in range(len(p)) if k != first]))
    excess = float(p[first] - p[wrong])
    return (least(wrong) - best) / float(robust.consistency_bound(excess, tau=tau, classes=len(p)))


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_bound_is_tight_for_two_classes(tau: float) -> None:
    """In two classes the best wrong score is the undecided one, and the search is over one number."""
    rng = np.random.default_rng(0)
    for p in (x for x in rng.dirichlet(np.ones(2), size=6) if abs(x[0] - x[1]) > 0.05):
        # the best share of class 0 solves p_k s_k^(tau-2) = const; at tau = 2 it is all on the likelier
        s = p ** (1 / (2 - tau)) if tau < 2 else (p == p.max()).astype(float)
        s = s / s.sum()
        seen = s > 0
        best = float((p[seen] * phi(tau, 1 / s[seen] - 1)).sum()) + (0.0 if seen.all() else float(p.min()))
        undecided = float(phi(tau, np.array(1.0)))
        excess = torch.tensor(float(abs(p[0] - p[1])))
        bound = float(robust.consistency_bound(excess.double(), tau=tau, classes=2))
        assert (undecided - best) / bound == pytest.approx(1.0, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_bound_holds_for_three_classes(tau: float) -> None:
    rng = np.random.default_rng(0)
    laws = [p for p in rng.dirichlet(np.ones(3), size=12) if np.diff(np.sort(p))[-1] > 0.02]
    assert min(slack(tau, p, rng) for p in laws) > 0.999


def test_comp_sum_refusals() -> None:
    z, y = outputs()
    with pytest.raises(InvalidInputError, match="tau"):
        robust.comp_sum(z, y, tau=-0.1)
    with pytest.raises(InvalidInputError, match="excess"):
        robust.consistency_bound(1.5, tau=1.0, classes=2)
    with pytest.raises(InvalidInputError, match="classes"):
        robust.consistency_bound(0.5, tau=1.0, classes=1)
    with pytest.raises(ShapeError, match="perturbed"):
        robust.smooth_adversarial(z, z[:2], y, tau=1.0, strength=1.0)
    with pytest.raises(InvalidInputError, match="strength"):
        robust.smooth_adversarial(z, z, y, tau=1.0, strength=-1.0)
    with pytest.raises(ShapeError, match="at least 2"):
        robust.comp_sum(z[:, :1], y, tau=1.0)


# Z-loss ----------------------------------------------------------------------------------------------------------

SHAPE = {"sharpness": 0.7, "offset": 3.0}


def test_z_loss_against_numpy() -> None:
    o, y = outputs()
    x = o.numpy()
    score = (x[range(5), y] - x.mean(1)) / x.std(1)
    by_hand = np.logaddexp(0, 0.7 * (3.0 - score)).mean() / 0.7
    assert float(robust.z_loss(o, y, **SHAPE)) == pytest.approx(by_hand, rel=1e-14)


def test_z_loss_sees_neither_shift_nor_scale() -> None:
    o, y = outputs(6, 50)
    value = float(robust.z_loss(o, y, **SHAPE))
    assert float(robust.z_loss(3 * o + 7, y, **SHAPE)) == pytest.approx(value, abs=1e-12)
    assert float(robust.z_loss(-o, y, **SHAPE)) != pytest.approx(value, abs=1e-2)


def test_z_loss_from_three_sums_of_a_layer_never_formed() -> None:
    rng = np.random.default_rng(0)
    w, h = (torch.tensor(rng.normal(size=s)) for s in ((40, 6), (8, 6)))
    y = torch.tensor(rng.integers(0, 40, 8))
    w.requires_grad_(True)
    direct = robust.z_loss(h @ w.T, y, **SHAPE)
    squares = ((h @ (w.T @ w)) * h).sum(1)
    from_sums = robust.z_loss_from_sums(h @ w.sum(0), squares, (h * w[y]).sum(1), classes=40, **SHAPE)
    assert from_sums.item() == pytest.approx(direct.item(), rel=1e-13)
    one, other = (torch.autograd.grad(x, w)[0] for x in (direct, from_sums))
    assert torch.allclose(one, other, atol=1e-13)


def test_equal_outputs_have_no_score() -> None:
    o = torch.tensor([[1.0, 1.0], [1.0, 0.0]], requires_grad=True)
    y = torch.tensor([0, 0])
    assert torch.isnan(robust.z_loss(o, y, **SHAPE))
    with pytest.warns(RuntimeWarning, match="1 of 2"):
        robust.z_loss(o, y, nonfinite="skip", **SHAPE).backward()
    assert bool(torch.isfinite(o.grad).all())  # type: ignore[arg-type]


def test_the_other_z_loss_is_the_squared_log_partition() -> None:
    o, _ = outputs()
    by_hand = float((logsumexp(o.numpy(), axis=1) ** 2).mean())
    assert float(robust.log_partition_penalty(o)) == pytest.approx(by_hand, rel=1e-14)
    assert float(robust.log_partition_penalty(o + 1)) != pytest.approx(by_hand, abs=1e-2)


def test_z_loss_refusals() -> None:
    o, y = outputs()
    with pytest.raises(InvalidInputError, match="sharpness"):
        robust.z_loss(o, y, sharpness=0.0, offset=1.0)
    with pytest.raises(ShapeError, match="sums"):
        robust.z_loss_from_sums(o, o, o, classes=7, **SHAPE)
    with pytest.raises(InvalidInputError, match="classes"):
        robust.z_loss_from_sums(o[:, 0], o[:, 0], o[:, 0], classes=1, **SHAPE)
    with pytest.raises(ShapeError, match="logits"):
        robust.log_partition_penalty(o[0])
