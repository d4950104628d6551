"""Two views of scikit-learn's digits without labels: what Barlow Twins, MMCR and cMIM promise of their embeddings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from kullback.losses import contrast

datasets = pytest.importorskip("sklearn.datasets")
pytestmark = pytest.mark.slow
STEPS, BATCH, WIDTH = 400, 256, 16


def digits() -> tuple[Tensor, Tensor]:
    x, y = datasets.load_digits(return_X_y=True)
    return torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)


def network(inputs: int, outputs: int, seed: int) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.Linear(inputs, 128), torch.nn.ReLU(), torch.nn.Linear(128, outputs)
        )


def noisy(x: Tensor, draws: torch.Generator) -> Tensor:
    return x + 0.1 * torch.randn(x.shape, generator=draws)


def trained(loss: Callable[[Tensor, Tensor], Tensor], seed: int = 0) -> torch.nn.Module:
    x, draws = digits()[0], torch.Generator().manual_seed(seed)
    model = network(64, WIDTH, seed)
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(STEPS):
        rows = x[torch.randint(len(x), (BATCH,), generator=draws)]
        optimiser.zero_grad()
        loss(model(noisy(rows, draws)), model(noisy(rows, draws))).backward()
        optimiser.step()
    return model


def views(model: torch.nn.Module) -> tuple[Tensor, Tensor]:
    x, draws = digits()[0], torch.Generator().manual_seed(99)
    with torch.no_grad():
        return model(noisy(x, draws)), model(noisy(x, draws))


def nearest_accuracy(codes: Tensor) -> float:
    """How often the nearest other code is of the same digit."""
    labels = digits()[1]
    apart = torch.cdist(codes, codes).fill_diagonal_(np.inf)
    return float((labels[apart.argmin(1)] == labels).float().mean())


def effective_rank(codes: Tensor) -> float:
    spectrum = torch.linalg.svdvals((codes - codes.mean(0)) / codes.std(0)).square()
    shares = spectrum / spectrum.sum()
    return float(torch.special.entr(shares).sum().exp())


def test_barlow_twins_agrees_without_redundancy_and_needs_its_second_sum() -> None:
    model = trained(lambda a, b: contrast.barlow_twins(a, b, redundancy=0.05))
    c = contrast.cross_correlation(*views(model))
    off = c - torch.diag(c.diagonal())
    assert float(c.diagonal().mean()) > 0.9
    assert float(off.abs().sum() / (WIDTH * (WIDTH - 1))) < 0.1
    alone = trained(lambda a, b: contrast.barlow_twins(a, b, redundancy=0.0))
    assert effective_rank(views(model)[0]) > 3 * effective_rank(views(alone)[0])


def test_mmcr_comes_near_its_bound_and_never_beyond() -> None:
    largest = contrast.largest_nuclear_norm(BATCH, WIDTH)
    seen: list[float] = []

    def loss(a: Tensor, b: Tensor) -> Tensor:
        value = contrast.mmcr(torch.stack([a, b], 1))
        seen.append(-value.item() / largest)
        return value

    model = trained(loss)
    assert nearest_accuracy(views(model)[0]) > 0.94
    assert max(seen) <= 1.0
    assert seen[-1] > 0.9 > seen[0]


def machine(contrast_weight: float, batch: int) -> float:
    """Accuracy of the nearest other code, for codes of an autoencoder trained as a (contrastive) MIM."""
    x, draws, law = digits()[0], torch.Generator().manual_seed(0), torch.distributions.Normal
    encoder, decoder = network(64, 2 * WIDTH, 0), network(WIDTH, 64, 1)
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 2e-3)
    for _ in range(STEPS):
        rows = x[torch.randint(len(x), (batch,), generator=draws)]
        mean, log_width = encoder(rows).chunk(2, -1)
        width = log_width.sigmoid() + 0.01
        z = mean + width * torch.randn(mean.shape, generator=draws)
        value = contrast.contrastive_mim(
            contrast.cosines(z, mean),
            likelihood=law(decoder(z), 0.2).log_prob(rows).sum(-1),
            prior=law(0.0, 1.0).log_prob(z).sum(-1),
            posterior=law(mean, width).log_prob(z).sum(-1),
            temperature=0.1,
            contrast_weight=contrast_weight,
        )
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    with torch.no_grad():
        return nearest_accuracy(encoder(x)[:, :WIDTH])


def test_a_contrast_does_not_cost_the_machine_its_neighbours() -> None:
    plain, with_contrast, small = machine(0.0, 256), machine(1.0, 256), machine(1.0, 32)
    assert with_contrast > plain - 0.01
    assert abs(with_contrast - small) < 0.01
