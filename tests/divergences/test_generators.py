"""The laws of the noun: every member of every divergence against its textbook generator, in mpmath."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
import torch

import kullback as kb
from kullback import FDivergence
from problems.listed import FORMS, NUMPY_USERS, ORIGINALS, SMOOTH, UNSCALED, leeway
from problems.truth import relative_error, truth_of

EPS = 2.0**-52
SIZES = (1e-15, 1e-9, 1e-4, 0.1, 0.49, 0.51, 0.72, 0.74, 1.9, 2.1, 5.0, 30.0, 100.0, 300.0, 700.0)
LOG_RATIOS = np.array([*(-s for s in reversed(SIZES)), 0.0, *SIZES])
LARGEST, SMALLEST = float(np.finfo(float).max), float(np.finfo(float).tiny)

MEMBERS = ("value", "slope", "tilt", "curvature")

every_form = pytest.mark.parametrize("d", FORMS, ids=repr)


def error(got: float, true: mp.mpf) -> float:
    """Relative error; a true value beyond the floats must be ±inf, one below them as good as 0."""
    if abs(true) > LARGEST:
        return 0.0 if got == math.copysign(math.inf, true) else math.inf
    if abs(true) < SMALLEST:
        return 0.0 if abs(got) <= 2 * SMALLEST else math.inf
    return relative_error(got, true)


def true_members(d: FDivergence, r: float) -> dict[str, mp.mpf]:
    """f(t), f'(t), f(t) − t f'(t) and t² f''(t) at t = eʳ; the derivatives by differences along r."""
    truth, r = truth_of(d), mp.mpf(r)
    value = truth.f(mp.exp(r))
    if r == 0:
        at_one = {"value": value, "slope": mp.mpf(0), "tilt": mp.mpf(0)}
        # at a kink there is no curvature
        return at_one if d.curvature_at_one is None else {**at_one, "curvature": truth.curvature(mp.mpf(1))}
    # one-sided steps never cross a kink at r = 0
    along = {"direction": int(mp.sign(r))} if abs(r) < 1e-3 else {}
    first = mp.diff(lambda x: truth.f(mp.exp(x)), r, **along)
    second = mp.diff(lambda x: truth.f(mp.exp(x)), r, 2, **along)
    noise = mp.mpf(10) ** (-0.6 * mp.mp.dps)
    curvature = second - first if abs(second - first) > noise else mp.mpf(0)
    return {"value": value, "slope": first * mp.exp(-r), "tilt": value - first, "curvature": curvature}


@pytest.mark.parametrize("d", [d for d in UNSCALED if leeway(d) == 1], ids=repr)
def test_members_are_those_of_the_textbook_generator(d: FDivergence) -> None:
    """Near r = 0 to the last bits; far out to the rounding of e^(k r), which no form avoids."""
    got = {name: getattr(d, name)(LOG_RATIOS) for name in MEMBERS}
    power = 1.0 + d.steepness
    for i, r in enumerate(LOG_RATIOS):
        with mp.workdps(80 + int(1.4 * abs(r))):
            for name, true in true_members(d, r).items():
                allowed = 8 * EPS * (1.0 + power * max(0.0, abs(r) - 1.0))
                assert error(float(got[name][i]), true) <= allowed, (name, r, got[name][i], mp.nstr(true, 17))


@pytest.mark.parametrize("d", [d for d in (*UNSCALED, *NUMPY_USERS) if leeway(d) > 1], ids=repr)
def test_members_of_a_user_are_those_of_his_function(d: FDivergence) -> None:
    """f is given as a formula in t: near 1 it is expanded, elsewhere it rounds as its terms do, f(t) and t f'(t).

    A kink allows no expansion, and the rounding of t is then all there is.
    """
    near = LOG_RATIOS[np.abs(LOG_RATIOS) <= 5]
    got = {name: getattr(d, name)(near) for name in MEMBERS}
    for i, r in enumerate(near):
        with mp.workdps(90):
            true = true_members(d, r)
            size = max(map(abs, true.values())) + mp.exp(r) * abs(true["slope"]) + (1 if abs(r) > 0.2 else 0)
            for name, exact in true.items():
                allowed = 2e-14 * abs(exact) if name == "value" and d.curvature_at_one else 1e-13 * size
                allowed += 2 * EPS if d.curvature_at_one is None else 0
                assert abs(got[name][i] - exact) <= allowed, (name, r, got[name][i], mp.nstr(exact, 17))


@every_form
def test_standard_form(d: FDivergence) -> None:
    assert float(d.value(0.0)) == 0.0
    assert float(d.slope(0.0)) == 0.0
    assert float(d.tilt(0.0)) == 0.0


@every_form
def test_terms_are_never_negative_however_close(d: FDivergence) -> None:
    r = np.concatenate([s * np.geomspace(1e-300, 700, 4001) for s in (-1.0, 1.0)])
    assert np.all(d.value(r) >= 0)
    if leeway(d) == 1:
        assert np.all(d.curvature(r) >= 0)


@every_form
def test_convex(d: FDivergence) -> None:
    rng = np.random.default_rng(0)
    t = np.sort(np.exp(rng.uniform(-6, 6, size=(4000, 2))), axis=1)
    share = rng.random(4000)
    middle = (1 - share) * t[:, 0] + share * t[:, 1]
    chord = (1 - share) * d.value(np.log(t[:, 0])) + share * d.value(np.log(t[:, 1]))
    assert np.all(d.value(np.log(middle)) <= chord * (1 + 64 * EPS * leeway(d)) + 64 * EPS * leeway(d))
    rise = np.diff(d.slope(np.linspace(-5, 5, 1001)))
    assert np.all(rise >= -2 * EPS * leeway(d) * np.abs(d.slope(np.linspace(-5, 5, 1001))).max())


@every_form
def test_slope_tilt_and_value_agree(d: FDivergence) -> None:
    """f(t) = tilt + t·slope, and the tilt is minus the conjugate at the slope: Fenchel's equality."""
    r = np.linspace(-5, 5, 101)
    t = np.exp(r)
    value, slope, tilt = d.value(r), d.slope(r), d.tilt(r)
    size = np.abs(tilt) + np.abs(t * slope) + value + 1e-300
    assert np.max(np.abs(tilt + t * slope - value) / size) < 32 * EPS * leeway(d)
    np.testing.assert_allclose(d.conjugate(slope), -tilt, rtol=1e-11, atol=1e-12)


