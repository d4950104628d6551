"""Policies towards a target: the exact gradient over a finite space, for every f, wherever the ratios are."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator

import mpmath
import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

import kullback as kb
from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses import policy as pi

OUTCOMES = 7
EVERY = [d for d in kb.catalogue() if isinstance(d, kb.FDivergence)]
MINE = kb.FDivergence.from_generator(lambda t: (t - 1) ** 2 / (t + 2), name="mine")
double = torch.float64


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A few numbers are not to be divided."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def logits(seed: int, n: int = OUTCOMES) -> Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=double).requires_grad_()


def law(z: Tensor) -> Tensor:
    return torch.log_softmax(z, -1)


def gradient(x: Tensor, of: Tensor) -> Tensor:
    return torch.autograd.grad(x, of, retain_graph=True)[0]


@pytest.mark.parametrize("off_policy", [False, True], ids=["on policy", "off policy"])
@pytest.mark.parametrize("d", [*EVERY, MINE, 2.0 * kb.js, kb.kl + kb.js], ids=str)
def test_value_and_gradient_are_those_of_the_divergence(d: kb.FDivergence, off_policy: bool) -> None:
    """All outcomes at once, weighed by their chances; the target is known up to a factor of e³."""
    z, target, log_z = logits(1), law(logits(2)).detach(), 3.0
    drawn = law(logits(3)).detach() if off_policy else law(z).detach()
    made = pi.f_dpg(
        d,
        policy=law(z),
        target=target + log_z,
        drawn_with=drawn if off_policy else None,
        log_partition=log_z,
        baseline=0.0,
        weight=OUTCOMES * drawn.exp(),
    )
    true = d.of_logits(z, target)
    torch.testing.assert_close(made, true, rtol=1e-11, atol=0)
    torch.testing.assert_close(gradient(made, z), gradient(true, z), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("d", EVERY, ids=str)
def test_a_constant_baseline_moves_nothing(d: kb.FDivergence) -> None:
    z, target = logits(1), law(logits(2)).detach()
    made = [
        pi.f_dpg(d, policy=law(z), target=target, baseline=b, weight=OUTCOMES * law(z).detach().exp())
        for b in (0.0, 2.5, torch.full((OUTCOMES,), 2.5, dtype=double))
    ]
    for other in made[1:]:
        torch.testing.assert_close(gradient(other, z), gradient(made[0], z), rtol=1e-10, atol=1e-13)
        assert other.item() == made[0].item()


@pytest.mark.parametrize("d", [kb.kl, kb.reverse_kl, kb.js, kb.total_variation], ids=str)
def test_it_is_a_policy_gradient_of_the_pseudo_reward(d: kb.FDivergence) -> None:
    z, target = logits(1), law(logits(2)).detach()
    reward = pi.pseudo_reward(d, policy=law(z), target=target + 1.0, log_partition=1.0)
    torch.testing.assert_close(reward, -d.slope((law(z) - target).detach()))
    chance = law(z).detach().exp()
    torch.testing.assert_close(
        gradient(-(chance * reward * law(z)).sum(), z), gradient(d.of_logits(z, target), z)
    )


@pytest.mark.parametrize("off_policy", [False, True], ids=["on policy", "off policy"])
@pytest.mark.parametrize("d", EVERY, ids=str)
def test_batches_are_unbiased(d: kb.FDivergence, off_policy: bool) -> None:
    """Every pair of draws with the other one as baseline, weighed by its chance: the expectation itself."""
    z, target = logits(1, 4), law(logits(2, 4)).detach()
    log_p, drawn = law(z), law((logits(3, 4) if off_policy else z).detach())
    total = z.new_zeros(())
    for i, j in itertools.product(range(4), repeat=2):
        pair = torch.tensor([i, j])
        mu = drawn[pair] if off_policy else None
        made = pi.f_dpg(d, policy=log_p[pair], target=target[pair], drawn_with=mu)
        total = total + drawn[pair].sum().exp() * made
    torch.testing.assert_close(gradient(total, z), gradient(d.of_logits(z, target), z), rtol=1e-9, atol=1e-12)


def test_samples_agree_with_the_expectation() -> None:
    """Value and gradient from 400 batches of 8 draws of another law, within 4 standard errors."""
    z, target, drawn = logits(1), law(logits(2)).detach(), law(logits(3)).detach()
    rng = np.random.default_rng(7)
    picks = torch.tensor(rng.choice(OUTCOMES, (400, 8), p=drawn.exp().numpy()))
    made = []
    for pick in picks:
        loss = pi.f_dpg(kb.js, policy=law(z)[pick], target=target[pick], drawn_with=drawn[pick])
        made.append(torch.cat([loss.detach()[None], gradient(loss, z)]))
    found, true = torch.stack(made), kb.js.of_logits(z, target)
    wanted = torch.cat([true.detach()[None], gradient(true, z)])
    assert bool(((found.mean(0) - wanted).abs() < 4 * found.std(0) / 20.0).all())


def test_the_baseline_takes_most_of_the_variance_away() -> None:
    z, target = logits(1), law(logits(2)).detach() + 2.0  # a wrong factor shifts all rewards of kl
    rng = np.random.default_rng(3)
    picks = torch.tensor(rng.choice(OUTCOMES, (400, 16), p=law(z).detach().exp().numpy()))

    def spread(baseline: object) -> float:
        made = []
        for pick in picks:
            loss = pi.f_dpg(kb.kl, policy=law(z)[pick], target=target[pick], baseline=baseline)  # type: ignore[arg-type]
            made.append(gradient(loss, z))
        return float(torch.stack(made).var(0).sum())

    assert spread(pi.leave_one_out) < 0.5 * spread(0.0)


def test_leave_one_out_is_the_mean_of_the_others() -> None:
    rng = np.random.default_rng(0)
    r, w = torch.tensor(rng.normal(size=6)), torch.tensor(rng.normal(size=6))
    made = pi.leave_one_out(r, w)
    for i in range(6):
        others = torch.arange(6) != i
        wanted = (w[others].exp() * r[others]).sum() / w[others].exp().sum()
        assert made[i].item() == pytest.approx(wanted.item(), rel=1e-14)
    # one sample that weighs e⁶⁰ times the others does not swallow theirs
    w[2] = 60.0
    others = torch.arange(6) != 2
    wanted = (w[others].exp() * r[others]).sum() / w[others].exp().sum()
    assert pi.leave_one_out(r, w)[2].item() == pytest.approx(wanted.item(), rel=1e-14)
    r[1] = -math.inf
    assert bool(torch.isfinite(pi.leave_one_out(r, w)).all())
    assert pi.leave_one_out(r[:1], w[:1]).tolist() == [0.0]
    assert pi.leave_one_out(torch.full((2,), math.nan), torch.zeros(2)).tolist() == [0.0, 0.0]


def test_running_mean() -> None:
    baseline = pi.RunningMean(window=3)
    assert baseline.value == 0.0
    baseline.update(torch.tensor([[1.0, math.inf], [2.0, math.nan]]))
    assert baseline.value == 1.5
    baseline.update(torch.tensor([9.0, 3.0, 4.0, 5.0]))
    assert baseline.value == 4.0
    with pytest.raises(InvalidInputError, match="`window` is 0"):
        pi.RunningMean(window=0)


def test_partition() -> None:
    target = law(logits(2)).detach() + 4.0
    drawn = law(logits(3)).detach()
    rng = np.random.default_rng(0)
    for decay in (1.0, 0.9):
        z, plain = pi.Partition(decay=decay), []
        for _ in range(60):
            pick = torch.tensor(rng.choice(OUTCOMES, 50, p=drawn.exp().numpy()))
            z.update(target=target[pick], drawn_with=drawn[pick])
            plain.append((target[pick] - drawn[pick]).exp().mean().item())
        fading = decay ** np.arange(60)[::-1]
        assert z.value == pytest.approx(math.log(np.average(plain, weights=fading)), rel=1e-12)
        assert z.value == pytest.approx(4.0, abs=0.1)


def test_partition_far_out_and_refused() -> None:
    z = pi.Partition()
    assert z.value == -math.inf
    z.update(target=torch.tensor([-math.inf]), drawn_with=torch.tensor([-1.0]))
    assert z.value == -math.inf  # nothing inside the target yet
    x = torch.tensor([-1.0])
    with pytest.raises(InvalidInputError, match="A Partition has one once a draw has P > 0"):
        pi.f_dpg(kb.js, policy=x, target=x, log_partition=z.value)
    z.update(target=torch.tensor([-9000.0]), drawn_with=torch.tensor([-9001.0]))
    assert z.value == pytest.approx(1.0 - math.log(1.99), rel=1e-12)
    for bad in (math.nan, math.inf):
        with pytest.raises(InvalidInputError, match="expected samples that what drew them can draw"):
            z.update(target=torch.tensor([bad]), drawn_with=torch.tensor([0.0]))
    with pytest.raises(InvalidInputError, match="`decay` is 0"):
        pi.Partition(decay=0)


# The matrix of D_i(policy that is best for j) over 60 outcomes and 4 features -----------------------------

FOUR = (kb.reverse_kl, kb.kl, kb.js, kb.total_variation)


def best(d: kb.FDivergence, features: np.ndarray, target: Tensor) -> Tensor:
    x = torch.tensor(features)

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        t = torch.tensor(theta, requires_grad=True)
        log_p = law(x @ t)
        loss = pi.f_dpg(d, policy=log_p, target=target, baseline=0.0, weight=60 * log_p.detach().exp())
        return loss.item(), gradient(loss, t).numpy()

    starts = (np.random.default_rng(s).normal(size=4) * 0.3 for s in range(4))
    found = min((minimize(objective, s, jac=True, method="BFGS") for s in starts), key=lambda z: z.fun)
    if d.curvature_at_one is None:  # with kinks, a search by gradients stops early
        options = {"xatol": 1e-5, "fatol": 1e-8, "maxiter": 1000}
        found = minimize(lambda x: objective(x)[0], found.x, method="Nelder-Mead", options=options)
    return law(x @ torch.tensor(found.x))


def test_every_policy_is_best_by_its_own_divergence() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(60, 4))
    target = law(torch.tensor(rng.normal(size=60) * 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # searches of scipy try far policies
        policies = [best(d, features, target) for d in FOUR]
    made = np.array([[float(d.of_logits(p, target)) for p in policies] for d in FOUR])
    assert np.all(made.diagonal() <= made.min(1) + 2e-3)
    np.testing.assert_allclose(made.diagonal(), [2.4823, 2.5979, 0.4467, 0.7949], atol=2e-4)


# Far ratios and infinite log-probabilities -----------------------------


def exact(d: kb.FDivergence, log_p: float, log_q: float, log_mu: float) -> tuple[float, float]:
    """(q/μ) f(p/q) and (p/μ) f'(p/q), with 60 digits."""
    with mpmath.workdps(60):
        r = mpmath.mpf(log_p) - mpmath.mpf(log_q)
        t, p, q = mpmath.exp(r), mpmath.exp(log_p - log_mu), mpmath.exp(log_q - log_mu)
        a = {"squared_hellinger": 0.5, "neyman_chi2": -1.0, "pearson_chi2": 2.0}.get(d.name)
        a = getattr(d, "a", a)
        if a is not None:
            scale = d.curvature_at_one or 1.0
            a = mpmath.mpf(a)
            f, slope = (t**a - a * t + a - 1) / (a * (a - 1)), (t ** (a - 1) - 1) / (a - 1)
            f, slope = scale * f, scale * slope
        elif d is kb.kl:
            f, slope = t * r - t + 1, r
        elif d is kb.reverse_kl:
            f, slope = t - 1 - r, 1 - 1 / t
        else:
            assert d is kb.jeffreys
            f, slope = (t - 1) * r, r + 1 - 1 / t
        return float(q * f), float(p * slope)


