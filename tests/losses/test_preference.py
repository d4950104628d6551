"""Preference optimisation under every divergence: the optimum, the gradients, the extremes, and what is refused."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import kullback as kb
from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses import preference
from kullback.losses.preference.link import gap, link, span

REFUSED = {"pearson_chi2", "le_cam", "total_variation", "alpha(1.0000001)", "alpha(3)"}
OWN = {
    "own_kl": kb.FDivergence.from_generator(lambda t: t * t.log(), name="own_kl"),
    "own_reverse_kl": kb.FDivergence.from_generator(lambda t: -t.log(), name="own_reverse_kl"),
    "own_inverse": kb.FDivergence.from_generator(lambda t: 1 / t - 1, name="own_inverse"),
}
MADE = [kb.kl + 0.1 * kb.reverse_kl, 0.5 * kb.kl + 0.5 * kb.pearson_chi2, kb.js.normalised(), kb.skew_js(0.3)]
VALID = [*(d for d in kb.catalogue() if d.name not in REFUSED), *OWN.values(), *MADE]
CLOSED = [d for d in VALID if d.name not in OWN]


def ids(d: kb.FDivergence) -> str:
    return d.name.replace(" ", "")


def double(*values: float, grad: bool = False) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=grad)


def quiet_gap(d: kb.FDivergence, a: Tensor, b: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return gap(d, a, b)


# The definition ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", VALID, ids=ids)
def test_the_loss_is_its_definition(d: kb.FDivergence) -> None:
    """Value by the noun's slope, gradient by finite differences."""
    r = torch.randn(2, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight = torch.linspace(0.5, 1.5, 5, dtype=torch.float64)

    def loss(c: Tensor, w: Tensor) -> Tensor:
        return preference.f_dpo(d, chosen=c, rejected=w, beta=0.7, label_smoothing=0.1, weight=weight)

    margin = 0.7 * (d.slope(r[0]) - d.slope(r[1]))
    wanted = (weight * -(0.9 * F.logsigmoid(margin) + 0.1 * F.logsigmoid(-margin))).mean()
    c, w = r[0].clone().requires_grad_(), r[1].clone().requires_grad_()
    assert torch.allclose(loss(c, w), wanted, rtol=1e-13)
    assert torch.autograd.gradcheck(loss, (c, w))
    if d.name not in OWN:
        assert torch.autograd.gradgradcheck(loss, (c, w))


def trl(name: str, r: Tensor, a: float = 0.7) -> Tensor:
    """The scores of TRL's f_divergence_type, written out."""
    return {
        "reverse_kl": lambda: r,
        "forward_kl": lambda: 1 - torch.exp(-r),
        "js_divergence": lambda: math.log(2) + F.logsigmoid(r),
        "alpha_divergence": lambda: (torch.exp((a - 1) * r) - 1) / (a - 1),
    }[name]()


@pytest.mark.parametrize(
    ("theirs", "d"),
    [
        ("reverse_kl", kb.kl),
        ("forward_kl", kb.reverse_kl),
        ("js_divergence", kb.gan),
        ("alpha_divergence", kb.alpha(0.7)),  # away from 1/2, where a and 1 − a are the same
    ],
)
def test_names_of_other_libraries(theirs: str, d: kb.FDivergence) -> None:
    """Traps: the field's reverse KL is `kl`; TRL's α is our a, f-DPO's paper has 1 − a; its js is twice JSD."""
    r = torch.linspace(-3, 3, 7, dtype=torch.float64)
    assert torch.allclose(link(d, r), trl(theirs, r), atol=1e-13)
    loss = preference.f_dpo(d, chosen=r, rejected=r.flip(0).clone())
    assert torch.allclose(loss, -F.logsigmoid(0.1 * (trl(theirs, r) - trl(theirs, r.flip(0)))).mean())


def test_paper_alpha_is_one_minus_ours() -> None:
    r = torch.linspace(-2, 2, 5, dtype=torch.float64)
    paper = 0.3
    scores = -torch.exp(-paper * r) / paper
    assert torch.allclose(gap(kb.alpha(1 - paper), r, -r), scores - scores.flip(0))


def test_js_has_a_quarter_of_the_scale() -> None:
    """The same β means the same near the reference only after normalising."""
    r = double(1e-6)
    assert float(link(kb.js, r)) == pytest.approx(0.25e-6, rel=1e-5)
    for d in VALID:
        if d.curvature_at_one is not None:
            assert float(link(d.normalised(), r)) == pytest.approx(1e-6, rel=1e-4), d.name


# The optimum -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", CLOSED, ids=ids)
def test_the_best_policy_has_the_reward_up_to_a_constant(d: kb.FDivergence) -> None:
    """R − β f'(π/π_ref) is constant at the maximum of E R − β D(π‖π_ref), found by another room's dual."""
    rng = np.random.default_rng(1)
    reference, gain, beta = rng.dirichlet(np.full(7, 2.0)), rng.normal(size=7), 0.5
    best = kb.upper_expectation(d, gain, reference=reference, penalty=beta).weights
    r = torch.from_numpy(np.log(best) - np.log(reference))
    left = torch.from_numpy(gain) - preference.reward(d, r, beta=beta)
    assert float(left.max() - left.min()) < 1e-5


@pytest.mark.parametrize("d", [kb.kl, kb.reverse_kl, kb.js, kb.alpha(0.5), kb.jeffreys], ids=ids)
def test_the_loss_ends_at_the_best_policy(d: kb.FDivergence) -> None:
    """All pairs of a small bandit with their Bradley–Terry shares: the minimiser is the closed form."""
    rng = np.random.default_rng(2)
    reference, gain, beta = rng.dirichlet(np.full(5, 3.0)), rng.normal(size=5), 0.6
    best = np.asarray(kb.upper_expectation(d, gain, reference=reference, penalty=beta).weights)
    first, second = (i.reshape(-1) for i in torch.meshgrid(torch.arange(5), torch.arange(5), indexing="ij"))
    rewards = torch.from_numpy(gain)
    share = torch.sigmoid(rewards[first] - rewards[second])
    z = torch.from_numpy(np.log(reference)).requires_grad_()
    optimiser = torch.optim.LBFGS(
        [z], lr=1.0, max_iter=400, tolerance_grad=1e-11, tolerance_change=1e-15, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        r = torch.log_softmax(z, 0) - torch.from_numpy(np.log(reference))
        loss = preference.f_dpo(d, chosen=r[first], rejected=r[second], beta=beta, weight=share)
        loss.backward()
        return loss

    optimiser.step(closure)
    assert np.abs(torch.softmax(z.detach(), 0).numpy() - best).max() < 1e-5


def test_a_known_share_of_flips_is_taken_away() -> None:
    """E over flips of the corrected loss is the loss without them; with smoothing it is not."""
    r = torch.randn(2, 64, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    clean = preference.f_dpo(kb.js, chosen=r[0], rejected=r[1], beta=1.0)

    def noisy(**how: float) -> Tensor:
        right = preference.f_dpo(kb.js, chosen=r[0], rejected=r[1], beta=1.0, **how)
        wrong = preference.f_dpo(kb.js, chosen=r[1], rejected=r[0], beta=1.0, **how)
        return 0.8 * right + 0.2 * wrong

    assert torch.allclose(noisy(flip_rate=0.2), clean, rtol=1e-13)
    assert float(noisy(label_smoothing=0.2) - clean) > 0.01


def test_mode_seeking_to_mass_covering() -> None:
    """At one KL(π‖π_ref): `kl` has the most reward and `reverse_kl` keeps the least likely answer likeliest."""
    rng = np.random.default_rng(4)
    reference, gain = rng.dirichlet(np.full(12, 2.0)), rng.normal(size=12)

    def at(d: kb.FDivergence) -> np.ndarray:
        low, high = math.log(1e-3), math.log(1e3)
        for _ in range(60):
            middle = 0.5 * (low + high)
            p = np.asarray(
                kb.upper_expectation(d, gain, reference=reference, penalty=math.exp(middle)).weights
            )
            low, high = (middle, high) if kb.kl(p, reference) > 0.4 else (low, middle)
        return p

    policies = [at(d) for d in (kb.kl, kb.alpha(0.5), kb.reverse_kl)]
    rewards, least = ([f(p) for p in policies] for f in (lambda p: p @ gain, lambda p: (p / reference).min()))
    assert rewards == sorted(rewards, reverse=True)
    assert least == sorted(least)


# The extremes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("d", VALID, ids=ids)
def test_nothing_overflows(d: kb.FDivergence, dtype: torch.dtype) -> None:
    """Log-ratios of ±10⁴ among ordinary ones: finite losses and gradients of the right sign, the ordinary untouched."""
    far = [-1e4, -9.9e3, -500.0, -1.0, 0.0, 1.0, 500.0, 1e4]
    c, r = (
        x.to(dtype).reshape(-1) for x in torch.meshgrid(torch.tensor(far), torch.tensor(far), indexing="ij")
    )
    c.requires_grad_()
    r.requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        loss = preference.f_dpo(d, chosen=c, rejected=r)
    loss.backward()
    assert c.grad is not None
    assert r.grad is not None
    assert bool(torch.isfinite(loss))
    assert bool(torch.isfinite(c.grad).all() and torch.isfinite(r.grad).all())
    assert bool((c.grad <= 0).all() and (r.grad >= 0).all())
    wrong = (c < r) & (c < 0)  # far on the wrong side: the loss must push
    assert bool((c.grad[wrong] < 0).all())
    near = (c.detach().abs() < 2) & (r.detach().abs() < 2)
    a, b = (x.detach()[near].clone().requires_grad_() for x in (c, r))
    preference.f_dpo(d, chosen=a, rejected=b).backward()
    assert torch.allclose(a.grad * int(near.sum()), c.grad[near] * len(c), rtol=1e-5)


@pytest.mark.parametrize("d", VALID, ids=ids)
def test_the_continuation_is_the_tangent(d: kb.FDivergence) -> None:
    """Continuous with its derivative at the end of the reach, increasing everywhere."""
    x = torch.cat([torch.linspace(-1e4, 1e4, 2001), torch.linspace(-320, -60, 400)]).double().sort().values
    gaps = quiet_gap(d, x[1:], x[:-1])
    assert bool((gaps >= 0).all())
    ends = span(d, torch.float64)
    for end, derivative in ((ends.low, ends.at_low), (ends.high, ends.at_high)):
        if math.isfinite(end):
            at = double(end, grad=True)
            (inside,) = torch.autograd.grad(link(d, at).sum(), at)
            step = float(quiet_gap(d, double(end + math.copysign(1.0, end)), double(end)))
            assert float(inside) == pytest.approx(derivative, rel=1e-9)
            assert abs(step) == pytest.approx(derivative, rel=1e-9)


def test_logarithmic_slopes_are_exact_everywhere() -> None:
    far = double(-1e4, 1e4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert link(kb.kl, far).tolist() == far.tolist()
        assert link(kb.js, far).tolist() == pytest.approx([0.5 * (math.log(2) - 1e4), 0.5 * math.log(2)])
        assert float(gap(kb.gan, double(-1e4), double(-9e3))) == pytest.approx(-1e3)


def test_a_far_log_ratio_is_counted() -> None:
    far = torch.tensor([-50.0, -39.0, 1.0])
    with pytest.warns(
        RuntimeWarning, match="1 of 3 log-ratios are beyond the reach of float32.*reverse_kl is -40"
    ) as seen:
        preference.f_dpo(kb.reverse_kl, chosen=far, rejected=torch.zeros(3))
    assert seen[0].filename == __file__


@pytest.mark.parametrize("d", [d for d in CLOSED if "js" in d.name or d.name == "gan"], ids=ids)
def test_short_links_are_slopes(d: kb.FDivergence) -> None:
    x = torch.linspace(-30, 30, 61, dtype=torch.float64)
    assert torch.allclose(gap(d, x, torch.zeros_like(x)), d.slope(x), rtol=1e-12, atol=1e-15)
    assert np.allclose(d._link(x.numpy()), d._link(x).numpy(), rtol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype: torch.dtype) -> None:
    c, r = torch.tensor([-20.0, 3.0], dtype=dtype), torch.tensor([1.0, -2.0], dtype=dtype)
    for d in (kb.alpha(0.5), kb.reverse_kl):
        loss = preference.f_dpo(d, chosen=c, rejected=r)
        assert loss.dtype == torch.float32
        assert torch.equal(loss, preference.f_dpo(d, chosen=c.float(), rejected=r.float()))


# What is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_slope_with_a_limit_is_refused(name: str) -> None:
    d = kb.catalogue().find(name)
    with pytest.raises(
        InvalidInputError, match=f"has slope {d.slope(-math.inf):.6g} at 0".replace("+", r"\+")
    ):
        preference.f_dpo(d, chosen=torch.zeros(2), rejected=torch.zeros(2))
    with pytest.raises(InvalidInputError, match="no inverse"):
        preference.unpaired(d, torch.zeros(1), torch.tensor([True]))


def test_an_own_divergence_is_looked_at() -> None:
    for d in (
        kb.FDivergence.from_generator(lambda t: (t - 1) ** 2, name="own_chi2"),
        kb.FDivergence.from_generator(lambda t: t**1.01 - 1, name="nearly_kl"),
        kb.FDivergence.from_generator(lambda t: (t - 1) ** 2 / (t + 1), name="own_le_cam"),
    ):
        with pytest.raises(InvalidInputError, match=f"{d.name} has slope -"):
            preference.reward(d, torch.zeros(1))
    with pytest.raises(InvalidInputError, match="is not an f-divergence"):
        preference.reward(kb.renyi(2), torch.zeros(1))  # pyright: ignore[reportArgumentType]


def test_the_dual_of_an_own_divergence_is_a_reward_or_refused_like_the_known_one() -> None:
    far = double(-1e3, -300.0, -40.0, -3.0, 0.0, 2.0, 50.0)
    for dual, d in (
        (OWN["own_reverse_kl"].dual, kb.kl),
        (OWN["own_kl"].dual, kb.reverse_kl),
        (kb.FDivergence.from_generator(lambda t: 2 - 2 * t.sqrt() + 3 * (t - 1)).dual, kb.squared_hellinger),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            ours, known = (preference.reward(each, far) for each in (dual, d))
        assert torch.allclose(ours, known, rtol=1e-6, atol=1e-12)
    with pytest.raises(InvalidInputError, match="dual of own_inverse has slope -2 at 0"):
        preference.reward(OWN["own_inverse"].dual, torch.zeros(1))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"beta": 0.0}, InvalidInputError, "`beta` is 0.0"),
        ({"beta": math.inf}, InvalidInputError, "`beta` is inf"),
        ({"label_smoothing": 0.5}, InvalidInputError, "below 0.5"),
        ({"flip_rate": -0.1}, InvalidInputError, "below 0.5"),
        ({"flip_rate": 0.1, "label_smoothing": 0.1}, InvalidInputError, "pass one of them"),
        ({"rejected": torch.zeros(3)}, ShapeError, r"`chosen` \(2,\), `rejected` \(3,\)"),
        (
            {"chosen": torch.zeros(2, 1), "rejected": torch.zeros(2, 1)},
            ShapeError,
            "one number for every answer",
        ),
        ({"chosen": torch.zeros(0), "rejected": torch.zeros(0)}, InvalidInputError, "no example"),
        ({"chosen": [0.0, 0.0]}, DTypeError, "`chosen` is list"),
        ({"chosen": torch.zeros(2, dtype=torch.int64)}, DTypeError, "int64"),
        ({"chosen_lengths": torch.ones(2)}, InvalidInputError, "both or none"),
        (
            {"chosen_lengths": torch.ones(2), "rejected_lengths": torch.zeros(2)},
            InvalidInputError,
            "at least 1",
        ),
        ({"mask": torch.ones(3, dtype=torch.bool)}, ShapeError, "`mask`"),
    ],
)
def test_bad_input(change: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        preference.f_dpo(kb.kl, **{"chosen": torch.zeros(2), "rejected": torch.zeros(2), **change})


def test_what_is_not_finite_follows_the_policy() -> None:
    c, r = double(1.0, math.nan, 2.0, grad=True), double(0.0, 0.0, math.inf)
    with pytest.warns(RuntimeWarning, match="2 of 3 examples are not finite"):
        loss = preference.f_dpo(kb.kl, chosen=c, rejected=r, beta=1.0, nonfinite="skip")
    loss.backward()
    assert c.grad is not None
    assert c.grad.tolist() == pytest.approx([-torch.sigmoid(torch.tensor(-1.0)).item(), 0, 0])
    assert torch.isnan(preference.f_dpo(kb.kl, chosen=c, rejected=r))
    with pytest.raises(InvalidInputError, match="number 1"):
        preference.f_dpo(kb.kl, chosen=c, rejected=r, nonfinite="raise")


# Shapes of the loss, lengths, no reference ------------------------------------------------------------------


def test_shapes_of_the_loss() -> None:
    c, r, beta = double(1.0, -2.0), double(0.5, 3.0), 0.4
    delta = c - r
    hinge = preference.f_dpo(kb.kl, chosen=c, rejected=r, beta=beta, shape=preference.hinge)
    assert torch.allclose(hinge, torch.relu(1 - beta * delta).mean())
    ipo = preference.f_dpo(kb.kl, chosen=c, rejected=r, beta=beta, shape=preference.squared)
    assert torch.allclose(ipo / beta**2, (delta - 1 / (2 * beta)).square().mean())


def test_lengths_make_ratios_per_token() -> None:
    c, r = double(-300.0, 8.0), double(-100.0, 2.0)
    n, m = torch.tensor([300, 4]), torch.tensor([50, 2])
    loss = preference.f_dpo(kb.reverse_kl, chosen=c, rejected=r, chosen_lengths=n, rejected_lengths=m)
    assert torch.equal(loss, preference.f_dpo(kb.reverse_kl, chosen=c / n, rejected=r / m))


def test_simpo() -> None:
    c, r, n, m = double(-4.0, -9.0), double(-5.0, -2.0), torch.tensor([4, 6]), torch.tensor([2, 5])
    ours = preference.reference_free(
        kb.kl, chosen=c, rejected=r, chosen_lengths=n, rejected_lengths=m, beta=2.0, margin=0.5
    )
    assert torch.allclose(ours, -F.logsigmoid(2.0 * (c / n - r / m - 0.5 / 2.0)).mean())
