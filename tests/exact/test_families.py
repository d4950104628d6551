"""Directional, matrix-valued, count and low-rank laws: readers, powers, gradients, bad parameters, hard corners."""

from __future__ import annotations

import itertools
import math

import mpmath as mp
import numpy as np
import pytest
import torch
from scipy import stats

import kullback as kb
from exact.members import MEMBERS, member, moved
from kullback.errors import InvalidInputError, ShapeError
from kullback.exact import NormalInverseWishart, tilted
from kullback.exact.closed import closed
from kullback.exact.dispatch import between
from kullback.exact.law import Law
from kullback.exact.registry import families

TORCH = torch.distributions
A, B = np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([[1.0, -0.2], [-0.2, 1.5]])
POWERS = [kb.kl, kb.renyi(0.4), kb.renyi(1.7), kb.alpha(0.3), kb.squared_hellinger, kb.pearson_chi2]


def value(d: kb.Divergence, p, q) -> float:
    return float(between(d, p, q, kind="exact").value)


def tensor(x) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)


@pytest.mark.parametrize("m", [1, 2, 9, 1999])
@mp.workdps(60)
def test_concentrations_from_tiny_to_huge_in_many_dimensions(m: int) -> None:
    sizes = [1e-6, 0.3, 13.0, 3e4]

    def normaliser(k):
        nu = mp.mpf(m - 1) / 2
        return mp.log(mp.besseli(nu, k) * mp.gamma(nu + 1) * (2 / mp.mpf(k)) ** nu)

    for x, factor in itertools.product(sizes, [1 + 1e-8, 0.8, 2.0, 1e4]):
        nu, y = mp.mpf(m - 1) / 2, x * factor
        mean = mp.besseli(nu + 1, x) / mp.besseli(nu, x)
        truth = normaliser(y) - normaliser(x) - mean * (mp.mpf(y) - mp.mpf(x))
        found = float(tilted.excess(np.array(y), np.array(x), m))
        assert abs((mp.mpf(found) - truth) / truth) < 1e-14
        assert abs(mp.mpf(float(tilted.cosine(np.array(x), m).mean)) / mean - 1) < 1e-14


@pytest.mark.parametrize("d", POWERS, ids=lambda d: d.name)
def test_one_dimensional_matrices_are_gamma_laws(d: kb.Divergence) -> None:
    p, q = stats.wishart(5.0, [[2.0]]), stats.wishart(6.5, [[1.5]])
    truth = value(d, stats.gamma(2.5, scale=4.0), stats.gamma(3.25, scale=3.0))
    assert value(d, p, q) == pytest.approx(truth, rel=1e-12)
    p, q = stats.invwishart(5.0, [[2.0]]), stats.invwishart(6.5, [[1.5]])
    truth = value(d, stats.invgamma(2.5, scale=1.0), stats.invgamma(3.25, scale=0.75))
    assert value(d, p, q) == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize(
    "name", ["wishart", "inverse_wishart", "normal_inverse_wishart", "matrix_normal", "von_mises_fisher"]
)
def test_powers_in_many_dimensions_by_draws(name: str) -> None:
    for first in MEMBERS[name][:2]:
        p, q = member(name, first), member(name, moved(first, 0.1))
        found = closed(kb.squared_hellinger, p, q)
        assert found is not None
        drawn = between(kb.squared_hellinger, p, q, kind="monte-carlo", draws=20_000, seed=1)
        spread = drawn.high - drawn.low
        assert math.isfinite(spread)
        assert drawn.low - spread <= float(found.value) <= drawn.high + spread


def test_libraries_agree() -> None:
    pairs = [
        (stats.wishart(5, A), TORCH.Wishart(tensor(5.0), tensor(A))),
        (stats.vonmises(2.0, loc=1.0), TORCH.VonMises(tensor(1.0), tensor(2.0))),
    ]
    others = [
        (stats.wishart(6, B), TORCH.Wishart(tensor(6.0), tensor(B))),
        (stats.vonmises(3.0, loc=-1.0), TORCH.VonMises(tensor(-1.0), tensor(3.0))),
    ]
    for (p, p_torch), (q, q_torch) in zip(pairs, others, strict=True):
        assert value(kb.kl, p, q) == pytest.approx(value(kb.kl, p_torch, q_torch), rel=1e-13)