STEEP = [
    kb.kl,
    kb.reverse_kl,
    kb.jeffreys,
    kb.pearson_chi2,
    kb.neyman_chi2,
    kb.squared_hellinger,
    kb.alpha(-1.5),
    kb.alpha(0.3),
    kb.alpha(3),
    kb.alpha(1.0000001),
]


@pytest.mark.parametrize("dtype", [torch.float32, double], ids=str)
@pytest.mark.parametrize("d", STEEP, ids=str)
def test_products_are_right_where_ratios_overflow(d: kb.FDivergence, dtype: torch.dtype) -> None:
    """Samples e¹⁰⁰⁰⁰ times likelier on one side, and weights that make the products representable."""
    tolerance = 2e-12 if dtype == double else 2e-3  # the rounding of a logarithm of 10⁴
    for log_p, log_q in ((-10000.0, -1.0), (-1.0, -10000.0), (-1000.0, -10.0), (-10.0, -400.0)):
        for log_mu in (-1.0, 0.0):
            value, slope = exact(d, log_p, log_q, log_mu)
            if not (abs(value) < 1e17 and abs(slope) < 1e17):
                continue
            x = torch.tensor([log_p], dtype=dtype, requires_grad=True)
            rest = torch.tensor([[log_q], [log_mu]], dtype=dtype)
            made = pi.f_dpg(d, policy=x, target=rest[0], drawn_with=rest[1], baseline=0.0)
            assert made.item() == pytest.approx(value, rel=tolerance, abs=1e-30)
            assert gradient(made, x).item() == pytest.approx(slope, rel=tolerance, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, double], ids=str)
