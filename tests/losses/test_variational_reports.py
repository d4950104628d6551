"""The evidence from both sides, posterior collapse against linear VAEs at their optimum, and a model of a cone."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses import variational as vi
from kullback.losses.variational.objectives import Objective
from kullback.losses.variational.programs import Trace


def normals(seed: int, *shape: int) -> Tensor:
    return torch.as_tensor(np.random.default_rng(seed).standard_normal(shape))


# Evidence: z ~ N(0, 1), x | z ~ N(z, 1) at x = 2

EVIDENCE = -0.5 * math.log(4 * math.pi) - 1.0


def log_weights(z: Tensor, m: float, s: float) -> Tensor:
    one = torch.ones_like(z)
    joint = Normal(0 * one, one).log_prob(z) + Normal(z, one).log_prob(2 * one)
    return joint - Normal(m * one, s * one).log_prob(z)


@pytest.mark.parametrize("k", [1, 10])
@pytest.mark.parametrize("with_posterior", [False, True])
def test_the_interval_holds_the_evidence_and_its_ends_the_bounds(k: int, with_posterior: bool) -> None:
    m, s = 0.7, 0.9
    held, below = 0, []
    for seed in range(60):
        z = m + s * normals(seed, k, 400)
        posterior = log_weights(1 + 0.5**0.5 * normals(seed + 1000, 400), m, s) if with_posterior else None
        answer = vi.evidence(log_weights(z, m, s), posterior=posterior)
        held += answer.low <= EVIDENCE <= answer.high
        below.append(answer.low)
        assert answer.kind == "monte-carlo"
    assert held >= 57
    kl = math.log(0.5**0.5 / s) + (s**2 + (m - 1) ** 2) / (2 * 0.5) - 0.5  # KL(q‖posterior)
    gap = EVIDENCE - float(np.mean(below))
    assert (kl < gap < kl + 0.15) if k == 1 else 0 < gap < kl / 2


def test_a_guide_that_is_the_posterior_leaves_nothing_open() -> None:
    answer = vi.evidence(log_weights(1 + 0.5**0.5 * normals(0, 4, 50), 1.0, 0.5**0.5))
    assert answer.high - answer.low < 1e-12
    assert answer.value == pytest.approx(EVIDENCE, abs=1e-12)
    assert answer.notes == ()


def test_the_error_of_the_chi_bound_is_its_spread() -> None:
    sets = [log_weights(0.7 + 0.9 * normals(seed, 2000), 0.7, 0.9) for seed in range(60)]
    spread = float(torch.stack([vi.chi_upper(w) for w in sets]).std())
    added = [vi.evidence(w).high - float(vi.chi_upper(w)) for w in sets]
    assert float(np.mean(added)) == pytest.approx(1.96 * spread, rel=0.25)


def test_a_narrow_guide_is_told_of() -> None:
    answer = vi.evidence(log_weights(0.3 + 0.3 * normals(1, 5000), 0.3, 0.3))
    assert "upper end rests on a few draws" in answer.notes[0]


def test_wrong_posterior_draws_make_the_bounds_cross() -> None:
    m, s = 1.0, 0.75
    swapped = log_weights(4 + normals(2, 500), m, s)
    answer = vi.evidence(log_weights(m + s * normals(3, 500), m, s), posterior=swapped)
    assert "the bounds cross" in answer.notes[0]


def test_weights_of_zero_take_the_elbo_away_and_leave_the_rest() -> None:
    w = log_weights(0.7 + 0.9 * normals(4, 500), 0.7, 0.9)
    w[0] = -torch.inf
    answer = vi.evidence(w)
    assert answer.low == -math.inf
    assert abs(answer.value - EVIDENCE) < 0.1
    assert vi.evidence(w.reshape(10, 50)).low > -math.inf
    with pytest.raises(InvalidInputError, match="-inf throughout"):
        vi.evidence(torch.full((3,), -torch.inf))


def test_bad_weights_are_named() -> None:
    with pytest.raises(InvalidInputError, match="two at least"):
        vi.evidence(torch.zeros(5, 1))
    with pytest.raises(InvalidInputError, match="NaN or \\+inf"):
        vi.evidence(torch.tensor([0.0, math.nan]))
    with pytest.raises(ShapeError, match="`posterior`"):
        vi.evidence(torch.zeros(3), posterior=torch.zeros(3, 3))
    with pytest.raises(InvalidInputError, match="`level` is 2"):
        vi.evidence(torch.zeros(3), level=2.0)


# Collapse

SPECTRUM = torch.tensor([4.0, 2.5, 1.6, 1.1, 0.7, 0.4, 0.2, 0.1], dtype=torch.float64)


def linear_optimum(noise: float, beta: float) -> tuple[Tensor, Tensor, float]:
    """Encoder, variances and KL of a linear VAE whose exact β-ELBO was brought to its optimum from a random start."""
    turn = torch.linalg.qr(normals(5, 8, 8))[0]
    covariance = turn @ torch.diag(SPECTRUM) @ turn.T
    encoder, decoder = (0.3 * normals(seed, 8, 8) for seed in (6, 7))
    log_v = torch.zeros(8, dtype=torch.float64)
    parts = [x.requires_grad_() for x in (encoder, decoder, log_v)]
    search = torch.optim.LBFGS(parts, max_iter=600, tolerance_change=1e-14, line_search_fn="strong_wolfe")

    def kl() -> Tensor:
        v = log_v.exp()
        return 0.5 * ((encoder @ covariance @ encoder.T).diagonal() + v - 1 - log_v).sum()

    def loss() -> Tensor:
        search.zero_grad()
        left = torch.eye(8, dtype=torch.float64) - decoder @ encoder
        error = torch.trace(left @ covariance @ left.T) + (decoder**2 * log_v.exp()).sum()
        total = error / (2 * noise) + beta * kl()
        total.backward()
        return total

    search.step(loss)  # type: ignore[arg-type]
    return encoder.detach() @ turn @ torch.diag(SPECTRUM.sqrt()), log_v.detach().exp(), float(kl().detach())


@pytest.mark.parametrize(
    ("beta", "noise", "active"), [(1.0, 0.5, 5), (2.0, 0.5, 4), (4.0, 0.5, 2), (1.0, 3.0, 1)]
)
def test_linear_vaes_collapse_where_predicted(beta: float, noise: float, active: int) -> None:
    predicted = vi.linear_vae(SPECTRUM, noise=noise, beta=beta)
    encoder, variance, kl = linear_optimum(noise, beta)
    assert int((predicted > 0).sum()) == active
    assert kl == pytest.approx(float(predicted.sum()), abs=1e-4)
    white = normals(8, 1000, 8)
    white = white @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(white.T, correction=0))).T
    means = (white - white.mean(0)) @ encoder.T
    report = vi.collapse(means, variance.sqrt().expand(1000, 8))
    assert int(report.active.sum()) == active
    assert float(report.kl.sum()) == pytest.approx(kl, abs=1e-3)
    assert torch.allclose(report.kl.sort().values, predicted.sort().values, atol=2e-3)


def test_information_of_normal_means_is_that_of_the_channel() -> None:
    """x → N(x, s²) with x standard normal carries ½ log(1 + 1/s²) nats; a dimension that ignores x carries none."""
    n, s = 2000, 0.5
    means = torch.stack([normals(9, n), torch.zeros(n, dtype=torch.float64)], 1)
    report = vi.collapse(means, torch.tensor([s, 1.0], dtype=torch.float64).expand(n, 2))
    channel = 0.5 * math.log(1 + 1 / s**2)
    assert float(report.information[0]) == pytest.approx(channel, abs=0.06)
    assert abs(float(report.information[1])) < 1e-12
    assert report.information_together == pytest.approx(float(report.information[0]), abs=1e-9)
    assert report.active.tolist() == [True, False]


def test_dimensions_that_repeat_each_other_are_not_counted_twice() -> None:
    """Two dimensions N(x, s²) of one x carry ½ log(1 + 2/s²) together, less than the sum of their own."""
    x = normals(13, 2000, 1)
    report = vi.collapse(x.expand(2000, 2), torch.full((2000, 2), 0.5, dtype=torch.float64))
    assert report.information_together == pytest.approx(0.5 * math.log(1 + 2 / 0.25), abs=0.06)
    assert float(report.information.sum()) == pytest.approx(math.log(1 + 1 / 0.25), abs=0.1)


def test_information_saturates_at_the_logarithm_of_the_examples() -> None:
    means = torch.arange(50.0)[:, None] * 100
    assert vi.collapse(means, torch.ones(50, 1)).information_together == pytest.approx(
        math.log(50), abs=1e-12
    )


@pytest.mark.parametrize("dimensions", [2, 40])
def test_the_table_fits_eighty_columns(dimensions: int) -> None:
    means = 1e6 * normals(10, 100, dimensions)
    means[:, 1] = 0.0
    text = str(vi.collapse(means, torch.full((100, dimensions), 1e-7, dtype=torch.float64)))
    assert max(map(len, text.splitlines())) <= 80
    assert len(text.splitlines()) == min(dimensions, 16) + 4 + (dimensions > 16)
    assert f"{dimensions - 1} of {dimensions} latent dimensions active" in text


def test_blocks_do_not_change_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    means, scales = normals(11, 60, 3), normals(12, 60, 3).exp()
    whole = vi.collapse(means, scales)
    monkeypatch.setattr("kullback.losses.variational.collapsing._ELEMENTS", 500)
    assert vi.collapse(means, scales).information_together == pytest.approx(
        whole.information_together, rel=1e-13
    )


def test_bad_reports_are_named() -> None:
    with pytest.raises(InvalidInputError, match="standard deviations, not logarithms"):
        vi.collapse(torch.zeros(3, 1), -torch.ones(3, 1))
    with pytest.raises(ShapeError, match=r"expected \(n, dimensions\)"):
        vi.collapse(torch.zeros(3, 1), torch.ones(3))
    with pytest.raises(InvalidInputError, match="two at least"):
        vi.collapse(torch.zeros(1, 1), torch.ones(1, 1))
    with pytest.raises(InvalidInputError, match="positive numbers"):
        vi.linear_vae(SPECTRUM, noise=0.0)
    with pytest.raises(InvalidInputError, match="eigenvalues"):
        vi.linear_vae(-SPECTRUM, noise=1.0)


# The cone of programmable variational inference: x, y ~ N(0, 10), z | x, y ~ N(x² + y², .1 + (x² + y²)/100) at z = 5

CONE = -5.323


def cone(values: dict[str, Tensor]) -> Tensor:
    x, y = values["x"], values["y"]
    square = x * x + y * y
    prior = Normal(0.0, 10.0)
    return (
        prior.log_prob(x) + prior.log_prob(y) + Normal(square, 0.1 + square / 100).log_prob(torch.tensor(5.0))
    )


def around(u: Tensor, x: Tensor, y: Tensor, log_scale: Tensor) -> Tensor:
    s = 5.0**0.5
    return Normal(s * u.cos(), log_scale.exp()).log_prob(x) + Normal(s * u.sin(), log_scale.exp()).log_prob(y)


def fitted(make: Callable[[], Tensor], parameters: list[Tensor], steps: int) -> None:
    search = torch.optim.Adam(parameters, 2e-2)
    for _ in range(steps):
        search.zero_grad()
        (-make().mean()).backward()
        search.step()


def mean_field(k: int, steps: int) -> float:
    m = torch.tensor([3.0, 0.0], requires_grad=True)
    log_s = torch.zeros(2, requires_grad=True)

    def guide(site: Trace) -> None:
        for i, name in enumerate("xy"):
            site(name, Normal(m[i], log_s[i].exp()), vi.Reparameterised())

    objective: Objective = vi.importance_weighted
    fitted(lambda: vi.bound(guide, cone, objective, samples=k, batch=(64,)), [m, log_s], steps)
    with torch.no_grad():
        return float(vi.bound(guide, cone, objective, samples=k, batch=(20_000,)).mean())


def on_a_circle(m: int, k: int, steps: int) -> float:
    """The guide's density is a mean over m angles, the first of them the true one: above it in expectation."""
    log_s = torch.zeros(2, requires_grad=True)

    def bounds(n: int) -> Tensor:
        u = 2 * math.pi * torch.rand(m, k, n)
        noise = torch.randn(2, k, n)
        x = 5.0**0.5 * u[0].cos() + log_s[0].exp() * noise[0]
        y = 5.0**0.5 * u[0].sin() + log_s[0].exp() * noise[1]
        log_q = vi.importance_weighted(around(u, x, y, log_s[0]))
        return vi.importance_weighted(cone({"x": x, "y": y}) - log_q)

    fitted(lambda: bounds(64), [log_s], steps)
    with torch.no_grad():
        return float(bounds(10_000).mean())


def test_the_cone_by_quadrature() -> None:
    at = torch.linspace(-4, 4, 1201, dtype=torch.float64)
    x, y = torch.meshgrid(at, at, indexing="ij")
    value = torch.logsumexp(cone({"x": x, "y": y}).reshape(-1), 0) + 2 * math.log(8 / 1200)
    assert float(value) == pytest.approx(CONE, abs=1e-3)


@pytest.mark.slow
def test_bounds_of_the_cone_are_ordered() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        one, five, many = (mean_field(k, 600) for k in (1, 5, 25))
        hierarchical = [on_a_circle(m, k, 400) for m, k in ((1, 1), (5, 1), (5, 5))]
    assert one + 0.2 < five < many - 0.2 < CONE
    assert hierarchical[0] + 0.3 < hierarchical[1] < hierarchical[2] - 0.3 < CONE
