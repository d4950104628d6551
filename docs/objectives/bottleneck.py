"""The figure of the page on the information bottleneck: the curve of a joint law in the information plane.

`python docs/objectives/bottleneck.py` prints the numbers behind it, with `docs` on the path of imports.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

import chart
from kullback.losses import bottleneck

BETAS = np.geomspace(1.05, 200, 25).tolist()


@cache
def joint() -> torch.Tensor:
    """Sixteen inputs and four outcomes, drawn at random."""
    return torch.tensor(np.random.default_rng(0).dirichlet(np.full(64, 0.3)).reshape(16, 4))


@cache
def curves() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """I(X;T) and I(T;Y) in nats by method."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the arrays are small
    soft = bottleneck.sweep(joint(), BETAS)
    hard = bottleneck.sweep(joint(), BETAS, alpha=0.0)
    torch.set_num_threads(threads)
    return {
        name: (found.complexity.numpy(), found.relevance.numpy())
        for name, found in (("bottleneck", soft), ("deterministic bottleneck", hard))
    }


def plane() -> str:
    """I(T;Y) against I(X;T), below what the inputs themselves tell."""
    series = [
        chart.Series(name, tuple(chart.Point(float(a), float(b)) for a, b in zip(x, y, strict=True)))
        for name, (x, y) in curves().items()
    ]
    most = curves()["bottleneck"][1].max()
    limit = chart.Series(
        "as much as any code can tell", tuple(chart.Point(x, min(x, most)) for x in (0, most, 2.5))
    )
    return chart.lines(
        series,
        at=(0, 0.5, 1.0, 1.5, 2.0, 2.5),
        levels=(0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
        caption="I(X;T) in nats",
        label="I(T;Y) in nats",
        plain=[limit],
    )


FIGURES = {"information plane": plane}


def main() -> None:
    """Print what the figure shows."""
    for name, (x, y) in curves().items():
        print(name)  # noqa: T201
        for beta, a, b in zip(BETAS, x, y, strict=True):
            print(f"  beta {beta:7.2f}  I(X;T) {a:.4f}  I(T;Y) {b:.4f}")  # noqa: T201


if __name__ == "__main__":
    main()
