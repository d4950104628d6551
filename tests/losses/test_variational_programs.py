"""Guides as programs: their numbers, what they refuse, wake and sleep, masks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Independent, Normal

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses import variational as vi
from kullback.losses.variational.estimators import Estimator
from kullback.losses.variational.objectives import Objective
from kullback.losses.variational.programs import Trace
from losses.variational_guides import (  # noqa: F401  (seeded is a fixture)
    CHAIN,
    LOGITS,
    PATHS,
    SCORES,
    START,
    chain_model,
    cost,
    flip_first,
    flips,
    model,
    normal_guide,
    seeded,
)


def test_values_do_not_depend_on_the_estimator() -> None:
    """What a site adds for the gradient is 0: the number is the objective of the log-weights."""
    for e in [*PATHS, *SCORES]:
        torch.manual_seed(3)
        value = vi.bound(normal_guide(START, e), model, vi.elbo, samples=5)
        torch.manual_seed(3)
        z = Normal(START[0], START[1].exp()).rsample((5,))
        expected = (model({"z": z}) - Normal(START[0], START[1].exp()).log_prob(z)).mean()
        assert float(value) == pytest.approx(float(expected), rel=1e-14)


def test_a_value_of_no_mass_weighs_nothing() -> None:
    logits = torch.tensor([0.0, 0.0, -torch.inf], requires_grad=True)
    for e in (vi.Enumeration(), vi.MeasureValued()):

        def guide(site: Trace, e: Estimator = e) -> None:
            site("c", Categorical(logits=logits, validate_args=False), e)

        value = vi.bound(guide, lambda v: v["c"].double(), vi.elbo, samples=2)
        gradient = torch.autograd.grad(value, logits)[0]
        assert bool(torch.isfinite(gradient).all())
        assert float(gradient[1]) == pytest.approx(0.25, abs=1e-9)


def test_wake_and_sleep_reach_the_posterior() -> None:
    """A Bernoulli guide under the two: both have their optimum at the posterior's probability, e/(1 + e)."""
    torch.manual_seed(0)
    at = torch.tensor([1.0], requires_grad=True)  # the posterior's logit

    def guide(site: Trace) -> None:
        site("b", Bernoulli(logits=at), vi.ScoreFunction())

    g = torch.autograd.grad(vi.wake(guide, lambda v: v["b"], samples=500, batch=(400,)).mean(), at)[0]
    assert abs(float(g)) < 4e-3
    b = Bernoulli(logits=torch.tensor(1.0)).sample((4000, 20))
    s = torch.autograd.grad(vi.sleep(guide, {"b": b}, samples=4000, batch=(20,)).mean(), at)[0]
    assert abs(float(s)) < 4 * 0.45 / 80_000**0.5


def test_loss_has_the_sign_and_the_mask() -> None:
    data = torch.tensor([2.0, torch.nan, -1.0])

    def joint(values: dict[str, Tensor]) -> Tensor:
        z = values["z"]
        return Normal(0.0, 1.0).log_prob(z) + Normal(z, 1.0, validate_args=False).log_prob(data.nan_to_num())

    post = torch.stack([data.nan_to_num() / 2, torch.full((3,), -0.5 * torch.log(torch.tensor(2.0)))], -1)
    guide = normal_guide(post, vi.Reparameterised())
    evidence = Normal(0.0, 2.0**0.5).log_prob(data.nan_to_num())
    mask = torch.tensor([True, False, True])
    down = vi.loss(guide, joint, vi.elbo, samples=2, batch=(3,), mask=mask)
    up = vi.loss(guide, joint, vi.chi_upper, samples=2, batch=(3,), mask=mask)
    assert float(down) == pytest.approx(-float(evidence[mask].mean()))
    assert float(up) == pytest.approx(float(evidence[mask].mean()))


