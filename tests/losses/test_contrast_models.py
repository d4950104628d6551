"""The mutual information machine, and the distance of transport from independence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses import contrast
from losses.contrast_scores import leaf, normal

gradcheck = torch.autograd.gradcheck


# The mutual information machine ----------------------------------------------------------------------------------


def test_mim_rewards_narrow_codes_where_the_elbo_rewards_wide_ones() -> None:
    x, noise = normal(4000), normal(4000, seed=1)

    def parts(width: float) -> dict[str, Any]:
        law = torch.distributions.Normal
        z = x + width * noise
        return {
            "likelihood": law(z, 1.0).log_prob(x),
            "prior": law(0.0, 1.0).log_prob(z),
            "posterior": law(x, width).log_prob(z),
        }

    narrow, wide = parts(0.1), parts(0.5)
    assert contrast.mim(**narrow) < contrast.mim(**wide) - 0.3

    def negative_elbo(likelihood: Tensor, prior: Tensor, posterior: Tensor) -> Tensor:
        return (posterior - prior - likelihood).mean()

    assert negative_elbo(**narrow) > negative_elbo(**wide) + 0.3
    wanted = -(narrow["likelihood"] + 0.5 * (narrow["prior"] + narrow["posterior"])).mean()
    torch.testing.assert_close(contrast.mim(**narrow), wanted)


def of_scores(scores: Tensor, **options: Any) -> Tensor:
    nothing = torch.zeros(len(scores), dtype=scores.dtype)
    return contrast.contrastive_mim(scores, likelihood=nothing, prior=nothing, posterior=nothing, **options)


def test_contrastive_mim_is_mim_and_a_contrast() -> None:
    s = normal(5, 5)
    parts: dict[str, Any] = {
        name: normal(5, seed=i) for i, name in enumerate(["likelihood", "prior", "posterior"])
    }
    got = contrast.contrastive_mim(s, temperature=0.4, contrast_weight=0.7, **parts)
    e = np.exp(s.numpy() / 0.4)
    own, others = np.diag(e), (e.sum(1) - np.diag(e)) / 4
    wanted = float(contrast.mim(**parts)) - 0.7 * np.mean(np.log(own / (own + others)))
    assert float(got) == pytest.approx(wanted, rel=1e-13)
    parts["prior"][2] = math.nan
    keep = torch.arange(5) != 2
    got = contrast.contrastive_mim(s, mask=keep, **parts)
    inside: dict[str, Any] = {name: x[keep] for name, x in parts.items()}
    wanted = contrast.contrastive_mim(s[keep][:, keep], **inside)
    torch.testing.assert_close(got, wanted)
    assert gradcheck(of_scores, leaf(4, 4))
    with pytest.raises(ShapeError, match="5 examples"):
        contrast.contrastive_mim(s, **inside)
    with pytest.raises(ShapeError, match="different numbers"):
        contrast.mim(likelihood=s[0], prior=s[0], posterior=s[0, :4])


def test_contrastive_mim_does_not_know_the_size_of_the_batch() -> None:
    codes = normal(512, 8)
    scores = contrast.cosines(codes, codes)
    small = [scores[i : i + 32, i : i + 32] for i in range(0, 512, 32)]
    found = [
        torch.stack([f(s, temperature=0.5) for s in small]).mean() for f in (of_scores, contrast.info_nce)
    ]
    assert float(found[0]) == pytest.approx(float(of_scores(scores, temperature=0.5)), abs=0.01)
    assert float(contrast.info_nce(scores, temperature=0.5) - found[1]) > 2.0  # about log 16


# Wasserstein dependency ------------------------------------------------------------------------------------------


def matches(x: Tensor, y: Tensor) -> Tensor:
    """How many factors agree, which changes by 1 at most where one factor of x or of y does."""
    return (x == y).double().sum(-1)


def test_dependency_grows_where_contrast_is_capped() -> None:
    """k shared factors of four values: W₁ by Hamming's distance is 3k/4, mutual information k log 4."""
    for k in (1, 2, 4, 8, 16):
        z = torch.tensor(np.random.default_rng(k).integers(0, 4, (8192, k))).double()
        loss = contrast.wasserstein_dependency(
            matches, z, z, generator=torch.Generator().manual_seed(0), penalty=0.0
        )
        assert -float(loss) == pytest.approx(0.75 * k, abs=0.08)
        batch = z[:32]
        scores = torch.where((batch[:, None] == batch[None]).all(-1), k * math.log(4), -math.inf)
        assert math.log(32) - float(contrast.info_nce(scores)) <= math.log(32)
    assert k * math.log(4) > 22