def test_numpyro_agrees() -> None:
    jax = pytest.importorskip("jax")
    numpyro = pytest.importorskip("numpyro.distributions")
    with jax.enable_x64(True):
        rows, columns = np.linalg.cholesky(A), np.linalg.cholesky(B)
        pairs = [
            (stats.wishart(5, A), numpyro.Wishart(5.0, scale_matrix=A)),
            (stats.vonmises(2.0, loc=1.0), numpyro.VonMises(1.0, 2.0)),
            (
                stats.matrix_normal(np.zeros((2, 2)), A, B),
                numpyro.MatrixNormal(np.zeros((2, 2)), rows, columns),
            ),
            (
                stats.dirichlet_multinomial([1.0, 2.0], 4),
                numpyro.DirichletMultinomial(np.array([1.0, 2.0]), 4),
            ),
        ]
        others = [
            (stats.wishart(6, B), numpyro.Wishart(6.0, scale_matrix=B)),
            (stats.vonmises(3.0, loc=-1.0), numpyro.VonMises(-1.0, 3.0)),
            (
                stats.matrix_normal(np.ones((2, 2)), B, A),
                numpyro.MatrixNormal(np.ones((2, 2)), columns, rows),
            ),
            (
                stats.dirichlet_multinomial([3.0, 2.0], 4),
                numpyro.DirichletMultinomial(np.array([3.0, 2.0]), 4),
            ),
        ]
        for (p, p_jax), (q, q_jax) in zip(pairs, others, strict=True):
            assert value(kb.kl, p, q) == pytest.approx(value(kb.kl, p_jax, q_jax), rel=1e-12)


def test_on_the_circle_loc_turns_and_on_the_line_it_moves() -> None:
    p, q = stats.vonmises(2.0, loc=1.0, scale=2.0), stats.vonmises(3.0, loc=-1.0, scale=2.0)
    assert value(kb.kl, p, q) == pytest.approx(
        float(between(kb.kl, p, q, kind="quadrature").value), rel=1e-10
    )
    turned = stats.vonmises(2.0, loc=1.0 + 2.0 * math.pi), stats.vonmises(3.0, loc=-1.0)
    assert value(kb.kl, *turned) == pytest.approx(
        value(kb.kl, stats.vonmises(2.0, loc=1.0), turned[1]), rel=1e-12
    )
    moved = [stats.vonmises_line(2.0, loc=at) for at in (1.0, 1.5)]
    assert float(between(kb.kl, *moved).value) == math.inf


def test_a_kumaraswamy_law_with_a_unit_concentration_is_a_beta_law() -> None:
    for p, q in (((1.0, 2.5), (1.0, 2.5)), ((3.0, 1.0), (3.0, 1.0))):
        kumaraswamy = TORCH.Kumaraswamy(*map(tensor, p))
        assert abs(value(kb.kl, kumaraswamy, TORCH.Beta(*map(tensor, q)))) < 1e-15
    p, q = TORCH.Kumaraswamy(tensor(1.0), tensor(2.5)), TORCH.Beta(tensor(0.3), tensor(1.2))
    truth = value(kb.kl, TORCH.Beta(tensor(1.0), tensor(2.5)), q)
    assert value(kb.kl, p, q) == pytest.approx(truth, rel=1e-13)


@pytest.mark.parametrize("first", [(50.0, 2.0), (0.02, 0.05), (3.0, 300.0)], ids=str)
def test_kumaraswamy_laws_far_apart(first) -> None:
    p, q = TORCH.Kumaraswamy(*map(tensor, first)), TORCH.Kumaraswamy(tensor(2.0), tensor(1.0))
    # with b_q = 1 no integral is left
    a, b = first
    log_x = -(float(mp.digamma(b + 1)) + float(mp.euler)) / a
    truth = math.log(a * b / 2.0) + (a - 2.0) * log_x - (b - 1.0) / b
    assert value(kb.kl, p, q) == pytest.approx(truth, rel=1e-12)


def low_rank(d: int, r: int, seed: int):
    rng = np.random.default_rng(seed)
    loc, thin, noise = rng.normal(size=d), rng.normal(size=(d, r)), np.exp(rng.normal(size=d))
    return TORCH.LowRankMultivariateNormal(tensor(loc), tensor(thin), tensor(noise))


