"""The figure of the page on contrast: what each bound says of known mutual information, given the best critic.

`python docs/objectives/contrast.py` prints the numbers behind it, with `docs` on the path of imports.
"""

from __future__ import annotations

import math
from functools import cache, partial

import numpy as np
import torch

import curve
import kullback as kb
from kullback.bounds import variational
from kullback.losses import contrast

TRUTHS = np.linspace(0.0, 8.0, 17)
WIDTH = 4  # of x and y, which are normal with one correlation in every coordinate
PAIRS = 256
BATCHES = 3


def scores(information: float, rng: np.random.Generator) -> torch.Tensor:
    """The log-ratio of the joint law to the product, of every x with every y."""
    spread = math.exp(-2 * information / WIDTH)
    rho = math.sqrt(-math.expm1(-2 * information / WIDTH))
    x = rng.normal(size=(PAIRS, WIDTH))
    y = rho * x + math.sqrt(spread) * rng.normal(size=(PAIRS, WIDTH))
    squares = (rho * x[:, None] - y[None]) ** 2 / spread - y[None] ** 2
    return torch.tensor(information - 0.5 * squares.sum(-1))


def contrastive(s: torch.Tensor, k: int) -> float:
    """InfoNCE with k columns, the mean over the parts of a batch."""
    parts = [s[i : i + k, i : i + k] for i in range(0, PAIRS, k)]
    return float(np.mean([math.log(k) - float(contrast.info_nce(part)) for part in parts]))


def interpolated(s: torch.Tensor) -> float:
    """The bound between NWJ and InfoNCE at α = 0.01."""
    own, other = contrast.split(s.T)
    joint = torch.cat([own[:, None], other[:, 1:]], -1)
    return float(variational.interpolated(joint, other, alpha=0.01))


def by_js(s: torch.Tensor) -> float:
    """What a Jensen–Shannon divergence, found by a logistic loss, implies at least."""
    js = -float(contrast.f_information(kb.js, s))
    return kb.bound(kb.kl, given=kb.js, at=js).low


BOUNDS = {
    "InfoNCE, 16 columns": partial(contrastive, k=16),
    "InfoNCE, 256 columns": partial(contrastive, k=256),
    "interpolated, 256 columns": interpolated,
    "KL from JS": by_js,
}


@cache
def found() -> dict[str, np.ndarray]:
    """The mean of every bound over batches, at each truth."""
    rng = np.random.default_rng(0)
    drawn = [[scores(truth, rng) for _ in range(BATCHES)] for truth in TRUTHS]
    return {
        name: np.array([np.mean([bound(s) for s in batches]) for batches in drawn])
        for name, bound in BOUNDS.items()
    }


def caps() -> str:
    """What each bound says against the truth, in nats."""
    lines = [curve.Line("mutual information", lambda t: t)]
    lines += [curve.Line(name, partial(np.interp, xp=TRUTHS, fp=row)) for name, row in found().items()]
    return curve.svg(lines, marks=(0, 2, 4, 6, 8), caption="mutual information, in nats", top=8.0)


FIGURES = {"caps of contrast": caps}


def main() -> None:
    """Print what the figure shows."""
    for name, row in found().items():
        print(f"{name:<26} {'  '.join(f'{x:.2f}' for x in row[::4])}")  # noqa: T201


if __name__ == "__main__":
    main()