def test_the_penalty_is_on_slopes_beyond_the_limit() -> None:
    a = torch.tensor([3.0, -4.0], dtype=torch.float64, requires_grad=True)
    x, y = normal(6, 1), normal(6, 1, seed=1)

    def critic(x: Tensor, y: Tensor, a: Tensor = a) -> Tensor:
        return a[0] * x[:, 0] + a[1] * y[:, 0]

    assert contrast.lipschitz_penalty(critic, x, y).item() == pytest.approx(16.0)
    assert contrast.lipschitz_penalty(critic, x, y, limit=6.0).item() == 0.0

    def of(b: Tensor) -> Tensor:
        return contrast.lipschitz_penalty(lambda x, y: (b[0] * x + b[1] * y**2)[:, 0], x, y)

    assert gradcheck(of, a)
    still = contrast.lipschitz_penalty(lambda x, y: a.sum() * (x * y)[:, 0] * 1e-9, x, y)
    assert still.item() == 0.0
    assert torch.autograd.grad(still, a)[0].isfinite().all()


def test_dependency_draws_from_its_generator_alone() -> None:
    x, y, state = normal(8, 2), normal(8, 3, seed=1), torch.get_rng_state()

    def loss(seed: int, **options: Any) -> Tensor:
        return contrast.wasserstein_dependency(
            lambda x, y: x[:, 0].sin() * y[:, 0] * 3,
            x,
            y,
            generator=torch.Generator().manual_seed(seed),
            **options,
        )

    assert loss(0) == loss(0) != loss(1)
    assert (torch.get_rng_state() == state).all()
    x[2] = math.nan
    assert loss(0).isnan()
    keep = torch.arange(8) != 2
    masked = loss(0, mask=keep)
    with torch.no_grad():  # the penalty needs slopes even where nothing is trained
        assert loss(0, mask=keep) == masked
    with pytest.warns(RuntimeWarning, match="skipped"):
        assert loss(0, nonfinite="skip").isfinite()


def test_a_trained_critic_comes_near_the_distance_and_not_far_beyond() -> None:
    """x = y = ±1 with equal chances: half of the product's mass has to move by 2 in one coordinate, so W₁ = 1."""
    draws = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)

    def critic(x: Tensor, y: Tensor) -> Tensor:
        return net(torch.cat([x, y], -1))[:, 0]

    for _ in range(150):
        x = 2.0 * torch.randint(0, 2, (64, 1), generator=draws) - 1
        optimiser.zero_grad()
        contrast.wasserstein_dependency(critic, x, x, generator=draws).backward()
        optimiser.step()
    x = 2.0 * torch.randint(0, 2, (4096, 1), generator=draws) - 1
    found = -contrast.wasserstein_dependency(critic, x, x, generator=draws, penalty=0.0).item()
    assert 0.8 < found < 1.15


def test_critics_that_cannot_be_meant() -> None:
    x, g = normal(4, 2), torch.Generator().manual_seed(0)
    with pytest.raises(ShapeError, match="a number for every row"):
        contrast.wasserstein_dependency(lambda x, y: x + y, x, x, generator=g)
    with pytest.raises(ShapeError, match="4 rows and `second` 3"):
        contrast.wasserstein_dependency(matches, x, x[:3], generator=g)
    with pytest.raises(InvalidInputError, match="1 pairs"):
        contrast.wasserstein_dependency(matches, x[:1], x[:1], generator=g)
    with pytest.raises(InvalidInputError, match="limit"):
        contrast.lipschitz_penalty(matches, x, x, limit=0.0)
