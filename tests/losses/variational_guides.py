"""Guides and models whose gradients are known exactly, and the comparison that tests of gradients make."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal

from kullback.losses import variational as vi
from kullback.losses.variational.estimators import Estimator
from kullback.losses.variational.programs import Guide, Trace

N = 8_000
PATHS = [vi.Reparameterised(), vi.StickingTheLanding(), vi.DoublyReparameterised()]
SCORES = [vi.ScoreFunction(baseline=None), vi.ScoreFunction()]


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    """Torch's own generator, put back afterwards; double precision in the file that imports this."""
    before = torch.get_default_dtype()
    with torch.random.fork_rng():
        torch.manual_seed(7)
        torch.set_default_dtype(torch.float64)
        yield
        torch.set_default_dtype(before)


def per_copy(make: Callable[[Tensor], Tensor], parameters: Tensor, copies: int = N) -> Tensor:
    """Independent gradients, (copies, parameters): every entry of the batch has parameters of its own."""
    own = parameters.expand(copies, *parameters.shape).clone().requires_grad_()
    return torch.autograd.grad(make(own).sum(), own)[0]


def unbiased(gradients: Tensor, exact: Tensor) -> None:
    error = gradients.std(0) / len(gradients) ** 0.5
    assert bool(((gradients.mean(0) - exact).abs() <= 4 * error + 1e-12).all()), (
        gradients.mean(0) - exact
    ) / error


# z ~ N(0, 1), x | z ~ N(z, 1) at x = 2, guide N(m, s²), parameters (m, log s)
START = torch.tensor([0.8, -0.15], dtype=torch.float64)


def model(values: dict[str, Tensor]) -> Tensor:
    z = values["z"]
    return Normal(0.0, 1.0).log_prob(z) + Normal(z, 1.0).log_prob(torch.tensor(2.0))


def normal_guide(theta: Tensor, estimator: Estimator) -> Guide:
    return lambda site: site("z", Normal(theta[..., 0], theta[..., 1].exp()), estimator)


# Three coupled flips

LOGITS = torch.tensor([0.3, -0.4, 0.8], dtype=torch.float64)


def cost(values: dict[str, Tensor]) -> Tensor:
    a, b, c = (values[name] for name in "abc")
    return (a - 2 * b + 0.5 * c - 0.3) ** 2 + a * b


def flips(theta: Tensor, estimator: Estimator) -> Guide:
    def guide(site: Trace) -> None:
        for i, name in enumerate("abc"):
            site(name, Bernoulli(logits=theta[..., i]), estimator)

    return guide


# Two sites, the second conditioned on the first, each with an estimator of its own

CHAIN = torch.tensor([0.2, 0.7, -0.3], dtype=torch.float64)


def chain_model(values: dict[str, Tensor]) -> Tensor:
    """b ~ Bernoulli(.4), z | b ~ N(2b − 1, 1), x | z, b ~ N(z + b, 1) at x = 1."""
    b, z = values["b"], values["z"]
    prior = Bernoulli(torch.tensor(0.4)).log_prob(b) + Normal(2 * b - 1, 1.0).log_prob(z)
    return prior + Normal(z + b, 1.0).log_prob(torch.tensor(1.0))


def flip_first(theta: Tensor, flip: Estimator, normal: Estimator) -> Guide:
    def guide(site: Trace) -> None:
        b = site("b", Bernoulli(logits=theta[..., 0]), flip)
        site("z", Normal(theta[..., 1] * b, theta[..., 2].exp()), normal)

    return guide


def normal_first(theta: Tensor, flip: Estimator, normal: Estimator) -> Guide:
    def guide(site: Trace) -> None:
        z = site("z", Normal(theta[..., 1], theta[..., 2].exp()), normal)
        site("b", Bernoulli(logits=theta[..., 0] + z), flip)

    return guide
