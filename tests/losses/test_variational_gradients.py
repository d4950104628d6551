"""Gradients of every estimator against exact ones: closed forms, quadrature and enumeration."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Normal

import kullback as kb
from kullback.losses import variational as vi
from kullback.losses.variational.estimators import Estimator
from kullback.losses.variational.objectives import Objective
from kullback.losses.variational.programs import Guide, Trace
from losses.variational_guides import (  # noqa: F401  (seeded is a fixture)
    CHAIN,
    LOGITS,
    PATHS,
    SCORES,
    START,
    N,
    chain_model,
    cost,
    flip_first,
    flips,
    model,
    normal_first,
    normal_guide,
    per_copy,
    seeded,
    unbiased,
)


def by_grid(objective: Objective, samples: int) -> Tensor:
    """∇ E[G] of one or two draws on a grid of both, by the score of their density."""
    theta = START.clone().requires_grad_()
    z = torch.linspace(-7.0, 8.0, 301)
    q = Normal(theta[0], theta[1].exp())
    log_q = q.log_prob(z)
    x = model({"z": z}) - log_q
    mass = log_q.exp() * (z[1] - z[0])
    if samples == 1:
        value = (objective(x[None]) * mass).sum()
    else:
        pairs = torch.stack(torch.broadcast_tensors(x[:, None], x[None, :]))
        value = (objective(pairs) * mass[:, None] * mass).sum()
    return torch.autograd.grad(value, theta)[0]


EVIDENCE = float(Normal(0.0, 2.0**0.5).log_prob(torch.tensor(2.0, dtype=torch.float64)))
CASES = [
    *[(estimator, vi.elbo, 1) for estimator in [*PATHS, SCORES[0]]],
    *[(estimator, vi.elbo, 2) for estimator in [*PATHS, *SCORES]],
    *[
        (estimator, objective, 2)
        for estimator in [PATHS[0], PATHS[2], *SCORES]
        for objective in [vi.importance_weighted, vi.chi_upper, vi.RenyiBound(0.5)]
    ],
    *[
        (estimator, vi.MeasuredDivergence(d, EVIDENCE), 2)
        for estimator in [PATHS[0], PATHS[2], *SCORES]
        for d in [kb.kl, kb.reverse_kl, kb.js, kb.squared_hellinger, kb.pearson_chi2, kb.alpha(0.3)]
    ],
]


@pytest.mark.parametrize(("estimator", "objective", "samples"), CASES, ids=str)
def test_one_normal_site(estimator: Estimator, objective: Objective, samples: int) -> None:
    gradients = per_copy(
        lambda theta: vi.bound(normal_guide(theta, estimator), model, objective, samples=samples, batch=(N,)),
        START,
    )
    unbiased(gradients, by_grid(objective, samples))


@pytest.mark.parametrize("d", [d for d in kb.catalogue() if d.curvature_at_one], ids=lambda d: d.name)
def test_paths_by_curvature_and_scores_by_tilt_agree_with_quadrature(d: kb.FDivergence) -> None:
    """∇ D_f = E_q[tilt ∇ log q] = −E_q[curvature ∂ log w ∂z], both as integrals on a grid."""
    theta = START.clone().requires_grad_()
    z = torch.linspace(-9.0, 10.0, 4001, requires_grad=True)
    step = 19.0 / 4000
    q = Normal(theta[0], theta[1].exp())
    r = model({"z": z}) - q.log_prob(z) - EVIDENCE
    mass = (q.log_prob(z).exp() * step).detach()
    slope = torch.autograd.grad(r.sum(), z, retain_graph=True)[0]
    worth = vi.MeasuredDivergence(d, 0.0).path_weights(r.detach()) * len(z)
    noise = (z.detach() - theta[0].detach()) / theta[1].exp().detach()
    path = torch.stack(
        [(mass * worth * slope).sum(), (mass * worth * slope * noise * theta[1].exp().detach()).sum()]
    )
    value = (q.log_prob(z.detach()).exp() * step * d.value(r.detach())).sum()  # density moves, f held
    held = torch.autograd.grad(value, theta, retain_graph=True)[0]
    through = torch.autograd.grad(
        (
            mass
            * vi.MeasuredDivergence(d, 0.0).each(model({"z": z.detach()}) - q.log_prob(z.detach()) - EVIDENCE)
        ).sum(),
        theta,
    )[0]
    assert torch.allclose(path, held + through, rtol=2e-5, atol=1e-7)


def test_landing_variance_vanishes_at_the_posterior() -> None:
    at = torch.tensor([1.0, -0.5 * torch.log(torch.tensor(2.0))])
    variances = [
        float(
            per_copy(
                lambda theta, e=e: vi.bound(normal_guide(theta, e), model, vi.elbo, samples=2, batch=(500,)),
                at,
                500,
            )
            .var(0)
            .sum()
        )
        for e in [*PATHS, *SCORES]
    ]
    plain, landing, doubly, score, baseline = variances
    assert landing < 1e-28
    assert doubly < 1e-28
    assert plain > 0.1
    assert score > baseline


def test_doubly_keeps_its_signal_as_draws_are_added() -> None:
    """Signal to noise of the importance-weighted bound: falls like 1/√K with K plainly, rises doubly [tucker2019]."""

    def ratio(estimator: Estimator, samples: int) -> float:
        g = per_copy(
            lambda t: vi.bound(
                normal_guide(t, estimator), model, vi.importance_weighted, samples=samples, batch=(4000,)
            ),
            START,
            4000,
        )
        return float((g.mean(0).abs() / g.std(0))[0])

    assert ratio(PATHS[0], 64) < 0.5 * ratio(PATHS[0], 1)
    assert ratio(PATHS[2], 64) > 2 * ratio(PATHS[2], 1)


def exact_flips() -> Tensor:
    theta = LOGITS.clone().requires_grad_()
    p = torch.sigmoid(theta)
    b = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    mass = (p**b * (1 - p) ** (1 - b)).prod(1)
    return torch.autograd.grad((mass * cost(dict(zip("abc", b.T, strict=True)))).sum(), theta)[0]


def test_three_flips_unbiased_with_ordered_variances() -> None:
    exact, variances = exact_flips(), []
    for e in [vi.Enumeration(), vi.MeasureValued(), vi.ScoreFunction(), vi.ScoreFunction(baseline=None)]:
        g = per_copy(
            lambda theta, e=e: vi.expectation(flips(theta, e), cost, samples=4, batch=(N,)), LOGITS, N
        )
        unbiased(g, exact)
        variances.append(float(g.var(0).sum()))
    assert variances[0] < 1e-28
    assert variances[0] < variances[1] < variances[2] < variances[3]


KINDS = [vi.Enumeration(), vi.MeasureValued(), vi.ScoreFunction(), vi.ScoreFunction(baseline=None)]
NORMALS = [vi.Reparameterised(), vi.StickingTheLanding(), vi.ScoreFunction()]


def chain_by_grid(first: str) -> Tensor:
    theta = CHAIN.clone().requires_grad_()
    z = torch.linspace(-9.0, 9.0, 2001)
    total = torch.zeros(())
    for b in (torch.tensor(0.0), torch.tensor(1.0)):
        if first == "flip":
            log_q = Bernoulli(logits=theta[0]).log_prob(b) + Normal(theta[1] * b, theta[2].exp()).log_prob(z)
        else:
            log_q = Normal(theta[1], theta[2].exp()).log_prob(z) + Bernoulli(logits=theta[0] + z).log_prob(b)
        total = total + (log_q.exp() * (chain_model({"b": b, "z": z}) - log_q)).sum() * (z[1] - z[0])
    return torch.autograd.grad(total, theta)[0]


@pytest.mark.parametrize("normal", NORMALS, ids=str)
@pytest.mark.parametrize("flip", KINDS, ids=str)
@pytest.mark.parametrize("first", ["flip", "normal"])
def test_estimators_compose(first: str, flip: Estimator, normal: Estimator) -> None:
    guide = flip_first if first == "flip" else normal_first
    g = per_copy(
        lambda theta: vi.bound(guide(theta, flip, normal), chain_model, vi.elbo, samples=2, batch=(N,)), CHAIN
    )
    unbiased(g, chain_by_grid(first))


@pytest.mark.parametrize("first", [vi.MeasureValued(), vi.ScoreFunction(), vi.Enumeration()], ids=str)
def test_an_enumerated_site_after_another(first: Estimator) -> None:
    def guide(theta: Tensor) -> Guide:
        def program(site: Trace) -> None:
            a = site("a", Bernoulli(logits=theta[..., 0]), first)
            b = site("b", Bernoulli(logits=theta[..., 1] + 2 * a), vi.Enumeration())
            site("c", Bernoulli(logits=theta[..., 2] - b), first)

        return program

    theta = LOGITS.clone().requires_grad_()
    a, b, c = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3).T
    sites = ((a, theta[0]), (b, theta[1] + 2 * a), (c, theta[2] - b))
    log_q = torch.stack([Bernoulli(logits=logit + 0 * x).log_prob(x) for x, logit in sites]).sum(0)
    exact = torch.autograd.grad((log_q.exp() * cost({"a": a, "b": b, "c": c})).sum(), theta)[0]
    g = per_copy(lambda t: vi.expectation(guide(t), cost, samples=2, batch=(N,)), LOGITS)
    unbiased(g, exact)


@pytest.mark.parametrize("flip", [vi.MeasureValued(), vi.ScoreFunction()], ids=str)
def test_discrete_sites_of_a_bound_that_is_no_mean(flip: Estimator) -> None:
    """IWAE of two draws of a categorical law, against all pairs."""
    logits, target = torch.tensor([0.1, -0.5, 0.9]), torch.tensor([0.2, 1.0, -0.3])

    def guide(theta: Tensor) -> Guide:
        return lambda site: site("c", Categorical(logits=theta), flip)

    g = per_copy(
        lambda theta: vi.bound(
            guide(theta), lambda v: target[v["c"].long()], vi.importance_weighted, samples=2, batch=(N,)
        ),
        logits,
    )
    theta = logits.clone().requires_grad_()
    log_q = torch.log_softmax(theta, 0)
    pairs = torch.stack(torch.broadcast_tensors((target - log_q)[:, None], (target - log_q)[None]))
    value = (vi.importance_weighted(pairs) * log_q.exp()[:, None] * log_q.exp()).sum()
    unbiased(g, torch.autograd.grad(value, theta)[0])


def test_doubly_through_a_guide_of_two_levels() -> None:
    """The second law depends on the first draw, and its parameters keep their paths [bauer2021]."""
    start = torch.tensor([0.3, 0.6, -0.2])

    def guide(theta: Tensor, e: Estimator) -> Guide:
        def program(site: Trace) -> None:
            a = site("a", Normal(theta[..., 0], 0.8), e)
            site("z", Normal(theta[..., 1] * a, theta[..., 2].exp()), e)

        return program

    def joint(values: dict[str, Tensor]) -> Tensor:
        return (
            Normal(0.0, 1.0).log_prob(values["a"])
            + Normal(values["a"], 0.7).log_prob(values["z"])
            - (values["z"] ** 2)
        )

    means = []
    for e in (vi.Reparameterised(), vi.DoublyReparameterised()):
        g = per_copy(
            lambda t, e=e: vi.bound(guide(t, e), joint, vi.importance_weighted, samples=4, batch=(4 * N,)),
            start,
            4 * N,
        )
        means.append((g.mean(0), g.var(0) / len(g)))
    (m0, v0), (m1, v1) = means
    assert bool(((m0 - m1).abs() < 4 * (v0 + v1).sqrt()).all())
    assert float(v1.sum()) < float(v0.sum())


@pytest.mark.parametrize("estimator", [*PATHS, *SCORES], ids=str)
def test_the_model_learns_too(estimator: Estimator) -> None:
    """∂ELBO/∂b of a model with x | z ~ N(z + b, 1) is 2 − b − m, whatever the estimator of the guide."""
    shift = torch.zeros(N, requires_grad=True)

    def joint(values: dict[str, Tensor]) -> Tensor:
        z = values["z"]
        return Normal(0.0, 1.0).log_prob(z) + Normal(z + shift, 1.0).log_prob(torch.tensor(2.0))

    value = vi.bound(normal_guide(START, estimator), joint, vi.elbo, samples=2, batch=(N,))
    unbiased(torch.autograd.grad(value.sum(), shift)[0][:, None], torch.tensor([2.0 - 0.8]))
