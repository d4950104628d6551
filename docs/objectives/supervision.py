"""The figure of the page on weak supervision: the risk between the loss of bags and that of their members.

`python docs/objectives/supervision.py` prints the numbers behind it, with `docs` on the path of imports.
"""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import torch

import curve
from kullback.losses import supervision

WIDTH, BAGS, DRAWS, NOISE = 20, 30, 30, 3.0
SIZES = (2, 5, 10)
RHO = np.linspace(0.0, 1.0, 41)


@cache
def risks() -> dict[int, np.ndarray]:
    """The mean ‖θ̂ − θ‖² of linear regression on the responses of bags, by the size of the bags, at every ρ."""
    return {size: np.mean([_errors(size, seed) for seed in range(DRAWS)], axis=0) for size in SIZES}


def risk_between() -> str:
    """The risk against ρ."""
    lines = [
        curve.Line(f"bags of {size}", partial(np.interp, xp=RHO, fp=risk)) for size, risk in risks().items()
    ]
    return curve.svg(
        lines, marks=(0, 0.25, 0.5, 0.75, 1), caption="risk against ρ: from bags (0) to members (1)", top=25.0
    )


def _errors(size: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    theta, x = rng.normal(size=WIDTH), rng.normal(size=(size * BAGS, WIDTH))
    noisy = x @ theta + NOISE * rng.normal(size=size * BAGS)
    means = torch.tensor(noisy).reshape(BAGS, size).mean(-1)
    bag, members = (_quadratic(torch.tensor(x), means, rho) for rho in (0.0, 1.0))
    solved = [
        np.linalg.solve(*((1 - rho) * b + rho * m for b, m in zip(bag, members, strict=True))) for rho in RHO
    ]
    return np.array([((solution - theta) ** 2).sum() for solution in solved])


def _quadratic(x: torch.Tensor, means: torch.Tensor, rho: float) -> tuple[np.ndarray, np.ndarray]:
    """The matrix and the right side whose solution minimises the loss: its curvature and minus its slope at 0."""
    start = torch.zeros(WIDTH, dtype=x.dtype, requires_grad=True)
    whose = torch.arange(len(x)) // (len(x) // BAGS)
    loss = supervision.bag_regression(x @ start, means, bags=whose, rho=rho)
    (slope,) = torch.autograd.grad(loss, start, create_graph=True)
    bend = [torch.autograd.grad(s, start, retain_graph=True)[0] for s in slope]
    return torch.stack(bend).numpy(), -slope.detach().numpy()


FIGURES = {"risk between bags and members": risk_between}


def main() -> None:
    """Print what the figure shows."""
    for size, risk in risks().items():
        best = RHO[risk.argmin()]
        print(f"bags of {size:<3} {risk[0]:.2f}  least {risk.min():.2f} at {best:.3f}  {risk[-1]:.2f}")  # noqa: T201


if __name__ == "__main__":
    main()