@pytest.mark.parametrize("size", [1e4, -1e4])
@pytest.mark.parametrize("d", [*EVERY, MINE], ids=str)
def test_nothing_overflows(d: kb.FDivergence, size: float, dtype: torch.dtype) -> None:
    """On policy the slope itself may be e¹⁰⁰⁰⁰: there it follows a tangent, and is counted."""
    x = torch.tensor([-1.0, size - 1.0], dtype=dtype, requires_grad=True)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        made = pi.f_dpg(d, policy=x, target=torch.tensor([-1.0, -1.0], dtype=dtype), baseline=0.0)
    assert bool(torch.isfinite(made))
    (slope,) = torch.autograd.grad(made, x)
    assert bool(torch.isfinite(slope).all())
    assert slope[0] == 0.0
    assert float(slope[1]) * size >= 0.0  # and points the right way
    for warning in told:
        assert "1 of 2 samples have numbers of" in str(warning.message)
    if d in (kb.kl, kb.js, kb.total_variation):
        value, wanted = (
            d.dual.value(-torch.tensor(size, dtype=double)),
            d.slope(torch.tensor(size, dtype=double)),
        )
        assert slope[1].item() == pytest.approx(0.5 * float(wanted), rel=1e-6)
        assert told or made.item() == pytest.approx(0.5 * float(value), rel=1e-6)


