"""Every registered closed form, by scanning the registry: against quadrature, sums, draws and many digits."""

from __future__ import annotations

import itertools
import math

import mpmath as mp
import numpy as np
import pytest
import torch

import kullback as kb
from exact import textbook, textbook_pairs
from exact.members import MEMBERS, WITHIN, member, moved
from kullback.exact.closed import closed
from kullback.exact.dispatch import between
from kullback.exact.registry import closed_forms, exponential_families, families, geodesic_of

FORMS = [(form.left, form.right) for form in closed_forms()]
PAIRS = sorted(set(FORMS))
CLOSED_UNDER_POWERS = [
    kb.reverse_kl,
    kb.jeffreys,
    kb.squared_hellinger,
    kb.pearson_chi2,
    kb.neyman_chi2,
    kb.alpha(0.3),
    kb.alpha(-0.5),
    kb.renyi(0.5),
    kb.renyi(1.5),
    kb.bhattacharyya,
    0.3 * kb.kl + 2.0 * kb.squared_hellinger,
]
NEAR = (1e-2, 1e-4, 1e-6, 1e-8)


def laws(left: str, right: str):
    for i, j in itertools.product(range(len(MEMBERS[left])), range(len(MEMBERS[right]))):
        yield member(left, MEMBERS[left][i]), member(right, MEMBERS[right][j])


def other_way(d: kb.Divergence, p, q) -> kb.Answer:
    if p.support is None and "total_count" in p.parameters:
        return between(d, p, q, kind="enumeration")
    if p.support is None:
        return between(d, p, q, kind="monte-carlo", draws=20_000, seed=3)
    return between(d, p, q, kind="enumeration" if p.support.discrete else "quadrature")


def test_every_family_has_members_and_every_pair_a_textbook_formula() -> None:
    assert set(MEMBERS) == set(families())
    assert {left for left, right in FORMS if left == right} <= set(textbook.KL)


@pytest.mark.parametrize(("left", "right"), PAIRS, ids=lambda name: name)
def test_closed_forms_agree_with_sums_and_integrals(left: str, right: str) -> None:
    checked = 0
    for p, q in laws(left, right):
        found = closed(kb.kl, p, q)
        assert found is not None
        value = float(found.value)
        other = other_way(kb.kl, p, q)
        slack = 1e-12 * abs(value) if math.isfinite(value) else 0.0
        if other.kind == "monte-carlo":
            slack += other.high - other.low
        assert other.low - slack <= value <= other.high + slack, (p.parameters, q.parameters, other)
        checked += 1
    assert checked >= 4


@pytest.mark.parametrize("d", CLOSED_UNDER_POWERS, ids=lambda d: d.name)
@pytest.mark.parametrize("name", [n for n in exponential_families() if families()[n].rank == 0])
def test_exponential_families_have_all_powers(name: str, d: kb.Divergence) -> None:
    for p, q in laws(name, name):
        found = closed(d, p, q)
        assert found is not None
        value, other = float(found.value), other_way(d, p, q)
        if math.isinf(value) or math.isinf(other.value):
            assert value == other.value, (p.parameters, q.parameters)
            continue
        slack = 1e-11 * abs(value) + 1e-14
        assert other.low - slack <= value <= other.high + slack, (p.parameters, q.parameters, other)


@pytest.mark.parametrize("order", [0.3, 2.0])
def test_many_dimensions_by_a_grid(order: float) -> None:
    """Rényi divergences of plane normal laws and of Dirichlet laws, by sums over fine grids."""
    side = np.linspace(-32, 32, 801)
    points = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1)
    for p, q in laws("multivariate_normal", "multivariate_normal"):
        log_p, log_q = p.log_density()(points), q.log_density()(points)
        total = np.exp(order * log_p + (1 - order) * log_q).sum() * (side[1] - side[0]) ** 2
        found = closed(kb.renyi(order), p, q)
        assert found is not None
        if math.isinf(float(found.value)):
            # the integrand grows in some direction: the mixed precision is not positive definite
            factors = (np.asarray(law.parameters["scale_tril"]) for law in (p, q))
            first, second = (np.linalg.inv(x @ x.T) for x in factors)
            assert np.linalg.eigvalsh(order * first + (1 - order) * second)[0] < 0
            continue
        assert float(found.value) == pytest.approx(math.log(total) / (order - 1), rel=1e-9, abs=1e-12)
        overlap = [np.exp(x + y).sum() for x, y in ((log_p, log_q), (log_p, log_p), (log_q, log_q))]
        angle = closed(kb.cauchy_schwarz, p, q)
        assert angle is not None
        exact = -math.log(overlap[0] ** 2 / (overlap[1] * overlap[2]))
        assert float(angle.value) == pytest.approx(exact, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "end"), [("normal", (-30, 30)), ("gamma", (0, 60)), ("exponential", (0, 60)), ("beta", (0, 1))]
)
def test_cauchy_schwarz_by_integrals(name: str, end: tuple[float, float]) -> None:
    x = np.linspace(*end, 400_001)[1:-1]
    smooth = [MEMBERS[name][i] for i in (0, 2)]
    for p, q in itertools.permutations([member(name, m) for m in smooth], 2):
        found = closed(kb.cauchy_schwarz, p, q)
        assert found is not None
        f, g = (np.exp(law.log_density()(x)) for law in (p, q))
        pq, pp, qq = (float(np.trapezoid(a * b, x)) for a, b in ((f, g), (f, f), (g, g)))
        assert float(found.value) == pytest.approx(-math.log(pq**2 / (pp * qq)), rel=1e-3)