def test_refusals_say_what_to_do() -> None:
    def bound(e: Estimator, objective: Objective = vi.elbo, samples: int = 2) -> Tensor:
        return vi.bound(normal_guide(START, e), model, objective, samples=samples)

    with pytest.raises(InvalidInputError, match="score whose mean is 0 for the ELBO alone"):
        bound(vi.StickingTheLanding(), vi.importance_weighted)
    with pytest.raises(InvalidInputError, match="every site needs DoublyReparameterised"):
        bound(vi.Reparameterised(), vi.TailAdaptive())
    with pytest.raises(InvalidInputError, match="take samples ≥ 2 or baseline=None"):
        bound(vi.ScoreFunction(), samples=1)
    with pytest.raises(InvalidInputError, match="cannot be listed"):
        bound(vi.Enumeration())
    with pytest.raises(InvalidInputError, match="expected at least one draw"):
        bound(vi.Reparameterised(), samples=0)
    with pytest.raises(InvalidInputError, match="no reparameterised draw"):
        vi.expectation(flips(LOGITS, vi.Reparameterised()), cost, samples=1)
    with pytest.raises(InvalidInputError, match="no score to reparameterise"):
        vi.expectation(normal_guide(START, vi.DoublyReparameterised()), model, samples=1)
    with pytest.raises(InvalidInputError, match="all are, or none"):
        vi.bound(
            flip_first(CHAIN, vi.ScoreFunction(), vi.DoublyReparameterised()), chain_model, vi.elbo, samples=2
        )
    with pytest.raises(InvalidInputError, match="no mean over draws"):
        vi.bound(
            flip_first(CHAIN, vi.Enumeration(), vi.Reparameterised()),
            chain_model,
            vi.importance_weighted,
            samples=2,
        )
    with pytest.raises(ShapeError, match="does not widen"):
        vi.bound(normal_guide(START.expand(3, 2), vi.Reparameterised()), model, vi.elbo, samples=2)
    with pytest.raises(ShapeError, match="one number for every draw"):
        vi.bound(normal_guide(START, vi.Reparameterised()), lambda _: torch.zeros(1), vi.elbo, samples=2)
    with pytest.raises(InvalidInputError, match="named no site"):
        vi.bound(lambda _: None, model, vi.elbo, samples=2)
    with pytest.raises(InvalidInputError, match="two sites 'z'"):
        vi.bound(
            lambda site: [site("z", Normal(0.0, 1.0), PATHS[0]) for _ in range(2)], model, vi.elbo, samples=2
        )
    with pytest.raises(InvalidInputError, match="lacks the sites"):
        vi.sleep(flips(LOGITS, vi.ScoreFunction()), {"a": torch.zeros(1)}, samples=1)
    with pytest.raises(InvalidInputError, match="wake weighs draws"):
        vi.wake(flips(LOGITS, vi.Enumeration()), cost, samples=1)


def test_tail_adaptive_paths() -> None:
    """At power 0 the paths of the ELBO; at any power none at the posterior."""
    doubly = vi.DoublyReparameterised()

    def gradient(objective: Objective, at: Tensor) -> Tensor:
        torch.manual_seed(4)
        theta = at.clone().requires_grad_()
        return torch.autograd.grad(
            vi.bound(normal_guide(theta, doubly), model, objective, samples=30), theta
        )[0]

    assert torch.allclose(gradient(vi.TailAdaptive(0.0), START), gradient(vi.elbo, START), rtol=1e-12)
    assert not torch.allclose(gradient(vi.TailAdaptive(), START), gradient(vi.elbo, START), rtol=0.05)
    posterior = torch.tensor([1.0, -0.5 * torch.log(torch.tensor(2.0))])
    assert torch.allclose(gradient(vi.TailAdaptive(), posterior), torch.zeros(2), atol=1e-13)


def test_events_of_many_dimensions() -> None:
    """A vector site by Independent: the ELBO of a standard normal guide against its own prior is 0."""

    def guide(site: Trace) -> None:
        site("z", Independent(Normal(torch.zeros(4), 1.0), 1), vi.StickingTheLanding())

    value = vi.bound(
        guide, lambda v: Normal(0.0, 1.0).log_prob(v["z"]).sum(-1), vi.elbo, samples=3, batch=(2,)
    )
    assert torch.allclose(value, torch.zeros(2), atol=1e-13)