def test_a_broken_constraint() -> None:
    """P = 0: finite where the slope has a limit at infinity, +inf under kl; never NaN."""
    for d in (kb.reverse_kl, kb.js, kb.total_variation, kb.squared_hellinger):
        x = torch.tensor([-1.0, -2.0], dtype=double, requires_grad=True)
        made = pi.f_dpg(d, policy=x, target=torch.tensor([-1.0, -math.inf], dtype=double), baseline=0.0)
        assert made.item() == pytest.approx(0.5 * d.at_infinity)
        torch.testing.assert_close(gradient(made, x), torch.tensor([0.0, 0.5 * d.at_infinity], dtype=double))
    x = torch.tensor([-1.0, -2.0], requires_grad=True)
    target = torch.tensor([-1.5, -math.inf])
    assert pi.f_dpg(kb.kl, policy=x, target=target).item() == math.inf
    with pytest.warns(RuntimeWarning, match="1 of 2 examples are not finite"):
        made = pi.f_dpg(kb.kl, policy=x, target=target, nonfinite="skip")
    alone = pi.f_dpg(kb.kl, policy=x[:1], target=target[:1])
    assert made.item() == alone.item()
    with pytest.raises(InvalidInputError, match="the first is number 1"):
        pi.f_dpg(kb.kl, policy=x, target=target, nonfinite="raise")