def test_cauchy_schwarz_needs_square_integrable_densities() -> None:
    p, q = (member("gamma", {"concentration": a, "rate": 1.0}) for a in (0.4, 2.0))
    assert closed(kb.cauchy_schwarz, p, q) is None


def near_pairs(name: str, delta: float):
    for first in MEMBERS[name]:
        second = moved(first, delta)
        if name == "pareto":
            second = {**second, "scale": first["scale"] * (1 - delta)}  # type: ignore[operator]
        if name == "uniform":
            second = {"low": first["low"] - delta, "high": first["high"] + delta}  # type: ignore[operator]
        yield first, second


@pytest.mark.parametrize("delta", NEAR, ids=lambda delta: f"{delta:g}")
@pytest.mark.parametrize("name", sorted(textbook.KL))
def test_near_equality_keeps_its_digits(name: str, delta: float) -> None:
    for first, second in near_pairs(name, delta):
        found = closed(kb.kl, member(name, first), member(name, second))
        assert found is not None
        truth = textbook.kl(name, first, second)
        assert abs((mp.mpf(float(found.value)) - truth) / truth) < 2e-15


@pytest.mark.parametrize("name", sorted(textbook.KL))
def test_far_from_equality_too(name: str) -> None:
    for first, second in itertools.permutations(MEMBERS[name], 2):
        found = closed(kb.kl, member(name, first), member(name, second))
        if found is None or math.isinf(float(found.value)):
            assert name in WITHIN
            continue
        truth = textbook.kl(name, first, second)
        if name in WITHIN and not _inside(name, first, second):
            continue
        assert abs((mp.mpf(float(found.value)) - truth) / truth) < 1e-14


def _inside(name: str, first, second) -> bool:
    if name == "pareto":
        return first["scale"] >= second["scale"]
    return second["low"] <= first["low"] and first["high"] <= second["high"]