def test_low_rank_normals_of_any_widths_and_next_to_others() -> None:
    p, q = low_rank(12, 3, 0), low_rank(12, 2, 1)
    independent = TORCH.Independent(TORCH.Normal(q.loc, q.cov_diag.sqrt()), 1)
    dense = TORCH.MultivariateNormal(q.loc, q.covariance_matrix)
    for x, y in ((p, q), (q, p), (p, dense), (dense, p)):
        truth = TORCH.kl_divergence(x, y)
        assert value(kb.kl, x, y) == pytest.approx(float(truth), rel=1e-11)
    diagonal = TORCH.MultivariateNormal(q.loc, torch.diag(q.cov_diag))
    for x, y, z, w in ((p, independent, p, diagonal), (independent, p, diagonal, p)):
        assert value(kb.kl, x, y) == pytest.approx(float(TORCH.kl_divergence(z, w)), rel=1e-11)


def test_a_hundred_thousand_dimensions_need_no_square_matrix() -> None:
    p, q = low_rank(100_000, 2, 0), low_rank(100_000, 2, 1)
    assert value(kb.kl, p, q) == pytest.approx(float(TORCH.kl_divergence(p, q)), rel=1e-10)
    one = tensor(np.ones(100_000))
    x, y = (TORCH.Independent(TORCH.Normal(0.0 * one, s * one), 1) for s in (1.0, 2.0))
    each = math.log(2.0) + 0.125 - 0.5
    assert value(kb.kl, x, y) == pytest.approx(100_000 * each, rel=1e-12)


def test_student_laws_are_integrated() -> None:
    p, q = (5.0, 1.0), (3.0, 0.0)

    def log_density(x, df, loc):
        constant = mp.loggamma((df + 1) / 2) - mp.loggamma(df / 2) - mp.log(df * mp.pi) / 2
        return constant - (df + 1) / 2 * mp.log1p((x - loc) ** 2 / df)

    with mp.workdps(30):
        first, second = ((mp.mpf(df), mp.mpf(loc)) for df, loc in (p, q))
        truth = mp.quad(
            lambda x: mp.exp(log_density(x, *first)) * (log_density(x, *first) - log_density(x, *second)),
            [-mp.inf, -10, -2, 0, 1, 3, 10, mp.inf],
        )
    found = between(kb.kl, *(stats.t(df, loc) for df, loc in (p, q)))
    assert found.kind == "quadrature"
    assert float(found.value) == pytest.approx(float(truth), rel=1e-12)


SMOOTH = [
    "von_mises", "von_mises_fisher", "kumaraswamy", "wishart", "inverse_wishart", "normal_inverse_wishart",
    "matrix_normal", "dirichlet_multinomial", "low_rank_normal",
]  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    rng = np.random.default_rng(4)
    arrays = [{k: np.asarray(v, dtype=float) for k, v in MEMBERS[name][i].items()} for i in (0, 1)]
    tensors = [{k: tensor(v).requires_grad_(k != "total_count") for k, v in side.items()} for side in arrays]
    for d in (kb.kl, kb.renyi(0.5)):
        found = closed(d, *(Law(families()[name], side) for side in tensors))
        if found is None:
            continue
        leaves = [x for side in tensors for x in side.values() if x.requires_grad]
        gradients = torch.autograd.grad(found.value, leaves)
        steps = [np.tril(s) if s.ndim == 2 and "tril" in k else s for k, s in _steps(tensors, rng)]
        slope = sum(float((g * tensor(s)).sum()) for g, s in zip(gradients, steps, strict=True))
        ends = [_value_at(d, name, arrays, steps, h) for h in (1e-5, -1e-5)]
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(slope, rel=1e-6)


def _steps(tensors, rng):
    sides = [(k, x) for side in tensors for k, x in side.items() if x.requires_grad]
    return [(k, rng.normal(size=tuple(x.shape))) for k, x in sides]


def _value_at(d, name, arrays, steps, h) -> float:
    left = iter(steps)
    sides = [{k: v if k == "total_count" else v + h * next(left) for k, v in side.items()} for side in arrays]
    return float(closed(d, *(Law(families()[name], side) for side in sides)).value)  # type: ignore[union-attr]