@every_form
def test_fenchel_inequality_holds_elsewhere(d: FDivergence) -> None:
    rng = np.random.default_rng(1)
    t = np.exp(rng.uniform(-4, 4, 2000))
    # slopes of other points, and numbers that are no slope at all
    u = np.concatenate([d.slope(rng.uniform(-4, 4, 1000)), rng.uniform(-8, 3, 1000)])
    slack = d.value(np.log(t)) + d.conjugate(u) - u * t
    assert np.all(slack >= -1e-11 * (1 + np.abs(u * t)))


@every_form
def test_conjugate_is_the_supremum(d: FDivergence) -> None:
    """Against halving in mpmath, inside the domain; infinite above it."""
    domain = d.conjugate_domain
    top = min(domain.high, 3.0)
    for u in (-3.0, -0.7, -0.1, 0.0, 0.3 * top, 0.9 * top):
        with mp.workdps(120):
            true = truth_of(d).conjugate(mp.mpf(u)) if u else mp.mpf(0)
        assert abs(float(d.conjugate(u)) - float(true)) <= 1e-12 * (1 + abs(float(true))), u
    if math.isfinite(domain.high):
        assert float(d.conjugate(domain.high + 1e-9)) == math.inf
        assert (domain.high in domain) == math.isfinite(float(d.conjugate(domain.high)))


@pytest.mark.parametrize("d", SMOOTH, ids=repr)
def test_the_slope_of_the_conjugate_is_the_ratio(d: FDivergence) -> None:
    """f*'(f'(t)) = t, through the tape of torch."""
    r = torch.tensor([-1.0, -0.1, 1e-3, 0.3, 1.5], dtype=torch.float64)
    u = d.slope(r).clone().requires_grad_()
    first = torch.autograd.grad(d.conjugate(u).sum(), u, create_graph=True)[0]
    torch.testing.assert_close(first, torch.exp(r), rtol=1e-9, atol=0)