@pytest.mark.parametrize("exponents", [(-8, -2), (-2, 1), (0, 2), (2, 6), (6, 12)], ids=str)
@pytest.mark.parametrize("change", [1.0, 1e-2, 1e-5, 1e-8])
@pytest.mark.parametrize("name", ["gamma", "beta", "dirichlet"])
def test_p6_concentrations_of_every_size(name: str, change: float, exponents: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    for _ in range(3):
        first = 10.0 ** rng.uniform(*exponents, 3)
        second = first * np.exp(change * rng.uniform(-1, 1, 3))
        keys = list(families()[name].domains)
        p, q = (
            {keys[0]: x.tolist()} if len(keys) == 1 else dict(zip(keys, x.tolist(), strict=False))
            for x in (first, second)
        )
        found = closed(kb.kl, member(name, p), member(name, q))
        assert found is not None
        truth = textbook.kl(name, p, q)
        assert abs((mp.mpf(float(found.value)) - truth) / truth) < 2e-13


ACROSS = [pair for pair in PAIRS if textbook_pairs.has(*pair) and pair[0] != pair[1]]


@pytest.mark.parametrize(("left", "right"), ACROSS, ids=lambda name: name)
def test_pairs_of_two_families_in_many_digits(left: str, right: str) -> None:
    checked = 0
    for p, q in itertools.product(textbook_pairs.INSIDE.get((left, right), MEMBERS[left]), MEMBERS[right]):
        found = closed(kb.kl, member(left, p), member(right, q))
        assert found is not None
        if math.isinf(float(found.value)):
            continue
        truth = textbook_pairs.kl(left, right, p, q)
        assert abs((mp.mpf(float(found.value)) - truth) / truth) < 1e-13, (p, q)
        other = other_way(kb.kl, member(left, p), member(right, q))
        slack = 1e-12 * float(found.value)
        assert other.low - slack <= float(found.value) <= other.high + slack, (p, q, other)
        checked += 1
    assert checked >= 2


def test_renyi_is_continuous_through_one_and_at_equality() -> None:
    for name in exponential_families():
        p, q = (member(name, m) for m in (MEMBERS[name][0], moved(MEMBERS[name][0], 1e-3)))
        exact = float(closed(kb.kl, p, q).value)  # type: ignore[union-attr]
        for step in (1e-4, 1e-7, 1e-10, -1e-10, -1e-7, -1e-4):
            value = float(closed(kb.renyi(1.0 + step), p, q).value)  # type: ignore[union-attr]
            assert value == pytest.approx(exact, rel=3.0 * abs(step) + 1e-9)
        for d in (kb.kl, kb.jeffreys, kb.renyi(0.5), kb.pearson_chi2):
            assert float(closed(d, p, p).value) == pytest.approx(0.0, abs=1e-30)  # type: ignore[union-attr]


def test_small_renyi_divergences_keep_their_digits() -> None:
    """Half the curvature times order: between near laws R_a = a R_1 to first order, and no digits go."""
    for name in exponential_families():
        for delta in (1e-5, 1e-7):
            p, q = (member(name, m) for m in (MEMBERS[name][0], moved(MEMBERS[name][0], delta)))
            first = float(closed(kb.kl, p, q).value)  # type: ignore[union-attr]
            for order in (0.5, 2.0):
                value = float(closed(kb.renyi(order), p, q).value)  # type: ignore[union-attr]
                assert value == pytest.approx(order * first, rel=20 * delta)


TORCH = torch.distributions
TORCH_PAIRS = [
    (TORCH.Normal, ("loc", "scale"), "normal"),
    (TORCH.HalfNormal, ("scale",), "half_normal"),
    (TORCH.Gamma, ("concentration", "rate"), "gamma"),
    (TORCH.Exponential, ("rate",), "exponential"),
    (TORCH.Beta, ("concentration1", "concentration0"), "beta"),
    (TORCH.Dirichlet, ("concentration",), "dirichlet"),
    (TORCH.Gumbel, ("loc", "scale"), "gumbel"),
    (TORCH.Pareto, ("scale", "alpha"), "pareto"),
    (TORCH.Laplace, ("loc", "scale"), "laplace"),
    (TORCH.Cauchy, ("loc", "scale"), "cauchy"),
    (TORCH.Uniform, ("low", "high"), "uniform"),
    (TORCH.Poisson, ("rate",), "poisson"),
    (TORCH.Geometric, ("probs",), "geometric"),
    (TORCH.Bernoulli, ("probs",), "bernoulli"),
    (TORCH.Binomial, ("total_count", "probs"), "binomial"),
    (TORCH.Categorical, ("probs",), "categorical"),
]


def tensors(cls, names, parameters):
    values = [
        torch.tensor(parameters[n], dtype=torch.float64, requires_grad=n != "total_count") for n in names
    ]
    if cls is TORCH.MultivariateNormal:
        return values, cls(values[0], scale_tril=values[1])
    return values, cls(**dict(zip(names, values, strict=True)))


@pytest.mark.parametrize(
    ("cls", "names", "family"),
    [*TORCH_PAIRS, (TORCH.MultivariateNormal, ("loc", "scale_tril"), "multivariate_normal")],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_torch_agrees_in_value_and_gradient(cls, names, family: str) -> None:
    for first, second in itertools.permutations(MEMBERS[family], 2):
        xs, p = tensors(cls, names, first)
        ys, q = tensors(cls, names, second)
        mine, theirs = between(kb.kl, p, q).value, TORCH.kl_divergence(p, q)
        assert float(mine.detach()) == pytest.approx(float(theirs.detach()), rel=1e-10)
        if not math.isfinite(float(theirs.detach())):
            continue
        wanted = [x for x in (*xs, *ys) if x.requires_grad]
        ours = torch.autograd.grad(mine, wanted, allow_unused=True, retain_graph=True)
        other = torch.autograd.grad(theirs, wanted, allow_unused=True, retain_graph=True)
        for a, b in zip(ours, other, strict=True):
            a, b = (torch.zeros(()) if z is None else z for z in (a, b))
            if family == "multivariate_normal" and a.ndim == 2:
                a, b = a.tril(), b.tril()
            assert torch.allclose(a, b, rtol=1e-8, atol=1e-10), (family, a, b)


# where the support moves with the parameters the divergence has a kink at equality
SMOOTH = [row for row in TORCH_PAIRS if row[2] not in ("uniform", "pareto")]


@pytest.mark.parametrize(("cls", "names", "family"), SMOOTH, ids=lambda x: x if isinstance(x, str) else "")
def test_gradients_vanish_at_equality(cls, names, family: str) -> None:
    xs, p = tensors(cls, names, MEMBERS[family][0])
    _, q = tensors(cls, names, MEMBERS[family][0])
    for d in (kb.kl, kb.reverse_kl, kb.renyi(0.5)):
        if closed(d, *_pair(p, q)) is None:
            continue
        value = between(d, p, q).value
        for g in torch.autograd.grad(
            value, [x for x in xs if x.requires_grad], allow_unused=True, retain_graph=True
        ):
            assert g is None or float(g.abs().max()) < 1e-14


def _pair(p, q):
    from kullback.exact.reading import read

    return read(p, "P"), read(q, "Q")


def test_a_geodesic_ends_at_its_two_laws() -> None:
    for name in exponential_families():
        p, q = (member(name, m) for m in MEMBERS[name][:2])
        found = geodesic_of(p, q)
        assert found is not None
        for order, end in ((1.0, p), (0.0, q)):
            parameters, exists = found[0](p.parameters, q.parameters, order)
            assert bool(np.all(exists))
            for key, value in parameters.items():
                assert np.allclose(value, end.parameters[key], rtol=1e-12)