def test_batches_broadcast() -> None:
    kappa = tensor([0.5, 2.0, 40.0])
    p, q = TORCH.VonMises(tensor(0.3), kappa), TORCH.VonMises(tensor([[0.1], [1.0]]), tensor(2.0))
    found = between(kb.kl, p, q).value
    assert found.shape == (2, 3)
    one = between(
        kb.kl, TORCH.VonMises(tensor(0.3), kappa[2]), TORCH.VonMises(tensor(1.0), tensor(2.0))
    ).value
    assert float(found[1, 2]) == pytest.approx(float(one), rel=1e-14)
    df = tensor([4.0, 7.0])
    x, y = TORCH.Wishart(df, tensor(A)), TORCH.Wishart(tensor(5.0), tensor(B))
    assert between(kb.kl, x, y).value.shape == (2,)


def test_bad_parameters_are_named() -> None:
    good = NormalInverseWishart(np.zeros(2), 1.0, A, 5.0)
    for bad, words in (
        (NormalInverseWishart(np.zeros(2), -1.0, A, 5.0), "precision_scale is -1"),
        (NormalInverseWishart(np.zeros(2), 1.0, A, 0.5), "df is 0.5"),
        (NormalInverseWishart(np.zeros(2), 1.0, A - 1.5 * np.eye(2), 5.0), "smallest eigenvalue is -0.58"),
        (NormalInverseWishart(np.zeros(2), 1.0, np.triu(A), 5.0), "not symmetric"),
        (stats.invwishart(5, np.diag([1.0, 1e-20])), "smallest eigenvalue is 1e-20"),
    ):
        with pytest.raises(InvalidInputError, match=words):
            between(kb.kl, bad, good)
    with pytest.raises(ShapeError, match="square"):
        between(kb.kl, NormalInverseWishart(np.zeros(2), 1.0, A[:1], 5.0), good)
    turned = Law(families()["von_mises_fisher"], {})
    with pytest.raises(InvalidInputError, match="direction has length"):
        turned.family.joint("vmf", {"direction": np.array([1.0, 1.0])})  # type: ignore[union-attr, misc]


def test_counts_of_different_totals_share_no_outcome() -> None:
    p, q = (stats.dirichlet_multinomial([1.0, 2.0], n) for n in (3, 4))
    assert float(between(kb.kl, p, q).value) == math.inf
    assert float(between(kb.total_variation, p, q).value) == pytest.approx(1.0)


@pytest.mark.parametrize("order", [0.3, 1.2])
def test_powers_of_normal_inverse_wisharts_by_a_grid(order: float) -> None:
    p, q = (
        member("normal_inverse_wishart", {"loc": [m], "precision_scale": k, "df": n, "scale_tril": [[s]]})
        for m, k, n, s in ((0.2, 2.0, 5.0, 1.0), (1.1, 1.3, 7.0, 1.4))
    )
    log_variance, z = np.meshgrid(np.linspace(-8, 12, 601), np.linspace(-14, 14, 601), indexing="ij")
    spread = np.exp(0.5 * log_variance)
    points = np.stack([0.5 + spread * z, spread**2], axis=-1).reshape(-1, 2, 1)
    log_p, log_q = (law.log_density()(points) for law in (p, q))
    cells = (20 / 600) * (28 / 600) * spread.ravel() ** 3
    total = float(np.sum(cells * np.exp(order * log_p + (1 - order) * log_q)))
    found = closed(kb.renyi(order), p, q)
    assert found is not None
    assert float(found.value) == pytest.approx(math.log(total) / (order - 1), rel=1e-8)


def test_ill_conditioned_scale_matrices_are_told() -> None:
    p, q = stats.wishart(5, np.diag([1.0, 1e-10])), stats.wishart(6, np.diag([1.0, 2e-10]))
    assert any("condition number" in note for note in between(kb.kl, p, q).notes)
    assert not between(kb.kl, stats.wishart(5, A), stats.wishart(6, B)).notes


def test_student_laws_of_vectors_are_drawn() -> None:
    e = np.eye(3)
    p, q = stats.multivariate_t([0.0, 0.0, 0.0], e, 4), stats.multivariate_t([0.5, 0.0, 0.0], e, 4)
    wide, narrow = (between(kb.kl, p, q, draws=n, seed=2) for n in (20_000, 80_000))
    assert wide.kind == narrow.kind == "monte-carlo"
    assert abs(float(wide.value) - float(narrow.value)) < 2 * (wide.high - wide.low)