def test_what_the_policy_cannot_say() -> None:
    """Drawn by another law: costs q f(0), teaches nothing; said by neither, it costs nothing."""
    x = torch.tensor([-1.0, -math.inf, -math.inf], dtype=double, requires_grad=True)
    target = torch.tensor([-1.0, -2.0, -math.inf], dtype=double)
    drawn = torch.tensor([-1.0, -1.5, -1.0], dtype=double)
    for d in (kb.kl, kb.js, kb.pearson_chi2, kb.alpha(0.3)):
        made = pi.f_dpg(d, policy=x, target=target, drawn_with=drawn)
        assert made.item() == pytest.approx(d.at_zero * math.exp(-0.5) / 3)
        assert gradient(made, x).tolist() == [0.0, 0.0, 0.0]
    assert pi.f_dpg(kb.reverse_kl, policy=x, target=target, drawn_with=drawn).item() == math.inf
    hardly = target[1:2] - 10000.0  # a weight of 0 in floats does not make it a NaN
    assert pi.f_dpg(kb.reverse_kl, policy=x[1:2], target=hardly, drawn_with=drawn[1:2]).item() == math.inf


def test_masked_samples_do_not_exist() -> None:
    x = torch.tensor([-1.0, math.nan, -2.0], requires_grad=True)
    target, mask = torch.tensor([-2.0, 0.0, -1.0]), torch.tensor([True, False, True])
    made = pi.f_dpg(kb.js, policy=x, target=target, mask=mask)
    alone = x.detach()[mask].requires_grad_()
    wanted = pi.f_dpg(kb.js, policy=alone, target=target[mask])
    assert made.item() == wanted.item()
    assert gradient(made, x)[[0, 2]].tolist() == gradient(wanted, alone).tolist()
    assert gradient(made, x)[1].item() == 0.0
    assert pi.f_dpg(kb.js, policy=x, target=target, mask=torch.zeros(3, dtype=torch.bool)).item() == 0.0


def test_half_precision_is_computed_in_single() -> None:
    x = torch.tensor([-1.0, -2.0], dtype=torch.bfloat16, requires_grad=True)
    made = pi.f_dpg(kb.kl, policy=x, target=torch.tensor([-1.5, -1.0], dtype=torch.bfloat16))
    assert made.dtype == torch.float32
    assert gradient(made, x).dtype == torch.bfloat16


def test_refusals() -> None:
    x = torch.tensor([-1.0, -2.0])
    with pytest.raises(ShapeError, match=r"`policy` \(2,\), `target` \(1,\)"):
        pi.f_dpg(kb.kl, policy=x, target=x[:1])
    with pytest.raises(ShapeError, match="one number for every sample"):
        pi.f_dpg(kb.kl, policy=x[None], target=x[None])
    with pytest.raises(ShapeError, match=r"`baseline` has shape \(3,\)"):
        pi.f_dpg(kb.kl, policy=x, target=x, baseline=torch.zeros(3))
    with pytest.raises(ShapeError, match=r"`rewards` has shape \(1, 2\)"):
        pi.leave_one_out(x[None], x)
    with pytest.raises(DTypeError, match=r"`policy` is torch\.int64"):
        pi.f_dpg(kb.kl, policy=x.long(), target=x)
    with pytest.raises(InvalidInputError, match="is not an f-divergence"):
        pi.f_dpg(kb.renyi(2), policy=x, target=x)  # type: ignore[arg-type]
    for bad in (math.nan, torch.zeros(2)):
        with pytest.raises(InvalidInputError, match="expected one finite number"):
            pi.f_dpg(kb.kl, policy=x, target=x, log_partition=bad)