@every_form
def test_limits_are_the_limits(d: FDivergence) -> None:
    truth = truth_of(d)
    with mp.workdps(60):
        zero, growth = truth.f(mp.mpf(0)), truth.growth()
        assert relative_error(d.at_zero, zero) <= 2 * EPS * leeway(d)
        assert relative_error(d.at_infinity, growth) <= 2 * EPS * leeway(d)
        # and not only by name: the generator goes there
        for limit, near in (
            (zero, truth.f(mp.mpf(10) ** -4000)),
            (growth, truth.dual.f(mp.mpf(10) ** -4000)),
        ):
            assert near > 1000 if mp.isinf(limit) else abs(near - limit) < mp.mpf("1e-3"), d
    assert float(d.value(-math.inf)) == d.at_zero
    assert float(d.dual.value(-math.inf)) == d.at_infinity
    assert float(d.value(math.inf)) == math.inf
    assert d.upper_bound == d.at_zero + d.at_infinity
    assert d.bounded == math.isfinite(d.upper_bound)
    assert d.conjugate_domain.high in (d.at_infinity, math.inf)


@every_form
def test_curvature_at_one_is_the_second_derivative(d: FDivergence) -> None:
    if d.curvature_at_one is None:
        with mp.workdps(60):
            right, left = (truth_of(d).f(1 + s * mp.mpf("1e-20")) / mp.mpf("1e-20") for s in (1, -1))
        assert right > 0.1 < left  # a kink: the slope jumps
        with pytest.raises(kb.InvalidInputError, match="kink"):
            d.normalised()
        return
    with mp.workdps(60):
        assert relative_error(d.curvature_at_one, truth_of(d).curvature(mp.mpf(1))) <= 4 * EPS * leeway(d)
    assert float(d.curvature(0.0)) == pytest.approx(d.curvature_at_one, rel=4 * EPS * leeway(d))
    assert d.normalised().curvature_at_one == pytest.approx(1.0, rel=4 * EPS * leeway(d))
    assert d.normalised().normalised() == d.normalised() or d.normalised().curvature_at_one != 1.0


@every_form
def test_dual_is_an_involution(d: FDivergence) -> None:
    assert d.dual.dual == d
    assert d.symmetric == (d.dual == d)
    r = np.linspace(-20, 20, 81)
    np.testing.assert_allclose(d.dual.value(r), np.exp(r) * d.value(-r), rtol=1e-13)
    np.testing.assert_array_equal(d.tilt(r), d.dual.slope(-r))
    assert d.dual.at_zero == d.at_infinity
    assert d.dual.curvature_at_one == pytest.approx(d.curvature_at_one)


@pytest.mark.parametrize("d", ORIGINALS, ids=repr)
def test_sums_and_multiples_are_linear(d: FDivergence) -> None:
    r = np.linspace(-4, 4, 33)
    both = d + 0.25 * kb.kl
    for member in ("value", "slope", "tilt", "curvature"):
        expected = getattr(d, member)(r) + 0.25 * getattr(kb.kl, member)(r)
        np.testing.assert_allclose(getattr(both, member)(r), expected, rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(getattr(3 * d, member)(r), 3 * getattr(d, member)(r), rtol=1e-13)
    assert 0.25 * kb.kl + d == both
    assert d + d == 2 * d
    assert hash(d + d) == hash(2 * d)
    assert 1 * d == d


@pytest.mark.parametrize("weight", [0.0, -1.0, math.inf, math.nan])
def test_weights_must_keep_the_sum_convex(weight: float) -> None:
    with pytest.raises(kb.InvalidInputError, match="positive"):
        weight * kb.js


@pytest.mark.parametrize("beta", [0, 1, -0.1, 1.1, math.nan, "0.5", None, True])
def test_skew_js_refuses_other_weights(beta: object) -> None:
    with pytest.raises(kb.InvalidInputError, match="beta"):
        kb.skew_js(beta)  # type: ignore[arg-type]


@pytest.mark.parametrize("a", [math.inf, math.nan, "1", None, False])
def test_alpha_refuses_other_parameters(a: object) -> None:
    with pytest.raises(kb.InvalidInputError, match="alpha"):
        kb.alpha(a)  # type: ignore[arg-type]


def test_members_take_any_shape_and_keep_single_precision() -> None:
    r = np.linspace(-1, 1, 24).reshape(2, 3, 4)
    assert kb.js.value(r).shape == (2, 3, 4)
    assert kb.js.slope(r.astype(np.float32)).dtype == np.float32
    assert kb.js.value([0, 1]).dtype == np.float64
