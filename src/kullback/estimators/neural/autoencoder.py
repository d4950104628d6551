"""An autoencoder: two networks with a narrow layer between them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kullback.estimators.critics.inputs import sorted_rows
from kullback.estimators.critics.settings import Training
from kullback.estimators.neural.networks import chain
from kullback.estimators.neural.training import Scores, fit
from kullback.estimators.samples import Sample
from kullback.progress import Reporter, part

Floats = NDArray[np.float64]


def train(
    values: Floats, components: int, hidden: tuple[int, ...], training: Training, rng: np.random.Generator
) -> tuple[Floats, float]:
    """The codes of all rows, and the share of the variance that comes back for the rows watched."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    # one scale for all columns: what is given back is measured as the rows measure it
    centred = values - values.mean(axis=0)
    spread = float(np.sqrt(np.mean(centred**2)))
    scaled = centred / spread if spread > 0 else centred
    order = sorted_rows(Sample("", values))[rng.permutation(len(values))]
    held = max(1, round(training.watched * len(values)))
    watch, rest = (torch.from_numpy(scaled[rows]).float() for rows in (order[:held], order[held:]))
    width = values.shape[1]
    encoder = chain([width, *hidden, components], generator)
    decoder = chain([components, *reversed(hidden), width], generator)
    network = nn.ModuleList([encoder, decoder])

    def back(rows: Tensor) -> Scores:
        return decoder(encoder(rows)), rows

    def draw() -> Scores:
        return back(rest[torch.randint(len(rest), (training.batch,), generator=generator)])

    with Reporter() as reporter:
        fit(network, draw, lambda: back(watch), _gain, training, part(reporter, "autoencoder"))
    with torch.no_grad():
        found, rows = back(watch.double())
        share = 1.0 - float(((found - rows) ** 2).mean() / (rows**2).mean())
        return encoder(torch.from_numpy(scaled)).numpy(), share


def _gain(found: Tensor, rows: Tensor, log_mean: float) -> Tensor:  # noqa: ARG001  (what `fit` hands to every gain)
    return -((found - rows) ** 2).mean()
